//! A network's layers as tensors and operators.

use posy_shared::model::{Op, Padding, Shape};

use super::tables::{Field, File, INT8, INT32, Operator, Tensor};
use crate::graph::multiplier::is_fully_connected;
use crate::graph::network::{Activation, Common, IntLayer, IntNetwork, Quantisation};
use crate::graph::padding::same_padding;

/// Numbers in `BuiltinOperator`, and the first version of each with the int8 semantics that posy
/// uses.
const ADD: (i8, i32) = (0, 2);
const AVERAGE_POOL_2D: (i8, i32) = (1, 2);
const CONV_2D: (i8, i32) = (3, 3);
const DEPTHWISE_CONV_2D: (i8, i32) = (4, 3);
const FULLY_CONNECTED: (i8, i32) = (9, 4);
/// As [`FULLY_CONNECTED`], with `keep_num_dims`.
const FULLY_CONNECTED_EACH: (i8, i32) = (9, 5);
const LOGISTIC: (i8, i32) = (14, 2);
const RESHAPE: (i8, i32) = (22, 1);
const SOFTMAX: (i8, i32) = (25, 2);
const PAD: (i8, i32) = (34, 2);
const MEAN: (i8, i32) = (40, 2);

/// Enumeration `Padding`.
const SAME: i8 = 0;
const VALID: i8 = 1;

/// The network as a file without metadata; `beta` is the softmax's factor, `None` for a logistic
/// function of each logit.
pub(super) fn file(network: &IntNetwork, beta: Option<f32>) -> File {
    let mut file = File::default();
    let first = network.layers.first().map(|layer| layer.common.input);
    let shape = first.unwrap_or(Shape {
        height: 1,
        width: 1,
        channels: 1,
    });
    let mut at = Place {
        tensor: file.tensor(map("input", shape, network.input)),
        quantisation: network.input,
    };
    file.input = at.tensor;
    let mut written: Vec<Place> = Vec::new();
    for (index, layer) in network.layers.iter().enumerate() {
        let skip = layer
            .common
            .skip
            .and_then(|skip| written.get(skip))
            .copied();
        at = add_layer(&mut file, index, layer, at, skip);
        written.push(at);
    }
    let labels = network.layers.last().map_or(1, |l| l.common.output.len()) as i32;
    let vector = |name: &str, quantisation| Tensor {
        shape: vec![1, labels],
        ..map(name, shape, quantisation)
    };
    let logits = file.tensor(vector("logits", at.quantisation));
    let new_shape = file.tensor(constant("new_shape", &[2], &[1, labels]));
    file.operators.push(Operator {
        code: RESHAPE,
        inputs: vec![at.tensor, new_shape],
        output: logits,
        options: (17, vec![(0, Field::Ints(vec![1, labels]))]),
    });
    // The int8 specification fixes this quantisation of the softmax's output.
    let probabilities = Quantisation {
        scale: 1.0 / 256.0,
        zero_point: -128,
    };
    file.output = file.tensor(vector("final_result", probabilities));
    file.operators.push(Operator {
        code: if beta.is_some() { SOFTMAX } else { LOGISTIC },
        inputs: vec![logits],
        output: file.output,
        options: match beta {
            Some(beta) => (9, vec![(0, Field::Real(beta))]),
            None => (0, Vec::new()),
        },
    });
    file
}

/// A tensor of activations.
#[derive(Clone, Copy)]
struct Place {
    tensor: i32,
    quantisation: Quantisation,
}

/// Adds the operators of a layer that reads `from`. Returns its output.
fn add_layer(
    file: &mut File,
    index: usize,
    layer: &IntLayer,
    from: Place,
    skip: Option<Place>,
) -> Place {
    let common = &layer.common;
    let name = format!("layer_{index}");
    let activation = Field::Byte(match common.activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 3,
    });
    if layer.fully_connected && layer.common.op.has_weights() {
        return fully_connected(file, &name, layer, from, activation);
    }
    let to = Place {
        tensor: file.tensor(map(&name, common.output, layer.output)),
        quantisation: layer.output,
    };
    let stride = || Field::Int(common.stride.into());
    let operator = match common.op {
        Op::Add => Operator {
            code: ADD,
            inputs: vec![from.tensor, skip.unwrap_or(from).tensor],
            output: to.tensor,
            options: (11, vec![(0, activation)]),
        },
        Op::GlobalAveragePool => Operator {
            code: AVERAGE_POOL_2D,
            inputs: vec![from.tensor],
            output: to.tensor,
            options: (
                5,
                vec![
                    (0, Field::Byte(VALID)),
                    (1, Field::Int(1)),
                    (2, Field::Int(1)),
                    (3, Field::Int(common.input.width.into())),
                    (4, Field::Int(common.input.height.into())),
                    (5, activation),
                ],
            ),
        },
        Op::Mean => {
            let axes = file.tensor(constant(&format!("{name}_axes"), &[2], &[1, 2]));
            Operator {
                code: MEAN,
                inputs: vec![from.tensor, axes],
                output: to.tensor,
                options: (27, vec![(0, Field::Byte(1))]),
            }
        }
        Op::Flatten => {
            let extents = [1, 1, 1, common.output.channels].map(i32::from);
            let shape = file.tensor(constant(&format!("{name}_shape"), &[4], &extents));
            Operator {
                code: RESHAPE,
                inputs: vec![from.tensor, shape],
                output: to.tensor,
                options: (17, vec![(0, Field::Ints(extents.into()))]),
            }
        }
        Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise | Op::Dense => {
            let weights = file.tensor(kernel(&name, layer));
            let bias = file.tensor(bias(&name, layer, from.quantisation));
            let (padding, from) = padded(file, &name, common, from);
            let depthwise = common.op == Op::Depthwise3x3;
            let mut fields = vec![(0, Field::Byte(padding)), (1, stride()), (2, stride())];
            if depthwise {
                fields.extend([(3, Field::Int(1)), (4, activation)]);
            } else {
                fields.push((3, activation));
            }
            Operator {
                code: if depthwise {
                    DEPTHWISE_CONV_2D
                } else {
                    CONV_2D
                },
                inputs: vec![from.tensor, weights, bias],
                output: to.tensor,
                options: (if depthwise { 2 } else { 1 }, fields),
            }
        }
    };
    file.operators.push(operator);
    to
}

/// Adds a fully connected operator, with one scale for all weights or one for each output. TensorFlow Lite
/// rounds its sums once, a convolution's twice.
fn fully_connected(
    file: &mut File,
    name: &str,
    layer: &IntLayer,
    from: Place,
    activation: Field,
) -> Place {
    let [inputs, outputs] =
        [layer.common.input, layer.common.output].map(|s| i32::from(s.channels));
    let one = match is_fully_connected(layer) {
        true => layer.weight_scales.len().min(1),
        false => layer.weight_scales.len(),
    };
    let one_scale = |tensor: Tensor| Tensor {
        scales: tensor.scales[..one].into(),
        zero_points: vec![0; one],
        ..tensor
    };
    let weights = file.tensor(Tensor {
        shape: vec![outputs, inputs],
        ..one_scale(kernel(name, layer))
    });
    let bias = file.tensor(one_scale(bias(name, layer, from.quantisation)));
    // Over a map of several pixels, the extents before the last stay.
    let per_pixel = layer.common.op == Op::Pointwise;
    let shape = match per_pixel {
        true => map(name, layer.common.output, layer.output).shape,
        false => vec![1, outputs],
    };
    let to = Place {
        tensor: file.tensor(Tensor {
            shape,
            ..map(name, layer.common.output, layer.output)
        }),
        quantisation: layer.output,
    };
    let mut fields = vec![(0, activation)];
    if per_pixel {
        fields.push((2, Field::Byte(1)));
    }
    file.operators.push(Operator {
        code: match per_pixel {
            true => FULLY_CONNECTED_EACH,
            false => FULLY_CONNECTED,
        },
        inputs: vec![from.tensor, weights, bias],
        output: to.tensor,
        options: (8, fields),
    });
    to
}

/// TensorFlow's padding mode for a layer; if neither fits, a PAD is added before it.
fn padded(file: &mut File, name: &str, common: &Common, from: Place) -> (i8, Place) {
    let Padding {
        top,
        bottom,
        left,
        right,
    } = common.padding;
    let kernel = match common.op {
        Op::Conv3x3 | Op::Depthwise3x3 => 3,
        _ => 1,
    };
    if common.padding == Padding::default() {
        return (VALID, from);
    }
    if common.padding == same_padding(common.input, kernel, common.stride) {
        return (SAME, from);
    }
    let rows = [0, 0, top, bottom, left, right, 0, 0].map(i32::from);
    let paddings = file.tensor(constant(&format!("{name}_paddings"), &[4, 2], &rows));
    let shape = Shape {
        height: common.input.height + u16::from(top) + u16::from(bottom),
        width: common.input.width + u16::from(left) + u16::from(right),
        ..common.input
    };
    let to = Place {
        tensor: file.tensor(map(&format!("{name}_padded"), shape, from.quantisation)),
        ..from
    };
    file.operators.push(Operator {
        code: PAD,
        inputs: vec![from.tensor, paddings],
        output: to.tensor,
        options: (22, Vec::new()),
    });
    (VALID, to)
}

fn map(name: &str, shape: Shape, quantisation: Quantisation) -> Tensor {
    let shape = [1, shape.height, shape.width, shape.channels].map(i32::from);
    Tensor {
        name: name.into(),
        shape: shape.into(),
        number_type: INT8,
        scales: vec![quantisation.scale],
        zero_points: vec![quantisation.zero_point.into()],
        ..Tensor::default()
    }
}

fn constant(name: &str, shape: &[i32], numbers: &[i32]) -> Tensor {
    Tensor {
        name: name.into(),
        shape: shape.into(),
        number_type: INT32,
        data: numbers.iter().flat_map(|n| n.to_le_bytes()).collect(),
        ..Tensor::default()
    }
}

/// Weights in TensorFlow Lite's layout: `[O, H, W, I]`, depthwise `[1, H, W, C]`.
fn kernel(name: &str, layer: &IntLayer) -> Tensor {
    let [inputs, outputs] =
        [layer.common.input, layer.common.output].map(|s| i32::from(s.channels));
    let (shape, dimension, data) = match layer.common.op {
        Op::Conv3x3 => (vec![outputs, 3, 3, inputs], 0, layer.weights.clone()),
        Op::Depthwise3x3 => {
            let channels = layer.weights.chunks_exact(9);
            let data = (0..9).flat_map(|tap| channels.clone().map(move |taps| taps[tap]));
            (vec![1, 3, 3, outputs], 3, data.collect())
        }
        _ => (vec![outputs, 1, 1, inputs], 0, layer.weights.clone()),
    };
    Tensor {
        name: format!("{name}_weights"),
        shape,
        number_type: INT8,
        scales: layer.weight_scales.clone(),
        zero_points: vec![0; layer.weight_scales.len()],
        dimension,
        data: data.into_iter().map(|weight| weight as u8).collect(),
    }
}

fn bias(name: &str, layer: &IntLayer, input: Quantisation) -> Tensor {
    let scales = layer.weight_scales.iter().map(|scale| scale * input.scale);
    Tensor {
        scales: scales.collect(),
        zero_points: vec![0; layer.weight_scales.len()],
        ..constant(
            &format!("{name}_bias"),
            &[layer.bias.len() as i32],
            &layer.bias,
        )
    }
}
