//! Why an ONNX file cannot be a backbone, not even on the laptop.

use super::RunError;
use crate::backbone::assemble::OrderError;

/// What is wrong with the file. Says where, and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnyError {
    /// Not exactly one input.
    #[error("the graph has {0} inputs beside its weights; posy gives a network one, the picture")]
    Inputs(usize),
    /// An input that is not one picture.
    #[error(
        "the input \"{name}\" has shape [{shape}]; posy gives a network one picture in float32, [1, 3, H, W] or \
         [1, H, W, 3]"
    )]
    Input {
        /// Its name.
        name: String,
        /// Its shape as the file has it.
        shape: String,
    },
    /// Another size than the file's own was asked for.
    #[error("the network reads pictures of {width} x {height} pixels; leave out --input-size")]
    Size {
        /// Pixels across.
        width: u16,
        /// Pixels down.
        height: u16,
    },
    /// Operators of before broadcasting.
    #[error(
        "the file is of ONNX operator set {0}; posy reads sets from 7 on: convert it with onnx.version_converter"
    )]
    OperatorSet(i64),
    /// The nodes have no running order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Nothing between picture and output that could be trained anew.
    #[error("the graph computes nothing of its input; give a classifier or a feature extractor")]
    Nothing,
    /// What comes before the last layer is no list of numbers.
    #[error(
        "\"{name}\", which the last layer reads, has shape {shape:?}; posy needs 1 to {most} numbers of a picture"
    )]
    Features {
        /// The value's name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Most features.
        most: usize,
    },
    /// tract refuses the graph.
    #[error(transparent)]
    Run(#[from] RunError),
}
