//! Protocol buffers of TensorFlow's frozen graphs, limited to the fields that posy uses.
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
    /// Versions of TensorFlow that understand it.
    #[prost(message, optional, tag = "4")]
    pub versions: Option<VersionDef>,
}

/// `VersionDef`.
#[derive(Clone, PartialEq, Message)]
pub struct VersionDef {
    /// Graph version of the writer.
    #[prost(int32, tag = "1")]
    pub producer: i32,
    /// Oldest reader that understands it.
    #[prost(int32, tag = "2")]
    pub min_consumer: i32,
}

/// `NodeDef`.
#[derive(Clone, PartialEq, Message)]
pub struct NodeDef {
    /// Name, also of its first output.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Operation type.
    #[prost(string, tag = "2")]
    pub op: String,
    /// Names of its inputs.
    #[prost(string, repeated, tag = "3")]
    pub input: Vec<String>,
    /// Attributes.
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

/// Variants of an `AttrValue`.
#[derive(Clone, PartialEq, Oneof)]
pub enum Value {
    /// A list.
    #[prost(message, tag = "1")]
    List(ListValue),
    /// A byte string.
    #[prost(bytes, tag = "2")]
    S(Vec<u8>),
    /// An integer.
    #[prost(int64, tag = "3")]
    I(i64),
    /// A float.
    #[prost(float, tag = "4")]
    F(f32),
    /// A Boolean.
    #[prost(bool, tag = "5")]
    B(bool),
    /// A `DataType`.
    #[prost(int32, tag = "6")]
    Type(i32),
    /// A shape.
    #[prost(message, tag = "7")]
    Shape(TensorShapeProto),
    /// A tensor.
    #[prost(message, tag = "8")]
    Tensor(TensorProto),
}

/// `AttrValue.ListValue`, integers only.
#[derive(Clone, PartialEq, Message)]
pub struct ListValue {
    /// Integers.
    #[prost(int64, repeated, tag = "3")]
    pub i: Vec<i64>,
}

/// `TensorShapeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// Extents.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    /// True if the rank is unknown.
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// `TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, Message)]
pub struct Dim {
    /// Extent; -1 if unknown.
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// A `DataType`.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// Shape.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShapeProto>,
    /// All values, little-endian.
    #[prost(bytes = "vec", tag = "4")]
    pub tensor_content: Vec<u8>,
    /// float32 values that are not in `tensor_content`; the last one is repeated for missing ones.
    #[prost(float, repeated, tag = "5")]
    pub float_val: Vec<f32>,
    /// int32 values that are not in `tensor_content`; as `float_val`.
    #[prost(int32, repeated, tag = "7")]
    pub int_val: Vec<i32>,
}

impl TensorShapeProto {
    /// A shape with these extents.
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
