//! Random networks.

use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    AddTables, ChannelTables, InputContract, Layer, LayerSpec, ModelSpec, Op, Padding, Provenance,
    Shape, SplitFacts, Tables, Verdict,
};
use posy_shared::preprocess::{Crop, Filter};
use posy_shared::softmax::Beta;

/// Marsaglia's xorshift32.
pub struct Seeded(pub u32);

impl Seeded {
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        (self.next() >> 8) % bound
    }

    pub fn number(&mut self) -> i8 {
        (self.next() >> 24) as i8
    }

    fn scale(&mut self, right: u32) -> Multiplier {
        Multiplier {
            mantissa: (self.next() >> 2 | 1 << 30) as i32,
            shift: -(right as i8),
        }
    }
}

/// A network under construction.
struct Builder {
    seeded: Seeded,
    layers: Vec<LayerSpec>,
    shape: Shape,
    zero_point: i8,
}

impl Builder {
    fn push(&mut self, op: Op, output: Shape, stride: u8, padding: Padding, skip: u8) {
        let zero_point = match op {
            // These keep the scale and the zero point of their input.
            Op::GlobalAveragePool | Op::Flatten => self.zero_point,
            _ => self.seeded.number(),
        };
        let layer = Layer {
            op,
            input: self.shape,
            output,
            stride,
            padding,
            input_zero_point: self.zero_point,
            output_zero_point: zero_point,
            output_min: if self.seeded.below(2) == 0 {
                -128
            } else {
                zero_point.min(0)
            },
            output_max: 127 - self.seeded.below(20) as i8,
            single_rounding: matches!(op, Op::Pointwise | Op::Dense) && self.seeded.below(4) == 0,
            skip,
            weights: 0,
            tables: 0,
        };
        let channels = usize::from(output.channels);
        let terms = layer.weight_count() / channels;
        let right = (terms.max(1).ilog2() / 2) + 6;
        let tables = match op {
            Op::GlobalAveragePool | Op::Flatten => Tables::None,
            Op::Mean => Tables::Mean(self.seeded.scale(3)),
            Op::Add => Tables::Add(AddTables {
                a: self.seeded.scale(1),
                b: self.seeded.scale(2),
                output: self.seeded.scale(18),
            }),
            _ => Tables::Channels(ChannelTables {
                bias: (0..channels)
                    .map(|_| self.seeded.next() as i32 >> 18)
                    .collect(),
                scale: (0..channels).map(|_| self.seeded.scale(right)).collect(),
            }),
        };
        let weights = (0..layer.weight_count())
            .map(|_| self.seeded.number())
            .collect();
        self.layers.push(LayerSpec {
            layer,
            weights,
            tables,
        });
        self.shape = output;
        self.zero_point = zero_point;
    }

    fn pointwise(&mut self, channels: u16) {
        let output = Shape {
            channels,
            ..self.shape
        };
        self.push(Op::Pointwise, output, 1, Padding::default(), 0);
    }

    /// A 3 x 3 layer with TFLite's SAME padding, or none, or one all around.
    fn window(&mut self, op: Op, channels: u16, stride: u8) {
        let style = self.seeded.below(4);
        let pad = |extent: u16| -> (u8, u8, u16) {
            let step = u16::from(stride);
            match style {
                0 if extent >= 3 => (0, 0, (extent - 3) / step + 1),
                1 => (1, 1, (extent - 1) / step + 1),
                _ => {
                    let out = extent.div_ceil(step);
                    let total = ((out - 1) * step + 3).saturating_sub(extent);
                    ((total / 2) as u8, (total - total / 2) as u8, out)
                }
            }
        };
        let (top, bottom, height) = pad(self.shape.height);
        let (left, right, width) = pad(self.shape.width);
        let output = Shape {
            height,
            width,
            channels,
        };
        self.push(
            op,
            output,
            stride,
            Padding {
                top,
                bottom,
                left,
                right,
            },
            0,
        );
    }

    /// A residual block as in MobileNet v2.
    fn residual(&mut self) {
        let shape = self.shape;
        let skip = self.layers.len() as u8 - 1;
        let wide = shape.channels * 2 + self.seeded.below(3) as u16;
        self.pointwise(wide);
        let padding = Padding {
            top: 1,
            bottom: 1,
            left: 1,
            right: 1,
        };
        let output = Shape {
            channels: wide,
            ..shape
        };
        self.push(Op::Depthwise3x3, output, 1, padding, 0);
        self.pointwise(shape.channels);
        self.push(Op::Add, shape, 1, Padding::default(), skip);
    }
}

pub fn random_network(seed: u32) -> Vec<LayerSpec> {
    let mut seeded = Seeded(seed);
    let shape = Shape {
        height: 3 + seeded.below(22) as u16,
        width: 3 + seeded.below(22) as u16,
        channels: 3,
    };
    let zero_point = seeded.number();
    let mut net = Builder {
        seeded,
        layers: Vec::new(),
        shape,
        zero_point,
    };
    let channels = 1 + net.seeded.below(6) as u16;
    net.window(Op::Conv3x3, channels, 1 + (seed % 2) as u8);
    for _ in 0..1 + net.seeded.below(5) {
        match net.seeded.below(4) {
            0 => net.residual(),
            _ => {
                let stride = 1 + net.seeded.below(2) as u8;
                let same = net.shape.channels;
                net.window(Op::Depthwise3x3, same, stride);
                let channels = 1 + net.seeded.below(9) as u16;
                net.pointwise(channels);
            }
        }
    }
    // Some networks end in a map, some in features, some in logits.
    if net.seeded.below(4) > 0 {
        let vector = Shape {
            height: 1,
            width: 1,
            ..net.shape
        };
        match net.seeded.below(4) {
            0 => net.push(Op::Mean, vector, 1, Padding::default(), 0),
            1 => {
                // A fully connected layer of each pixel, then of all.
                let channels = 1 + net.seeded.below(4) as u16;
                net.pointwise(channels);
                let flat = Shape {
                    channels: net.shape.len() as u16,
                    ..vector
                };
                net.push(Op::Flatten, flat, 1, Padding::default(), 0);
            }
            _ => net.push(Op::GlobalAveragePool, vector, 1, Padding::default(), 0),
        }
        if net.seeded.below(3) > 0 {
            let logits = Shape {
                channels: 1 + net.seeded.below(7) as u16,
                ..vector
            };
            net.push(Op::Dense, logits, 1, Padding::default(), 0);
        }
    }
    net.layers
}

pub fn spec(layers: Vec<LayerSpec>) -> ModelSpec<'static> {
    let last = layers.last().unwrap().layer;
    let labels = match last.op {
        Op::Dense => (0..last.output.channels)
            .map(|index| format!("label {index}"))
            .collect(),
        _ => Vec::new(),
    };
    ModelSpec {
        layers,
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        },
        pixel_table: None,
        logistic: None,
        labels,
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
            architecture: "random",
            backbone_sha256: [7; 32],
            posy_version: "test",
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: Some(0.5),
        },
    }
}
