//! Where tests find networks and recorded outputs, and a small network.

use std::path::PathBuf;

use posy_shared::model::{Op, Padding, Shape};

use super::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};

/// The folder or file `name` of the data that `POSY_DATA` points to (default: `shared` beside the
/// workspace). Says loudly that `test` is skipped where it is missing.
pub fn data(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
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

fn shape(side: u16, channels: u16) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// Every kind of layer, with paddings that TensorFlow has a word for and one that it has not.
pub(crate) fn small_float_network() -> FloatNetwork {
    let padding = |top, bottom| Padding {
        top,
        bottom,
        left: top,
        right: bottom,
    };
    let layers = [
        (
            Op::Conv3x3,
            shape(8, 3),
            shape(4, 5),
            2,
            padding(0, 1),
            None,
        ),
        (
            Op::Depthwise3x3,
            shape(4, 5),
            shape(4, 5),
            1,
            padding(1, 1),
            None,
        ),
        (
            Op::Pointwise,
            shape(4, 5),
            shape(4, 5),
            1,
            padding(0, 0),
            None,
        ),
        (Op::Add, shape(4, 5), shape(4, 5), 1, padding(0, 0), Some(0)),
        (
            Op::Depthwise3x3,
            shape(4, 5),
            shape(2, 5),
            2,
            padding(1, 1),
            None,
        ),
        (
            Op::GlobalAveragePool,
            shape(2, 5),
            shape(1, 5),
            1,
            padding(0, 0),
            None,
        ),
        (Op::Dense, shape(1, 5), shape(1, 2), 1, padding(0, 0), None),
    ];
    let layers = layers.into_iter().enumerate();
    let layers = layers.map(|(index, (op, input, output, stride, padding, skip))| {
        let channels = usize::from(output.channels);
        let (weights, bias) = match op {
            Op::Conv3x3 => (27 * channels, channels),
            Op::Depthwise3x3 => (9 * channels, channels),
            Op::Pointwise | Op::Dense => (5 * channels, channels),
            Op::Add | Op::GlobalAveragePool => (0, 0),
        };
        let activation = match index {
            0 | 4 => Activation::Relu6,
            1 => Activation::Relu,
            _ => Activation::None,
        };
        let number = |n: usize| ((n * 37 + index * 11) % 101) as f32 / 64.0 - 0.7;
        FloatLayer {
            common: Common {
                name: String::new(),
                op,
                input,
                output,
                stride,
                padding,
                activation,
                skip,
            },
            weights: (0..weights).map(number).collect(),
            bias: (0..bias).map(number).collect(),
            range: None,
        }
    });
    FloatNetwork {
        input: Quantisation {
            scale: 1.0 / 64.0,
            zero_point: -1,
        },
        layers: layers.collect(),
    }
}
