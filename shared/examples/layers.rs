//! Prints a checksum of each layer's output under one kernel variant, for comparison with another
//! machine.
//!
//!     cargo run --release -p posy-shared --features std --example layers -- VARIANT MODEL.posy INPUT...
//!
//! An `INPUT` is a file of the network's raw input, int8 `[H, W, C]`. A line is `INPUT LAYER CRC-32`,
//! with inputs and layers numbered from 0; the CRC-32 (ISO-HDLC) is of the layer's output as
//! `[H, W, C]`.

use std::error::Error;
use std::process::ExitCode;

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};
use posy_shared::engine::{Observer, Prepared};
use posy_shared::kernels::Layout;
use posy_shared::kernels::simd::VARIANTS;
use posy_shared::model::{Layer, Model};

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Running checksum of each layer, over the rows that have arrived.
struct Checksums<'m> {
    layers: &'m [Layer],
    digests: Vec<Digest<'static, u32, Table<16>>>,
}

impl Observer for Checksums<'_> {
    fn row(&mut self, layer: usize, _: usize, layout: Layout, numbers: &[i8]) {
        let shape = self.layers[layer].output;
        let (width, channels) = (usize::from(shape.width), usize::from(shape.channels));
        let (x_step, c_step) = layout.steps(width, channels);
        let mut row = Vec::with_capacity(width * channels);
        for x in 0..width {
            row.extend((0..channels).map(|c| numbers[x * x_step + c * c_step] as u8));
        }
        self.digests[layer].update(&row);
    }
}

fn run(variant: &str, model: &str, inputs: &[String]) -> Result<(), Box<dyn Error>> {
    let found = VARIANTS.iter().find(|each| each.name == variant);
    let kernels = found.and_then(|variant| (variant.kernels)());
    let kernels = kernels.ok_or_else(|| format!("this processor has no {variant}"))?;
    let file = std::fs::read(model)?;
    let prepared = Prepared::new(Model::read(&file)?, kernels);
    let model = prepared.model();
    let mut arena = vec![0; prepared.arena_len()];
    let mut engine = prepared.engine(&mut arena)?;
    for (index, input) in inputs.iter().enumerate() {
        let input = std::fs::read(input)?;
        let mut checksums = Checksums {
            layers: model.layers(),
            digests: model.layers().iter().map(|_| CRC.digest()).collect(),
        };
        for row in input.chunks(model.input_shape().row_len()) {
            engine.push_row_observed(bytemuck::cast_slice(row), &mut checksums)?;
        }
        engine.finish_observed(&mut checksums)?;
        for (layer, digest) in checksums.digests.into_iter().enumerate() {
            println!("{index} {layer} {:08x}", digest.finalize());
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [variant, model, inputs @ ..] = &arguments[..] else {
        eprintln!("usage: layers VARIANT MODEL.posy INPUT...");
        return ExitCode::from(2);
    };
    match run(variant, model, inputs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {model}: {error}");
            ExitCode::FAILURE
        }
    }
}
