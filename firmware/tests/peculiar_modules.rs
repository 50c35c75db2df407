//! What a simulated module and its wires can do to the driver: faults that are named within a second, and
//! peculiarities that change no pixel.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::frame_bytes;
use common::simulated::{Camera as Simulated, Wire};
use embedded_hal::{i2c, spi};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{ArduCam, ArduCamError, Camera, CameraReport, Readiness};

type Driver = ArduCam<Wire, Wire, Wire>;
type Error = ArduCamError<i2c::ErrorKind, spi::ErrorKind>;

const LEN: usize = 160 * 120 * 2;

fn module() -> (Rc<RefCell<Simulated>>, Driver) {
    let simulated = Simulated::new(vec![frame_bytes(LEN, 4)]);
    simulated.borrow_mut().deaf_ms = 100;
    simulated.borrow_mut().period_ms = 67;
    let wire = Wire(simulated.clone());
    let mode = Mode::picture(Resolution::Qqvga);
    let driver = ArduCam::new(wire.clone(), wire.clone(), wire, mode);
    (simulated, driver)
}

fn frame(camera: &mut Driver) -> Vec<u8> {
    let mut frame = vec![0; LEN];
    for row in frame.chunks_exact_mut(320) {
        camera.read_row(row).unwrap();
    }
    frame
}

type Change = fn(&mut Simulated);
/// A fault: its name, its beginning, its end, and whether an error names it.
type Fault = (&'static str, Change, Change, fn(&Error) -> bool);

const FAULTS: [Fault; 10] = [
    ("unplugged", Simulated::unplug, Simulated::plug, |error| {
        matches!(error, Error::Link { read: 0xFF, .. })
    }),
    (
        "unplugged, with wires at random",
        |camera| {
            camera.floating = true;
            camera.unplug();
        },
        Simulated::plug,
        |error| matches!(error, Error::Link { .. }),
    ),
    (
        "sensor's wires loose",
        |camera| {
            camera.unplug();
            camera.plug();
            camera.i2c_dead = true;
        },
        |camera| camera.i2c_dead = false,
        |error| matches!(error, Error::SensorBus(_)),
    ),
    (
        "another sensor",
        |camera| {
            camera.unplug();
            camera.plug();
            camera.identity = [0x56, 0x42];
        },
        |camera| camera.identity = [0x26, 0x41],
        |error| {
            matches!(
                error,
                Error::Identity {
                    found: [0x56, 0x42]
                }
            )
        },
    ),
    (
        "a sensor that keeps nothing",
        |camera| {
            camera.unplug();
            camera.plug();
            camera.forgets = Some(0xDA);
        },
        |camera| camera.forgets = None,
        |error| matches!(error, Error::Setting { register: 0xDA, .. }),
    ),
    (
        "no frames",
        |camera| camera.fills = false,
        |camera| camera.fills = true,
        |error| matches!(error, Error::Timeout { .. }),
    ),
    (
        "half a frame",
        |camera| camera.torn = vec![-19_200; 50],
        |camera| camera.torn.clear(),
        |error| matches!(error, Error::TornFrame { .. }),
    ),
    (
        "a row too much",
        |camera| camera.trailer = 320,
        |camera| camera.trailer = 8,
        |error| matches!(error, Error::TornFrame { .. }),
    ),
    (
        "a supply that drops as a frame is begun",
        |camera| camera.drops = true,
        |camera| camera.drops = false,
        |error| matches!(error, Error::FrameLost),
    ),
    (
        "swapped bytes",
        |camera| {
            camera.unplug();
            camera.plug();
            camera.spoil = |frame| frame.chunks_exact_mut(2).for_each(|pixel| pixel.swap(0, 1));
        },
        |camera| camera.spoil = |_| {},
        |error| matches!(error, Error::Picture(_)),
    ),
];

#[test]
fn faults_are_named_within_a_second_and_gone_when_they_end() {
    for (name, begin, end, is_named) in FAULTS {
        let (simulated, mut camera) = module();
        camera.capture().unwrap();
        frame(&mut camera);
        begin(&mut simulated.borrow_mut());
        let began_ms = simulated.borrow().delayed_ms;
        // A camera that was away so shortly that nobody looked is found by what it has forgotten.
        let named = (0..4).find_map(|_| camera.capture().err().filter(is_named));
        let took_ms = simulated.borrow().delayed_ms - began_ms;
        assert!(named.is_some(), "{name}");
        assert!(took_ms <= 1000, "{name}: {took_ms} ms");
        for _ in 0..3 {
            assert!(camera.capture().is_err(), "{name}");
            let mut row = [0; 320];
            assert_eq!(camera.read_row(&mut row), Err(Error::NoMoreRows), "{name}");
        }
        end(&mut simulated.borrow_mut());
        camera
            .capture()
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(frame(&mut camera) == frame_bytes(LEN, 4), "{name}");
    }
}

const PECULIARITIES: [(&str, Change); 12] = [
    ("none", |_| {}),
    ("no time to come to itself", |camera| camera.deaf_ms = 0),
    ("one transfer in 200 refused", |camera| {
        camera.refuses_one_in = 200
    }),
    ("one transfer in 50 refused", |camera| {
        camera.refuses_one_in = 50
    }),
    ("a lost width", |camera| camera.loses = Some(0x5A)),
    ("a lost format", |camera| camera.loses = Some(0xDA)),
    ("30 frames a second", |camera| camera.period_ms = 33),
    ("frames that begin later", |camera| camera.phase_ms = 41),
    ("frames in the dark", |camera| camera.period_ms = 133),
    ("a byte too many", |camera| camera.revision = 0x55),
    ("a long trailer", |camera| camera.trailer = 319),
    ("bit errors above 2 MHz", |camera| camera.bit_errors = 1e-4),
];

#[test]
fn peculiarities_change_no_pixel() {
    for (name, change) in PECULIARITIES {
        for seed in 0..10 {
            let (simulated, mut camera) = module();
            simulated.borrow_mut().seed(seed);
            change(&mut simulated.borrow_mut());
            for _ in 0..3 {
                let taken = camera.capture();
                taken.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error:?}"));
                assert!(
                    frame(&mut camera) == frame_bytes(LEN, 4),
                    "{name}, seed {seed}"
                );
            }
        }
    }
}

#[test]
fn white_balance_is_waited_for_behind_exposure() {
    for (exposes, balances) in [(0, 0), (1, 0), (6, 0), (0, 9), (4, 9)] {
        let (simulated, mut camera) = module();
        {
            let mut simulated = simulated.borrow_mut();
            // One colour that every gain can be seen in.
            simulated.scenes = vec![common::grey(14, LEN)];
            simulated.exposes = exposes;
            simulated.balances = balances;
        }
        let found = camera.start();
        assert!(
            matches!(
                found,
                Ok(Readiness::Found(CameraReport { doubt: None, .. }))
            ),
            "{found:?}"
        );
        let mut steps = 0;
        while camera.start().unwrap() != Readiness::Ready {
            steps += 1;
            assert!(steps <= 20, "{exposes}, {balances}");
        }
        camera.capture().unwrap();
        assert!(
            frame(&mut camera) == common::grey(14, LEN),
            "{exposes}, {balances}"
        );
    }
}
