//! Tables of a `.tflite` file, limited to the fields that posy needs.
//!
//! Field numbers and defaults are those of TensorFlow Lite's `schema.fbs` (schema version 3, file
//! identifier "TFL3"; in the TensorFlow repository, `tensorflow/compiler/mlir/lite/schema`).

use super::cursor::{Cursor, Vector, Verified, limits};

/// File identifier, bytes 4 to 7 of a file.
pub(super) const IDENTIFIER: &[u8; 4] = b"TFL3";

/// Table `Model`.
pub(super) struct Model<'a> {
    pub(super) version: u32,
    pub(super) codes: Vec<Code<'a>>,
    pub(super) graphs: Vec<Graph<'a>>,
    pub(super) buffers: Vec<Buffer<'a>>,
    pub(super) entries: Vec<Entry<'a>>,
}

/// Table `Metadata`: a named buffer.
pub(super) struct Entry<'a> {
    pub(super) name: Vector<'a, u8>,
    pub(super) buffer: u32,
}

/// Table `OperatorCode`.
pub(super) struct Code<'a> {
    /// Number of the operator; 32 for custom operators.
    pub(super) builtin: i32,
    pub(super) custom: Vector<'a, u8>,
}

/// Table `SubGraph`.
pub(super) struct Graph<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) inputs: Vector<'a, i32>,
    pub(super) outputs: Vector<'a, i32>,
    pub(super) operators: Vec<Operator<'a>>,
}

/// Table `Tensor`.
pub(super) struct Tensor<'a> {
    pub(super) shape: Vector<'a, i32>,
    /// Shape with -1 for dynamic extents; empty if the shape is static.
    pub(super) shape_signature: Vector<'a, i32>,
    /// Number in the enumeration `TensorType`.
    pub(super) number_type: i8,
    pub(super) buffer: u32,
    pub(super) name: Vector<'a, u8>,
    pub(super) quantisation: Option<Quantisation<'a>>,
    /// True for a tensor that is variable, sparse, or kept in another file.
    pub(super) unusual: bool,
}

/// Table `QuantizationParameters`.
pub(super) struct Quantisation<'a> {
    pub(super) scale: Vector<'a, f32>,
    pub(super) zero_point: Vector<'a, i64>,
    /// Dimension of the tensor that `scale` runs along.
    pub(super) dimension: i32,
}

/// Table `Buffer`.
pub(super) struct Buffer<'a> {
    pub(super) data: Vector<'a, u8>,
    /// True if the data lies behind the flatbuffer, as in files over 2 GB.
    pub(super) outside: bool,
}

/// Table `Operator`.
pub(super) struct Operator<'a> {
    pub(super) code: u32,
    pub(super) inputs: Vector<'a, i32>,
    pub(super) outputs: Vector<'a, i32>,
    pub(super) options: Options,
}

/// Union `BuiltinOptions`, reduced to the fields that decide if posy can run an operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Options {
    /// `Conv2DOptions` and `DepthwiseConv2DOptions`.
    Convolution {
        padding: i8,
        stride: [i32; 2],
        activation: i8,
        dilation: [i32; 2],
    },
    /// `Pool2DOptions`; extents are `[height, width]`.
    Pool { filter: [i32; 2], activation: i8 },
    /// `FullyConnectedOptions`.
    FullyConnected {
        activation: i8,
        weights_format: i8,
        /// True if real inputs of int8 weights are quantised with a zero point.
        asymmetric: bool,
    },
    /// `AddOptions`, and the options of other arithmetic.
    Add { activation: i8 },
    /// `SoftmaxOptions`.
    Softmax { beta: f32 },
    /// `StridedSliceOptions`: the first bit of each mask.
    Slice {
        open_begin: bool,
        open_end: bool,
        single: bool,
    },
    /// Any other options, or none.
    Other,
}

impl<'a> Model<'a> {
    /// Reads and verifies every table; `bytes` is the whole file.
    pub(super) fn read(bytes: &'a [u8]) -> Verified<Self> {
        let limits = limits(bytes.len());
        let mut cursor = Cursor::new(&limits, bytes);
        let root = cursor.follow(0)?;
        let [version, codes, graphs, buffers, entries] = cursor.fields(root, [0, 1, 2, 4, 6])?;
        Ok(Self {
            version: cursor.number(version, 0)?,
            codes: cursor.tables(codes, Code::read)?,
            graphs: cursor.tables(graphs, Graph::read)?,
            buffers: cursor.tables(buffers, Buffer::read)?,
            entries: cursor.tables(entries, Entry::read)?,
        })
    }
}

impl<'a> Entry<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [name, buffer] = cursor.fields(table, [0, 1])?;
        Ok(Self {
            name: cursor.vector(name)?,
            buffer: cursor.number(buffer, 0)?,
        })
    }
}

impl<'a> Code<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [deprecated, custom, builtin] = cursor.fields(table, [0, 1, 3])?;
        // Operators up to 126 are in the first field, in old files only there; later ones are in
        // the last, with the placeholder 127 in the first. The schema says to take the greater.
        let deprecated = i32::from(cursor.number::<i8>(deprecated, 0)?);
        let builtin = cursor.number::<i32>(builtin, 0)?;
        Ok(Self {
            builtin: deprecated.max(builtin),
            custom: cursor.vector(custom)?,
        })
    }
}

impl<'a> Graph<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [tensors, inputs, outputs, operators] = cursor.fields(table, [0, 1, 2, 3])?;
        Ok(Self {
            tensors: cursor.tables(tensors, Tensor::read)?,
            inputs: cursor.vector(inputs)?,
            outputs: cursor.vector(outputs)?,
            operators: cursor.tables(operators, Operator::read)?,
        })
    }
}

impl<'a> Tensor<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [
            shape,
            number_type,
            buffer,
            name,
            quantisation,
            variable,
            sparsity,
            signature,
            outside,
        ] = cursor.fields(table, [0, 1, 2, 3, 4, 5, 6, 7, 10])?;
        Ok(Self {
            shape: cursor.vector(shape)?,
            shape_signature: cursor.vector(signature)?,
            number_type: cursor.number(number_type, 0)?,
            buffer: cursor.number(buffer, 0)?,
            name: cursor.vector(name)?,
            quantisation: cursor.table(quantisation, Quantisation::read)?,
            unusual: cursor.number::<u8>(variable, 0)? != 0
                || sparsity.is_some()
                || cursor.number::<u32>(outside, 0)? != 0,
        })
    }
}

impl<'a> Quantisation<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [scale, zero_point, dimension] = cursor.fields(table, [2, 3, 6])?;
        Ok(Self {
            scale: cursor.vector(scale)?,
            zero_point: cursor.vector(zero_point)?,
            dimension: cursor.number(dimension, 0)?,
        })
    }
}

impl<'a> Buffer<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [data, offset] = cursor.fields(table, [0, 1])?;
        // 0 and 1 both mean "within the flatbuffer".
        let outside = cursor.number::<u64>(offset, 0)? > 1;
        Ok(Self {
            data: cursor.vector(data)?,
            outside,
        })
    }
}

impl<'a> Operator<'a> {
    fn read(cursor: &mut Cursor<'_, 'a>, table: usize) -> Verified<Self> {
        let [code, inputs, outputs, kind, options] = cursor.fields(table, [0, 1, 2, 3, 4])?;
        let kind = cursor.number::<u8>(kind, 0)?;
        let options = cursor.table(options, |cursor, table| Options::read(cursor, table, kind))?;
        Ok(Self {
            code: cursor.number(code, 0)?,
            inputs: cursor.vector(inputs)?,
            outputs: cursor.vector(outputs)?,
            options: options.unwrap_or(Options::Other),
        })
    }
}

impl Options {
    /// `kind` is the table's number in the union `BuiltinOptions`.
    fn read(cursor: &mut Cursor<'_, '_>, table: usize, kind: u8) -> Verified<Self> {
        Ok(match kind {
            1 => Self::convolution(cursor, table, [0, 1, 2, 3, 4, 5])?,
            // Field 3, the depth multiplier, follows from the shape of the weights.
            2 => Self::convolution(cursor, table, [0, 1, 2, 4, 5, 6])?,
            5 => {
                let [width, height, activation] = cursor.fields(table, [3, 4, 5])?;
                Self::Pool {
                    filter: [cursor.number(height, 0)?, cursor.number(width, 0)?],
                    activation: cursor.number(activation, 0)?,
                }
            }
            8 => {
                let [activation, weights_format, asymmetric] = cursor.fields(table, [0, 1, 3])?;
                Self::FullyConnected {
                    activation: cursor.number(activation, 0)?,
                    weights_format: cursor.number(weights_format, 0)?,
                    asymmetric: cursor.number::<u8>(asymmetric, 0)? != 0,
                }
            }
            9 => {
                let [beta] = cursor.fields(table, [0])?;
                Self::Softmax {
                    beta: cursor.number(beta, 0.0)?,
                }
            }
            32 => {
                let [begin, end, single] = cursor.fields(table, [0, 1, 4])?;
                let mut bit =
                    |mask| -> Verified<bool> { Ok(cursor.number::<i32>(mask, 0)? & 1 == 1) };
                Self::Slice {
                    open_begin: bit(begin)?,
                    open_end: bit(end)?,
                    single: bit(single)?,
                }
            }
            // MulOptions, SubOptions and DivOptions have the same layout.
            11 | 21 | 28 | 29 => {
                let [activation] = cursor.fields(table, [0])?;
                Self::Add {
                    activation: cursor.number(activation, 0)?,
                }
            }
            _ => Self::Other,
        })
    }

    /// `ids`: field numbers of padding, stride w, stride h, activation, dilation w, dilation h.
    fn convolution(cursor: &mut Cursor<'_, '_>, table: usize, ids: [u16; 6]) -> Verified<Self> {
        let [
            padding,
            stride_w,
            stride_h,
            activation,
            dilation_w,
            dilation_h,
        ] = cursor.fields(table, ids)?;
        Ok(Self::Convolution {
            padding: cursor.number(padding, 0)?,
            stride: [cursor.number(stride_h, 0)?, cursor.number(stride_w, 0)?],
            activation: cursor.number(activation, 0)?,
            dilation: [cursor.number(dilation_h, 1)?, cursor.number(dilation_w, 1)?],
        })
    }
}
