//! The parallel camera's driver against a sensor simulated at register level.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::simulated::{Camera as Simulated, Wire, colour_bars};
use common::simulated_port::PortFault;
use common::{frame_bytes, grey, logits_of, small::small_classifier};
use embedded_hal::i2c;
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{Camera, ParallelCamera, ParallelError, StoredFrame};
use posy_firmware::classify::ClassifyError;
use posy_shared::image::ImageView;

type Driver = ParallelCamera<'static, Wire, Wire, Wire>;
type Error = ParallelError<i2c::ErrorKind, PortFault>;

const QVGA_LEN: usize = 320 * 240 * 2;
const QQVGA_LEN: usize = 160 * 120 * 2;
const NACK: i2c::ErrorKind = i2c::ErrorKind::NoAcknowledge(i2c::NoAcknowledgeSource::Address);

fn driver(simulated: &Rc<RefCell<Simulated>>, mode: Mode) -> Driver {
    let wire = Wire(simulated.clone());
    // As on a board, where memory is never given back.
    let frame = vec![0; QVGA_LEN / 4].leak();
    ParallelCamera::new(wire.clone(), wire.clone(), wire, mode, frame)
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
            let mut camera = driver(&simulated, Mode::picture(resolution));
            let format = camera.format();
            let view =
                ImageView::packed(format.width, format.height, format.pixels, &bytes).unwrap();
            let expected = logits_of(&mut StoredFrame::new(view), &file).unwrap();
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
    // What settling looked at is no picture.
    let mut row = [0; 320];
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));

    let simulated = Simulated::new((0..40).map(|at| grey(at % 2 * 20, QQVGA_LEN)).collect());
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (20, false));
}

#[test]
fn the_mean_is_of_the_whole_frame() {
    // Black above, white below.
    for (white_rows, mean) in [(0, 0), (30, 63), (60, 127), (120, 255)] {
        let mut scene = vec![0; QQVGA_LEN];
        scene[QQVGA_LEN - white_rows * 320..].fill(0xFF);
        let mut camera = qqvga(&Simulated::new(vec![scene]));
        camera.init().unwrap();
        assert_eq!(
            camera.settle().unwrap().mean,
            [mean; 3],
            "{white_rows} rows"
        );
    }
}

#[test]
fn torn_frames_while_the_sensor_starts_are_passed_over() {
    let simulated = Simulated::new(vec![grey(9, QQVGA_LEN)]);
    let mut camera = qqvga(&simulated);
    camera.init().unwrap();
    simulated.borrow_mut().torn = vec![-640, 2, -8000];
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (7, true));

    // One in between begins the count of alike frames anew, and the last good one is told.
    simulated.borrow_mut().torn = vec![0, 0, -640];
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (7, true));
    simulated.borrow_mut().torn = [[-640, 0]; 10].concat();
    let exposure = camera.settle().unwrap();
    assert_eq!((exposure.frames, exposure.steady), (20, false));
    assert_eq!(exposure.mean, [74, 73, 74]);

    for (torn, error) in [
        (
            -640,
            ParallelError::TornFrame {
                expected: 38_400,
                found: 37_760,
            },
        ),
        (4, ParallelError::Overrun),
    ] {
        simulated.borrow_mut().torn = vec![torn; 20];
        assert_eq!(camera.settle(), Err(error));
        camera.init().unwrap();
    }
}

#[test]
fn a_torn_frame_is_named_and_never_classified() {
    let file = small_classifier(5);
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 1)]);
    let mut camera = qqvga(&simulated);
    let expected_logits = logits_of(&mut camera, &file).unwrap();
    let expected = QQVGA_LEN as u32;
    let short = |found| ParallelError::TornFrame { expected, found };
    // A byte missing, a row, half, everything; a byte too much, a row.
    for (torn, error) in [
        (-1, short(expected - 4)),
        (-320, short(expected - 320)),
        (-19_200, short(expected / 2)),
        (-38_400, short(0)),
        (1, ParallelError::Overrun),
        (320, ParallelError::Overrun),
    ] {
        simulated.borrow_mut().torn = vec![torn];
        let found = logits_of(&mut camera, &file).unwrap_err();
        assert_eq!(found, ClassifyError::Camera(error));
        let mut row = [0; 320];
        assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
        assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    }
    assert_eq!(simulated.borrow().resets, 1, "one torn frame is chance");

    simulated.borrow_mut().torn = vec![-640, 320];
    for _ in 0..2 {
        logits_of(&mut camera, &file).unwrap_err();
    }
    assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    assert_eq!(simulated.borrow().resets, 2, "two in a row are not");
}

#[test]
fn a_frame_that_never_comes_is_given_up_within_a_second() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 1)]);
    let mut camera = qqvga(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().fills = false;
    let before_ms = simulated.borrow().delayed_ms;
    let timeout = |waited_ms| -> Result<(), Error> { Err(ParallelError::Timeout { waited_ms }) };
    assert_eq!(camera.capture(), timeout(800));
    assert_eq!(simulated.borrow().delayed_ms - before_ms, 800);
    // Setting it up anew does not help either, and is bounded too.
    assert_eq!(camera.capture(), timeout(300));
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
    for _ in 0..3 {
        assert_eq!(camera.capture(), Err(ParallelError::SensorBus(NACK)));
    }
    simulated.borrow_mut().plug();
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 2));
    assert_eq!(simulated.borrow().resets, 2, "set up anew");
}

#[test]
fn a_sensor_that_lost_power_between_captures_is_named_and_set_up_anew() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    let mut camera = qqvga(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().unplug();
    simulated.borrow_mut().plug();
    let (written, read) = (0x08, 0x00);
    let error = ParallelError::SettingsLost { written, read };
    assert_eq!(camera.capture(), Err(error));
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 2));
}

#[test]
fn a_wrong_sensor_is_named_by_what_was_read() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    simulated.borrow_mut().identity = [0x56, 0x40];
    let mut camera = qqvga(&simulated);
    let found = [0x56, 0x40];
    assert_eq!(camera.capture(), Err(ParallelError::Identity { found }));
    simulated.borrow_mut().identity = [0x26, 0x41];
    camera.capture().unwrap();
}

#[test]
fn rows_end_with_the_frame() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 2)]);
    let mut camera = qqvga(&simulated);
    let mut row = [0; 320];
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
    camera.capture().unwrap();
    assert_eq!(
        camera.read_row(&mut row[1..]),
        Err(ParallelError::RowLength),
        "and no row is lost by it"
    );
    assert_eq!(read_frame(&mut camera), frame_bytes(QQVGA_LEN, 2));
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
}

/// Sets up, settles, captures and reads a frame; gives the first error.
fn whole_run(camera: &mut Driver) -> Result<(), Error> {
    camera.capture()?;
    let mut row = [0; 320];
    (0..120).try_for_each(|_| camera.read_row(&mut row))
}

#[test]
fn every_transfer_and_every_frame_may_fail_and_the_next_capture_recovers() {
    let scene = frame_bytes(QQVGA_LEN, 3);
    let simulated = Simulated::new(vec![scene.clone()]);
    whole_run(&mut qqvga(&simulated)).unwrap();
    let (i2c_count, port_count) = {
        let simulated = simulated.borrow();
        (simulated.i2c_count, simulated.port_count)
    };
    assert!(
        i2c_count > 150 && port_count == 6,
        "{i2c_count} {port_count}"
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
    for index in 0..port_count {
        let simulated = Simulated::new(vec![scene.clone()]);
        simulated.borrow_mut().port_fails_at = Some(index);
        let mut camera = qqvga(&simulated);
        let error = Err(ParallelError::Port(PortFault));
        assert_eq!(whole_run(&mut camera), error, "frame {index}");
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), scene, "frame {index}");
        assert_eq!(simulated.borrow().resets, 2, "set up anew");
    }
}

#[test]
fn a_failed_capture_ends_the_frame_that_was_being_read() {
    let simulated = Simulated::new(vec![frame_bytes(QQVGA_LEN, 3)]);
    let mut camera = qqvga(&simulated);
    let mut row = [0; 320];
    camera.capture().unwrap();
    camera.read_row(&mut row).unwrap();
    simulated.borrow_mut().unplug();
    camera.capture().unwrap_err();
    assert_eq!(camera.read_row(&mut row), Err(ParallelError::NoMoreRows));
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
