//! The Arducam Mega's driver against a camera simulated at the byte, and the choice between the two cameras
//! that share its wires.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use common::simulated::{Camera as Mini, Wire};
use common::simulated_mega::{Mega, MegaWire};
use common::{frame_bytes, grey, logits_of, small::small_classifier};
use embedded_hal::delay::DelayNs;
use embedded_hal::{i2c, spi};
use posy_firmware::camera::{
    AnyArducam, AnyArducamError, ArduCamError, ArducamMega, Camera, FrameBus, MegaError, MegaSize,
    Readiness, StoredFrame,
};
use posy_firmware::classify::ClassifyError;
use posy_shared::image::ImageView;

type Driver = ArducamMega<MegaWire, MegaWire>;

const SMALL: usize = 96 * 96 * 2;
const QVGA: usize = 320 * 240 * 2;

fn driver(simulated: &Rc<RefCell<Mega>>, size: MegaSize) -> Driver {
    let wire = MegaWire(simulated.clone());
    ArducamMega::new(wire.clone(), wire, size)
}

fn small(simulated: &Rc<RefCell<Mega>>) -> Driver {
    driver(simulated, MegaSize::Square96)
}

fn read_frame<C: Camera>(camera: &mut C) -> Vec<u8> {
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
    for (size, len) in [
        (MegaSize::Qvga, QVGA),
        (MegaSize::Square128, 128 * 128 * 2),
        (MegaSize::Square96, SMALL),
    ] {
        for seed in 0..3 {
            let bytes = frame_bytes(len, seed);
            let simulated = Mega::new(vec![bytes.clone()]);
            simulated.borrow_mut().trailer = 8 * (seed % 2);
            let mut camera = driver(&simulated, size);
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
fn the_report_names_the_camera_and_the_clock_that_its_wires_carry() {
    for (identity, carries, text) in [
        (
            0x81,
            8,
            "Arducam Mega 5MP 0x81, FPGA 0x21, SPI 8 MHz, frame 18,432 bytes",
        ),
        (
            0x84,
            2,
            "Arducam Mega 3MP 0x84, FPGA 0x21, SPI 2 MHz, frame 18,432 bytes",
        ),
    ] {
        let simulated = Mega::new(vec![grey(9, SMALL)]);
        simulated.borrow_mut().identity = identity;
        simulated.borrow_mut().carries = carries;
        assert_eq!(small(&simulated).init().unwrap().to_string(), text);
    }
}

#[test]
fn exposure_is_waited_for() {
    let scenes = [2, 6, 11, 15, 18, 18, 18, 18, 31].map(|level| grey(level, SMALL));
    let simulated = Mega::new(scenes.into());
    let mut camera = small(&simulated);
    camera.capture().unwrap();
    // The frame of the start, eight until four are alike, and the picture.
    assert_eq!(read_frame(&mut camera), grey(31, SMALL));
}

#[test]
fn a_torn_frame_is_named_and_never_classified() {
    let file = small_classifier(5);
    let simulated = Mega::new(vec![frame_bytes(SMALL, 1)]);
    let mut camera = small(&simulated);
    let expected_logits = logits_of(&mut camera, &file).unwrap();
    let expected = SMALL as u32;
    for (torn, found) in [
        (-1, expected - 1),
        (192, expected + 192),
        (-(SMALL as i32), 0),
    ] {
        simulated.borrow_mut().torn = vec![torn];
        let error = logits_of(&mut camera, &file).unwrap_err();
        let torn = MegaError::TornFrame { expected, found };
        assert_eq!(error, ClassifyError::Camera(torn));
        assert_eq!(camera.read_row(&mut [0; 192]), Err(MegaError::NoMoreRows));
        assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    }
    assert_eq!(simulated.borrow().resets, 1, "one torn frame is chance");
    simulated.borrow_mut().torn = vec![-2, -2];
    for _ in 0..2 {
        logits_of(&mut camera, &file).unwrap_err();
    }
    assert_eq!(logits_of(&mut camera, &file).unwrap(), expected_logits);
    assert_eq!(simulated.borrow().resets, 2, "two in a row are not");
}

#[test]
fn waiting_ends() {
    let simulated = Mega::new(vec![frame_bytes(SMALL, 1)]);
    let mut camera = small(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().fills = false;
    let timeout = Err(MegaError::Timeout { waited_ms: 1000 });
    assert_eq!(camera.capture(), timeout);
    assert_eq!(camera.capture(), timeout);
    simulated.borrow_mut().fills = true;
    simulated.borrow_mut().rests = false;
    let before_ms = simulated.borrow().delayed_ms;
    assert_eq!(camera.capture(), Err(MegaError::Busy { waited_ms: 1000 }));
    assert!(simulated.borrow().delayed_ms - before_ms < 1200);
    simulated.borrow_mut().rests = true;
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), frame_bytes(SMALL, 1));
}

#[test]
fn other_cameras_are_named_by_their_number() {
    for found in [0x00, 0x80, 0x85, 0x73] {
        let simulated = Mega::new(vec![grey(9, SMALL)]);
        simulated.borrow_mut().identity = found;
        let mut camera = small(&simulated);
        assert_eq!(camera.capture(), Err(MegaError::Identity { found }));
        simulated.borrow_mut().identity = 0x83;
        camera.capture().unwrap();
    }
}

#[test]
fn a_camera_that_is_unplugged_is_named_and_works_again_when_it_is_back() {
    let scene = frame_bytes(SMALL, 2);
    let simulated = Mega::new(vec![scene.clone()]);
    let mut camera = small(&simulated);
    camera.capture().unwrap();
    simulated.borrow_mut().unplug();
    for written in [0x55, 0x00] {
        let read = 0xFF;
        assert_eq!(camera.capture(), Err(MegaError::Link { written, read }));
    }
    simulated.borrow_mut().plug();
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), scene);

    // Within a frame: its rows go on coming, and nobody notices before the last.
    let gone = MegaError::Link {
        written: 0x55,
        read: 0xFF,
    };
    for (is_back, error) in [(false, gone), (true, MegaError::FrameLost)] {
        camera.capture().unwrap();
        for y in 0..95 {
            if y == 40 {
                simulated.borrow_mut().unplug();
                simulated.borrow_mut().plugged = is_back;
            }
            camera.read_row(&mut [0; 192]).unwrap();
        }
        assert_eq!(camera.read_row(&mut [0; 192]), Err(error));
        simulated.borrow_mut().plug();
    }
    camera.capture().unwrap();
    assert_eq!(read_frame(&mut camera), scene);
}

#[test]
fn every_transaction_may_fail_and_the_next_capture_recovers() {
    let scene = frame_bytes(SMALL, 3);
    let simulated = Mega::new(vec![scene.clone()]);
    let mut camera = small(&simulated);
    camera.capture().unwrap();
    read_frame(&mut camera);
    let count = simulated.borrow().count;
    assert!(count > 600, "{count}");
    for index in (0..count).step_by(3) {
        let simulated = Mega::new(vec![scene.clone()]);
        simulated.borrow_mut().fails_at = Some(index);
        let mut camera = small(&simulated);
        let rows = |camera: &mut Driver| (0..96).try_for_each(|_| camera.read_row(&mut [0; 192]));
        let failed = camera.capture().and_then(|()| rows(&mut camera));
        let error = Err(MegaError::Bus(spi::ErrorKind::ModeFault));
        assert_eq!(failed, error, "transaction {index}");
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), scene, "transaction {index}");
    }
}

#[test]
fn a_picture_begun_ahead_is_the_next_one() {
    let scenes: Vec<_> = (0..9).map(|seed| frame_bytes(SMALL, seed)).collect();
    let simulated = Mega::new([vec![grey(9, SMALL); 5], scenes.clone()].concat());
    let mut camera = small(&simulated);
    for scene in &scenes {
        camera.capture().unwrap();
        assert_eq!(&read_frame(&mut camera), scene);
        camera.begin_next();
    }
}

#[test]
fn messages_say_what_to_do() {
    let cases: [(MegaError<spi::ErrorKind>, &str); 4] = [
        (
            MegaError::Link {
                written: 0x55,
                read: 0xFF,
            },
            "plugged in? check CS",
        ),
        (MegaError::Identity { found: 0x73 }, "identity 73"),
        (MegaError::Busy { waited_ms: 1000 }, "check its supply"),
        (MegaError::Timeout { waited_ms: 1000 }, "within 1000 ms"),
    ];
    for (error, part) in cases {
        let text = error.to_string();
        assert!(text.contains(part), "{text}");
        assert!(text.len() < 130 && !text.contains('\n'), "{text}");
    }
}

/// Wires on which either camera is, or none.
#[derive(Clone)]
struct Plugboard {
    mini: Wire,
    mega: MegaWire,
    there: Rc<Cell<Option<There>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum There {
    Mini,
    Mega,
}

impl Plugboard {
    fn new(scene: &[u8]) -> Self {
        Plugboard {
            mini: Wire(Mini::new(vec![scene.to_vec()])),
            mega: MegaWire(Mega::new(vec![scene.to_vec()])),
            there: Rc::new(Cell::new(None)),
        }
    }

    fn plug(&self, there: Option<There>) {
        // Whatever leaves forgets everything.
        self.mini.0.borrow_mut().unplug();
        self.mini.0.borrow_mut().plug();
        self.mega.0.borrow_mut().unplug();
        self.mega.0.borrow_mut().plug();
        self.there.set(there);
    }

    fn camera(&self) -> AnyArducam<Self, Self, Self> {
        AnyArducam::new(self.clone(), self.clone(), self.clone())
    }
}

impl i2c::ErrorType for Plugboard {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for Plugboard {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), Self::Error> {
        match self.there.get() {
            Some(There::Mini) => self.mini.transaction(address, operations),
            _ => Err(i2c::ErrorKind::NoAcknowledge(
                i2c::NoAcknowledgeSource::Address,
            )),
        }
    }
}

impl spi::ErrorType for Plugboard {
    type Error = spi::ErrorKind;
}

impl spi::SpiDevice for Plugboard {
    fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), Self::Error> {
        match self.there.get() {
            Some(There::Mini) => match operations {
                // A Mini knows of no byte in front: its answer comes where a Mega's does not.
                [spi::Operation::Write(command), spi::Operation::Read(answer)]
                    if **command != [0x3C] && answer.len() > 1 =>
                {
                    let (front, rest) = answer.split_at_mut(1);
                    rest.fill(0);
                    let mut read = [spi::Operation::Write(command), spi::Operation::Read(front)];
                    spi::SpiDevice::transaction(&mut self.mini, &mut read)
                }
                operations => spi::SpiDevice::transaction(&mut self.mini, operations),
            },
            Some(There::Mega) => self.mega.transaction(operations),
            None => {
                for operation in operations {
                    if let spi::Operation::Read(bytes) = operation {
                        bytes.fill(0xFF);
                    }
                }
                Ok(())
            }
        }
    }
}

impl FrameBus for Plugboard {
    fn set_speed(&mut self, mhz: u8) {
        self.mini.set_speed(mhz);
        self.mega.set_speed(mhz);
    }

    fn begin_read(&mut self, command: u8, len: usize) -> Result<(), Self::Error> {
        self.mini.begin_read(command, len)?;
        self.mega.begin_read(command, len)
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        match self.there.get() {
            Some(There::Mini) => self.mini.finish_read(bytes),
            Some(There::Mega) => self.mega.finish_read(bytes),
            None => {
                bytes.fill(0xFF);
                Ok(())
            }
        }
    }
}

impl DelayNs for Plugboard {
    fn delay_ns(&mut self, _: u32) {}
}

fn found(camera: &mut AnyArducam<Plugboard, Plugboard, Plugboard>) -> String {
    match camera.start().unwrap() {
        Readiness::Found(report) => report.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn whichever_camera_is_there_is_found() {
    let scene = frame_bytes(QVGA, 4);
    let board = Plugboard::new(&scene);
    let mut camera = board.camera();
    let nobody = AnyArducamError::Mini(ArduCamError::Link {
        written: 0x00,
        read: 0xFF,
    });
    let silence = MegaError::Link {
        written: 0x00,
        read: 0xFF,
    };
    assert_eq!(camera.capture(), Err(nobody));
    // Each after each other, with and without a look at the empty plug.
    use There::{Mega, Mini};
    let mut before = None;
    for (there, is_seen_empty) in [
        (Mega, true),
        (Mini, true),
        (Mini, true),
        (Mega, false),
        (Mega, true),
        (Mega, false),
        (Mini, false),
    ] {
        board.plug(None);
        if is_seen_empty {
            // The second of the two is that of a start.
            let _ = camera.capture().unwrap_err();
            let expected = match before {
                Some(Mega) => AnyArducamError::Mega(silence),
                _ => nobody,
            };
            assert_eq!(camera.capture(), Err(expected));
        }
        board.plug(Some(there));
        if !is_seen_empty {
            // A camera that was changed while nobody looked is found by its wires, and one of the same
            // kind by its frames, of which one torn may be chance.
            for _ in 0..if before == Some(there) { 2 } else { 1 } {
                camera.capture().unwrap_err();
            }
        }
        let text = found(&mut camera);
        let begin = match there {
            Mini => "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz",
            Mega => "Arducam Mega 5MP 0x81, FPGA 0x21, SPI 8 MHz",
        };
        assert!(text.starts_with(begin), "{text}");
        camera.capture().unwrap();
        assert_eq!(read_frame(&mut camera), scene);
        assert_eq!(camera.has_small(), there == Mini);
        before = Some(there);
    }
}

#[test]
fn a_camera_that_answers_otherwise_is_named_by_its_own_driver() {
    let board = Plugboard::new(&frame_bytes(QVGA, 4));
    let mut camera = board.camera();
    board.plug(Some(There::Mega));
    board.mega.0.borrow_mut().identity = 0x42;
    let identity = MegaError::Identity { found: 0x42 };
    assert_eq!(camera.capture(), Err(AnyArducamError::Mega(identity)));
    board.plug(Some(There::Mini));
    board.mini.0.borrow_mut().identity = [0x56, 0x42];
    let found = [0x56, 0x42];
    let identity = ArduCamError::Identity { found };
    assert_eq!(camera.capture(), Err(AnyArducamError::Mini(identity)));
}
