//! Random networks run by rows, in exactly the planned bytes, against the same networks computed
//! map by map from the definition of each layer.

use posy_shared::engine::{Engine, EngineError};
use posy_shared::kernels::requant::{self, Multiplier};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{
    AddTables, ChannelTables, InputContract, Layer, LayerSpec, Model, ModelSpec, Op, Padding,
    Provenance, ReadError, Shape, SplitFacts, Tables, Verdict, write,
};
use posy_shared::plan::{Plan, search, streaming};
use posy_shared::preprocess::{Crop, Filter};
use posy_shared::softmax::Beta;

/// Marsaglia's xorshift32.
struct Seeded(u32);

impl Seeded {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, bound: u32) -> u32 {
        (self.next() >> 8) % bound
    }

    fn number(&mut self) -> i8 {
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
        let zero_point = self.seeded.number();
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
            skip,
            weights: 0,
            tables: 0,
        };
        let channels = usize::from(output.channels);
        let terms = layer.weight_count() / channels;
        let right = (terms.max(1).ilog2() / 2) + 6;
        let tables = match op {
            Op::GlobalAveragePool => Tables::None,
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

    /// A residual block as MobileNet v2 has it.
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

fn random_network(seed: u32) -> Vec<LayerSpec> {
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
    // Some end in a map, some in features, some in logits.
    if net.seeded.below(4) > 0 {
        let vector = Shape {
            height: 1,
            width: 1,
            ..net.shape
        };
        net.push(Op::GlobalAveragePool, vector, 1, Padding::default(), 0);
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

/// One layer over whole maps `[H, W, C]`, from its definition.
fn whole_map(spec: &LayerSpec, input: &[i8], other: Option<(&[i8], i8)>) -> Vec<i8> {
    let layer = &spec.layer;
    let (height, width) = (
        usize::from(layer.input.height),
        usize::from(layer.input.width),
    );
    let (ins, outs) = (
        usize::from(layer.input.channels),
        usize::from(layer.output.channels),
    );
    let zero = i32::from(layer.input_zero_point);
    let place = |scaled| {
        requant::place(
            scaled,
            layer.output_zero_point,
            layer.output_min,
            layer.output_max,
        )
    };
    let at = |y: usize, x: usize, c: usize| i32::from(input[(y * width + x) * ins + c]) - zero;
    let mut output = Vec::new();
    for oy in 0..usize::from(layer.output.height) {
        for ox in 0..usize::from(layer.output.width) {
            for o in 0..outs {
                output.push(match (&spec.tables, layer.op) {
                    (Tables::Channels(tables), op) => {
                        let mut sum = tables.bias[o];
                        let taps = if op.is_window() { 3 } else { 1 };
                        for (ky, kx) in (0..taps * taps).map(|tap| (tap / taps, tap % taps)) {
                            let y = (oy * usize::from(layer.stride) + ky)
                                .wrapping_sub(layer.padding.top.into());
                            let x = (ox * usize::from(layer.stride) + kx)
                                .wrapping_sub(layer.padding.left.into());
                            if y >= height || x >= width {
                                continue;
                            }
                            let tap = ky * taps + kx;
                            if op == Op::Depthwise3x3 {
                                sum += at(y, x, o) * i32::from(spec.weights[o * 9 + tap]);
                            } else {
                                for i in 0..ins {
                                    let weight = spec.weights[(o * taps * taps + tap) * ins + i];
                                    sum += at(y, x, i) * i32::from(weight);
                                }
                            }
                        }
                        place(requant::rescale(sum, tables.scale[o]))
                    }
                    (Tables::Add(add), _) => {
                        let (other, other_zero) = other.unwrap();
                        let index = (oy * width + ox) * ins + o;
                        let a = requant::rescale(at(oy, ox, o) << 20, add.a);
                        let b = i32::from(other[index]) - i32::from(other_zero);
                        let b = requant::rescale(b << 20, add.b);
                        place(requant::rescale(a + b, add.output))
                    }
                    (Tables::None, _) => {
                        let sum: i32 = (0..height * width)
                            .map(|pixel| i32::from(input[pixel * ins + o]))
                            .sum();
                        let mean = f64::from(sum) / (height * width) as f64;
                        requant::place(mean.round() as i32, 0, layer.output_min, layer.output_max)
                    }
                });
            }
        }
    }
    output
}

fn reference(layers: &[LayerSpec], input: &[i8]) -> Vec<i8> {
    let mut maps: Vec<Vec<i8>> = Vec::new();
    for spec in layers {
        let skip = usize::from(spec.layer.skip);
        let other = (spec.layer.op == Op::Add)
            .then(|| (&maps[skip][..], layers[skip].layer.output_zero_point));
        let output = whole_map(spec, maps.last().map_or(input, |map| map), other);
        maps.push(output);
    }
    maps.pop().unwrap()
}

fn spec(layers: Vec<LayerSpec>) -> ModelSpec<'static> {
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
        labels,
        verdict: Verdict {
            beta: Beta {
                multiplier: 1 << 30,
                left_shift: 23,
                least_difference: -248,
            },
            unknown_below: 0,
        },
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

fn run(model: &Model<'_>, input: &[i8]) -> Vec<i8> {
    let mut arena = vec![0x55; model.plan().arena_len];
    let mut engine = Engine::new(model, &mut arena, Scalar).unwrap();
    // Twice, so that what one picture leaves behind is seen in the next.
    let mut answers = (0..2).map(|_| {
        for row in input.chunks_exact(model.input_shape().row_len()) {
            engine.push_row(row).unwrap();
        }
        engine.finish().unwrap().to_vec()
    });
    let (first, second) = (answers.next().unwrap(), answers.next().unwrap());
    assert_eq!(first, second);
    first
}

#[test]
fn random_networks_give_what_their_definition_gives() {
    let mut segments = 0;
    for seed in 1..400 {
        let layers = random_network(seed * 2_654_435);
        let mut seeded = Seeded(seed);
        let input: Vec<i8> = (0..layers[0].layer.input.len())
            .map(|_| seeded.number())
            .collect();
        let expected = reference(&layers, &input);
        let file = write(&spec(layers)).unwrap();
        let model = Model::read(&file).unwrap();
        segments += model.plan().cuts.len();
        assert_eq!(
            run(&model, &input),
            expected,
            "seed {seed}: {:?}",
            model.layers()
        );
    }
    assert!(
        segments > 800,
        "too few plans have several segments: {segments}"
    );
}

#[test]
fn every_legal_cut_is_planned_without_a_row_lost() {
    // The planner may choose any of these; the file carries the choice.
    for seed in 1..60 {
        let layers = random_network(seed * 7_919);
        let bare: Vec<Layer> = layers.iter().map(|spec| spec.layer).collect();
        let best = search(&bare).unwrap();
        let whole = streaming(&bare).unwrap();
        assert!(best.arena_len <= whole.arena_len);
        for cut in 1..bare.len() as u8 {
            if let Ok(plan) = Plan::new(&bare, &[cut, bare.len() as u8]) {
                assert!(best.arena_len <= plan.arena_len, "seed {seed}, cut {cut}");
            }
        }
    }
}

#[test]
fn one_byte_less_is_refused_and_misuse_has_names() {
    let file = write(&spec(random_network(77))).unwrap();
    let model = Model::read(&file).unwrap();
    let needed = model.plan().arena_len;
    let mut arena = vec![0; needed];
    let refused = Engine::new(&model, &mut arena[1..], Scalar).unwrap_err();
    assert_eq!(
        refused,
        EngineError::Arena {
            needed,
            given: needed - 1
        }
    );
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let row = vec![0; model.input_shape().row_len()];
    assert!(matches!(
        engine.push_row(&row[1..]),
        Err(EngineError::RowLength { .. })
    ));
    assert!(matches!(
        engine.finish(),
        Err(EngineError::MissingRows { found: 0, .. })
    ));
    for _ in 0..model.input_shape().height {
        engine.push_row(&row).unwrap();
    }
    assert_eq!(engine.push_row(&row), Err(EngineError::TooManyRows));
    assert!(engine.finish().is_ok());
    let mut row = row;
    assert_eq!(engine.golden_check(&mut row), Ok(()));
}

#[test]
fn no_damaged_file_is_read_and_none_panics() {
    let file = write(&spec(random_network(1_234))).unwrap();
    assert!(Model::read(&file).is_ok());
    for length in 0..file.len() {
        let error = Model::read(&file[..length]).expect_err("a truncated file was read");
        match length {
            0 => assert_eq!(error, ReadError::Empty),
            _ => assert_ne!(error, ReadError::Empty),
        }
    }
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::read(&damaged).is_err(), "bit {bit}");
    }
    let mut longer = file.clone();
    longer.push(0xFF);
    assert!(matches!(
        Model::read(&longer),
        Err(ReadError::Length { .. })
    ));
    assert!(Model::read_slot(&longer).is_ok());
    assert_eq!(Model::read_slot(&[0xFF; 64]).unwrap_err(), ReadError::Empty);
    let mut newer = file.clone();
    newer[4] = 9;
    assert_eq!(
        Model::read(&newer).unwrap_err(),
        ReadError::Version { found: 9 }
    );
}

/// Damage with a checksum that fits: what a broken or hostile writer makes. Whatever still reads
/// must also run.
#[test]
fn a_file_that_reads_also_runs() {
    let file = write(&spec(random_network(99))).unwrap();
    let header = 20 + u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let (mut read, mut refused) = (0, 0);
    for at in 20..file.len().min(header + 400) {
        for value in [0, 1, 2, 0x7F, 0x80, 0xFF, file[at] ^ 1, file[at] ^ 0x40] {
            let mut damaged = file.clone();
            damaged[at] = value;
            let sum = crc.checksum(&damaged[20..]);
            damaged[16..20].copy_from_slice(&sum.to_le_bytes());
            let Ok(model) = Model::read(&damaged) else {
                refused += 1;
                continue;
            };
            read += 1;
            let shape = model.input_shape();
            let mut arena = vec![0; model.plan().arena_len];
            let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
            for y in 0..shape.height {
                engine.push_row(&vec![y as i8; shape.row_len()]).unwrap();
            }
            assert_eq!(engine.finish().unwrap().len(), model.output_len());
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}
