//! Why an operator of a float network is refused.

use posy_shared::model::Shape;
use posy_shared::shown::Shown;

/// A name of a file as messages show it.
pub(crate) fn shown(name: &str) -> String {
    Shown::name(name).to_string()
}

/// What is wrong with one operator, or with the tensors that it reads.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// posy has no such operator.
    #[error(
        "posy has no such operator: its integer engine runs 3 x 3 and 1 x 1 convolutions, 3 x 3 depthwise ones, \
         batch norms, ReLU, ReLU6, additions, one mean over the whole map, and fully connected layers"
    )]
    Operator,
    /// An input or output that the operator needs is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A name that nothing writes.
    #[error(
        "it reads \"{0}\", which nothing before it writes; the file is damaged or was cut out of a larger one"
    )]
    Unwritten(String),
    /// A setting that posy does not know, or cannot follow.
    #[error("its setting {name} is {found}; {wanted}")]
    Setting {
        /// Name of the attribute.
        name: &'static str,
        /// As the file has it.
        found: String,
        /// What posy runs.
        wanted: &'static str,
    },
    /// Something computed where a constant must stand.
    #[error("its {0} must be a constant in the file")]
    NotConstant(&'static str),
    /// A constant where something computed must stand.
    #[error("its {0} must not be a constant")]
    OnlyConstants(&'static str),
    /// A tensor whose numbers are of a type that is not read.
    #[error("\"{tensor}\" holds {found}; export the network in float32")]
    NumberType {
        /// Name of the tensor.
        tensor: String,
        /// What it holds.
        found: String,
    },
    /// A tensor whose data lies in another file.
    #[error(
        "the numbers of \"{0}\" lie in another file; export the network in one file, without external data"
    )]
    External(String),
    /// Data that are not what the shape asks for.
    #[error("\"{tensor}\" needs {expected} numbers, the file holds {found}")]
    Data {
        /// Name of the tensor.
        tensor: String,
        /// As its shape asks.
        expected: usize,
        /// As there are.
        found: usize,
    },
    /// A shape that does not fit its place.
    #[error("{what} of shape {found:?}; {wanted}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        wanted: &'static str,
    },
    /// Infinite weights, or none.
    #[error("its {0} are not all finite numbers; the file is damaged or training went wrong")]
    NotFinite(&'static str),
    /// A kernel that is neither 3 x 3 nor 1 x 1.
    #[error("kernel of {0} x {1}; posy runs 3 x 3 and 1 x 1, and depthwise 3 x 3")]
    Kernel(usize, usize),
    /// Groups that are neither one nor each channel by itself.
    #[error(
        "{groups} groups of {channels} channels; posy runs plain and depthwise convolutions (one output for each channel)"
    )]
    Groups {
        /// As the file says.
        groups: usize,
        /// Channels read.
        channels: u16,
    },
    /// Kernel elements that do not lie side by side.
    #[error("dilation {0:?}; posy runs networks without dilation")]
    Dilation(Vec<usize>),
    /// Strides that differ, are out of range, or belong to a 1 x 1 layer.
    #[error("stride {0:?}; posy runs equal strides from 1 to 4, and 1 for 1 x 1 layers")]
    Stride(Vec<usize>),
    /// A padding that cannot become part of a 3 x 3 layer.
    #[error(
        "padding is run only as zeros around the map that a 3 x 3 convolution reads, up to 2 rows and columns on each side"
    )]
    Padding,
    /// A clamp that is no activation of posy's.
    #[error("it clamps to {0} to {1}; posy runs ReLU and ReLU6")]
    Clamp(f32, f32),
    /// A scale or shift that cannot be folded into the layer before it.
    #[error("a scale or shift by {0} is run only on the input, or right behind a convolution")]
    Affine(&'static str),
    /// Reads something else than what the layer before it writes.
    #[error(
        "it reads something else than the layer before it writes; posy runs chains of layers, with additions that look back"
    )]
    Branch,
    /// An addition whose operands are not two layers of one shape.
    #[error("posy adds the outputs of two different layers of the same shape")]
    Operands,
    /// A pool over less than the whole map.
    #[error("it pools windows of {found:?} in a map of {height} x {width}; posy pools whole maps")]
    Pool {
        /// The window.
        found: Vec<usize>,
        /// Rows of the map.
        height: u16,
        /// Pixels in a row.
        width: u16,
    },
    /// A mean over other axes than height and width.
    #[error("it takes a mean over other axes than height and width")]
    Axes,
    /// A map that is used as a vector before it was pooled.
    #[error("it makes a vector of a map of {} x {}; posy pools the map first", .0.height, .0.width)]
    Flat(Shape),
    /// An extent that no layer may have.
    #[error("extents {0:?}; posy reads maps of 1 to 65535 rows, columns and channels")]
    Extent(Vec<usize>),
    /// More numbers than the file can hold.
    #[error("its numbers are used by too many layers; the file is damaged")]
    Shared,
}

impl Problem {
    /// Whether the network asks for something that posy does not run, as opposed to a file that is
    /// damaged.
    pub(crate) fn is_foreign(&self) -> bool {
        !matches!(
            self,
            Problem::Unwritten(_)
                | Problem::External(_)
                | Problem::Data { .. }
                | Problem::NotFinite(_)
                | Problem::Missing(_)
                | Problem::Shared
        )
    }
}
