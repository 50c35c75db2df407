//! The classify loop: what is answered, what is retried, what is said.

mod common;

use common::simulated::{Camera as Simulated, Wire};
use common::{frame_bytes, logits_of, small::small_classifier};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{
    ArduCam, Camera, Clock, Fault, FaultyCamera, FaultyError, FrameFormat, StoredFrame,
};
use posy_firmware::classify::{ClassifyError, RowBuffers};
use posy_firmware::service::{Command, Event, Pace, Service, Times, tell};
use posy_shared::engine::Engine;
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;
use posy_shared::ranking::Ranking;

const FORMAT: FrameFormat = FrameFormat {
    width: 160,
    height: 120,
    pixels: PixelFormat::Rgb565Be,
};

/// A board: the loop with everything around it. Its clock advances a millisecond at each look.
struct Board<'f> {
    file: &'f [u8],
    service: Service<2>,
    now_ms: u32,
    raw: Vec<u8>,
    serial: Vec<u8>,
}

impl<'f> Board<'f> {
    fn new(file: &'f [u8], pace: Pace) -> Self {
        Board {
            file,
            service: Service::new(pace),
            now_ms: 0,
            raw: vec![0; FORMAT.row_len()],
            serial: Vec::new(),
        }
    }

    /// `steps` steps with `camera` and one engine; what each came to.
    fn steps<C: Camera<Error: std::fmt::Display>>(
        &mut self,
        camera: &mut C,
        steps: usize,
    ) -> Vec<Event<'f, C::Error, 2>> {
        let model = Model::read(self.file).unwrap();
        let mut arena = vec![0; model.plan().arena_len];
        let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
        let mut buffers = RowBuffers {
            raw: &mut self.raw,
            rgb: &mut [0; 480],
            scratch: &mut vec![0; scratch_len(model.input_shape().width)],
        };
        let now_ms = &mut self.now_ms;
        let mut clock = || {
            *now_ms = now_ms.wrapping_add(1);
            *now_ms
        };
        let mut events = Vec::new();
        for _ in 0..steps {
            let event = self
                .service
                .step(camera, &mut engine, &mut buffers, &mut clock);
            tell(&mut self.serial, &event).unwrap();
            events.push(event);
        }
        events
    }

    /// Text that has been said since the last call.
    fn said(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.serial)).unwrap()
    }
}

fn stored(bytes: &[u8]) -> StoredFrame<'_> {
    let view = ImageView::packed(FORMAT.width, FORMAT.height, FORMAT.pixels, bytes).unwrap();
    StoredFrame::new(view)
}

fn ranking<'f>(file: &'f [u8], bytes: &[u8]) -> Ranking<'f, 2> {
    let logits = logits_of(&mut stored(bytes), file).unwrap();
    Ranking::new(&Model::read(file).unwrap(), &logits)
}

/// Times by a clock that advances at each look: the loop looks twice, and twice more for the
/// capture and for each row.
const TIMES: Times = Times {
    capture_ms: 1,
    rows_ms: 120,
    network_ms: 122,
    total_ms: 243,
};

#[test]
fn pictures_are_answered_one_after_another() {
    let file = small_classifier(5);
    for seed in 0..3 {
        let bytes = frame_bytes(FORMAT.frame_len(), seed);
        let ranking = ranking(&file, &bytes);
        let mut board = Board::new(&file, Pace::Continuous);
        // The clock wraps around in between.
        board.now_ms = u32::MAX - 300;
        let answer = Event::Answer {
            ranking: ranking.clone(),
            times: TIMES,
        };
        let events = board.steps(&mut stored(&bytes), 3);
        assert_eq!(events, [answer.clone(), answer.clone(), answer]);
        let line = format!("{ranking}  243 ms\r\n");
        assert_eq!(board.said(), line.repeat(3));
    }
}

/// A camera whose capture and rows take their time.
struct Slow<'t>(&'t std::cell::Cell<u32>);

impl Camera for Slow<'_> {
    type Error = std::convert::Infallible;

    fn format(&self) -> FrameFormat {
        FORMAT
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        self.0.set(self.0.get() + 70);
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        self.0.set(self.0.get() + 2);
        row.fill(0x55);
        Ok(())
    }
}

#[test]
fn times_are_those_of_the_stages() {
    let file = small_classifier(5);
    let model = Model::read(&file).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let mut buffers = RowBuffers {
        raw: &mut [0; 320],
        rgb: &mut [0; 480],
        scratch: &mut vec![0; scratch_len(16)],
    };
    let now_ms = std::cell::Cell::new(5);
    let mut clock = || now_ms.get();
    assert_eq!(Clock::now_ms(&mut clock), 5);
    let mut service = Service::<1>::new(Pace::Continuous);
    let event = service.step(&mut Slow(&now_ms), &mut engine, &mut buffers, &mut clock);
    let Event::Answer { times, .. } = event else {
        panic!("{event:?}")
    };
    let expected = Times {
        capture_ms: 70,
        rows_ms: 240,
        network_ms: 0,
        total_ms: 310,
    };
    assert_eq!(times, expected);
}

#[test]
fn failed_pictures_are_reported_and_retried_and_never_classified() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 1);
    // The rows that came before a fault leave nothing behind in the answer.
    let script = [
        Fault::Row(100),
        Fault::Torn(119),
        Fault::None,
        Fault::Capture,
    ];
    let mut camera = FaultyCamera::new(stored(&bytes), &script);
    let mut board = Board::new(&file, Pace::Continuous);
    let events = board.steps(&mut camera, 5);
    let failed = |error, attempt| Event::Failed {
        error: ClassifyError::Camera(error),
        attempt,
        gave_up: false,
    };
    let answer = Event::Answer {
        ranking: ranking(&file, &bytes),
        times: TIMES,
    };
    let (expected, found) = (120, 119);
    assert_eq!(
        events,
        [
            failed(FaultyError::Row { row: 100 }, 1),
            failed(FaultyError::Torn { expected, found }, 2),
            answer.clone(),
            failed(FaultyError::Capture, 1),
            answer,
        ]
    );
    let said = board.said();
    let lines: Vec<_> = said.split_terminator("\r\n").collect();
    assert_eq!(
        lines[0],
        "posy: attempt 1 of 3: injected: row 100 could not be read; trying again"
    );
    assert_eq!(
        lines[1],
        "posy: attempt 2 of 3: injected: the frame is torn, 119 of 120 rows came; trying again"
    );
    assert!(lines[2].starts_with("label ") && lines[2].ends_with("%  243 ms"));
    assert_eq!(
        lines[3],
        "posy: attempt 1 of 3: injected: the capture failed; trying again"
    );
}

#[test]
fn after_three_failures_there_is_a_pause_and_then_another_try() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 1);
    let mut camera = FaultyCamera::new(stored(&bytes), &[Fault::Capture; 6]);
    let mut board = Board::new(&file, Pace::Continuous);
    let mut kinds = Vec::new();
    let mut gave_up_at_ms = Vec::new();
    while !kinds.contains(&'a') {
        kinds.push(match board.steps(&mut camera, 1).remove(0) {
            Event::Idle => 'i',
            Event::Camera { .. } | Event::Settling => panic!("a stored frame is always ready"),
            Event::Answer { .. } => 'a',
            Event::Failed { gave_up: false, .. } => 'f',
            Event::Failed { gave_up: true, .. } => {
                gave_up_at_ms.push(board.now_ms);
                'g'
            }
        });
    }
    let mut without_idling = kinds.clone();
    without_idling.dedup();
    let kinds: String = kinds.iter().filter(|kind| **kind != 'i').collect();
    assert_eq!(kinds, "ffgffga");
    assert_eq!(without_idling.iter().collect::<String>(), "fgifgia");
    let between_ms = gave_up_at_ms[1] - gave_up_at_ms[0];
    assert!((100..120).contains(&between_ms), "{between_ms}");
    let said = board.said();
    assert!(said.contains("attempt 3 of 3: injected: the capture failed; no answer\r\n"));
    assert_eq!(said.lines().count(), 7, "{said}");
}

#[test]
fn on_request_there_is_one_answer_for_each_request() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 1);
    let mut camera = stored(&bytes);
    let mut board = Board::new(&file, Pace::OnRequest);
    let answers = |board: &mut Board<'_>, camera: &mut StoredFrame<'_>| {
        let events = board.steps(camera, 4);
        let answers = events.iter().filter(|event| **event != Event::Idle).count();
        assert_eq!(board.said().lines().count(), answers);
        answers
    };
    assert_eq!(answers(&mut board, &mut camera), 0);
    board.service.command(Command::Classify);
    assert_eq!(answers(&mut board, &mut camera), 1);
    // Requests that come before the answer are one.
    board.service.command(Command::Classify);
    board.service.command(Command::Classify);
    assert_eq!(answers(&mut board, &mut camera), 1);
    board.service.command(Command::Run);
    assert_eq!(answers(&mut board, &mut camera), 4);
    board.service.command(Command::Classify);
    assert_eq!(answers(&mut board, &mut camera), 1);
    assert_eq!(board.service.pace(), Pace::OnRequest);
}

#[test]
fn a_request_that_fails_three_times_is_over() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 1);
    let mut camera = FaultyCamera::new(stored(&bytes), &[Fault::Capture; 3]);
    let mut board = Board::new(&file, Pace::OnRequest);
    board.service.command(Command::Classify);
    board.steps(&mut camera, 1500);
    assert_eq!(board.said().lines().count(), 3);
    // The next one is answered at once, pause or not.
    let mut camera = FaultyCamera::new(stored(&bytes), &[Fault::Capture; 3]);
    board.service.command(Command::Classify);
    board.steps(&mut camera, 3);
    board.service.command(Command::Classify);
    let events = board.steps(&mut camera, 1);
    assert!(matches!(events[..], [Event::Answer { .. }]), "{events:?}");
}

#[test]
fn what_would_fail_again_is_not_retried() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 1);
    let mut board = Board::new(&file, Pace::Continuous);
    board.raw.pop();
    let events = board.steps(&mut stored(&bytes), 2);
    let failed = Event::Failed {
        error: ClassifyError::RowBuffers,
        attempt: 1,
        gave_up: true,
    };
    assert_eq!(events, [failed, Event::Idle]);
}

#[test]
fn commands_are_two_letters() {
    let commands: Vec<_> = (0..=u8::MAX)
        .filter_map(|byte| Some((byte, Command::from_byte(byte)?)))
        .collect();
    assert_eq!(commands, [(b'c', Command::Classify), (b'r', Command::Run)]);
}

#[test]
fn the_loop_with_an_arducam_names_each_failure_and_recovers() {
    let file = small_classifier(5);
    let bytes = frame_bytes(FORMAT.frame_len(), 4);
    let expected = ranking(&file, &bytes).to_string();
    let simulated = Simulated::new(vec![bytes]);
    let wire = Wire(simulated.clone());
    let mode = Mode::picture(Resolution::Qqvga);
    let mut camera = ArduCam::new(wire.clone(), wire.clone(), wire, mode);
    let mut board = Board::new(&file, Pace::Continuous);
    let mut say = |set: &dyn Fn(&mut Simulated)| {
        set(&mut simulated.borrow_mut());
        let is_said =
            |event: &Event<'_, _, 2>| matches!(event, Event::Answer { .. } | Event::Failed { .. });
        while !is_said(&board.steps(&mut camera, 1)[0]) {}
        board.said()
    };
    let is_answer = |said: String| said.lines().last().unwrap().starts_with(&expected);
    let found = "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 38,408 bytes\r\n";
    let first = say(&|_| {});
    assert!(
        first.starts_with(&format!("posy: camera: {found}")),
        "{first}"
    );
    assert!(is_answer(first));
    let unplugged = say(&|camera| camera.unplug());
    assert!(unplugged.contains("SPI link test failed"), "{unplugged}");
    let wrong = say(&|camera| {
        camera.plug();
        camera.identity = [0x77, 0x41];
    });
    assert!(wrong.contains("identity 77 41"), "{wrong}");
    let back = say(&|camera| camera.identity = [0x26, 0x42]);
    let again = format!("posy: camera is back: {found}");
    assert!(back.starts_with(&again), "{back}");
    assert!(is_answer(back));
    // The next frame is in the buffer already.
    assert!(is_answer(say(&|camera| camera.fills = false)));
    let never = say(&|_| {});
    assert!(never.contains("no frame within 800 ms"), "{never}");
    assert!(is_answer(say(&|camera| camera.fills = true)));
    assert!(is_answer(say(&|camera| camera.torn = vec![-1008])));
    let torn = say(&|_| {});
    assert!(torn.contains("37400 bytes came"), "{torn}");
    assert!(is_answer(say(&|_| {})));
    assert!(is_answer(say(&|camera| camera.torn = vec![-1008, -1008])));
    for torn in [say(&|_| {}), say(&|_| {})] {
        assert!(torn.contains("torn frame"), "{torn}");
    }
    // Set up anew after two torn frames: now the sensor is gone from its bus.
    let nack = say(&|camera| camera.i2c_dead = true);
    assert!(nack.contains("check SDA, SCL"), "{nack}");
}
