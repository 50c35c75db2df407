//! Errors for operators of a float network.

use posy_shared::model::Shape;
use posy_shared::shown::Shown;

/// A name from a file, escaped and cut for messages.
pub(crate) fn shown(name: &str) -> String {
    Shown::name(name).to_string()
}

/// Defect of one operator or of the tensors that it reads.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// posy has no such operator.
    #[error(
        "posy has no such operator: its integer engine runs 3 x 3 and 1 x 1 convolutions, 3 x 3 depthwise ones, \
         batch norms, ReLU, ReLU6, additions, one mean over the whole map, and fully connected layers"
    )]
    Operator,
    /// A required input or output is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// No node writes this name.
    #[error(
        "it reads \"{0}\", which nothing before it writes; the file is damaged or was cut out of a larger one"
    )]
    Unwritten(String),
    /// An attribute is unknown, or has a value that posy cannot run.
    #[error("its setting {name} is {found}; {wanted}")]
    Setting {
        /// Name of the attribute.
        name: &'static str,
        /// Value in the file.
        found: String,
        /// Values that posy runs.
        wanted: &'static str,
    },
    /// A computed value where a constant is required.
    #[error("its {0} must be a constant in the file")]
    NotConstant(&'static str),
    /// A constant where a computed value is required.
    #[error("its {0} must not be a constant")]
    OnlyConstants(&'static str),
    /// A tensor of an unsupported element type.
    #[error("\"{tensor}\" holds {found}; export the network in float32")]
    NumberType {
        /// Name of the tensor.
        tensor: String,
        /// Its element type.
        found: String,
    },
    /// The data of a tensor lies in another file.
    #[error(
        "the numbers of \"{0}\" lie in another file; export the network in one file, without external data"
    )]
    External(String),
    /// The length of the data does not match the shape.
    #[error("\"{tensor}\" needs {expected} numbers, the file holds {found}")]
    Data {
        /// Name of the tensor.
        tensor: String,
        /// Number of elements by the shape.
        expected: usize,
        /// Number of elements in the file.
        found: usize,
    },
    /// A shape that does not fit its use.
    #[error("{what} of shape {found:?}; {wanted}")]
    Shape {
        /// Name of the tensor's role.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// Shapes that would fit.
        wanted: &'static str,
    },
    /// Weights that are infinite or NaN.
    #[error("its {0} are not all finite numbers; the file is damaged or training went wrong")]
    NotFinite(&'static str),
    /// A kernel that is neither 3 x 3 nor 1 x 1.
    #[error("kernel of {0} x {1}; posy runs 3 x 3 and 1 x 1, and depthwise 3 x 3")]
    Kernel(usize, usize),
    /// A grouped convolution that is not depthwise.
    #[error(
        "{groups} groups of {channels} channels; posy runs plain and depthwise convolutions (one output for each channel)"
    )]
    Groups {
        /// Number of groups in the file.
        groups: usize,
        /// Number of input channels.
        channels: u16,
    },
    /// A dilated convolution.
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
    /// A clamp that is none of posy's activations.
    #[error("it clamps to {0} to {1}; posy runs ReLU and ReLU6")]
    Clamp(f32, f32),
    /// A scale or shift that cannot be folded into the layer before it.
    #[error("a scale or shift by {0} is run only on the input, or right behind a convolution")]
    Affine(&'static str),
    /// The input is not the output of the layer before.
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
        /// Its window.
        found: Vec<usize>,
        /// Height of the map.
        height: u16,
        /// Width of the map.
        width: u16,
    },
    /// A mean over other axes than height and width.
    #[error("it takes a mean over other axes than height and width")]
    Axes,
    /// A map used as a vector before it is pooled.
    #[error("it makes a vector of a map of {} x {}; posy pools the map first, or flattens at most 65535 values", .0.height, .0.width)]
    Flat(Shape),
    /// An extent out of the range that layers allow.
    #[error("extents {0:?}; posy reads maps of 1 to 65535 rows, columns and channels")]
    Extent(Vec<usize>),
    /// More weights than the file can hold.
    #[error("its numbers are used by too many layers; the file is damaged")]
    Shared,
}

impl Problem {
    /// True if the network is valid but needs something that posy does not run; false if the file
    /// is damaged.
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
