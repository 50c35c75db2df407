//! The ArduCAM driver against scripted bus transactions: what it sends, byte for byte, and what
//! it says to each answer.

mod common;

use common::sensor_steps::{bars_steps, identity_steps, setup_steps};
use common::simulated::colour_bars;
use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as I2cStep};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as SpiStep};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{ArduCam, ArduCamError, Camera, PictureFault, SccbError, Unhurried};

const MODE: Mode = Mode::picture(Resolution::Qqvga);
const FRAME_LEN: u32 = 160 * 120 * 2;

type Driver = ArduCam<I2c, Unhurried<Spi<u8>>, NoopDelay>;

fn spi_write(register: u8, value: u8) -> Vec<SpiStep<u8>> {
    vec![
        SpiStep::transaction_start(),
        SpiStep::write_vec(vec![register | 0x80, value]),
        SpiStep::transaction_end(),
    ]
}

fn spi_read(register: u8, answer: Vec<u8>) -> Vec<SpiStep<u8>> {
    vec![
        SpiStep::transaction_start(),
        SpiStep::write_vec(vec![register]),
        SpiStep::read_vec(answer),
        SpiStep::transaction_end(),
    ]
}

fn controller_reset() -> Vec<SpiStep<u8>> {
    [spi_write(0x07, 0x80), spi_write(0x07, 0x00)].concat()
}

/// A pattern that comes back as `answer`.
fn pattern(written: u8, answer: u8) -> Vec<SpiStep<u8>> {
    [spi_write(0x00, written), spi_read(0x00, vec![answer])].concat()
}

/// The link's test before and after each frame.
fn link() -> Vec<SpiStep<u8>> {
    [pattern(0x55, 0x55), pattern(0xAA, 0xAA)].concat()
}

/// The link's test at a start, where it passes.
fn patterns() -> Vec<SpiStep<u8>> {
    let steps = (0..64_u8).map(|at| at.wrapping_mul(0x9D));
    steps.flat_map(|value| pattern(value, value)).collect()
}

/// A frame of `rows`: `waits` looks at the status before it is there, then its length, and at the end
/// whether it has been there all the while.
fn frame_steps(waits: usize, len: u32, rows: &[Vec<u8>]) -> Vec<SpiStep<u8>> {
    let mut steps = link();
    steps.extend(spi_write(0x04, 0x01));
    steps.extend(spi_write(0x04, 0x02));
    // The controller still holds what the link's test has left.
    steps.extend(spi_read(0x00, vec![0xAA]));
    for _ in 0..waits {
        // Every bit but the one that counts.
        steps.extend(spi_read(0x41, vec![0xF7]));
    }
    steps.extend(spi_read(0x41, vec![0x08]));
    let [low, middle, high, _] = len.to_le_bytes();
    steps.extend(spi_read(0x42, vec![low]));
    steps.extend(spi_read(0x43, vec![middle]));
    // The eighth bit of the third byte is not the length's.
    steps.extend(spi_read(0x44, vec![high | 0x80]));
    for row in rows {
        steps.extend(spi_read(0x3C, row.clone()));
    }
    steps.extend([link(), spi_read(0x41, vec![0x08])].concat());
    steps
}

/// SPI side of a setup without fault.
fn spi_init(len: u32) -> Vec<SpiStep<u8>> {
    let bars = colour_bars(160, 120);
    let rows: Vec<Vec<u8>> = bars.chunks_exact(320).map(<[u8]>::to_vec).collect();
    [
        controller_reset(),
        patterns(),
        spi_read(0x40, vec![0x73]),
        spi_write(0x01, 0x00),
        frame_steps(0, len, &rows),
    ]
    .concat()
}

/// The sensor's side.
fn i2c_init() -> Vec<I2cStep> {
    let mut steps = setup_steps(MODE);
    steps.extend(bars_steps(true));
    steps.extend(bars_steps(false));
    steps
}

fn done(camera: Driver) {
    let (mut sensor, buffer, _) = camera.release();
    sensor.done();
    buffer.release().done();
}

fn camera(i2c: &[I2cStep], spi: &[SpiStep<u8>]) -> Driver {
    let buffer = Unhurried::new(Spi::new(spi));
    ArduCam::new(I2c::new(i2c), buffer, NoopDelay::new(), MODE)
}

#[test]
fn setup_and_capture_send_what_the_camera_documents() {
    for len in [FRAME_LEN, FRAME_LEN + 8] {
        let rows = |byte: u8| vec![vec![byte; 320]; 120];
        let settling: Vec<_> = (0..4)
            .flat_map(|_| frame_steps(1, len, &rows(0x21)))
            .collect();
        let last: Vec<Vec<u8>> = (0..120).map(|byte| vec![byte; 320]).collect();
        let spi = [spi_init(len), settling, frame_steps(2, len, &last)].concat();
        let mut camera = camera(&i2c_init(), &spi);
        let report = camera.init().unwrap();
        assert_eq!(report.frame_len, len);
        let found = format!(
            "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 38,{} bytes",
            len - 38_000
        );
        assert_eq!(report.to_string(), found);
        camera.capture().unwrap();
        let mut read = [0; 320];
        for byte in 0..120 {
            camera.read_row(&mut read).unwrap();
            assert_eq!(read, [byte; 320]);
        }
        done(camera);
    }
}

#[test]
fn a_link_that_does_not_echo_is_named() {
    // Unplugged, shorted, one line stuck, two lines swapped: the first pattern that shows it, at each of
    // four speeds.
    for (first, second, written, read) in [
        (0xFF, None, 0x00, 0xFF),
        (0x01, None, 0x00, 0x01),
        (0x00, Some(0x00), 0x9D, 0x00),
        (0x00, Some(0x9E), 0x9D, 0x9E),
    ] {
        let mut spi = controller_reset();
        for _ in 0..4 {
            spi.extend(pattern(0x00, first));
            spi.extend(
                second
                    .map(|second| pattern(0x9D, second))
                    .unwrap_or_default(),
            );
        }
        let mut camera = camera(&[], &spi);
        assert_eq!(camera.init(), Err(ArduCamError::Link { written, read }));
        done(camera);
    }
}

#[test]
fn every_transfer_to_the_sensor_is_tried_three_times() {
    let all = setup_steps(MODE);
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let spi = [controller_reset(), patterns(), spi_read(0x40, vec![0x73])].concat();
    for refused in (0..all.len()).step_by(7) {
        let mut steps = all[..refused].to_vec();
        steps.extend(vec![all[refused].clone().with_error(nack); 3]);
        let mut spi = spi.clone();
        // The register behind the sensor's setup is never come to.
        let mut camera = camera(&steps, &std::mem::take(&mut spi));
        let error = Err(ArduCamError::SensorBus(nack));
        assert_eq!(camera.init(), error, "transfer {refused}");
        done(camera);
    }
}

#[test]
fn other_sensors_are_named_and_not_written_to() {
    for found in [[0x26, 0x43], [0x26, 0x3F], [0x76, 0x41], [0x00, 0x00]] {
        let spi = [controller_reset(), patterns(), spi_read(0x40, vec![0x73])].concat();
        let mut camera = camera(&identity_steps(found), &spi);
        assert_eq!(camera.init(), Err(ArduCamError::Identity { found }));
        done(camera);
    }
}

#[test]
fn messages_say_what_to_do() {
    type Error = ArduCamError<SccbError, embedded_hal::spi::ErrorKind>;
    let stuck = |low, high| ArduCamError::Picture(PictureFault::Stuck { low, high });
    let cases: [(Error, &str); 11] = [
        (
            ArduCamError::SensorBus(SccbError::ClockLow),
            "SCL stays low): check SDA, SCL",
        ),
        (ArduCamError::Picture(PictureFault::ByteOrder), "check CS"),
        (ArduCamError::Picture(PictureFault::Colours), "data lines"),
        (stuck(0b1001, 0), "data line D0 D3 stays low"),
        (stuck(0, 0x80), "data line D7 stays high"),
        (
            ArduCamError::Setting {
                register: 0xDA,
                written: 8,
                read: 0,
            },
            "wrote 08 to da, read 00",
        ),
        (
            ArduCamError::Link {
                written: 0x55,
                read: 0xFF,
            },
            "plugged in",
        ),
        (
            ArduCamError::Identity {
                found: [0x56, 0x42],
            },
            "identity 56 42",
        ),
        (ArduCamError::Timeout { waited_ms: 800 }, "within 800 ms"),
        (
            ArduCamError::TornFrame {
                expected: 38_400,
                found: 12,
            },
            "12 bytes came, a frame has 38400",
        ),
        (
            ArduCamError::BufferBus(embedded_hal::spi::ErrorKind::Overrun),
            "SPI failed",
        ),
    ];
    for (error, part) in cases {
        let text = error.to_string();
        assert!(text.contains(part), "{text}");
        assert!(text.len() < 130 && !text.contains('\n'), "{text}");
    }
}
