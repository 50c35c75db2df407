//! TensorFlow's frozen graphs as protocol buffers, as far as posy reads and writes them.
//!
//! Field numbers are those of TensorFlow's `graph.proto`, `node_def.proto`, `attr_value.proto`,
//! `tensor.proto`, `tensor_shape.proto`, `types.proto` and `versions.proto`
//! (`tensorflow/core/framework`).

use std::collections::HashMap;

use prost::{Message, Oneof};

/// `DataType` of float32.
pub const DT_FLOAT: i32 = 1;
/// `DataType` of int32.
pub const DT_INT32: i32 = 3;

/// `GraphDef`.
#[derive(Clone, PartialEq, Message)]
pub struct GraphDef {
    /// Operations in any order.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeDef>,
    /// Which versions of TensorFlow understand it.
    #[prost(message, optional, tag = "4")]
    pub versions: Option<VersionDef>,
}

/// `VersionDef`.
#[derive(Clone, PartialEq, Message)]
pub struct VersionDef {
    /// Version of the graph format that it was written in.
    #[prost(int32, tag = "1")]
    pub producer: i32,
    /// Oldest that understands it.
    #[prost(int32, tag = "2")]
    pub min_consumer: i32,
}

/// `NodeDef`.
#[derive(Clone, PartialEq, Message)]
pub struct NodeDef {
    /// Its name, which is also that of what it writes.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it does.
    #[prost(string, tag = "2")]
    pub op: String,
    /// Names of what it reads.
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    /// Settings.
    #[prost(map = "string, message", tag = "5")]
    pub attr: HashMap<String, AttrValue>,
}

/// `AttrValue`.
#[derive(Clone, PartialEq, Message)]
pub struct AttrValue {
    /// The value.
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7, 8")]
    pub value: Option<Value>,
}

/// What an `AttrValue` may be.
#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    /// Several.
    #[prost(message, tag = "1")]
    List(ListValue),
    /// Text.
    #[prost(bytes, tag = "2")]
    S(Vec<u8>),
    /// A whole number.
    #[prost(int64, tag = "3")]
    I(i64),
    /// A real number.
    #[prost(float, tag = "4")]
    F(f32),
    /// Yes or no.
    #[prost(bool, tag = "5")]
    B(bool),
    /// A `DataType`.
    #[prost(int32, tag = "6")]
    Type(i32),
    /// A shape.
    #[prost(message, tag = "7")]
    Shape(TensorShapeProto),
    /// Numbers.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

/// `AttrValue.ListValue`, of whole numbers.
#[derive(Clone, PartialEq, Message)]
pub struct ListValue {
    /// The numbers.
    #[prost(int64, repeated, tag = "3")]
    pub i: Vec<i64>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Extents.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    /// Whether not even their number is known.
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// `TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, Message)]
pub struct Dim {
    /// The extent; -1 if it is not known.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// A `DataType`.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// Its shape.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShapeProto>,
    /// All numbers, little-endian.
    #[prost(bytes = "vec", tag = "4")]
    pub tensor_content: Vec<u8>,
    /// The numbers if they are float32 and not in `tensor_content`; the last stands for all that
    /// are missing.
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    /// The same for int32.
    #[prost(int32, repeated, tag = "7")]
    pub int_val: Vec<i32>,
}

impl TensorShapeProto {
    /// Of these extents.
    pub fn of(extents: &[i64]) -> Self {
        let dim = extents.iter().map(|size| Dim { size: *size }).collect();
        TensorShapeProto {
            dim,
            unknown_rank: false,
        }
    }
}

impl From<Value> for AttrValue {
    fn from(value: Value) -> Self {
        AttrValue { value: Some(value) }
    }
}
