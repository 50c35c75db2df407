//! Errors for `.tflite` files.

use flatbuffers::InvalidFlatbuffer;
use posy_shared::model::Shape;

use crate::graph::builder;

/// Defect of a `.tflite` file. Each message says where it is and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TfliteError {
    /// The file identifier "TFL3" is missing.
    #[error("this is not a TensorFlow Lite file (bytes 4 to 8 are not \"TFL3\")")]
    NotTflite,
    /// Offsets or lengths point outside the file.
    #[error("the file is damaged or cut short; fetch it again ({0})")]
    Damaged(#[from] InvalidFlatbuffer),
    /// Unsupported schema version.
    #[error("the file has schema version {0}; posy reads version 3")]
    Version(u32),
    /// The file does not have one graph with one input and one output.
    #[error("the file has {count} {what}; posy reads networks with exactly one")]
    Count {
        /// The item counted: graphs, inputs or outputs.
        what: &'static str,
        /// Its number.
        count: usize,
    },
    /// The input is neither colour nor grey.
    #[error(
        "the input has {0} channels; posy reads pictures of 3 (red, green, blue) and of 1 (grey)"
    )]
    Channels(u16),
    /// The graph has no layer that posy could run.
    #[error("the network has no layers")]
    Empty,
    /// The graph's output is not the output of its last layer.
    #[error("the network's output is tensor {tensor}, which is not what its last layer writes")]
    Output {
        /// Index of the output tensor.
        tensor: i32,
    },
    /// A layer that posy cannot run.
    #[error("operator {index} ({operator}, writing \"{output}\"): {problem}")]
    Layer {
        /// Index in the file's list of operators.
        index: usize,
        /// Name of the operator, such as `CONV_2D`.
        operator: String,
        /// Name of the tensor that it writes.
        output: String,
        /// Defect of the layer.
        problem: Box<Problem>,
    },
    /// The input of a float network is not one image.
    #[error(
        "the input has shape {found:?}; posy reads one picture, [1, H, W, 3] or, grey, [1, H, W, 1]: convert the network \
         with a fixed input size, or say it (--input-size)"
    )]
    Input {
        /// Shape of the input.
        found: Vec<usize>,
    },
    /// An operator of a float network that posy cannot run.
    #[error("operator {index} ({operator}, writing \"{output}\"): {problem}")]
    Float {
        /// Index in the file's list of operators.
        index: usize,
        /// Name of the operator.
        operator: String,
        /// Name of the tensor that it writes.
        output: String,
        /// Defect of the operator.
        problem: Box<builder::Problem>,
    },
}

/// Defect of one operator of a `.tflite` file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// posy has no such operator.
    #[error(
        "posy has no such operator; it runs CONV_2D, DEPTHWISE_CONV_2D, ADD, AVERAGE_POOL_2D, MEAN, \
         FULLY_CONNECTED, PAD, RESHAPE, SQUEEZE, SOFTMAX and LOGISTIC, and MUL, ADD and SUB with a constant at the \
         input"
    )]
    Operator,
    /// A custom operator.
    #[error("custom operator \"{0}\" is not known to posy")]
    Custom(String),
    /// The operator's options table is missing.
    #[error("its options are missing")]
    Options,
    /// A required input or output is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A tensor index out of range.
    #[error("it names tensor {0}, which does not exist")]
    NoTensor(i32),
    /// A tensor of a type that the operator does not support.
    #[error(
        "tensor \"{tensor}\" is {found}; posy reads {wanted} here{}",
        hint(found)
    )]
    NumberType {
        /// Name of the tensor.
        tensor: String,
        /// Its type.
        found: String,
        /// Types that posy reads.
        wanted: &'static str,
    },
    /// A tensor with a dynamic shape.
    #[error(
        "tensor \"{0}\" has a dynamic shape; export the network with a fixed input size, or say it (--input-size)"
    )]
    Dynamic(String),
    /// A tensor's shape does not fit its place.
    #[error("tensor \"{tensor}\" has shape {found:?}; {wanted}")]
    Shape {
        /// Name of the tensor.
        tensor: String,
        /// Its shape.
        found: Vec<i32>,
        /// Shapes that would fit.
        wanted: &'static str,
    },
    /// The output shape does not follow from input, kernel, stride and padding.
    #[error("it writes {found:?}, but {expected:?} follows from its input")]
    OutputShape {
        /// Shape in the file.
        found: Shape,
        /// Expected shape.
        expected: Shape,
    },
    /// A tensor with missing or invalid scale and zero point.
    #[error("tensor \"{tensor}\" {what}; posy reads fully quantised networks")]
    Quantisation {
        /// Name of the tensor.
        tensor: String,
        /// Defect of its quantisation.
        what: &'static str,
    },
    /// A map with too many values to be one vector.
    #[error("it makes a vector of a map of {0} values; posy runs vectors of at most 65535")]
    Flat(usize),
    /// Input and output must have the same quantisation, but do not.
    #[error("its input and output are quantised differently, which posy cannot reproduce exactly")]
    Requantises,
    /// Constant data is missing, outside the file, or has the wrong length.
    #[error("tensor \"{tensor}\" needs {expected} bytes of data, the file holds {found}")]
    Data {
        /// Name of the tensor.
        tensor: String,
        /// Length by shape and type, bytes.
        expected: usize,
        /// Length of its buffer, bytes.
        found: usize,
    },
    /// A variable, sparse, or external tensor.
    #[error("tensor \"{0}\" is a variable, sparse, or kept in another file")]
    Unusual(String),
    /// More weights than the file can hold, because buffers are shared.
    #[error("its weights are shared by too many layers")]
    Shared,
    /// A kernel that is neither 3 x 3 nor 1 x 1.
    #[error("kernel of {0} x {1}; posy runs {2}")]
    Kernel(i32, i32, &'static str),
    /// A dilated convolution.
    #[error("dilation {0} x {1}; posy runs networks without dilation")]
    Dilation(i32, i32),
    /// Strides that differ, are zero, or belong to a 1 x 1 layer.
    #[error("stride {0} x {1}; posy runs equal strides, and 1 for 1 x 1 layers")]
    Stride(i32, i32),
    /// A padding mode that is neither SAME nor VALID.
    #[error("padding mode {0} is not known")]
    PaddingMode(i8),
    /// Padding that cannot become part of a 3 x 3 layer.
    #[error(
        "padding is run only as part of the 3 x 3 convolution without padding that follows it, up to 2 rows and \
         columns on each side"
    )]
    Padding,
    /// A depthwise layer behind the first with a depth multiplier above 1.
    #[error(
        "{inputs} channels become {outputs}; posy runs depthwise layers with multiplier 1, and with others only \
         where they are the first layer"
    )]
    DepthMultiplier {
        /// Number of input channels.
        inputs: u16,
        /// Number of output channels.
        outputs: u16,
    },
    /// An activation other than none, ReLU and ReLU6.
    #[error("fused activation {0} is not run by posy; it runs none, ReLU and ReLU6")]
    Activation(i8),
    /// A pool over less than the whole map.
    #[error("pools windows of {0} x {1}; posy pools whole maps")]
    Pool(i32, i32),
    /// A mean over axes other than height and width.
    #[error("takes the mean over other axes than height and width")]
    Axes,
    /// Weights in the shuffled format.
    #[error("weights are stored in format {0}; posy reads the default format")]
    WeightsFormat(i8),
    /// The input is not the output of the layer before.
    #[error(
        "tensor \"{0}\" is not what the layer before it writes; posy runs chains of layers, with additions that look \
         back"
    )]
    Branch(String),
    /// An addition whose second operand is not an earlier layer.
    #[error(
        "posy adds the outputs of two different layers, and scales and shifts the input by constants, one for all \
         channels or one for each"
    )]
    Operand,
    /// Layers after the network's end.
    #[error("it comes after the scores, where the network ends")]
    AfterEnd,
}

/// Advice for an unsupported type.
fn hint(found: &str) -> &'static str {
    match found {
        "float32" | "float16" => {
            ". The network is quantised in part; convert it in float32, or with full-integer post-training quantisation"
        }
        "int16" => ". Convert with 8-bit activations",
        _ => "",
    }
}
