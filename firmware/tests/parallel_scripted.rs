//! The parallel camera's driver against scripted I2C transfers and a scripted port: what it sends,
//! byte for byte, and what it says to each answer.

mod common;

use std::collections::VecDeque;
use std::convert::Infallible;

use common::frame_bytes;
use common::sensor_steps::{bars_steps, identity_steps, read_steps, setup_steps};
use common::simulated::colour_bars;
use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::delay::{CheckedDelay, Transaction as Delay};
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as Step};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{Camera, FramePort, GrabError, ParallelCamera, ParallelError};

const MODE: Mode = Mode::picture(Resolution::Qqvga);
const FRAME_LEN: usize = 160 * 120 * 2;
const FRAME_WORDS: usize = FRAME_LEN / 4;

type Grabbed = Result<Vec<u8>, GrabError<Infallible>>;

/// A port whose frames are a script.
struct Port(VecDeque<Grabbed>);

impl Port {
    fn new(script: impl IntoIterator<Item = Grabbed>) -> Self {
        Port(script.into_iter().collect())
    }
}

impl FramePort for Port {
    type Error = Infallible;

    fn grab(&mut self, frame: &mut [u32], timeout_ms: u32) -> Result<(), GrabError<Infallible>> {
        assert_eq!(frame.len(), FRAME_WORDS);
        assert!(timeout_ms == 800 || timeout_ms == 300);
        let bytes = self.0.pop_front().expect("a frame more than scripted")?;
        let (words, rest) = bytes.as_chunks::<4>();
        assert!(words.len() == frame.len() && rest.is_empty());
        for (word, bytes) in frame.iter_mut().zip(words) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(())
    }
}

type Driver<'f> = ParallelCamera<'f, I2c, Port, CheckedDelay>;

/// A driver whose buses expect exactly this; the sensor is given time after each of `resets`.
fn driver<'f>(
    i2c: &[Step],
    port: impl IntoIterator<Item = Grabbed>,
    resets: usize,
    frame: &'f mut [u32],
) -> Driver<'f> {
    let delay = CheckedDelay::new(&vec![Delay::delay_ms(100); resets]);
    ParallelCamera::new(I2c::new(i2c), Port::new(port), delay, MODE, frame)
}

fn done(camera: Driver<'_>) {
    let (mut sensor, port, mut delay) = camera.release();
    sensor.done();
    delay.done();
    assert!(port.0.is_empty(), "frames that nobody asked for");
}

/// The look at the sensor's settings before each frame.
fn settings(found: u8) -> [Step; 2] {
    read_steps(0xDA, found)
}

/// A setup without fault, the test picture with it.
fn init_steps() -> Vec<Step> {
    let mut steps = setup_steps(MODE);
    steps.extend(bars_steps(true));
    steps.extend(settings(0x08));
    steps.extend(bars_steps(false));
    steps
}

fn bars() -> Grabbed {
    Ok(colour_bars(160, 120))
}

#[test]
fn setup_and_capture_send_what_the_camera_documents() {
    let bytes = frame_bytes(FRAME_LEN, 1);
    let mut i2c = init_steps();
    for _ in 0..5 {
        i2c.extend(settings(0x08));
    }
    // Memory to spare is left alone.
    let mut frame = vec![7; FRAME_WORDS + 3];
    let grey = || Ok(vec![0x55; FRAME_LEN]);
    let port = [bars(), grey(), grey(), grey(), grey(), Ok(bytes.clone())];
    let mut camera = driver(&i2c, port, 1, &mut frame);
    let report = camera.init().unwrap();
    assert_eq!(report.to_string(), "OV2640 0x2642, frame 38,400 bytes");
    camera.capture().unwrap();
    let mut row = [0; 320];
    for expected in bytes.chunks_exact(320) {
        camera.read_row(&mut row).unwrap();
        assert_eq!(row, expected);
    }
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
    done(camera);
    assert_eq!(frame[FRAME_WORDS..], [7; 3]);
}

#[test]
fn every_transfer_to_the_sensor_is_tried_three_times() {
    let all = setup_steps(MODE);
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    for refused in (0..all.len()).step_by(7) {
        let mut steps = all[..refused].to_vec();
        steps.extend(vec![all[refused].clone().with_error(nack); 3]);
        // The seventh transfer is the reset.
        let mut delays = vec![Delay::delay_ms(100); usize::from(refused > 6)];
        delays.extend([1, 10].map(Delay::delay_ms));
        let mut frame = vec![0; FRAME_WORDS];
        let (i2c, delay) = (I2c::new(&steps), CheckedDelay::new(&delays));
        let mut camera = ParallelCamera::new(i2c, Port::new([]), delay, MODE, &mut frame);
        let expected = Err(ParallelError::SensorBus(nack));
        assert_eq!(camera.init(), expected, "transfer {refused}");
        done(camera);
    }
}

#[test]
fn other_sensors_are_named_and_not_written_to() {
    for found in [[0x26, 0x43], [0x26, 0x3F], [0x76, 0x41], [0x00, 0x00]] {
        let mut frame = vec![0; FRAME_WORDS];
        let mut camera = driver(&identity_steps(found), [], 0, &mut frame);
        assert_eq!(camera.init(), Err(ParallelError::Identity { found }));
        done(camera);
    }
}

#[test]
fn memory_too_short_for_a_frame_is_named_before_anything_is_sent() {
    for given in [0, FRAME_WORDS - 1] {
        let mut frame = vec![0; given];
        let mut camera = driver(&[], [], 0, &mut frame);
        let needed = FRAME_WORDS;
        let error = ParallelError::FrameMemory { needed, given };
        assert_eq!(camera.init(), Err(error));
        assert_eq!(camera.capture(), Err(error));
        done(camera);
    }
}

#[test]
fn a_sensor_with_other_settings_is_asked_for_no_frame() {
    for read in [0x00, 0x09, 0xFF] {
        let i2c = [init_steps(), settings(read).into()].concat();
        let mut frame = vec![0; FRAME_WORDS];
        let mut camera = driver(&i2c, [bars()], 1, &mut frame);
        camera.init().unwrap();
        let written = 0x08;
        let error = ParallelError::SettingsLost { written, read };
        assert_eq!(camera.capture(), Err(error));
        done(camera);
    }
}

#[test]
fn a_port_without_a_frame_is_named_and_no_row_is_read() {
    let i2c = [init_steps(), settings(0x08).into()].concat();
    let mut frame = vec![0; FRAME_WORDS];
    let mut camera = driver(&i2c, [bars(), Err(GrabError::Timeout)], 1, &mut frame);
    camera.init().unwrap();
    let waited_ms = 800;
    assert_eq!(camera.capture(), Err(ParallelError::Timeout { waited_ms }));
    let mut row = [0; 320];
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
    done(camera);
}

#[test]
fn messages_say_what_to_do() {
    type Error = ParallelError<ErrorKind, &'static str>;
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let cases: [(Error, &str); 8] = [
        (ParallelError::SensorBus(nack), "check SDA, SCL, XCLK"),
        (
            ParallelError::Identity {
                found: [0x56, 0x42],
            },
            "identity 56 42",
        ),
        (
            ParallelError::SettingsLost {
                written: 8,
                read: 0,
            },
            "wrote 08, read 00",
        ),
        (
            ParallelError::FrameMemory {
                needed: 38_400,
                given: 9_600,
            },
            "38400 words, the memory for it 9600",
        ),
        (ParallelError::Timeout { waited_ms: 800 }, "within 800 ms"),
        (
            ParallelError::TornFrame {
                expected: 38_400,
                found: 12,
            },
            "12 bytes came, a frame has 38400",
        ),
        (ParallelError::Overrun, "check PCLK"),
        (ParallelError::Port("no clock"), "port failed: no clock"),
    ];
    for (error, part) in cases {
        let text = error.to_string();
        assert!(text.contains(part), "{text}");
        assert!(text.len() < 120 && !text.contains('\n'), "{text}");
    }
}
