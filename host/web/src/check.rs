//! Exports for tests: the seeded cases of the kernels, and checksums of every layer.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;
use core::slice;

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};
use posy_shared::engine::{Observer, Prepared};
use posy_shared::kernels::{Layout, conformance};
use posy_shared::model::{Layer, Model};

use crate::session::{Kernels, SessionError, kernels};
use crate::text;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Holds the kernels to the plain reference; returns 0 where they differ, and leaves the case as text.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn posy_check_kernels() -> u32 {
    text::ok(conformance::check(&mut kernels()).map(|_| ()))
}

/// Leaves the CRC-32 (ISO-HDLC) of each layer's output `[H, W, C]` as text, a line each; returns 0
/// where the model is not sound.
///
/// # Safety
/// `file` is at a model of `file_len` bytes, `input` at `input_len` values of its input `[H, W, C]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_check_layers(
    file: *const u8,
    file_len: usize,
    input: *const i8,
    input_len: usize,
) -> u32 {
    // SAFETY: the caller guarantees it.
    let (file, input) = unsafe {
        (
            slice::from_raw_parts(file, file_len),
            slice::from_raw_parts(input, input_len),
        )
    };
    match layers(file, input) {
        Ok(lines) => {
            text::set(format_args!("{lines}"));
            1
        }
        Err(error) => text::ok(Err(error)),
    }
}

/// The checksums of each layer, as far as its rows have come.
struct Checksums<'m> {
    layers: &'m [Layer],
    digests: Vec<Digest<'static, u32, Table<16>>>,
}

impl Observer for Checksums<'_> {
    fn row(&mut self, layer: usize, _: usize, layout: Layout, values: &[i8]) {
        let shape = self.layers[layer].output;
        let (width, channels) = (usize::from(shape.width), usize::from(shape.channels));
        let (x_step, c_step) = layout.steps(width, channels);
        let mut row = Vec::with_capacity(width * channels);
        for x in 0..width {
            row.extend((0..channels).map(|c| values[x * x_step + c * c_step] as u8));
        }
        self.digests[layer].update(&row);
    }
}

fn layers(file: &[u8], input: &[i8]) -> Result<String, SessionError> {
    let prepared: Box<Prepared<'_, Kernels>> =
        Box::new(Prepared::new(Model::read(file)?, kernels()));
    let model = prepared.model();
    let mut checksums = Checksums {
        layers: model.layers(),
        digests: model.layers().iter().map(|_| CRC.digest()).collect(),
    };
    let mut arena = vec![0; prepared.arena_len()];
    let mut engine = prepared.engine(&mut arena)?;
    for row in input.chunks(model.input_shape().row_len()) {
        engine.push_row_observed(row, &mut checksums)?;
    }
    engine.finish_observed(&mut checksums)?;
    let mut lines = String::new();
    for digest in checksums.digests {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{:08x}", digest.finalize());
    }
    Ok(lines)
}
