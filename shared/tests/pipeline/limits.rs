//! Limits of a model: each is exceeded by itself, in networks that keep every other one.

use posy_shared::engine::Engine;
use posy_shared::kernels::requant::Multiplier;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{
    AddTables, ChannelTables, Layer, LayerFault, LayerSpec, MAX_LABELS, Model, Op, Padding,
    ReadError, Shape, Tables, WriteError, write,
};
use posy_shared::plan::{Plan, PlanError};

use crate::networks::spec;

/// Height, width, channels.
pub type Extent = (u16, u16, u16);

/// A layer with weights of one, zero points of zero and a scale of 1/256.
pub fn layer(op: Op, input: Extent, output: Extent) -> LayerSpec {
    let shape = |(height, width, channels)| Shape {
        height,
        width,
        channels,
    };
    let layer = Layer {
        op,
        input: shape(input),
        output: shape(output),
        stride: 1,
        padding: Padding::default(),
        input_zero_point: 0,
        output_zero_point: 0,
        output_min: -128,
        output_max: 127,
        single_rounding: false,
        skip: 0,
        weights: 0,
        tables: 0,
    };
    let scale = Multiplier {
        mantissa: 1 << 30,
        shift: -7,
    };
    let channels = usize::from(output.2);
    LayerSpec {
        layer,
        weights: vec![1; layer.weight_count()],
        tables: match op {
            Op::GlobalAveragePool | Op::Flatten => Tables::None,
            Op::Mean => Tables::Mean(scale),
            Op::Add => Tables::Add(AddTables {
                a: scale,
                b: scale,
                output: scale,
            }),
            _ => Tables::Channels(ChannelTables {
                bias: vec![0; channels],
                scale: vec![scale; channels],
            }),
        },
    }
}

/// A 3 x 3 layer with `padding` of top, bottom, left, right.
fn window(op: Op, input: Extent, output: Extent, stride: u8, padding: [u8; 4]) -> LayerSpec {
    let mut spec = layer(op, input, output);
    let [top, bottom, left, right] = padding;
    spec.layer.stride = stride;
    spec.layer.padding = Padding {
        top,
        bottom,
        left,
        right,
    };
    spec
}

pub fn first(extent: Extent) -> LayerSpec {
    let (height, width, _) = extent;
    window(Op::Conv3x3, (height, width, 3), extent, 1, [1; 4])
}

fn refusal(layers: Vec<LayerSpec>) -> Option<WriteError> {
    write(&spec(layers)).err()
}

fn fault(index: usize, fault: LayerFault) -> Option<WriteError> {
    Some(WriteError::Read(ReadError::Layer { index, fault }))
}

#[test]
fn sums_must_fit_even_after_the_greatest_left_shift() {
    // 270,000 products of 255 and -128 exceed 2^33, which a left shift by 30 turns into the sign of an
    // i64: a bound that is shifted before it is compared comes out negative.
    let inputs = 30_000;
    let mut wide = first((1, 1, inputs));
    wide.weights.fill(0);
    wide.layer.output_zero_point = -128;
    let mut last = window(Op::Conv3x3, (1, 1, inputs), (1, 1, 1), 1, [1; 4]);
    last.layer.input_zero_point = -128;
    last.weights.fill(-128);
    for (shift, weight) in [(30, -128), (0, -128), (30, 1)] {
        let mut last = last.clone();
        last.weights.fill(weight);
        let Tables::Channels(tables) = &mut last.tables else {
            panic!("a convolution has tables for its channels");
        };
        tables.scale[0].shift = shift;
        assert_eq!(
            refusal(vec![wide.clone(), last]),
            fault(1, LayerFault::Overflow),
            "shift {shift}, weights {weight}"
        );
    }
}

#[test]
fn nothing_that_gathers_rows_lies_between_an_addition_and_its_operand() {
    let map = (8, 8, 2);
    // Down by a stride and up again by padding: the shapes agree, the rows do not.
    let strided = vec![
        first(map),
        window(Op::Depthwise3x3, map, (5, 5, 2), 2, [2; 4]),
        window(Op::Depthwise3x3, (5, 5, 2), (7, 7, 2), 1, [2; 4]),
        window(Op::Depthwise3x3, (7, 7, 2), map, 1, [2, 1, 2, 1]),
        layer(Op::Add, map, map),
    ];
    assert_eq!(refusal(strided), fault(4, LayerFault::Skip));
    let map = (3, 3, 2);
    let pooled = vec![
        first(map),
        layer(Op::GlobalAveragePool, map, (1, 1, 2)),
        window(Op::Depthwise3x3, (1, 1, 2), map, 1, [2; 4]),
        layer(Op::Add, map, map),
    ];
    assert_eq!(refusal(pooled), fault(3, LayerFault::Skip));
    let plain = vec![
        first(map),
        window(Op::Depthwise3x3, map, (5, 5, 2), 1, [2; 4]),
        window(Op::Depthwise3x3, (5, 5, 2), map, 1, [0; 4]),
        layer(Op::Add, map, map),
    ];
    assert_eq!(refusal(plain), None);
}

#[test]
fn a_pool_keeps_its_zero_point() {
    let mut pool = layer(Op::GlobalAveragePool, (4, 4, 2), (1, 1, 2));
    pool.layer.output_zero_point = 1;
    assert_eq!(
        refusal(vec![first((4, 4, 2)), pool]),
        fault(1, LayerFault::Constants)
    );
}

#[test]
fn a_mean_has_a_multiplier_that_fits_its_sums() {
    let map = (4, 4, 2);
    let mean = |scale| LayerSpec {
        tables: Tables::Mean(scale),
        ..layer(Op::Mean, map, (1, 1, 2))
    };
    let scale = |mantissa, shift| Multiplier { mantissa, shift };
    // 16 differences of up to 255 have 12 bits.
    assert_eq!(refusal(vec![first(map), mean(scale(1 << 30, 19))]), None);
    for (wrong, expected) in [
        (scale(1 << 30, 20), LayerFault::Overflow),
        (scale(1 << 30, 31), LayerFault::Constants),
        (scale(1 << 30, -32), LayerFault::Constants),
        (scale(-1, 0), LayerFault::Constants),
    ] {
        assert_eq!(
            refusal(vec![first(map), mean(wrong)]),
            fault(1, expected),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_flat_map_has_all_values_and_their_zero_point() {
    let map = (4, 4, 2);
    let flat = layer(Op::Flatten, map, (1, 1, 32));
    assert_eq!(refusal(vec![first(map), flat.clone()]), None);
    let short = layer(Op::Flatten, map, (1, 1, 31));
    assert_eq!(
        refusal(vec![first(map), short]),
        fault(1, LayerFault::Shape)
    );
    let mut moved = flat;
    moved.layer.output_zero_point = 1;
    assert_eq!(
        refusal(vec![first(map), moved]),
        fault(1, LayerFault::Constants)
    );
}

#[test]
fn the_input_is_a_picture_that_preprocessing_makes() {
    let contract = Some(WriteError::Read(ReadError::Contract));
    assert_eq!(refusal(vec![first((1024, 1, 1))]), None);
    let grey = window(Op::Conv3x3, (3, 3, 1), (3, 3, 2), 1, [1; 4]);
    assert_eq!(refusal(vec![grey]), None);
    assert_eq!(refusal(vec![first((1025, 1, 1))]), contract);
    assert_eq!(refusal(vec![first((1, 1025, 1))]), contract);
    assert_eq!(
        refusal(vec![layer(Op::Pointwise, (2, 2, 4), (2, 2, 1))]),
        contract
    );
}

/// Extents whose products wrap in 32 bits to zero, to a small value, or to the right value.
#[test]
fn maps_beyond_32_bits_are_refused() {
    for map in [
        (65_535, 65_535, 65_535),
        (32_768, 32_768, 4),
        (65_535, 1, 65_535),
        (2_048, 2_048, 1_025),
    ] {
        assert_eq!(
            refusal(vec![first(map)]),
            Some(WriteError::Plan(PlanError::TooLarge)),
            "{map:?}"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "thousands of labels, of plain code")]
fn as_many_labels_as_the_softmax_sums() {
    let head = |labels: u16| {
        vec![
            first((1, 1, 2)),
            layer(Op::Dense, (1, 1, 2), (1, 1, labels)),
        ]
    };
    let most = MAX_LABELS as u16;
    assert_eq!(refusal(head(most)), None);
    assert_eq!(
        refusal(head(most + 1)),
        Some(WriteError::Read(ReadError::Labels))
    );
}

/// A board holds all of these in RAM beside the arena; pointers of 64 bits only make them larger.
#[test]
fn what_a_board_holds_besides_the_arena_is_small() {
    let sizes = [
        size_of::<Model<'_>>(),
        size_of::<Engine<'_, '_, Scalar>>(),
        size_of::<Plan>(),
        size_of::<Layer>(),
    ];
    eprintln!("model, engine, plan, layer: {sizes:?} bytes");
    assert!(sizes[0] + sizes[1] <= 6 * 1024, "{sizes:?}");
}
