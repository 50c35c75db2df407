//! The image input of a graph.

use posy_shared::model::Shape;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{GraphProto, ValueInfoProto, type_proto};

use super::AnyError;
use crate::graph::builder::shown;
use crate::import::onnx::sole_input;

/// Default height and width where the file leaves them open.
const USUAL: u16 = 224;

/// The image input of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub(super) name: String,
    /// `[H, W, 3]`.
    pub(super) shape: Shape,
    /// True if the file's layout is NHWC, `[1, H, W, 3]`.
    pub(super) channels_last: bool,
}

impl Picture {
    /// Extents of the input in the file's order.
    pub(super) fn extents(&self) -> [i64; 4] {
        let Shape {
            height,
            width,
            channels,
        } = self.shape;
        let [height, width, channels] = [height, width, channels].map(i64::from);
        match self.channels_last {
            true => [1, height, width, channels],
            false => [1, channels, height, width],
        }
    }

    /// The one input of `graph` that is not a constant. `side` is used for open extents.
    pub(super) fn of(graph: &GraphProto, side: Option<u16>) -> Result<Self, AnyError> {
        let input = sole_input(graph).map_err(AnyError::Inputs)?;
        let (extents, is_float) = described(input);
        let refused = || AnyError::Input {
            name: shown(&input.name),
            shape: match &extents {
                None => "unknown".into(),
                Some(extents) => {
                    let shown = |extent: &Option<i64>| extent.map_or("?".into(), |e| e.to_string());
                    extents
                        .iter()
                        .map(shown)
                        .collect::<Vec<String>>()
                        .join(", ")
                }
            },
        };
        let Some(&[batch, a, b, c]) = extents.as_deref() else {
            return Err(refused());
        };
        if !is_float || batch.is_some_and(|batch| batch != 1) {
            return Err(refused());
        }
        let (channels_last, sides) = match [a, b, c] {
            [Some(3), height, width] => (false, [height, width]),
            [height, width, Some(3)] => (true, [height, width]),
            // Nothing fixes the layout: assume NCHW, as in nearly all files.
            [None, height, width] => (false, [height, width]),
            _ => return Err(refused()),
        };
        let mut pixels = [side.unwrap_or(USUAL); 2];
        for (pixels, fixed) in pixels.iter_mut().zip(sides) {
            let Some(fixed) = fixed else { continue };
            let fixed = u16::try_from(fixed).ok().filter(|fixed| *fixed > 0);
            *pixels = fixed.ok_or_else(refused)?;
        }
        let [height, width] = pixels;
        if pixels.contains(&0) {
            return Err(refused());
        }
        if side.is_some_and(|side| pixels != [side; 2]) {
            return Err(AnyError::Size { width, height });
        }
        Ok(Picture {
            name: input.name.clone(),
            shape: Shape {
                height,
                width,
                channels: 3,
            },
            channels_last,
        })
    }
}

/// Extents of a value, `None` where they are open, and true if its type is float32.
pub(super) fn described(value: &ValueInfoProto) -> (Option<Vec<Option<i64>>>, bool) {
    let described = value.r#type.as_ref().and_then(|t| t.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = described else {
        return (None, false);
    };
    let extents = tensor.shape.as_ref().map(|shape| {
        let extent = |dim: &Option<dimension::Value>| match dim {
            Some(dimension::Value::DimValue(extent)) if *extent > 0 => Some(*extent),
            _ => None,
        };
        shape.dim.iter().map(|dim| extent(&dim.value)).collect()
    });
    (extents, tensor.elem_type == DataType::Float as i32)
}
