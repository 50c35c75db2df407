//! The ArduCAM driver against a camera simulated at register level.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::simulated::{Camera as Simulated, Wire, colour_bars};
use common::{frame_bytes, grey, logits_of, small::small_classifier};
use embedded_hal::{i2c, spi};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{ArduCam, ArduCamError, Camera, StoredFrame};
use posy_firmware::classify::ClassifyError;
use posy_shared::image::ImageView;

type Driver = ArduCam<Wire, Wire, Wire>;

const QVGA_LEN: usize = 320 * 240 * 2;
const QQVGA_LEN: usize = 160 * 120 * 2;

fn driver(simulated: &Rc<RefCell<Simulated>>, mode: Mode) -> Driver {
    let wire = Wire(simulated.clone());
    ArduCam::new(wire.clone(), wire.clone(), wire, mode)
}

fn qqvga(simulated: &Rc<RefCell<Simulated>>) -> Driver {
    driver(simulated, Mode::picture(Resolution::Qqvga))
}

fn read_frame(camera: &mut Driver) -> Vec<u8> {
    let format = camera.format();
    let mut frame = vec![0; format.frame_len()];
    for row in frame.chunks_exact_mut(format.row_len()) {
        camera.read_row(row).unwrap();
    }
    frame
}

#[test]
fn a_frame_from_the_camera_is_classified_as_the_same_frame_in_memory() {
    let file = small_classifier(5);
    let mut answers = Vec::new();
    for (resolution, len) in [(Resolution::Qvga, QVGA_LEN), (Resolution::Qqvga, QQVGA_LEN)] {
        for seed in 0..4 {
            let bytes = frame_bytes(len, seed);
            let simulated = Simulated::new(vec![bytes.clone()]);
            // With and without the bytes that a Plus counts behind a frame.
            simulated.borrow_mut().trailer = if seed % 2 == 0 { 8 } else { 0 };
            let mut camera = driver(&simulated, Mode::picture(resolution));
            let format = camera.format();
            let view =
                ImageView::packed(format.width, format.height, format.pixels, &bytes).unwrap();
            let expected = logits_of(&mut StoredFrame::new(view), &file).unwrap();
            // Twice: the second frame begins at its first byte again.
            for _ in 0..2 {
                assert_eq!(logits_of(&mut camera, &file).unwrap(), expected);
            }
            assert_eq!(simulated.borrow().resets, 1, "set up once");
            answers.push(expected);
        }
    }
    answers.dedup();
    assert!(answers.len() > 1, "the frames differ in their answers");
}

#[test]
fn colour_bars_come_where_they_are_asked_for() {
    for (resolution, width, height) in [(Resolution::Qvga, 320, 240), (Resolution::Qqvga, 160, 120)]
    {
        let simulated = Simulated::new(vec![vec![0; width * height * 2]]);
        let mode = Mode {
            resolution,
            colour_bars: true,
        };
        let mut camera = driver(&simulated, mode);
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), colour_bars(width, height));
    }
}

#[test]
fn settling_waits_for_colours_to_rest_and_no_longer() {
    let scenes: Vec<_> = [2, 6, 11, 15, 18, 18, 18, 18, 31]
        .map(|level| grey(level, QQVGA_LEN))
        .into();
    let simulated = Simulated::new(scenes);
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (8, true));
    // 18 of 31 is 148 of 255; 36 of 63, the green, is 146.
    assert_eq!(exposure.mean, [148, 146, 148]);

    let simulated = Simulated::new((0..40).map(|at| grey(at % 2 * 20, QQVGA_LEN)).collect());
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (20, false));
}

#[test]
fn torn_frames_while_the_sensor_starts_are_passed_over() {
    let simulated = Simulated::new(vec![grey(9, QQVGA_LEN)]);
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    simulated.borrow_mut().torn = vec![-640, 400, -8000];
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (7, true));

    simulated.borrow_mut().torn = vec![-640; 20];
    assert_eq!(
        camera.settle(),
        Err(ArduCamError::TornFrame {
            expected: 38_400,
            found: 37_768
        })
    );
}

#[test]
fn a_torn_frame_is_named_and_never_classified() {
    let file = small_classifier(5);
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 1)]);
    let mut camera = qqvga(&simulated);
    let expected_logits = logits_of(&mut camera, &file).unwrap();
    let expected = QQVGA_LEN as u32;
    // A byte of the frame missing, a row too much, half, nothing at all.
    for (torn, found) in [
        (-9, expected - 1),
        (312, expected + 320),
        (-19_208, expected / 2),
        (-38_408, 0),
    ] {
        simulated.borrow_mut().torn = vec![torn];
        let error = logits_of(&mut camera, &file).unwrap_err();
        let torn = ArduCamError::TornFrame { expected, found };
        assert_eq!(error, ClassifyError::Camera(torn));
        let mut row = [0; 320];
        assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
        assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    }
    assert_eq!(simulated.borrow().resets, 1, "one torn frame is chance");

    simulated.borrow_mut().torn = vec![-640, -640];
    for _ in 0..2 {
        logits_of(&mut camera, &file).unwrap_err();
    }
    assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    assert_eq!(simulated.borrow().resets, 2, "two in a row are not");
}

#[test]
fn a_buffer_that_never_fills_is_given_up_within_a_second() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 1)]);
    let mut camera = qqvga(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().fills = false;
    let before_ms = simulated.borrow().delayed_ms;
    let timeout = Err(ArduCamError::Timeout { waited_ms: 800 });
    assert_eq!(camera.capture(), timeout);
    assert_eq!(simulated.borrow().delayed_ms - before_ms, 800);
    // Setting it up anew does not help either, and is bounded too.
    let timeout = Err(ArduCamError::Timeout { waited_ms: 300 });
    assert_eq!(camera.capture(), timeout);
    simulated.borrow_mut().fills = true;
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 1));
}

#[test]
fn a_camera_that_is_unplugged_is_named_and_works_again_when_it_is_back() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    let mut camera = qqvga(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().unplug();
    // Found by the link's test before a frame, and then by that of a start.
    for written in [0x55, 0x00, 0x00] {
        let link = ArduCamError::Link {
            written,
            read: 0xFF,
        };
        assert_eq!(camera.capture(), Err(link));
    }
    simulated.borrow_mut().plug();
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 2));
    assert_eq!(simulated.borrow().resets, 2, "set up anew");
}

#[test]
fn a_wrong_sensor_is_named_by_what_was_read() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    simulated.borrow_mut().identity = [0x56, 0x40];
    let mut camera = qqvga(&simulated);
    let found = [0x56, 0x40];
    assert_eq!(camera.capture(), Err(ArduCamError::Identity { found }));
    simulated.borrow_mut().identity = [0x26, 0x41];
    camera.capture().unwrap();
}

#[test]
fn rows_end_with_the_frame() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    let mut camera = qqvga(&simulated);
    let mut row = [0; 320];
    assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
    camera.capture().unwrap();
    assert_eq!(
        camera.read_row(&mut row[1..]),
        Err(ArduCamError::RowLength),
        "and no row is lost by it"
    );
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 2));
    assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
}

/// Sets up, settles, captures and reads a frame; gives the first error.
fn whole_run(camera: &mut Driver) -> Result<(), ArduCamError<i2c::ErrorKind, spi::ErrorKind>> {
    camera.capture()?;
    let mut row = [0; 320];
    (0..120).try_for_each(|_| camera.read_row(&mut row))
}

#[test]
fn every_transfer_may_fail_and_the_next_capture_recovers() {
    let scene = frame_bytes(QQVGA_LEN, 3);
    let simulated = Simulated::new(vec![scene.clone()]);
    whole_run(&mut qqvga(&simulated)).unwrap();
    let (i2c_count, spi_count) = {
        let simulated = simulated.borrow();
        (simulated.i2c_count, simulated.spi_count)
    };
    assert!(
        i2c_count > 150 && spi_count > 900,
        "{i2c_count} {spi_count}"
    );
    // A transfer to the sensor is tried again.
    for index in 0..i2c_count {
        let simulated = Simulated::new(vec![scene.clone()]);
        simulated.borrow_mut().i2c_fails_at = Some(index);
        let mut camera = qqvga(&simulated);
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), scene, "I2C transfer {index}");
        assert_eq!(simulated.borrow().resets, 1, "I2C transfer {index}");
    }
    // Every fifth of the transactions, which are alike: all would take long.
    for index in (0..spi_count).step_by(5) {
        let simulated = Simulated::new(vec![scene.clone()]);
        simulated.borrow_mut().spi_fails_at = Some(index);
        let mut camera = qqvga(&simulated);
        let error = Err(ArduCamError::BufferBus(spi::ErrorKind::ModeFault));
        assert_eq!(whole_run(&mut camera), error, "SPI transaction {index}");
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), scene, "SPI transaction {index}");
    }
}

#[test]
fn a_frame_during_which_the_camera_was_away_is_lost() {
    let scene = frame_bytes(QQVGA_LEN, 3);
    let simulated = Simulated::new(vec![scene.clone()]);
    let mut camera = qqvga(&simulated);
    let mut row = [0; 320];
    let gone = ArduCamError::Link {
        written: 0x55,
        read: 0xFF,
    };
    for (is_back, error) in [(false, gone), (true, ArduCamError::FrameLost)] {
        camera.capture().unwrap();
        // The rows go on coming: nobody answers, and nobody notices.
        for y in 0..119 {
            if y == 60 {
                simulated.borrow_mut().unplug();
                simulated.borrow_mut().plugged = is_back;
            }
            camera.read_row(&mut row).unwrap();
        }
        assert_eq!(camera.read_row(&mut row), Err(error));
        simulated.borrow_mut().plug();
    }
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), scene);
    assert_eq!(simulated.borrow().resets, 3, "set up anew each time");
}

#[test]
fn a_failure_ends_the_frame_that_was_being_read() {
    let scene = frame_bytes(QQVGA_LEN, 3);
    let simulated = Simulated::new(vec![scene.clone()]);
    let mut camera = qqvga(&simulated);
    let mut row = [0; 320];

    // Of a row: what follows would be out of step, and the camera may have lost its registers.
    camera.capture().unwrap();
    camera.read_row(&mut row).unwrap();
    let next = simulated.borrow().spi_count;
    simulated.borrow_mut().spi_fails_at = Some(next);
    let error = ArduCamError::BufferBus(spi::ErrorKind::ModeFault);
    assert_eq!(camera.read_row(&mut row), Err(error));
    assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
    camera.capture().unwrap();
    assert_eq!(simulated.borrow().resets, 2, "set up anew");
    assert_eq!(read_frame(&mut camera), scene);

    // Of the next capture, with rows of this one still unread.
    camera.capture().unwrap();
    camera.read_row(&mut row).unwrap();
    simulated.borrow_mut().unplug();
    camera.capture().unwrap_err();
    assert_eq!(camera.read_row(&mut row), Err(ArduCamError::NoMoreRows));
}

#[test]
fn a_camera_that_goes_while_settling_is_set_up_anew() {
    let scene = frame_bytes(QQVGA_LEN, 3);
    let simulated = Simulated::new(vec![scene.clone()]);
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    simulated.borrow_mut().unplug();
    camera.settle().unwrap_err();
    simulated.borrow_mut().plug();
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), scene);
}
