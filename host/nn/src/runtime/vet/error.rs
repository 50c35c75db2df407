//! Reasons for which a graph is not given to the library that runs it.

use super::value::MOST_NUMBERS;
use super::{MOST_NODES, MOST_PRODUCTS};

/// Fault of a graph, with the place where it lies.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VetError {
    /// A node that cannot be run, or not with what it reads.
    #[error("node \"{output}\" ({operator}): {problem}")]
    Node {
        /// Its operator.
        operator: String,
        /// Name of what it writes.
        output: String,
        /// The fault.
        problem: Problem,
    },
    /// A constant that is not what it says.
    #[error("the constant \"{name}\": {problem}")]
    Constant {
        /// Its name.
        name: String,
        /// The fault.
        problem: Problem,
    },
    /// An input, or the description of a value, that is no value.
    #[error("\"{name}\": {problem}")]
    Value {
        /// Its name.
        name: String,
        /// The fault.
        problem: Problem,
    },
    /// No graph.
    #[error("the file holds no graph; export it again")]
    NoGraph,
    /// More nodes than any classifier has.
    #[error(
        "the graph has {0} nodes, posy runs up to {MOST_NODES}; give the network of a classifier"
    )]
    Nodes(usize),
    /// An output that nothing writes.
    #[error("nothing writes the output \"{0}\"; export the network again")]
    Output(String),
    /// More work than a picture is worth.
    #[error(
        "a picture would take {0} million products, posy runs networks up to {most} million; give a smaller \
         network or a smaller picture (--input-size)",
        most = MOST_PRODUCTS / 1_000_000
    )]
    Products(u64),
    /// More memory than a picture is worth.
    #[error(
        "a picture would take {found} MiB of memory, posy runs networks up to {most} MiB; give a smaller network \
         or a smaller picture (--input-size)"
    )]
    Memory {
        /// Memory that a picture would take, MiB.
        found: u64,
        /// Memory that a picture may take, MiB.
        most: u64,
    },
}

/// Fault of a node, a constant or a value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// An operator whose cost is not known beforehand; its node is open.
    #[error("posy cannot tell the memory and time of this operator beforehand")]
    Operator,
    /// Numbers that are stored by their places.
    #[error("it holds sparse numbers, which posy does not run; export the network with plain ones")]
    Sparse,
    /// A value that nothing before it writes.
    #[error("it reads \"{0}\", which nothing before it writes; export the network again")]
    Unwritten(String),
    /// A name that stands for two values.
    #[error("two values have this name; export the network again")]
    Twice,
    /// Too many inputs, or too few.
    #[error("it reads {0} values and writes {1}, which this operator does not")]
    Arity(usize, usize),
    /// A setting that is missing or out of range.
    #[error("its setting \"{0}\" is missing or out of any network's range")]
    Setting(&'static str),
    /// A kind of number.
    #[error("its numbers are of ONNX type {0}, which posy does not run; export it in float32")]
    Kind(i32),
    /// Operands of different kinds.
    #[error("its operands are numbers of different kinds")]
    Kinds,
    /// More axes than values have.
    #[error("it has {0} axes")]
    Axes(usize),
    /// Extents that do not fit.
    #[error("its {0} has the extents {1:?}, which do not fit")]
    Fit(&'static str, Vec<usize>),
    /// An extent of zero where numbers are expected.
    #[error("its extents are {0:?}: there is nothing in it")]
    Empty(Vec<usize>),
    /// More numbers than a picture is worth.
    #[error("its extents are {0:?}; posy runs values of up to {MOST_NUMBERS} numbers")]
    Large(Vec<usize>),
    /// Numbers that decide about extents and are not known.
    #[error("its {0} depends on the picture, so its memory cannot be told beforehand")]
    Open(&'static str),
    /// An operator that must not read what is open.
    #[error(
        "its {0} cannot be told beforehand, since an operator before it is not known; export the network without \
         this norm, or with it folded into a convolution"
    )]
    Untold(&'static str),
    /// A constant of another length than its extents say.
    #[error("the file does not hold the numbers for its extents {0:?}; fetch or export it again")]
    Length(Vec<usize>),
    /// A constant in another file.
    #[error("its numbers lie in another file; save the network with its weights inside")]
    Elsewhere,
}
