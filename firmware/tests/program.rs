//! A board's whole program, on the laptop: what it says from its start to its answers.

mod common;

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{
    frame_bytes, logits_of,
    small::{named_classifier, small_classifier},
};
use embedded_io::{ErrorKind, ErrorType, Write};
use posy_firmware::camera::{Fault, FaultyCamera, StoredFrame};
use posy_firmware::program::{Board, Console, Memory, Stack, run};
use posy_firmware::slot::FixedSlot;
use posy_firmware::vitals::{Sign, Vitals};
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;

const WIDTH: u16 = 160;
const HEIGHT: u16 = 120;
const FRAME_LEN: usize = 2 * WIDTH as usize * HEIGHT as usize;
const ARENA: usize = 16 * 1024;

/// A serial port that is unplugged after so many lines.
struct Port {
    said: String,
    lines: usize,
    /// Bytes that a person sends, each with the number of lines after which it comes.
    sent: VecDeque<(usize, u8)>,
    /// Logits of each picture.
    logits: Vec<Vec<i8>>,
}

impl ErrorType for Port {
    type Error = ErrorKind;
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.said.lines().count() >= self.lines && self.said.ends_with('\n') {
            return Err(ErrorKind::BrokenPipe);
        }
        self.said.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Console for Port {
    fn poll(&mut self) -> Option<u8> {
        let lines = self.said.lines().count();
        let due = self.sent.front().is_some_and(|(after, _)| *after <= lines);
        due.then(|| self.sent.pop_front())?.map(|(_, byte)| byte)
    }

    fn logits(&mut self, logits: &[i8]) -> Result<(), ErrorKind> {
        self.logits.push(logits.to_vec());
        Ok(())
    }
}

fn stored(bytes: &[u8]) -> StoredFrame<'_> {
    StoredFrame::new(ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, bytes).unwrap())
}

/// Record of a board until it was unplugged.
struct Run {
    lines: Vec<String>,
    took_ms: u32,
    logits: Vec<Vec<i8>>,
}

/// The first lines that a board says with the model slot `slot`.
fn said(slot: &[u8], faults: &[Fault], lines: usize, sent: &[(usize, u8)]) -> Run {
    said_by(Vitals::NONE, slot, faults, lines, sent)
}

/// [`said`], by a board with these signs of life.
fn said_by(
    vitals: Vitals,
    slot: &[u8],
    faults: &[Fault],
    lines: usize,
    sent: &[(usize, u8)],
) -> Run {
    let bytes = frame_bytes(FRAME_LEN, 3);
    let now_ms = Rc::new(Cell::new(u32::MAX - 100));
    let started_ms = now_ms.get();
    let ticks = now_ms.clone();
    let mut board = Board {
        name: "laptop",
        camera: FaultyCamera::new(stored(&bytes), faults),
        console: Port {
            said: String::new(),
            lines,
            sent: sent.iter().copied().collect(),
            logits: Vec::new(),
        },
        clock: move || {
            ticks.set(ticks.get().wrapping_add(1));
            ticks.get()
        },
        stack: || Stack {
            used: 1234,
            size: 5678,
        },
        vitals,
    };
    let mut memory = Box::new(Memory::<ARENA>::default());
    let ended = run(&mut board, &mut FixedSlot(slot), &mut memory, || Scalar);
    assert_eq!(ended.unwrap_err(), ErrorKind::BrokenPipe);
    let Port { said, logits, .. } = board.console;
    Run {
        lines: said.split_terminator("\r\n").map(String::from).collect(),
        took_ms: now_ms.get().wrapping_sub(started_ms),
        logits,
    }
}

#[test]
fn a_program_introduces_itself_and_answers() {
    let file = small_classifier(5);
    let model = Model::read(&file).unwrap();
    let mut slot = file.clone();
    // Erased flash behind the model.
    slot.resize(file.len() + 999, 0xFF);
    let run = said(&slot, &[], 5, &[]);
    let lines = &run.lines;
    let (labels, len) = (model.labels().count(), file.len());
    let architecture = model.provenance().architecture;
    let needed = model.plan().arena_len;
    let logits = logits_of(&mut stored(&frame_bytes(FRAME_LEN, 3)), &file).unwrap();
    let ranking = Ranking::<5>::new(&model, &logits);
    assert_eq!(
        lines[..3],
        [
            format!("posy: laptop, {architecture}, {labels} labels, {len} bytes"),
            "posy: golden check passed".into(),
            format!(
                "posy: RAM {needed} of 16384 bytes for the network, stack 1234 of 5678 bytes so far"
            ),
        ]
    );
    for line in &lines[3..5] {
        let (answer, time) = line.rsplit_once("  ").unwrap();
        assert_eq!(answer, ranking.to_string());
        assert!(time.ends_with(" ms"), "{time}");
    }
    // The third picture is the one whose line found the port unplugged.
    assert_eq!(run.logits, vec![logits; 3]);
}

/// Feedings so far, and the last sign, of the test below: functions know nothing else.
static FED: AtomicU32 = AtomicU32::new(0);
static SIGNS: Mutex<Vec<Sign>> = Mutex::new(Vec::new());

#[test]
fn signs_of_life_are_given_and_the_reason_of_a_restart_is_said_once() {
    let vitals = Vitals {
        feed: || {
            FED.fetch_add(1, Ordering::Relaxed);
        },
        sign: |sign| SIGNS.lock().unwrap().push(sign),
        restart: Some("the program got stuck"),
    };
    let file = small_classifier(5);
    let faults = [Fault::None, Fault::Row(7), Fault::None];
    let Run { lines, took_ms, .. } = said_by(vitals, &file, &faults, 7, &[]);
    assert_eq!(lines[0], "posy: restarted: the program got stuck");
    assert!(lines[1].starts_with("posy: laptop, "), "{lines:?}");
    // A second, so that the same end again is not said without end.
    assert!(took_ms > 1000, "{took_ms}");
    let expected = [Sign::Answering, Sign::Trouble, Sign::Answering];
    assert_eq!(SIGNS.lock().unwrap()[..3], expected);
    // While it waits, and with each row of the golden check's and the pictures' layers.
    let model = Model::read(&file).unwrap();
    let rows = u32::from(model.input_shape().height);
    let fed = FED.load(Ordering::Relaxed);
    assert!(fed > 500 + 3 * rows, "{fed}, {rows}");

    SIGNS.lock().unwrap().clear();
    said_by(vitals, &[0xFF; 4096], &[], 3, &[]);
    let signs = SIGNS.lock().unwrap();
    assert!(
        signs.len() >= 3 && signs.iter().all(|sign| *sign == Sign::Waiting),
        "{signs:?}"
    );
}

/// Names in a model that would end a line, forge another or act on a terminal.
#[test]
fn names_out_of_a_model_forge_no_line() {
    let evil = "x\r\nposy: golden check passed\r\n\x1b]0;title\x07\u{202e}";
    // Control characters in a label are refused with the model; marks that turn text around are not.
    let labels = ["a\u{202e}posy: RAM", "b\u{2066}[31m", "c\u{2028}d"];
    let file = named_classifier(&labels, &(evil.to_owned() + &"y".repeat(1000)));
    let run = said(&file, &[], 5, &[]);
    assert_eq!(run.lines.len(), 5, "{:?}", run.lines);
    let first = &run.lines[0];
    assert!(
        first.starts_with("posy: laptop, x\u{fffd}\u{fffd}posy: golden"),
        "{first}"
    );
    assert!(first.chars().count() < 250, "{first}");
    assert_eq!(run.lines[1], "posy: golden check passed");
    for line in &run.lines {
        assert!(
            !line.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{line:?}"
        );
    }
    for label in ["a\u{fffd}posy: RAM ", "b\u{fffd}[31m ", "c\u{fffd}d "] {
        assert!(run.lines[3].contains(label), "{:?}", run.lines[3]);
    }
}

#[test]
fn what_is_wrong_with_the_slot_is_said_each_second() {
    let mut damaged = small_classifier(5);
    *damaged.last_mut().unwrap() ^= 1;
    for (slot, message) in [
        (vec![0xFF; 4096], "posy: the model slot is empty"),
        (vec![7; 4096], "posy: the model slot holds something else"),
        (damaged, "posy: the model is damaged"),
    ] {
        let run = said(&slot, &[], 4, &[(0, b'c')]);
        let Run { lines, took_ms, .. } = run;
        assert_eq!(lines.len(), 4);
        assert!(
            lines.iter().all(|line| line.starts_with(message)),
            "{lines:?}"
        );
        assert!((4000..4100).contains(&took_ms), "{took_ms}");
    }
}

#[test]
fn failures_are_said_between_answers() {
    let file = small_classifier(5);
    let faults = [Fault::None, Fault::Row(7)];
    let Run { lines, logits, .. } = said(&file, &faults, 6, &[]);
    assert!(lines[3].starts_with("label "), "{lines:?}");
    assert_eq!(
        lines[4],
        "posy: attempt 1 of 3: injected: row 7 could not be read; trying again"
    );
    assert!(lines[5].starts_with("label "), "{lines:?}");
    // One each of the answers, and of the one at which the port was unplugged.
    assert_eq!(logits.len(), 3);
}

#[test]
fn a_person_can_ask() {
    let file = small_classifier(5);
    // After the first answer one more, then RAM twice, with a byte that means nothing in between.
    let sent = [(4, b'c'), (5, b's'), (6, b'?'), (6, b's'), (7, b'r')];
    let Run { lines, .. } = said(&file, &[], 9, &sent);
    let kinds: String = lines[3..]
        .iter()
        .map(|line| {
            if line.starts_with("posy: RAM ") {
                's'
            } else {
                'a'
            }
        })
        .collect();
    assert_eq!(kinds, "aassaa");
}
