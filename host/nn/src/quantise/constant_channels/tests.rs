//! Small networks whose values are all known.

use posy_shared::model::{AddTables, Layer, Padding, Shape};

use super::*;

const AROUND: Padding = Padding {
    top: 1,
    bottom: 1,
    left: 1,
    right: 1,
};

/// The real factor 1.
const ONE: Multiplier = Multiplier {
    mantissa: 1 << 30,
    shift: 1,
};

fn shape(side: u16, channels: u16) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// A layer whose outputs are its sums clamped to `0..=100`, with zero points 0.
fn layer(op: Op, side: u16, channels: [u16; 2], weights: &[i8], bias: &[i32]) -> LayerSpec {
    let padding = match op.is_window() {
        true => AROUND,
        false => Padding::default(),
    };
    LayerSpec {
        layer: Layer {
            op,
            input: shape(side, channels[0]),
            output: shape(side, channels[1]),
            stride: 1,
            padding,
            input_zero_point: 0,
            output_zero_point: 0,
            output_min: 0,
            output_max: 100,
            single_rounding: false,
            skip: 0,
            weights: 0,
            tables: 0,
        },
        weights: weights.to_vec(),
        tables: Tables::Channels(ChannelTables {
            bias: bias.to_vec(),
            scale: vec![ONE; bias.len()],
        }),
    }
}

fn channels(layers: &[LayerSpec]) -> Vec<u16> {
    let layers = layers.iter();
    layers.map(|spec| spec.layer.output.channels).collect()
}

fn biases(spec: &LayerSpec) -> &[i32] {
    match &spec.tables {
        Tables::Channels(tables) => &tables.bias,
        _ => panic!("no biases"),
    }
}

/// Input channel 0 passes through, 1 is always 7, 2 is held at 100, 3 at 0.
fn first(side: u16) -> LayerSpec {
    let weights = [1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
    layer(Op::Pointwise, side, [3, 4], &weights, &[0, 7, 1000, -1000])
}

#[test]
fn constants_go_into_the_bias_of_a_layer_of_single_pixels() {
    let weights = [1, 2, 3, 4, 5, 6, -7, 8];
    let second = layer(Op::Pointwise, 4, [4, 2], &weights, &[-300, 700]);
    let reduced = remove_constant_channels(&[first(4), second], Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [1, 2]);
    assert_eq!(reduced.constant, [3, 0]);
    assert_eq!(reduced.layers[1].weights, [1, 5]);
    assert_eq!(
        biases(&reduced.layers[1]),
        [-300 + 2 * 7 + 3 * 100, 700 + 6 * 7 - 7 * 100]
    );
}

#[test]
fn under_a_window_that_meets_an_edge_only_zero_goes() {
    let ones = [1; 9 * 4];
    let mut convolution = layer(Op::Conv3x3, 4, [4, 1], &ones, &[0]);
    // Wide enough that the clamp does not make it constant.
    let Tables::Channels(tables) = &mut convolution.tables else {
        panic!("a convolution has tables");
    };
    tables.bias[0] = -1000;
    let reduced = remove_constant_channels(&[first(4), convolution.clone()], Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [3, 1]);
    assert_eq!(biases(&reduced.layers[1]), [-1000]);
    // Constant channels that stay need neither weights nor a large bias.
    assert_eq!(reduced.layers[0].weights, [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(biases(&reduced.layers[0]), [0, 4 * 7, 4 * 100]);

    convolution.layer.padding = Padding::default();
    convolution.layer.output = shape(2, 1);
    let reduced = remove_constant_channels(&[first(4), convolution], Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [1, 1]);
    assert_eq!(biases(&reduced.layers[1]), [-1000 + 9 * 107]);
}

#[test]
fn a_depthwise_channel_stays_where_the_edge_shows() {
    // Channel 1: nine, six or four times 7. Channel 2: at the clamp in the corners as well. Channel
    // 3: the constant 0 contributes nothing.
    let depthwise = |bias: &[i32]| layer(Op::Depthwise3x3, 4, [4, 4], &[1; 36], bias);
    let last = layer(Op::Pointwise, 4, [4, 1], &[1, 1, 1, 1], &[-100]);
    let layers = [first(4), depthwise(&[0; 4]), last.clone()];
    let reduced = remove_constant_channels(&layers, Inputs::Weighed);
    assert_eq!(reduced.constant, [3, 2, 0]);
    assert_eq!(channels(&reduced.layers), [2, 2, 1]);
    assert_eq!(biases(&reduced.layers[2]), [-100 + 100]);

    // A varying channel that is clamped to a constant is removed, along with its inputs.
    let layers = [first(4), depthwise(&[-1000, 0, 0, 0]), last];
    let reduced = remove_constant_channels(&layers, Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [1, 1, 1]);
}

#[test]
fn both_operands_of_an_addition_keep_the_same_channels() {
    let add = LayerSpec {
        layer: Layer {
            op: Op::Add,
            ..layer(Op::Pointwise, 4, [4, 4], &[], &[]).layer
        },
        weights: Vec::new(),
        tables: Tables::Add(AddTables {
            a: Multiplier {
                mantissa: 1 << 30,
                shift: 0,
            },
            b: Multiplier {
                mantissa: 1 << 30,
                shift: 0,
            },
            output: Multiplier {
                mantissa: 1 << 30,
                shift: -18,
            },
        }),
    };
    // In the second operand, channel 1 varies and 2 and 3 do not.
    let mut weights = [0; 16];
    (weights[0], weights[4]) = (1, 1);
    let between = layer(Op::Pointwise, 4, [4, 4], &weights, &[0, 0, 20, 30]);
    let last = layer(Op::Pointwise, 4, [4, 1], &[1; 4], &[-100]);
    let layers = [first(4), between, add, last];
    let reduced = remove_constant_channels(&layers, Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [2, 2, 2, 1]);
    assert_eq!(reduced.constant, [3, 2, 0]);
    // 100 + 20, clamped to 100, and 0 + 30.
    assert_eq!(biases(&reduced.layers[3]), [30]);
}

#[test]
fn the_last_layer_and_one_channel_of_each_stay() {
    let constant = layer(Op::Pointwise, 4, [3, 2], &[1; 6], &[-1000, 5000]);
    let last = layer(Op::Pointwise, 4, [2, 2], &[1; 4], &[0, -1000]);
    let reduced = remove_constant_channels(&[constant, last], Inputs::Weighed);
    assert_eq!(reduced.constant, [2, 2]);
    assert_eq!(channels(&reduced.layers), [1, 2]);
    assert_eq!(reduced.layers[1].weights, [0, 0]);
    assert_eq!(biases(&reduced.layers[1]), [400, 0]);
}

#[test]
fn what_makes_no_model_is_left_to_be_refused() {
    let last = || layer(Op::Pointwise, 4, [4, 1], &[1; 4], &[0]);
    let refused: [fn(&mut LayerSpec); 5] = [
        |spec| spec.weights.truncate(3),
        |spec| spec.layer.input.channels = 3,
        |spec| spec.layer.output.channels = 0,
        |spec| spec.tables = Tables::None,
        |spec| match &mut spec.tables {
            Tables::Channels(tables) => tables.bias[0] = i32::MAX,
            _ => panic!("no tables"),
        },
    ];
    for harm in refused {
        let mut layers = [first(4), last()];
        harm(&mut layers[1]);
        assert_eq!(
            remove_constant_channels(&layers, Inputs::Weighed).layers,
            layers
        );
    }
    let reduced = remove_constant_channels(&[first(4), last()], Inputs::Weighed);
    assert_eq!(channels(&reduced.layers), [1, 1]);
}
