//! The laptop's answers, for comparison with a board's.

use std::cell::Cell;
use std::path::Path;

use embedded_io::{ErrorKind, ErrorType, Write};
use posy_firmware::camera::{Camera, FrameFormat, StoredFrame, StoredFrameError};
use posy_firmware::program::{Board, Console, Memory, Stack, run};
use posy_firmware::slot::FixedSlot;
use posy_firmware::vitals::Vitals;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::ranking::Score;
use serde_json::Value;

use crate::frames::{PIXELS, extent, view};
use crate::scratch::{Outcome, Scratch};

/// Answer to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Logits of all labels.
    pub logits: Vec<i8>,
    /// The printed line without the time: `daisy 97.2%  roses 1.9%`.
    pub ranking: String,
}

/// Converts a user's file in the folder `cases`, named without its ending. Returns the name of the model
/// file.
pub fn convert(scratch: &Scratch, cases: &Path, file: &str) -> String {
    let name = format!("{}.posy", file.replace('/', "_"));
    let mut command = scratch.command(["convert"]);
    command.arg(cases.join(format!("{file}.tflite"))).arg(&name);
    Outcome::of(command).succeeds();
    name
}

/// Retrains `architecture` on the photos in the folder `photos`. Returns the name of the model
/// file.
pub fn retrain(scratch: &Scratch, architecture: &str) -> String {
    let name = format!("{architecture}.posy");
    let options = [
        "retrain",
        "--head-only",
        "--no-float",
        "--architecture",
        architecture,
    ];
    let folders = ["--image-dir", "photos", "--bottleneck-dir", "cache"];
    let output = ["--output-graph", &name];
    scratch
        .posy([&options[..], &folders, &output].concat())
        .succeeds();
    name
}

/// Answers of `posy label` to the images in the folder `frames`, in a board's form.
pub fn labelled(scratch: &Scratch, model: &str) -> Vec<Answer> {
    let outcome = scratch
        .posy(["label", "--json", "--model", model, "frames"])
        .succeeds();
    let answer = |line: &str| {
        let json: Value = serde_json::from_str(line).unwrap();
        let logits = json["logits"].as_array().unwrap().iter();
        let unknown = json["unknown"] == true;
        let ranked = json["labels"].as_array().unwrap().iter().map(|ranked| {
            let fine = ranked["score"].as_f64().unwrap() * f64::from(Score::ONE.fine());
            let (whole, tenths) = Score::from_fine(fine as u32).percent();
            format!("{} {whole}.{tenths}%", ranked["label"].as_str().unwrap())
        });
        let words = unknown.then(|| "unknown".to_owned()).into_iter();
        Answer {
            logits: logits.map(|logit| logit.as_i64().unwrap() as i8).collect(),
            ranking: words.chain(ranked).collect::<Vec<_>>().join("  "),
        }
    };
    outcome.stdout.lines().map(answer).collect()
}

/// RAM for the network, in place of a board's; large enough for every architecture.
const ARENA: usize = 264 * 1024;

/// A camera that shows stored frames one after another.
struct Shots<'f> {
    frames: &'f [Vec<u8>],
    /// Number of frames started.
    shown: &'f Cell<usize>,
    shot: Option<StoredFrame<'f>>,
}

impl Camera for Shots<'_> {
    type Error = StoredFrameError;

    fn format(&self) -> FrameFormat {
        let (width, height) = extent(self.frames.first().map_or(0, Vec::len));
        FrameFormat {
            width,
            height,
            pixels: PIXELS,
        }
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        let index = self.shown.replace(self.shown.get() + 1);
        self.shot = Some(StoredFrame::new(view(&self.frames[index])));
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        let shot = self.shot.as_mut();
        shot.ok_or(StoredFrameError::NoMoreRows)?.read_row(row)
    }
}

/// A console that prints logits, as that of `boards/qemu-mps2` does, and is unplugged once every
/// frame has been shown.
struct Paper<'f> {
    printed: String,
    frames: usize,
    shown: &'f Cell<usize>,
    unplugged: bool,
}

impl ErrorType for Paper<'_> {
    type Error = ErrorKind;
}

impl Write for Paper<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.unplugged {
            return Err(ErrorKind::BrokenPipe);
        }
        self.printed.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Console for Paper<'_> {
    fn poll(&mut self) -> Option<u8> {
        if self.unplugged || self.shown.get() < self.frames {
            return None;
        }
        // Writing the line on RAM then finds the console unplugged.
        self.unplugged = true;
        Some(b's')
    }

    fn logits(&mut self, logits: &[i8]) -> Result<(), ErrorKind> {
        self.printed.push_str("logits:");
        for logit in logits {
            self.printed.push_str(&format!(" {logit}"));
        }
        self.printed.push('\n');
        Ok(())
    }
}

/// Answers of the boards' program on the laptop: [`posy_firmware::program::run`] with a camera that
/// shows the stored `frames`.
pub fn classified(model: &[u8], frames: &[Vec<u8>]) -> Vec<Answer> {
    let shown = Cell::new(0);
    let mut now_ms = 0;
    let mut board = Board {
        name: "laptop",
        camera: Shots {
            frames,
            shown: &shown,
            shot: None,
        },
        console: Paper {
            printed: String::new(),
            frames: frames.len(),
            shown: &shown,
            unplugged: false,
        },
        clock: || {
            now_ms += 1;
            now_ms
        },
        stack: || Stack { used: 1, size: 2 },
        vitals: Vitals::NONE,
    };
    let mut memory = Box::new(Memory::<ARENA>::new());
    let ended = run(&mut board, &mut FixedSlot(model), &mut memory, || Scalar);
    assert_eq!(ended.unwrap_err(), ErrorKind::BrokenPipe);
    answers(&board.console.printed)
}

/// Parses the output of a program that also prints logits; every line must be known.
pub fn answers(printed: &str) -> Vec<Answer> {
    let mut lines = printed.lines();
    let mut next = || {
        let line = lines.next();
        line.unwrap_or_else(|| panic!("too short: {printed}"))
    };
    let introduction = next();
    assert!(introduction.starts_with("posy: "), "{printed}");
    assert!(introduction.ends_with(" bytes"), "{printed}");
    assert_eq!(next(), "posy: golden check passed", "{printed}");
    let used = stack_used(next());
    let mut answers = Vec::new();
    while let Some(line) = lines.next() {
        let Some(logits) = line.strip_prefix("logits:") else {
            // The last line: the deepest use of the stack never falls.
            assert!(stack_used(line) >= used, "{printed}");
            assert_eq!(lines.next(), None, "{printed}");
            break;
        };
        let logits = logits.split_whitespace().map(|logit| logit.parse());
        let answer = lines.next().and_then(|line| line.rsplit_once("  "));
        let (ranking, time) = answer.expect("a ranking and a time");
        let time_ms = time.strip_suffix(" ms").map(str::parse::<u32>);
        assert!(matches!(time_ms, Some(Ok(_))), "{time}");
        answers.push(Answer {
            logits: logits.collect::<Result<_, _>>().expect("int8 logits"),
            ranking: ranking.into(),
        });
    }
    answers
}

/// Bytes of stack used, from the line on RAM, which is checked.
fn stack_used(line: &str) -> usize {
    let text = line.strip_prefix("posy: RAM ");
    let text = text.unwrap_or_else(|| panic!("not the line on RAM: {line}"));
    let numbers = text.split_whitespace().flat_map(str::parse);
    let numbers: Vec<usize> = numbers.collect();
    let [needed, arena, used, size] = numbers[..] else {
        panic!("{line}")
    };
    assert!(needed <= arena && 0 < used && used < size, "{line}");
    used
}
