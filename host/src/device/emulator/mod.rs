//! An emulated board: the program of `boards/qemu-mps2` in QEMU.
//!
//! | to change | open |
//! |---|---|
//! | a run on some frames, which ends with its answers | here |
//! | a board that stays, with a serial port | `running.rs` |

mod running;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::RgbImage;
use image::imageops::{FilterType, resize};
use posy_shared::image::PixelFormat;

pub use running::EmulatedBoard;

use super::program::{ProgramError, build_for};

/// Width of its camera's frames, pixels.
pub const WIDTH: u16 = 320;
/// Height of its camera's frames, pixels.
pub const HEIGHT: u16 = 240;
/// Pixel format of a frame, as an ArduCAM delivers it.
pub const PIXELS: PixelFormat = PixelFormat::Rgb565Be;

/// Display name of its processor.
pub const CORE: &str = "Cortex-M4";
/// Rust target of its processor.
const TARGET: &str = "thumbv7em-none-eabihf";
/// The machine: the crate's feature, and QEMU's name after `mps2-`.
const MACHINE: &str = "an386";
const QEMU: &str = "qemu-system-arm";

/// Errors of the emulated board.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The command runs outside a checkout.
    #[error("its program is built from a checkout of posy; run this within one")]
    Checkout,
    /// The emulator is missing.
    #[error("{QEMU} cannot be run ({0}); install it, e.g. apt-get install qemu-system-arm")]
    Emulator(io::Error),
    /// The program cannot be built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The program failed.
    #[error("the emulated board gave up: {0}")]
    GaveUp(String),
    /// The system has no pseudo-terminals.
    #[error("an emulated board has a serial port on Linux and macOS alone")]
    System,
    /// Files of the emulated board cannot be written.
    #[error("files of the emulated board: {0}")]
    Files(io::Error),
    /// The program's output has no answer.
    #[error("the emulated board printed no answer: {0}")]
    Silent(String),
}

/// The board's answer for one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// All logits.
    pub logits: Vec<i8>,
    /// The printed line: labels with their scores, and the time.
    pub line: String,
}

/// An emulator and a program for it.
#[derive(Debug)]
pub struct Emulator {
    program: PathBuf,
}

impl Emulator {
    /// Builds the program, from the checkout that contains `folder`.
    ///
    /// # Errors
    /// [`EmulatorError`] says what is missing.
    pub fn find(folder: &Path) -> Result<Self, EmulatorError> {
        let mut version = Command::new(QEMU);
        version.arg("--version").stdin(Stdio::null());
        version.output().map_err(EmulatorError::Emulator)?;
        let mut crates = folder
            .ancestors()
            .map(|above| above.join("boards/qemu-mps2"));
        let found = crates.find(|folder| folder.join("Cargo.toml").is_file());
        let folder = found.ok_or(EmulatorError::Checkout)?;
        // The tests build it in the same folder.
        let options = ["--locked", "--quiet", "--target", TARGET];
        let more = ["--features", MACHINE, "--target-dir", "../../target/boards"];
        let program = build_for(TARGET, &[&options[..], &more].concat(), &folder)?;
        Ok(Emulator { program })
    }

    /// Starts the board, to go on running on a serial port of its own, with the bytes `model` of a `.posy` file
    /// in its slot, or none.
    ///
    /// # Errors
    /// [`EmulatorError::System`], [`EmulatorError::Files`], [`EmulatorError::GaveUp`].
    pub fn start(&self, model: &[u8]) -> Result<EmulatedBoard, EmulatorError> {
        EmulatedBoard::start(&self.program, model)
    }

    /// Runs the board on the frames in the file `frames` with the model in the file `model`, both
    /// names of files in `folder` without commas.
    ///
    /// # Errors
    /// [`EmulatorError::GaveUp`], [`EmulatorError::Silent`].
    pub fn answers(
        &self,
        folder: &Path,
        model: &str,
        frames: &str,
    ) -> Result<Vec<Answer>, EmulatorError> {
        let mut command = Command::new(QEMU);
        command
            .args(["-machine", &format!("mps2-{MACHINE}"), "-nographic"])
            .args(["-monitor", "none", "-serial", "none", "-semihosting-config"])
            .arg(format!(
                "enable=on,target=native,arg=posy,arg={model},arg={frames}"
            ))
            .arg("-kernel")
            .arg(&self.program)
            .current_dir(folder)
            .stdin(Stdio::null());
        let output = command.output().map_err(EmulatorError::Emulator)?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(EmulatorError::GaveUp(format!("{said}{reason}")));
        }
        let answers = answers(&said);
        match answers.is_empty() {
            true => Err(EmulatorError::Silent(said.into_owned())),
            false => Ok(answers),
        }
    }
}

/// A picture as the board's camera delivers it, stretched to the camera's size.
pub fn frame(picture: &RgbImage) -> Vec<u8> {
    let seen = resize(picture, WIDTH.into(), HEIGHT.into(), FilterType::Triangle);
    let pack = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0.map(u16::from);
        ((red >> 3 << 11) | (green >> 2 << 5) | (blue >> 3)).to_be_bytes()
    };
    seen.pixels().flat_map(pack).collect()
}

/// The answers in a board's output: a line with all logits, then the line for people.
fn answers(said: &str) -> Vec<Answer> {
    let mut lines = said.lines();
    let mut answers = Vec::new();
    while let Some(line) = lines.next() {
        let logits = line.strip_prefix("logits:").and_then(|numbers| {
            let numbers = numbers.split_whitespace().map(|number| number.parse().ok());
            numbers.collect::<Option<Vec<i8>>>()
        });
        if let (Some(logits), Some(line)) = (logits, lines.clone().next()) {
            let line = line.to_owned();
            answers.push(Answer { logits, line });
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_among_other_lines() {
        let said = "posy: mps2\nlogits: 12 -128\ndaisy 97.2%  3 ms\nlogits: 1 x\nroses\nlogits: 5";
        let found = answers(said);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].logits, [12, -128]);
        assert_eq!(found[0].line, "daisy 97.2%  3 ms");
    }
}
