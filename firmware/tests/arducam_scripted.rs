//! The ArduCAM driver against scripted bus transactions: what it sends, byte for byte, and what
//! it says to each answer.

mod common;

use common::sensor_steps::{identity_steps, setup_steps};
use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::delay::{CheckedDelay, NoopDelay, Transaction as Delay};
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as I2cStep};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as SpiStep};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{ArduCam, ArduCamError, Camera};

const MODE: Mode = Mode::picture(Resolution::Qqvga);
const FRAME_LEN: u32 = 160 * 120 * 2;

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

fn link_answers(first: u8, second: Option<u8>) -> Vec<SpiStep<u8>> {
    let mut steps = [spi_write(0x00, 0x55), spi_read(0x00, vec![first])].concat();
    if let Some(second) = second {
        steps.extend([spi_write(0x00, 0xAA), spi_read(0x00, vec![second])].concat());
    }
    steps
}

/// SPI side of a setup without fault.
fn spi_init() -> Vec<SpiStep<u8>> {
    [
        controller_reset(),
        link_answers(0x55, Some(0xAA)),
        spi_write(0x01, 0x00),
    ]
    .concat()
}

/// A capture: `waits` looks at the status before the frame is there, then its length.
fn spi_capture(waits: usize, len: u32) -> Vec<SpiStep<u8>> {
    let mut steps = link_answers(0x55, Some(0xAA));
    steps.extend(spi_write(0x04, 0x01));
    steps.extend(spi_write(0x04, 0x02));
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
    steps
}

fn done(camera: ArduCam<I2c, Spi<u8>, NoopDelay>) {
    let (mut sensor, mut buffer, _) = camera.release();
    sensor.done();
    buffer.done();
}

fn camera(i2c: &[I2cStep], spi: &[SpiStep<u8>]) -> ArduCam<I2c, Spi<u8>, NoopDelay> {
    ArduCam::new(I2c::new(i2c), Spi::new(spi), NoopDelay::new(), MODE)
}

#[test]
fn setup_and_capture_send_what_the_camera_documents() {
    for len in [FRAME_LEN, FRAME_LEN + 8] {
        let row = |byte| spi_read(0x3C, vec![byte; 320]);
        let rows = (0..120).flat_map(row);
        // After the last row: is the camera there, and has it kept its frame?
        let still_there = [link_answers(0x55, Some(0xAA)), spi_read(0x41, vec![0x08])].concat();
        let begin = [spi_init(), spi_capture(2, len)].concat();
        let spi: Vec<_> = begin.into_iter().chain(rows).chain(still_there).collect();
        let mut camera = camera(&setup_steps(MODE), &spi);
        camera.init().unwrap();
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
    // Unplugged, shorted, one line stuck, two lines swapped.
    for (first, second, written, read) in [
        (0x00, None, 0x55, 0x00),
        (0xFF, None, 0x55, 0xFF),
        (0x54, None, 0x55, 0x54),
        (0x55, Some(0x55), 0xAA, 0x55),
    ] {
        let spi = [controller_reset(), link_answers(first, second)].concat();
        let mut camera = camera(&[], &spi);
        assert_eq!(camera.init(), Err(ArduCamError::Link { written, read }));
        done(camera);
    }
}

#[test]
fn the_link_is_tested_before_each_capture() {
    let spi = [spi_init(), link_answers(0xFF, None)].concat();
    let mut camera = camera(&setup_steps(MODE), &spi);
    camera.init().unwrap();
    let (written, read) = (0x55, 0xFF);
    assert_eq!(camera.capture(), Err(ArduCamError::Link { written, read }));
    done(camera);
}

#[test]
fn every_transfer_to_the_sensor_may_be_refused() {
    let all = setup_steps(MODE);
    let before = [controller_reset(), link_answers(0x55, Some(0xAA))].concat();
    for source in [NoAcknowledgeSource::Address, NoAcknowledgeSource::Data] {
        let nack = ErrorKind::NoAcknowledge(source);
        for refused in 0..all.len() {
            let mut steps = all[..=refused].to_vec();
            steps[refused] = steps[refused].clone().with_error(nack);
            let mut camera = camera(&steps, &before);
            let error = Err(ArduCamError::SensorBus(nack));
            assert_eq!(camera.init(), error, "transfer {refused}");
            done(camera);
        }
    }
}

#[test]
fn other_sensors_are_named_and_not_written_to() {
    for found in [[0x26, 0x43], [0x26, 0x3F], [0x76, 0x41], [0x00, 0x00]] {
        let spi = [controller_reset(), link_answers(0x55, Some(0xAA))].concat();
        let mut camera = camera(&identity_steps(found), &spi);
        assert_eq!(camera.init(), Err(ArduCamError::Identity { found }));
        done(camera);
    }
}

#[test]
fn waiting_for_a_frame_is_bounded() {
    let mut spi = [spi_init(), link_answers(0x55, Some(0xAA))].concat();
    spi.extend(spi_write(0x04, 0x01));
    spi.extend(spi_write(0x04, 0x02));
    for _ in 0..=1000 {
        spi.extend(spi_read(0x41, vec![0x00]));
    }
    let mut delays = vec![Delay::delay_ms(100); 3];
    delays.extend(vec![Delay::delay_ms(1); 1000]);
    let delay = CheckedDelay::new(&delays);
    let mut camera = ArduCam::new(I2c::new(&setup_steps(MODE)), Spi::new(&spi), delay, MODE);
    camera.init().unwrap();
    let waited_ms = 1000;
    assert_eq!(camera.capture(), Err(ArduCamError::Timeout { waited_ms }));
    let (mut sensor, mut buffer, mut delay) = camera.release();
    sensor.done();
    buffer.done();
    delay.done();
}

#[test]
fn a_frame_of_another_length_is_torn() {
    for found in [
        0,
        FRAME_LEN - 1,
        FRAME_LEN + 1,
        FRAME_LEN + 7,
        FRAME_LEN + 9,
        153_600,
        0x7F_FFFF,
    ] {
        let spi = [spi_init(), spi_capture(0, found)].concat();
        let mut camera = camera(&setup_steps(MODE), &spi);
        camera.init().unwrap();
        let expected = FRAME_LEN;
        let torn = ArduCamError::TornFrame { expected, found };
        assert_eq!(camera.capture(), Err(torn));
        // Not a byte of it is read.
        let mut row = [0; 320];
        assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
        done(camera);
    }
}

#[test]
fn messages_say_what_to_do() {
    type Error = ArduCamError<ErrorKind, embedded_hal::spi::ErrorKind>;
    let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let cases: [(Error, &str); 6] = [
        (ArduCamError::SensorBus(nack), "check SDA and SCL"),
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
        (ArduCamError::Timeout { waited_ms: 1000 }, "within 1000 ms"),
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
        assert!(text.len() < 120 && !text.contains('\n'), "{text}");
    }
}
