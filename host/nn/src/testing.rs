//! Test data: recorded networks and outputs, and small synthetic networks.

use std::path::PathBuf;

use posy_shared::model::{Op, Padding, Shape};
use proptest::prelude::prop;

use super::graph::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};

/// The folder or file `name` of the data that `POSY_DATA` points to (default: `shared` beside the
/// workspace). Prints that `test` is skipped if it is missing.
pub fn data(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {test}: no data at {}; set POSY_DATA",
        path.display()
    );
    None
}

/// Changes some bytes, and perhaps the length, of `bytes`.
pub fn mutate(
    bytes: &mut Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
) {
    for (place, value) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
}

/// Values of a recorded float32 file.
pub fn reals(path: &std::path::Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let (numbers, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty(), "{}", path.display());
    numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

/// Length of the difference of two vectors over the length of `theirs`.
pub fn relative_error(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let square = |x: f64| x * x;
    let pairs = ours.iter().zip(theirs);
    let apart: f64 = pairs
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let whole: f64 = theirs.iter().map(|b| square(f64::from(*b))).sum();
    (apart / whole).sqrt()
}

/// A small float network with every operator that posy runs and varied weights.
pub fn small_float() -> FloatNetwork {
    let shape = |side: u16, channels: u16| Shape {
        height: side,
        width: side,
        channels,
    };
    let around = |top: u8, bottom: u8| Padding {
        top,
        bottom,
        left: top,
        right: bottom,
    };
    let mut layers = Vec::new();
    let mut input = shape(9, 3);
    let mut number = 0_u32;
    let mut add = |op: Op, output: Shape, stride: u8, padding: Padding, skip: Option<usize>| {
        let inputs = usize::from(input.channels);
        let terms = match op {
            Op::Conv3x3 => 9 * inputs,
            Op::Depthwise3x3 => 9,
            Op::Pointwise | Op::Dense => inputs,
            Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => 0,
        };
        let mut numbers = |count: usize| -> Vec<f32> {
            let mut next = || {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (number >> 8) as f32 / (1 << 24) as f32 - 0.45
            };
            (0..count).map(|_| next()).collect()
        };
        let outputs = usize::from(output.channels);
        layers.push(FloatLayer {
            common: Common {
                name: format!("layer {}", layers.len()),
                op,
                input,
                output,
                stride,
                padding,
                activation: match op {
                    Op::Conv3x3 | Op::Depthwise3x3 => Activation::Relu6,
                    _ => Activation::None,
                },
                skip,
            },
            weights: numbers(outputs * terms),
            bias: numbers(if terms > 0 { outputs } else { 0 }),
            range: None,
        });
        input = output;
    };
    let none = Padding::default();
    add(Op::Conv3x3, shape(5, 4), 2, around(1, 1), None);
    add(Op::Depthwise3x3, shape(5, 4), 1, around(1, 1), None);
    add(Op::Pointwise, shape(5, 4), 1, none, None);
    add(Op::Add, shape(5, 4), 1, none, Some(0));
    add(Op::GlobalAveragePool, shape(1, 4), 1, none, None);
    add(Op::Dense, shape(1, 3), 1, none, None);
    FloatNetwork {
        pixels: None,
        input: Quantisation {
            scale: 1.0,
            zero_point: -128,
        },
        layers,
    }
}

/// A network's layers without their names.
pub fn nameless(layers: &[FloatLayer]) -> Vec<FloatLayer> {
    let mut layers = layers.to_vec();
    layers
        .iter_mut()
        .for_each(|layer| layer.common.name.clear());
    layers
}
