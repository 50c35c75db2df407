//! Attaches a head to a backbone.

use posy_shared::model::{Op, Padding, Shape};

use super::ExportError;
use crate::graph::head::{Head, IntHead};
use crate::graph::network::{Activation, Common, FloatLayer, FloatNetwork, IntLayer, IntNetwork};

/// `network` with `head` as its last layer.
///
/// # Errors
/// [`ExportError::HeadWidth`].
pub fn with_int_head(network: &IntNetwork, head: &IntHead) -> Result<IntNetwork, ExportError> {
    let features = network.layers.last().map(|layer| layer.common.output);
    let common = last_layer(features, head.weights.len(), head.bias.len())?;
    let mut network = network.clone();
    network.layers.push(IntLayer {
        common,
        weights: head.weights.clone(),
        weight_scales: head.weight_scales.clone(),
        bias: head.bias.clone(),
        output: head.output,
        fully_connected: false,
    });
    Ok(network)
}

/// `network` with `head` as its last layer.
///
/// # Errors
/// [`ExportError::HeadWidth`].
pub fn with_float_head(network: &FloatNetwork, head: &Head) -> Result<FloatNetwork, ExportError> {
    let features = network.layers.last().map(|layer| layer.common.output);
    let common = last_layer(features, head.weights.len(), head.bias.len())?;
    let mut network = network.clone();
    network.layers.push(FloatLayer {
        common,
        weights: head.weights.clone(),
        bias: head.bias.clone(),
        range: None,
    });
    Ok(network)
}

/// The dense layer after `features` for a head of this size.
fn last_layer(
    features: Option<Shape>,
    weights: usize,
    labels: usize,
) -> Result<Common, ExportError> {
    let width = features.map_or(0, Shape::len);
    if weights != width * labels {
        return Err(ExportError::HeadWidth {
            head: weights / labels.max(1),
            network: width,
        });
    }
    let vector = |channels: usize| Shape {
        height: 1,
        width: 1,
        channels: channels as u16,
    };
    Ok(Common {
        name: "final_result".into(),
        op: Op::Dense,
        input: vector(width),
        output: vector(labels),
        stride: 1,
        padding: Padding::default(),
        activation: Activation::None,
        skip: None,
    })
}
