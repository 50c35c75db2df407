//! Self-test of a camera at its start: wires, order of bytes, generations of modules.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::simulated::{Bars, Camera as Simulated, Wire};
use common::{frame_bytes, simulated_port};
use embedded_hal::{i2c, spi};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{
    ArduCam, ArduCamError, Camera, CameraReport, Doubt, ParallelCamera, ParallelError, PictureFault,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Driver = ArduCam<Wire, Wire, Wire>;
type Error = ArduCamError<i2c::ErrorKind, spi::ErrorKind>;

const QVGA_LEN: usize = 320 * 240 * 2;
const QQVGA_LEN: usize = 160 * 120 * 2;

fn driver(simulated: &Rc<RefCell<Simulated>>, resolution: Resolution) -> Driver {
    let wire = Wire(simulated.clone());
    ArduCam::new(wire.clone(), wire.clone(), wire, Mode::picture(resolution))
}

fn qqvga(scene: Vec<u8>) -> (Rc<RefCell<Simulated>>, Driver) {
    let simulated = Simulated::new(vec![scene]);
    let driver = driver(&simulated, Resolution::Qqvga);
    (simulated, driver)
}

/// Everything that may spoil a frame: its name, what it does, and what is to be found.
type Spoiled = (&'static str, fn(&mut [u8]), PictureFault);

fn swapped(frame: &mut [u8]) {
    frame.chunks_exact_mut(2).for_each(|pixel| pixel.swap(0, 1));
}

fn late(frame: &mut [u8]) {
    frame.rotate_right(1);
}

fn stuck<const LOW: u8, const HIGH: u8>(frame: &mut [u8]) {
    frame
        .iter_mut()
        .for_each(|byte| *byte = *byte & !LOW | HIGH);
}

fn crossed(frame: &mut [u8]) {
    // D0 and D7 change places.
    frame
        .iter_mut()
        .for_each(|byte| *byte = *byte & 0x7E | *byte >> 7 | *byte << 7);
}

const SPOILED: [Spoiled; 9] = [
    ("swapped", swapped, PictureFault::ByteOrder),
    ("late", late, PictureFault::ByteOrder),
    (
        "D0 low",
        stuck::<0x01, 0>,
        PictureFault::Stuck { low: 0x01, high: 0 },
    ),
    (
        "D3 low",
        stuck::<0x08, 0>,
        PictureFault::Stuck { low: 0x08, high: 0 },
    ),
    (
        "D7 low",
        stuck::<0x80, 0>,
        PictureFault::Stuck { low: 0x80, high: 0 },
    ),
    (
        "D0 high",
        stuck::<0, 0x01>,
        PictureFault::Stuck { low: 0, high: 0x01 },
    ),
    (
        "D5 high",
        stuck::<0, 0x20>,
        PictureFault::Stuck { low: 0, high: 0x20 },
    ),
    (
        "D7 high",
        stuck::<0, 0x80>,
        PictureFault::Stuck { low: 0, high: 0x80 },
    ),
    (
        "nothing comes",
        stuck::<0xFF, 0>,
        PictureFault::Stuck { low: 0xFF, high: 0 },
    ),
];

#[test]
fn a_thousand_good_modules_start_without_a_word() {
    let mut random = ChaCha8Rng::seed_from_u64(26);
    for seed in 0..1000 {
        let (simulated, mut camera) = qqvga(frame_bytes(QQVGA_LEN, 4));
        let bars = Bars::drawn(&mut random);
        {
            let mut simulated = simulated.borrow_mut();
            simulated.seed(seed);
            simulated.bars = bars;
            simulated.trailer = [0, 1, 2, 4, 8, 16, 64][random.random_range(0..7)];
            simulated.revision = [0x73, 0x55, 0x41][random.random_range(0..3)];
            simulated.deaf_ms = 100;
            simulated.period_ms = random.random_range(33..134);
            simulated.phase_ms = random.random_range(0..134);
            simulated.exposes = random.random_range(0..8);
            simulated.balances = random.random_range(0..12);
            simulated.refuses_one_in = [0, 200][random.random_range(0..2)];
            simulated.loses = [None, Some(0x5A), Some(0xDA)][random.random_range(0..3)];
        }
        let report = camera.init();
        let found =
            report.map(|CameraReport { buffer, doubt, .. }| (buffer.map(|found| found.1), doubt));
        assert_eq!(found, Ok((Some(8), None)), "seed {seed}: {bars:?}");
    }
}

#[test]
fn bad_wires_are_named_and_never_classified() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (name, spoil, fault) in SPOILED {
        for seed in 0..20 {
            let (simulated, mut camera) = qqvga(frame_bytes(QQVGA_LEN, 4));
            let bars = if seed == 0 {
                Bars::IDEAL
            } else {
                Bars::drawn(&mut random)
            };
            {
                let mut simulated = simulated.borrow_mut();
                simulated.seed(seed);
                simulated.bars = bars;
                simulated.spoil = spoil;
            }
            let expected: Result<(), Error> = Err(ArduCamError::Picture(fault));
            for _ in 0..2 {
                assert_eq!(camera.capture(), expected, "{name}, seed {seed}: {bars:?}");
                let mut row = [0; 320];
                assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
            }
            simulated.borrow_mut().spoil = |_| {};
            camera.capture().unwrap();
        }
    }
}

#[test]
fn crossed_data_lines_are_named_on_a_parallel_port() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 4)]);
    let wire = Wire(simulated.clone());
    let mut frame = vec![0; QQVGA_LEN / 4];
    let mode = Mode::picture(Resolution::Qqvga);
    let mut camera = ParallelCamera::new(wire.clone(), wire.clone(), wire, mode, &mut frame);
    simulated.borrow_mut().spoil = crossed;
    let expected: Result<(), ParallelError<i2c::ErrorKind, simulated_port::PortFault>> =
        Err(ParallelError::Picture(PictureFault::Colours));
    assert_eq!(camera.capture(), expected);
    simulated.borrow_mut().spoil = |_| {};
    camera.capture().unwrap();
}

#[test]
fn bit_errors_slow_the_wires_down() {
    for seed in 0..40 {
        let simulated = Simulated::new(vec![frame_bytes(QVGA_LEN, 4)]);
        {
            let mut simulated = simulated.borrow_mut();
            simulated.seed(seed);
            simulated.bars = Bars::drawn(&mut ChaCha8Rng::seed_from_u64(seed));
            // Above 2 MHz.
            simulated.bit_errors = 1e-5;
        }
        let mut camera = driver(&simulated, Resolution::Qvga);
        let report = camera.init();
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert_eq!(
            (report.buffer, report.doubt),
            (Some((0x73, 2)), None),
            "seed {seed}"
        );
        assert_eq!(simulated.borrow().mhz, 2);
    }
    // So many that the link's own patterns show them.
    let simulated = Simulated::new(vec![frame_bytes(QVGA_LEN, 4)]);
    simulated.borrow_mut().bit_errors = 1e-2;
    let report = driver(&simulated, Resolution::Qvga).init().unwrap();
    assert_eq!(report.buffer, Some((0x73, 2)));
}

#[test]
fn a_module_of_any_generation_gives_every_pixel_in_its_place() {
    let scene = frame_bytes(QQVGA_LEN, 4);
    for revision in [0x73, 0x55, 0x41, 0x00] {
        for trailer in [0, 1, 2, 4, 8, 16, 64] {
            let (simulated, mut camera) = qqvga(scene.clone());
            simulated.borrow_mut().revision = revision;
            simulated.borrow_mut().trailer = trailer;
            for _ in 0..2 {
                camera.capture().unwrap();
                let mut frame = vec![0; QQVGA_LEN];
                for row in frame.chunks_exact_mut(320) {
                    camera.read_row(row).unwrap();
                }
                assert!(frame == scene, "revision {revision:02x}, trailer {trailer}");
            }
        }
    }
    // A row too much is another frame's.
    let (simulated, mut camera) = qqvga(scene);
    simulated.borrow_mut().trailer = 320;
    let (expected, found) = (38_400, 38_720);
    let torn = Err(ArduCamError::TornFrame { expected, found });
    assert_eq!(camera.capture(), torn);
}

#[test]
fn a_sensor_without_bars_is_doubted_and_used() {
    let (simulated, mut camera) = qqvga(frame_bytes(QQVGA_LEN, 4));
    simulated.borrow_mut().bars.shown = false;
    let report = camera.init();
    assert_eq!(report.map(|report| report.doubt), Ok(Some(Doubt::NoBars)));
    camera.capture().unwrap();
}

#[test]
fn a_setting_that_is_not_kept_is_set_again_and_then_named() {
    let (simulated, mut camera) = qqvga(frame_bytes(QQVGA_LEN, 4));
    simulated.borrow_mut().forgets = Some(0xDA);
    let error = camera.init();
    assert!(
        matches!(error, Err(ArduCamError::Setting { register: 0xDA, .. })),
        "{error:?}"
    );
    assert_eq!(simulated.borrow().resets, 3);
}
