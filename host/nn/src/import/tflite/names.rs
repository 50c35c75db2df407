//! Names of operators and element types in TensorFlow Lite's `schema.fbs`.

/// Enumeration `BuiltinOperator`, up to the numbers that fit the old one-byte field.
const OPERATORS: [&str; 127] = [
    "ADD",
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEPTH_TO_SPACE",
    "DEQUANTIZE",
    "EMBEDDING_LOOKUP",
    "FLOOR",
    "FULLY_CONNECTED",
    "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION",
    "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION",
    "LOGISTIC",
    "LSH_PROJECTION",
    "LSTM",
    "MAX_POOL_2D",
    "MUL",
    "RELU",
    "RELU_N1_TO_1",
    "RELU6",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RNN",
    "SOFTMAX",
    "SPACE_TO_DEPTH",
    "SVDF",
    "TANH",
    "CONCAT_EMBEDDINGS",
    "SKIP_GRAM",
    "CALL",
    "CUSTOM",
    "EMBEDDING_LOOKUP_SPARSE",
    "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "GATHER",
    "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
    "TRANSPOSE",
    "MEAN",
    "SUB",
    "DIV",
    "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "STRIDED_SLICE",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "EXP",
    "TOPK_V2",
    "SPLIT",
    "LOG_SOFTMAX",
    "DELEGATE",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "CAST",
    "PRELU",
    "MAXIMUM",
    "ARG_MAX",
    "MINIMUM",
    "LESS",
    "NEG",
    "PADV2",
    "GREATER",
    "GREATER_EQUAL",
    "LESS_EQUAL",
    "SELECT",
    "SLICE",
    "SIN",
    "TRANSPOSE_CONV",
    "SPARSE_TO_DENSE",
    "TILE",
    "EXPAND_DIMS",
    "EQUAL",
    "NOT_EQUAL",
    "LOG",
    "SUM",
    "SQRT",
    "RSQRT",
    "SHAPE",
    "POW",
    "ARG_MIN",
    "FAKE_QUANT",
    "REDUCE_PROD",
    "REDUCE_MAX",
    "PACK",
    "LOGICAL_OR",
    "ONE_HOT",
    "LOGICAL_AND",
    "LOGICAL_NOT",
    "UNPACK",
    "REDUCE_MIN",
    "FLOOR_DIV",
    "REDUCE_ANY",
    "SQUARE",
    "ZEROS_LIKE",
    "FILL",
    "FLOOR_MOD",
    "RANGE",
    "RESIZE_NEAREST_NEIGHBOR",
    "LEAKY_RELU",
    "SQUARED_DIFFERENCE",
    "MIRROR_PAD",
    "ABS",
    "SPLIT_V",
    "UNIQUE",
    "CEIL",
    "REVERSE_V2",
    "ADD_N",
    "GATHER_ND",
    "COS",
    "WHERE",
    "RANK",
    "ELU",
    "REVERSE_SEQUENCE",
    "MATRIX_DIAG",
    "QUANTIZE",
    "MATRIX_SET_DIAG",
    "ROUND",
    "HARD_SWISH",
    "IF",
    "WHILE",
    "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5",
    "SCATTER_ND",
    "SELECT_V2",
    "DENSIFY",
    "SEGMENT_SUM",
    "BATCH_MATMUL",
];

/// Enumeration `TensorType`.
const NUMBER_TYPES: [&str; 19] = [
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
    "bfloat16",
];

pub(super) const ADD: i32 = 0;
pub(super) const AVERAGE_POOL_2D: i32 = 1;
pub(super) const CONV_2D: i32 = 3;
pub(super) const CONCATENATION: i32 = 2;
pub(super) const DEPTHWISE_CONV_2D: i32 = 4;
pub(super) const DEQUANTIZE: i32 = 6;
pub(super) const FULLY_CONNECTED: i32 = 9;
pub(super) const LOGISTIC: i32 = 14;
pub(super) const MUL: i32 = 18;
pub(super) const RELU: i32 = 19;
pub(super) const RELU6: i32 = 21;
pub(super) const RESHAPE: i32 = 22;
pub(super) const SOFTMAX: i32 = 25;
pub(super) const CUSTOM: i32 = 32;
pub(super) const PAD: i32 = 34;
pub(super) const GATHER: i32 = 36;
pub(super) const TRANSPOSE: i32 = 39;
pub(super) const MEAN: i32 = 40;
pub(super) const SUB: i32 = 41;
pub(super) const DIV: i32 = 42;
pub(super) const SQUEEZE: i32 = 43;
pub(super) const STRIDED_SLICE: i32 = 45;
pub(super) const CAST: i32 = 53;
pub(super) const SLICE: i32 = 65;
pub(super) const EXPAND_DIMS: i32 = 70;
pub(super) const SHAPE: i32 = 77;
pub(super) const REDUCE_PROD: i32 = 81;
pub(super) const PACK: i32 = 83;
pub(super) const QUANTIZE: i32 = 114;

pub(super) const FLOAT32: i8 = 0;
pub(super) const FLOAT16: i8 = 1;
pub(super) const INT32: i8 = 2;
pub(super) const UINT8: i8 = 3;
pub(super) const INT64: i8 = 4;
pub(super) const INT8: i8 = 9;

/// Name of an operator by its number.
pub(super) fn operator(number: i32) -> String {
    let name = usize::try_from(number).ok().and_then(|i| OPERATORS.get(i));
    name.map_or_else(|| format!("operator number {number}"), ToString::to_string)
}

/// Name of an element type by its number.
pub(super) fn number_type(number: i8) -> String {
    let name = usize::try_from(number)
        .ok()
        .and_then(|i| NUMBER_TYPES.get(i));
    name.map_or_else(|| format!("number type {number}"), ToString::to_string)
}
