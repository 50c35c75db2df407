//! Errors for ONNX files that cannot be used as a backbone, not even on the laptop.

use crate::graph::builder::OrderError;
use crate::runtime::onnx::RunError;

/// Defect of an ONNX classifier. Each message says where it is and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnyError {
    /// The graph does not have exactly one input.
    #[error("the graph has {0} inputs beside its weights; posy gives a network one, the picture")]
    Inputs(usize),
    /// The input is not one image.
    #[error(
        "the input \"{name}\" has shape [{shape}]; posy gives a network one picture in float32, [1, 3, H, W] or \
         [1, H, W, 3]"
    )]
    Input {
        /// Name of the input.
        name: String,
        /// Shape in the file.
        shape: String,
    },
    /// The requested size differs from the file's fixed size.
    #[error("the network reads pictures of {width} x {height} pixels; leave out --input-size")]
    Size {
        /// Width of the file's input, pixels.
        width: u16,
        /// Height of the file's input, pixels.
        height: u16,
    },
    /// The operator set is older than broadcasting.
    #[error(
        "the file is of ONNX operator set {0}; posy reads sets from 7 on: convert it with onnx.version_converter"
    )]
    OperatorSet(i64),
    /// The nodes cannot be ordered.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// No trainable last layer lies between image and output.
    #[error("the graph computes nothing of its input; give a classifier or a feature extractor")]
    Nothing,
    /// The input of the last layer is not a vector.
    #[error(
        "\"{name}\", which the last layer reads, has shape {shape:?}; posy needs 1 to {most} numbers of a picture"
    )]
    Features {
        /// Name of the value.
        name: String,
        /// Shape of the value.
        shape: Vec<usize>,
        /// Maximum number of features.
        most: usize,
    },
    /// tract refuses the graph.
    #[error(transparent)]
    Run(#[from] RunError),
}
