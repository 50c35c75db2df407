//! Helpers that several tests share.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub mod flash;
pub mod laptop;
pub mod plugged;
pub mod sensor_steps;
pub mod simulated;
pub mod simulated_mega;
pub mod simulated_port;

// The whole-system tests' model, so that there is one.
#[path = "../../../tests/src/small.rs"]
pub mod small;

use posy_firmware::camera::Camera;
use posy_firmware::classify::{ClassifyError, RowBuffers, classify};
use posy_shared::engine::Engine;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;

/// A frame of `len` bytes in one grey, by its 5 bits.
pub fn grey(level: u16, len: usize) -> Vec<u8> {
    let pixel = (level << 11 | level << 6 | level).to_be_bytes();
    pixel.into_iter().cycle().take(len).collect()
}

/// A camera frame of `len` bytes with structure.
pub fn frame_bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|index| (index * 37 + index / 11 * (seed + 5) + seed * 13) as u8)
        .collect()
}

/// Logits of one picture.
pub fn logits_of<C: Camera>(
    camera: &mut C,
    file: &[u8],
) -> Result<Vec<i8>, ClassifyError<C::Error>> {
    let model = Model::read(file).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let mut buffers = RowBuffers {
        raw: &mut [0; 640],
        rgb: &mut [0; 960],
        scratch: &mut vec![0; scratch_len(model.input_shape().width)],
    };
    classify(camera, &mut engine, &mut buffers).map(<[i8]>::to_vec)
}
