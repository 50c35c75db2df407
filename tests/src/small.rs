//! Small classifiers with seeded weights and every kind of layer except addition.

use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    ChannelTables, InputContract, Layer, LayerSpec, ModelSpec, Op, Padding, Provenance, Shape,
    SplitFacts, Tables, Verdict, WriteError, write, write_with,
};
use posy_shared::preprocess::{Crop, Filter};
use posy_shared::softmax::Beta;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn shape(side: u16, channels: u16) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// A `.posy` file of a few hundred bytes whose input is 16 x 16 pixels, with labels `label 0` and
/// so on.
pub fn small_classifier(labels: u16) -> Vec<u8> {
    build(&numbered(labels), "small", [16, 4, 6])
}

/// A [`small_classifier`] with these labels and this architecture name.
pub fn named_classifier(labels: &[&str], architecture: &str) -> Vec<u8> {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    build(&labels, architecture, [16, 4, 6])
}

fn numbered(labels: u16) -> Vec<String> {
    (0..labels).map(|label| format!("label {label}")).collect()
}

/// A [`small_classifier`] with `features` features: about `features * labels` bytes.
pub fn classifier(features: u16, labels: u16) -> Vec<u8> {
    labelled_classifier(features, &numbered(labels))
}

/// A [`classifier`] with these labels.
pub fn labelled_classifier(features: u16, labels: &[String]) -> Vec<u8> {
    build(labels, "small", [16, 4, features])
}

/// A `.posy` file of about 160,000 bytes whose network needs more RAM than an RP2040 has: a row of
/// its maps is 80,000 bytes.
pub fn large_classifier() -> Vec<u8> {
    build(&numbered(3), "small", [64, 2500, 6])
}

/// A `.posy` file of about a megabyte whose network takes 3 * 10^11 MACs: minutes for each photo. Its golden
/// answer would take as long and is made up, so that it can be looked at and not run.
pub fn heavy_classifier() -> Vec<u8> {
    let labels = numbered(3);
    let logits = vec![0; labels.len()];
    build_with(&labels, "heavy", [1024, 30_000, 6], |spec| {
        write_with(spec, |_| Ok(logits))
    })
}

/// A `.posy` file. `sizes` are the input's width and height in pixels, the channels of its maps,
/// and the number of features.
fn build(names: &[String], architecture: &str, sizes: [u16; 3]) -> Vec<u8> {
    build_with(names, architecture, sizes, write)
}

fn build_with(
    names: &[String],
    architecture: &str,
    sizes: [u16; 3],
    write: impl FnOnce(&ModelSpec<'_>) -> Result<Vec<u8>, WriteError>,
) -> Vec<u8> {
    let [side, channels, features] = sizes;
    let labels = names.len() as u16;
    let half = side / 2;
    let after = Padding {
        bottom: 1,
        right: 1,
        ..Padding::default()
    };
    let around = Padding {
        top: 1,
        bottom: 1,
        left: 1,
        right: 1,
    };
    let none = Padding::default();
    let layers = [
        (Op::Conv3x3, shape(side, 3), shape(half, channels), 2, after),
        (
            Op::Depthwise3x3,
            shape(half, channels),
            shape(half, channels),
            1,
            around,
        ),
        (
            Op::Pointwise,
            shape(half, channels),
            shape(half, features),
            1,
            none,
        ),
        (
            Op::GlobalAveragePool,
            shape(half, features),
            shape(1, features),
            1,
            none,
        ),
        (Op::Dense, shape(1, features), shape(1, labels), 1, none),
    ];
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let layers = layers.map(|(op, input, output, stride, padding)| {
        let layer = Layer {
            op,
            input,
            output,
            stride,
            padding,
            input_zero_point: 0,
            output_zero_point: 0,
            output_min: -128,
            output_max: 127,
            single_rounding: false,
            skip: 0,
            weights: 0,
            tables: 0,
        };
        let channels = usize::from(output.channels);
        let tables = match op {
            Op::GlobalAveragePool => Tables::None,
            _ => Tables::Channels(ChannelTables {
                bias: (0..channels)
                    .map(|_| random.random_range(-2000..2000))
                    .collect(),
                scale: (0..channels)
                    .map(|_| Multiplier {
                        mantissa: random.random_range(1 << 30..i32::MAX),
                        shift: -7,
                    })
                    .collect(),
            }),
        };
        let weights = (0..layer.weight_count()).map(|_| random.random()).collect();
        LayerSpec {
            layer,
            weights,
            tables,
        }
    });
    let spec = ModelSpec {
        layers: layers.into(),
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        },
        pixel_table: None,
        logistic: None,
        labels: names.to_vec(),
        verdict: Verdict {
            beta: Beta {
                multiplier: 1 << 30,
                left_shift: 23,
                least_difference: -248,
            },
            unknown_below: 0,
            logistic: None,
            unknown_logit: false,
            acceptance: None,
        },
        acceptance: None,
        provenance: Provenance {
            architecture,
            backbone_sha256: [0; 32],
            posy_version: env!("CARGO_PKG_VERSION"),
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        },
    };
    write(&spec).unwrap_or_else(|error| panic!("the small classifier: {error}"))
}
