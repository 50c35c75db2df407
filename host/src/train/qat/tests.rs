//! Gradients against differences, the engine's integers, and independence of threads.

use posy_nn::graph::head::Head;
use posy_nn::graph::network::{Activation, Common, IntNetwork};
use posy_nn::quantise::from_ranges::from_float;
use posy_shared::model::{Op, Padding, Shape};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn shape(side: u16, channels: u16) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// A network with blocks of MobileNet v1 and v2: a 3 x 3 convolution, a separable convolution, an
/// inverted residual, one with stride 2, and a pool. Its weights are drawn.
fn network() -> IntNetwork {
    use posy_nn::graph::network::{FloatLayer, FloatNetwork};
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut layers = Vec::new();
    let mut before = shape(8, 3);
    let mut add = |op: Op, output: Shape, stride: u8, activation, skip| {
        let (inputs, outputs) = (usize::from(before.channels), usize::from(output.channels));
        let of_channel = match op {
            Op::Conv3x3 => 9 * inputs,
            Op::Depthwise3x3 => 9,
            Op::Pointwise => inputs,
            _ => 0,
        };
        let size = 2.0 / (of_channel.max(1) as f32).sqrt();
        let has_weights = of_channel > 0;
        let before_padding = if stride == 1 { 1 } else { 0 };
        let window = matches!(op, Op::Conv3x3 | Op::Depthwise3x3);
        layers.push(FloatLayer {
            common: Common {
                name: format!("{op:?}"),
                op,
                input: before,
                output,
                stride,
                padding: match window {
                    true => Padding {
                        top: before_padding,
                        left: before_padding,
                        bottom: 1,
                        right: 1,
                    },
                    false => Padding::default(),
                },
                activation,
                skip,
            },
            weights: (0..outputs * of_channel)
                .map(|_| random.random_range(-size..size))
                .collect(),
            bias: (0..if has_weights { outputs } else { 0 })
                .map(|_| random.random_range(-0.2..0.6))
                .collect(),
            range: None,
        });
        before = output;
    };
    let (relu, none) = (Activation::Relu6, Activation::None);
    add(Op::Conv3x3, shape(8, 8), 1, relu, None);
    add(Op::Depthwise3x3, shape(8, 8), 1, relu, None);
    add(Op::Pointwise, shape(8, 12), 1, none, None);
    add(Op::Pointwise, shape(8, 24), 1, relu, None);
    add(Op::Depthwise3x3, shape(8, 24), 1, relu, None);
    add(Op::Pointwise, shape(8, 12), 1, none, None);
    add(Op::Add, shape(8, 12), 1, none, Some(2));
    add(Op::Pointwise, shape(8, 32), 1, relu, None);
    add(Op::Depthwise3x3, shape(4, 32), 2, relu, None);
    add(Op::Pointwise, shape(4, 16), 1, none, None);
    add(Op::Pointwise, shape(4, 40), 1, relu, None);
    add(Op::GlobalAveragePool, shape(1, 40), 1, none, None);
    let count = layers.len();
    let network = FloatNetwork {
        input: Quantisation {
            scale: 1.0 / 128.0,
            zero_point: 0,
        },
        pixels: None,
        layers,
    };
    from_float(&network, &vec![(-6.0, 6.0); count]).unwrap()
}

const PHOTOS: usize = 24;
const LABELS: usize = 3;

fn head() -> Head {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    Head {
        weights: (0..LABELS * 40)
            .map(|_| random.random_range(-0.5..0.5))
            .collect(),
        bias: vec![0.1, -0.1, 0.0],
    }
}

/// Maps whose mean level tells the label, two views of each photo.
fn maps(len: usize) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let labels: Vec<usize> = (0..PHOTOS).map(|photo| photo % LABELS).collect();
    let map = |&label: &usize| {
        let level = 30 * label as i32 - 60;
        let mut value = || (level + random.random_range(-40..40)) as i8 as u8;
        (0..2 * len).map(|_| value()).collect()
    };
    (labels.iter().map(map).collect(), labels)
}

#[test]
fn blocks_start_where_nothing_reads_across() {
    // The last 1 x 1 convolution; the block with stride 2; the residual block; the first.
    assert_eq!(block_starts(&network()), [10, 7, 3, 1]);
    let mut headless = network();
    headless.layers.pop();
    assert_eq!(block_starts(&headless), [0; 0]);
}

/// The gradient along random directions against central differences of the loss, in floating point,
/// for every place where training may begin.
#[test]
fn gradients_are_numeric_differences() {
    let network = network();
    let mut random = ChaCha8Rng::seed_from_u64(8);
    for start in block_starts(&network) {
        let (segment, parameters) = Segment::new(&network, start, &head(), &[1.0; 40]);
        let len = segment.shape.len();
        let input: Vec<f32> = (0..2 * len)
            .map(|_| random.random_range(0.0..3.0))
            .collect();
        let targets = [0.1f32, 0.7, 0.2, 0.5, 0.25, 0.25];
        let mut workspace = Workspace::default();
        workspace.input = input;
        let mut weights = Weights::default();
        let mut at = |values: &[f32], backward: bool| {
            weights.set(&segment, values, Arithmetic::Float);
            let mut slopes = workspace.forward(&segment, &weights, 2).to_vec();
            let rows = slopes
                .chunks_exact_mut(LABELS)
                .zip(targets.chunks_exact(LABELS));
            let loss: f64 = rows
                .map(|(row, target)| cross_entropy_slope(row, target, 1.0))
                .sum();
            if backward {
                workspace.backward(&segment, &weights, &slopes);
            }
            (loss, workspace.gradient.clone())
        };
        let (_, gradient) = at(&parameters.values, true);
        for layer in &segment.layers {
            for range in [layer.weights.clone(), layer.bias.clone()] {
                if range.is_empty() {
                    continue;
                }
                let mut direction = vec![0.0; parameters.values.len()];
                direction[range].fill_with(|| random.random_range(-1.0..1.0));
                let step = 4e-4;
                let [up, down] = [step, -step].map(|step: f32| {
                    let moved = parameters.values.iter().zip(&direction);
                    at(&moved.map(|(v, d)| v + step * d).collect::<Vec<_>>(), false).0
                });
                let numeric = (up - down) / (2.0 * f64::from(step));
                let products = gradient.iter().zip(&direction);
                let found: f64 = products.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
                let apart = (numeric - found).abs();
                assert!(
                    apart < 0.05 * numeric.abs() + 5e-3,
                    "layer {:?} from {start}: {found}, numeric {numeric}",
                    layer.kind
                );
            }
        }
    }
}

/// Fake-quantised features against the engine's integers, so that a board runs what is trained: equal, but where
/// the engine rounds twice, which a mean over a map makes more of.
#[test]
fn fake_quantised_features_are_the_engines() {
    use posy_nn::zoo::embedded::last_resort;
    use posy_shared::model::InputContract;
    use posy_shared::preprocess::{Crop, Filter};
    let backbone = last_resort().unwrap().unwrap();
    let contract = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let network = &backbone.int;
    let start = block_starts(network)[3];
    let extractor = |layers: usize| {
        let mut part = backbone.clone();
        part.int.layers.truncate(layers);
        part.extractor(contract).unwrap()
    };
    let output = |bytes: &[u8], photo: &posy_nn::rgb::Rgb| {
        let model = posy_shared::model::Model::read(bytes).unwrap();
        posy_nn::run::Runner::new(model).output(photo).unwrap()
    };
    let [before, whole] = [start, network.layers.len()].map(extractor);
    let width = usize::from(network.layers.last().unwrap().common.output.channels);
    let head = Head {
        weights: vec![0.0; 2 * width],
        bias: vec![0.0; 2],
    };
    let (segment, parameters) = Segment::new(network, start, &head, &vec![1.0; width]);
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let photos: Vec<_> = (0..4)
        .map(|_| posy_nn::rgb::Rgb {
            width: 40,
            height: 30,
            data: (0..3600).map(|_| random.random()).collect(),
        })
        .collect();
    let values: Vec<Vec<u8>> = photos
        .iter()
        .map(|photo| {
            output(&before, photo)
                .into_iter()
                .map(|q| q as u8)
                .collect()
        })
        .collect();
    let maps = Maps {
        values: &values,
        len: segment.shape.len(),
        quantisation: segment.input,
    };
    let features = run(
        &segment,
        &parameters.values,
        &maps,
        &[0, 1, 2, 3],
        Arithmetic::Quantised,
        |workspace| workspace.features().to_vec(),
    );
    let last = network.layers.last().unwrap().output;
    let (mut equal, mut all) = (0, 0);
    for (photo, features) in photos.iter().zip(features.chunks_exact(width)) {
        for (&real, q) in features.iter().zip(output(&whole, photo)) {
            let found = (real / last.scale).round() as i32 + last.zero_point;
            assert!((found - i32::from(q)).abs() <= 1, "{found} for {q}");
            equal += usize::from(found == i32::from(q));
            all += 1;
        }
    }
    assert!(equal * 100 >= all * 90, "{equal} of {all}");
}

fn trained(options: &Options, stop: Option<usize>) -> State {
    let network = network();
    let start = block_starts(&network)[2];
    let (segment, parameters) = Segment::new(&network, start, &head(), &[1.0; 40]);
    let (values, labels) = maps(segment.shape.len());
    let maps = Maps {
        values: &values,
        len: segment.shape.len(),
        quantisation: segment.input,
    };
    let (training, validation): (Vec<usize>, Vec<usize>) = (0..PHOTOS).partition(|p| *p < 18);
    let photos = Photos {
        training: &training,
        validation: &validation,
        labels: &labels,
    };
    let mut state = State::new(&parameters);
    let go = |state: &mut State, stop: Option<usize>| {
        let mut after = |state: &State| Some(state.epoch) != stop;
        train(
            &segment,
            &parameters,
            state,
            (&maps, &photos),
            options,
            &mut after,
        )
        .unwrap();
    };
    if stop.is_some() {
        go(&mut state, stop);
    }
    go(&mut state, None);
    state
}

#[test]
fn training_learns_and_is_the_same_on_any_number_of_threads_and_after_a_stop() {
    let options = Options {
        epochs: 12,
        batch: 9,
        rate: 1e-2,
        ..Options::default()
    };
    let whole = trained(&options, None);
    let first = whole.history[0];
    let last = *whole.history.last().unwrap();
    assert!(
        last.training_loss < 0.8 * first.training_loss,
        "{:?}",
        whole.history
    );
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let found = pool.unwrap().install(|| trained(&options, None));
        assert!(found == whole, "{threads} threads");
    }
    assert!(trained(&options, Some(5)) == whole);
    let other = Options { seed: 1, ..options };
    assert!(trained(&other, None) != whole);
}
