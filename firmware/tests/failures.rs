//! Failures on the way from camera to answer: each has a name, no failed picture is classified,
//! and the next picture is as if it had not happened.

use std::cell::Cell;

use posy_firmware::camera::{Camera, FrameFormat, StoredFrame, StoredFrameError};
use posy_firmware::classify::{ClassifyError, RowBuffers, classify};
use posy_firmware::report;
use posy_shared::engine::Engine;
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::{Kernels, requant::Multiplier, scalar::Scalar};
use posy_shared::model::{
    ChannelTables, InputContract, Layer, LayerSpec, Model, ModelSpec, Op, Padding, Provenance,
    Shape, SplitFacts, Tables, Verdict, write,
};
use posy_shared::picture::PictureError;
use posy_shared::preprocess::{Crop, Filter, PreprocessError, scratch_len};
use posy_shared::ranking::Ranking;
use posy_shared::softmax::Beta;

/// A classifier of three labels that looks at 8 x 8 pixels: a convolution, a mean, a dense layer.
fn model(filter: Filter, unknown_below: u32) -> Vec<u8> {
    let around = Padding {
        top: 1,
        bottom: 1,
        left: 1,
        right: 1,
    };
    let layers = [
        (Op::Conv3x3, (8, 3), (8, 4), around),
        (Op::GlobalAveragePool, (8, 4), (1, 4), Padding::default()),
        (Op::Dense, (1, 4), (1, 3), Padding::default()),
    ];
    let shape = |(side, channels)| Shape {
        height: side,
        width: side,
        channels,
    };
    let layers = layers.map(|(op, input, output, padding)| {
        let layer = Layer {
            op,
            input: shape(input),
            output: shape(output),
            stride: 1,
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
        let scale = Multiplier {
            mantissa: 1 << 30,
            shift: -6,
        };
        let channels = usize::from(output.1);
        LayerSpec {
            layer,
            weights: (0..layer.weight_count())
                .map(|index| (index * 89 % 251) as u8 as i8)
                .collect(),
            tables: match op {
                Op::GlobalAveragePool => Tables::None,
                _ => Tables::Channels(ChannelTables {
                    bias: vec![100; channels],
                    scale: vec![scale; channels],
                }),
            },
        }
    });
    let spec = ModelSpec {
        layers: layers.into(),
        input: InputContract {
            crop: Crop::Centre,
            filter,
            table: None,
        },
        pixel_table: None,
        logistic: None,
        labels: ["daisy", "roses", "tulips"].map(String::from).into(),
        verdict: Verdict {
            beta: Beta {
                multiplier: 1 << 30,
                left_shift: 23,
                least_difference: -248,
            },
            unknown_below,
            logistic: None,
            unknown_logit: false,
            acceptance: None,
        },
        acceptance: None,
        provenance: Provenance {
            architecture: "three layers",
            backbone_sha256: [0; 32],
            posy_version: env!("CARGO_PKG_VERSION"),
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        },
    };
    write(&spec).unwrap()
}

const WIDTH: u16 = 20;
const HEIGHT: u16 = 30;

fn pixels(seed: usize) -> Vec<u8> {
    (0..2 * usize::from(WIDTH) * usize::from(HEIGHT))
        .map(|index| (index * 37 + index / 11 * (seed + 5)) as u8)
        .collect()
}

fn stored(bytes: &[u8]) -> StoredFrame<'_> {
    StoredFrame::new(ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, bytes).unwrap())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NoAnswer,
    Torn { row: u16 },
    Inner(StoredFrameError),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A camera with one fault in its next frame. What it hands over before the fault is noise.
struct Faulty<'a> {
    inner: StoredFrame<'a>,
    fault: Option<Fault>,
    row: u16,
    captures: &'a Cell<u32>,
}

impl Camera for Faulty<'_> {
    type Error = Fault;

    fn format(&self) -> FrameFormat {
        self.inner.format()
    }

    fn capture(&mut self) -> Result<(), Fault> {
        self.captures.set(self.captures.get() + 1);
        self.row = 0;
        self.inner.capture().map_err(Fault::Inner)?;
        match self.fault {
            Some(Fault::NoAnswer) => Err(self.fault.take().unwrap()),
            _ => Ok(()),
        }
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Fault> {
        if self.fault == Some(Fault::Torn { row: self.row }) {
            return Err(self.fault.take().unwrap());
        }
        self.inner.read_row(row).map_err(Fault::Inner)?;
        if self.fault.is_some() {
            row.fill(0xA5);
        }
        self.row += 1;
        Ok(())
    }
}

/// The memory of one board.
struct Memory {
    raw: Vec<u8>,
    rgb: Vec<u8>,
    scratch: Vec<u32>,
}

impl Memory {
    fn new() -> Self {
        Memory {
            raw: vec![0; 2 * usize::from(WIDTH)],
            rgb: vec![0; 3 * usize::from(WIDTH)],
            scratch: vec![0; scratch_len(8)],
        }
    }

    fn classify<C: Camera, K: Kernels>(
        &mut self,
        camera: &mut C,
        engine: &mut Engine<'_, '_, K>,
    ) -> Result<Vec<i8>, ClassifyError<C::Error>> {
        let mut buffers = RowBuffers {
            raw: &mut self.raw,
            rgb: &mut self.rgb,
            scratch: &mut self.scratch,
        };
        classify(camera, engine, &mut buffers).map(<[i8]>::to_vec)
    }
}

#[test]
fn a_fault_at_any_row_is_named_and_leaves_nothing_behind() {
    let bytes = pixels(1);
    let captures = Cell::new(0);
    for filter in [Filter::Area, Filter::LegacyBilinear] {
        let file = model(filter, 0);
        let model = Model::read(&file).unwrap();
        let mut arena = vec![0; model.plan().arena_len];
        let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
        let mut memory = Memory::new();
        let expected = memory.classify(&mut stored(&bytes), &mut engine).unwrap();
        assert_ne!(
            memory.classify(&mut stored(&pixels(2)), &mut engine),
            Ok(expected.clone()),
            "the network does not tell two pictures apart"
        );
        let torn = (0..HEIGHT).map(|row| Fault::Torn { row });
        for fault in torn.chain([Fault::NoAnswer]) {
            let mut camera = Faulty {
                inner: stored(&bytes),
                fault: Some(fault),
                row: 0,
                captures: &captures,
            };
            let failed = memory.classify(&mut camera, &mut engine);
            assert_eq!(failed, Err(ClassifyError::Camera(fault)));
            let next = memory.classify(&mut camera, &mut engine);
            assert_eq!(next.as_ref(), Ok(&expected), "after {fault:?}");
        }
    }
}

#[test]
fn short_buffers_are_found_before_the_camera_is_asked() {
    let file = model(Filter::Area, 0);
    let model = Model::read(&file).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let bytes = pixels(1);
    let captures = Cell::new(0);
    let mut camera = Faulty {
        inner: stored(&bytes),
        fault: None,
        row: 0,
        captures: &captures,
    };
    let mut short = Memory::new();
    short.raw.pop();
    let refused = short.classify(&mut camera, &mut engine);
    assert_eq!(refused, Err(ClassifyError::RowBuffers));
    let mut short = Memory::new();
    short.rgb.pop();
    let refused = short.classify(&mut camera, &mut engine);
    assert_eq!(refused, Err(ClassifyError::RowBuffers));
    let mut short = Memory::new();
    short.scratch.pop();
    let error = short.classify(&mut camera, &mut engine).unwrap_err();
    let lacking = PreprocessError::ScratchTooSmall {
        needed: scratch_len(8),
        given: scratch_len(8) - 1,
    };
    assert_eq!(
        error,
        ClassifyError::Picture(PictureError::Preprocess(lacking))
    );
    assert_eq!(
        error.to_string(),
        "scratch memory has 53 words, 54 are needed"
    );
    assert_eq!(captures.get(), 0);
    // Longer ones than needed do.
    let mut long = Memory::new();
    long.raw.push(0);
    long.rgb.push(0);
    long.scratch.push(0);
    assert_eq!(
        long.classify(&mut camera, &mut engine),
        Memory::new().classify(&mut camera, &mut engine)
    );
    assert_eq!(captures.get(), 2);
}

/// A camera that promises more rows than it has.
struct Short<'a>(StoredFrame<'a>);

impl Camera for Short<'_> {
    type Error = StoredFrameError;

    fn format(&self) -> FrameFormat {
        let format = self.0.format();
        FrameFormat {
            height: format.height + 1,
            ..format
        }
    }

    fn capture(&mut self) -> Result<(), StoredFrameError> {
        self.0.capture()
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), StoredFrameError> {
        self.0.read_row(row)
    }
}

#[test]
fn a_frame_that_ends_early_is_not_classified() {
    let file = model(Filter::Area, 0);
    let model = Model::read(&file).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let bytes = pixels(1);
    let error = Memory::new()
        .classify(&mut Short(stored(&bytes)), &mut engine)
        .unwrap_err();
    assert_eq!(error, ClassifyError::Camera(StoredFrameError::NoMoreRows));
    assert_eq!(
        error.to_string(),
        "every row of the stored frame has been read"
    );
}

#[test]
fn lines_are_whole_or_an_error() {
    let file = model(Filter::Area, 0);
    let known = Model::read(&file).unwrap();
    let mut serial = [0; 64];
    let mut free = &mut serial[..];
    report::line(&mut free, &Ranking::<2>::new(&known, &[20, -30, 60]), 412).unwrap();
    let left = free.len();
    let line = std::str::from_utf8(&serial[..64 - left]).unwrap();
    // Logits are sixteenths: 1 / (1 + exp(-40/16) + exp(-90/16)) is 0.921.
    assert_eq!(line, "tulips 92.1%  daisy 7.6%  412 ms\r\n");

    let file = model(Filter::Area, 1 << 16);
    let doubtful = Model::read(&file).unwrap();
    let ranking = Ranking::<1>::new(&doubtful, &[20, -30, 60]);
    let mut free = &mut serial[..];
    report::line(&mut free, &ranking, 7).unwrap();
    let left = free.len();
    let line = std::str::from_utf8(&serial[..64 - left]).unwrap();
    assert_eq!(line, "unknown  tulips 92.1%  7 ms\r\n");

    assert!(report::line(&mut &mut serial[..10], &ranking, 7).is_err());
}
