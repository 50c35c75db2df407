//! Fuzzing of model files: any field may be wrong, while lengths and checksum stay valid. A file that
//! is accepted must also run in exactly the bytes that it declares, and give the outputs that its
//! layers define.

use std::cell::Cell;

use posy_shared::engine::Engine;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{HEAD_BLOCK, Layer, Model, Op, Shape, write};
use posy_shared::plan::Plan;
use posy_shared::ranking::Ranking;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::definition::reference;
use crate::networks::{Seeded, random_network, spec};
use crate::raw::Raw;
use crate::{answer, run_apart};

/// Overwriting of a field.
#[derive(Clone, Copy, Debug)]
struct Change {
    field: u32,
    /// Index of the layer, or of the entry in a list; modulo the number of entries.
    place: usize,
    value: i64,
}

/// Values of every magnitude, with the extremes of their types more often.
fn value() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -3_i64..12,
        2 => prop::sample::select(vec![
            -128, -129, 30, 31, 126, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536,
            1 << 30, i64::from(i32::MAX), i64::from(i32::MIN), i64::from(u32::MAX),
        ]),
        1 => any::<i32>().prop_map(i64::from),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    (0..FIELDS, any::<prop::sample::Index>(), value()).prop_map(|(field, place, value)| Change {
        field,
        place: place.index(1 << 20),
        value,
    })
}

const FIELDS: u32 = 36;

const OPS: [Op; 8] = [
    Op::Conv3x3,
    Op::Depthwise3x3,
    Op::Pointwise,
    Op::Add,
    Op::GlobalAveragePool,
    Op::Dense,
    Op::Mean,
    Op::Flatten,
];

fn apply(raw: &mut Raw, change: Change) {
    let Change {
        field,
        place,
        value,
    } = change;
    let index = place % raw.layers.len();
    let layer = &mut raw.layers[index];
    let (weights, tables) = (layer.weights as usize, layer.tables as usize);
    let channels = usize::from(layer.output.channels);
    let channel = place / 7 % channels.max(1);
    let mut poke = |at: usize, bytes: &[u8]| {
        let at = at & !(HEAD_BLOCK as usize);
        if let Some(place) = raw.block.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    match field {
        0 => layer.input.height = value as u16,
        1 => layer.input.width = value as u16,
        2 => layer.input.channels = value as u16,
        3 => layer.output.height = value as u16,
        4 => layer.output.width = value as u16,
        5 => layer.output.channels = value as u16,
        6 => layer.stride = value as u8,
        7 => layer.padding.top = value as u8,
        8 => layer.padding.bottom = value as u8,
        9 => layer.padding.left = value as u8,
        10 => layer.padding.right = value as u8,
        11 => layer.input_zero_point = value as i8,
        12 => layer.output_zero_point = value as i8,
        13 => layer.output_min = value as i8,
        14 => layer.output_max = value as i8,
        15 => layer.skip = value as u8,
        16 => layer.weights = value as u32,
        17 => layer.tables = value as u32,
        18 => layer.op = OPS[value.rem_euclid(8) as usize],
        19 => poke(tables + 4 * channel, &(value as i32).to_le_bytes()),
        20 => poke(
            tables + 4 * (channels + channel),
            &(value as i32).to_le_bytes(),
        ),
        21 => poke(tables + 8 * channels + channel, &[value as u8]),
        22 => poke(weights + channel, &[value as u8]),
        23 => {
            raw.layers.remove(index);
        }
        24 => raw.layers.insert(index, raw.layers[index]),
        // Every valid stride and padding, and some invalid ones.
        25 => {
            let pad = |shift: u32| (value >> shift & 3) as u8;
            layer.op = OPS[place / 3 % 2];
            layer.stride = 1 + (place / 5 % 5 / 2) as u8;
            (layer.padding.top, layer.padding.bottom) = (pad(0), pad(2));
            (layer.padding.left, layer.padding.right) = (pad(4), pad(6));
        }
        26 => raw.cuts.insert(place % (raw.cuts.len() + 1), value as u8),
        27 => {
            raw.cuts.truncate(place % (raw.cuts.len() + 1));
        }
        28 => raw.labels = ["", "a\n", "a\na\n", "a", "\n\n", "\u{1}\n"][place % 6].into(),
        29 => raw.input.table = Some(value as u32),
        30 => raw.verdict.beta.least_difference = value as i32,
        // Into the other block.
        31 => layer.weights ^= HEAD_BLOCK,
        32 => layer.tables ^= HEAD_BLOCK,
        33 => raw.verdict.logistic = Some(value as u32),
        34 => layer.single_rounding = !layer.single_rounding,
        _ => raw.verdict.beta.left_shift = value as u8,
    }
}

/// Derives shapes, zero points and lengths from each layer's operation, so that more files get past the
/// first check. Weights of layers that have grown lie anywhere in the block.
fn repair(raw: &mut Raw, seeded: &mut Seeded) {
    raw.block.extend((0..512).map(|_| seeded.number() as u8));
    let mut previous: Option<Layer> = None;
    for layer in &mut raw.layers {
        let before = layer.weight_len();
        if let Some(previous) = previous {
            layer.input = previous.output;
            layer.input_zero_point = previous.output_zero_point;
        }
        if !layer.op.is_window() {
            layer.stride = 1;
            layer.padding = Default::default();
        }
        let out = |extent: u16, before: u8, after: u8| {
            let padded = u32::from(extent) + u32::from(before) + u32::from(after);
            (padded.saturating_sub(3) / u32::from(layer.stride.max(1)) + 1) as u16
        };
        let (input, padding) = (layer.input, layer.padding);
        (layer.output.height, layer.output.width) = match layer.op {
            Op::Conv3x3 | Op::Depthwise3x3 => (
                out(input.height, padding.top, padding.bottom),
                out(input.width, padding.left, padding.right),
            ),
            Op::Pointwise | Op::Add => (input.height, input.width),
            Op::GlobalAveragePool | Op::Mean | Op::Flatten | Op::Dense => (1, 1),
        };
        if matches!(layer.op, Op::Depthwise3x3 | Op::Add) || layer.op.is_mean() {
            layer.output.channels = input.channels;
        }
        if layer.op == Op::Flatten {
            layer.output.channels = input.len() as u16;
        }
        if layer.op == Op::Mean && seeded.below(2) == 0 {
            layer.tables = raw.block.len() as u32;
            let scale = [5 << 28, -(seeded.below(8) as i32)];
            raw.block
                .extend(scale.into_iter().flat_map(i32::to_le_bytes));
        }
        if matches!(layer.op, Op::GlobalAveragePool | Op::Flatten) {
            layer.output_zero_point = layer.input_zero_point;
        }
        let count = layer.weight_len();
        if count != before && count < 1 << 14 {
            layer.weights = raw.block.len() as u32;
            raw.block.extend((0..count).map(|_| seeded.number() as u8));
            layer.tables = raw.block.len() as u32;
            let channels = usize::from(layer.output.channels);
            let bias = (0..channels).map(|_| seeded.next() as i32 >> 18);
            raw.block.extend(bias.flat_map(i32::to_le_bytes));
            raw.block
                .extend((0..channels).flat_map(|_| (5_i32 << 28).to_le_bytes()));
            raw.block
                .extend((0..channels).map(|_| -(8 + seeded.below(4) as i8) as u8));
        }
        if layer.op == Op::Add && seeded.below(2) == 0 {
            layer.tables = raw.block.len() as u32;
            let pairs = [1 << 30, -1, i32::MAX, 0, 5 << 28, -17].into_iter();
            raw.block.extend(pairs.flat_map(i32::to_le_bytes));
        }
        previous = Some(*layer);
    }
    let Some(last) = previous else { return };
    if !raw.labels.is_empty() {
        raw.labels = (0..last.output.channels.min(50))
            .map(|index| format!("{index}\n"))
            .collect();
    }
    raw.golden_logits = vec![0; last.output.len().min(1 << 12)];
    if seeded.below(3) > 0 {
        raw.cuts = (1..raw.layers.len() as u8)
            .filter(|_| seeded.below(3) == 0)
            .collect();
        raw.cuts.push(raw.layers.len() as u8);
    }
    if let Ok(plan) = Plan::new(&raw.layers, &raw.cuts) {
        raw.arena_len = plan.arena_len as u32;
    }
}

/// Returns true if the file was accepted; an accepted file has run and given the outputs that its
/// layers define.
fn read_and_run(raw: &Raw) -> Result<bool, TestCaseError> {
    let file = raw.encode();
    let Ok(model) = Model::read(&file) else {
        return Ok(false);
    };
    let products: u64 = model.layers().iter().map(Layer::products).sum();
    let maps = |shape: fn(&Layer) -> Shape| {
        let lengths = model.layers().iter().map(|layer| shape(layer).len() as u64);
        lengths.sum::<u64>()
    };
    if products + maps(|layer| layer.input) + maps(|layer| layer.output) > 1 << 21 {
        // Too slow to run here; reading it without a panic is enough.
        return Ok(true);
    }
    let mut seeded = Seeded(raw.golden_seed | 1);
    let input: Vec<i8> = (0..model.input_shape().len())
        .map(|_| seeded.number())
        .collect();
    let mut arena = vec![0x55; raw.arena_len as usize];
    let output = answer(Engine::new(&model, &mut arena, Scalar).unwrap(), &input);
    prop_assert_eq!(&output, &reference(&raw.specs(), &input));
    prop_assert_eq!(&output, &run_apart(&model, &input));
    let ranking = Ranking::<3>::new(&model, &output);
    prop_assert!(ranking.iter().count() <= 3);
    Ok(true)
}

/// Miri is about a thousand times slower.
const CASES: u32 = if cfg!(miri) { 4 } else { 6_000 };

#[test]
fn whatever_is_read_runs_and_gives_what_it_defines() {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (read, refused) = (Cell::new(0), Cell::new(0));
    let case = (
        1_u32..40,
        1_u32..u32::MAX,
        prop::bool::weighted(0.8),
        prop::collection::vec(change(), 1..6),
    );
    let result = runner.run(&case, |(network, seed, repaired, changes)| {
        let mut raw = Raw::decode(&write(&spec(random_network(network * 7_919))).unwrap());
        raw.golden_seed = seed;
        for change in changes {
            if !raw.layers.is_empty() {
                apply(&mut raw, change);
            }
        }
        if repaired {
            repair(&mut raw, &mut Seeded(seed));
        }
        let count = if read_and_run(&raw)? { &read } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let (read, refused) = (read.get(), refused.get());
    // A few cases may all be of one kind.
    let least = if cfg!(miri) { 0 } else { CASES / 6 + 1 };
    assert!(
        read >= least && refused >= least && read + refused == CASES,
        "{read} read, {refused} refused"
    );
}
