//! Flashing a program and a model onto a board: first a plan, then its execution.

use std::io;
use std::path::{Path, PathBuf};

use posy_nn::{atomic, bounded};

use super::boards::{BOARDS, Board};
use super::drive::{self, DriveError};
use super::elf::{self, ElfError};
use super::fit::{Footprint, fits};
use super::probe::{self, Probe, ProbeError};
use super::program::{self, ProgramError};
use super::uf2::{self, Segment};

/// Errors of flashing a board.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The model is too large.
    #[error(
        "the model does not fit {}: it takes {} of {} bytes of flash and {} of {} bytes of RAM; {}",
        board.title, footprint.flash_bytes, board.slot_bytes(), footprint.ram_bytes_on(board),
        board.arena_bytes, instead(footprint)
    )]
    TooLarge {
        /// Resources that the model needs.
        footprint: Footprint,
        /// The board.
        board: &'static Board,
    },
    /// Neither a program nor its source was found.
    #[error(
        "there is no program for {0}: run this inside a checkout of posy, which has its source in \
         boards/{0}, or give one with --program FILE.elf, or write the model alone with --model-only"
    )]
    NoProgram(&'static str),
    /// The program's file cannot be read.
    #[error("{path}: {source}; give an ELF file with --program")]
    ReadProgram {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program's file is not for this board.
    #[error("{path}: {source}")]
    Elf {
        /// The file.
        path: PathBuf,
        /// The problem with the file.
        source: ElfError,
    },
    /// The board has no drive.
    #[error("{} has no drive, and takes no UF2 file; leave --{option} out: it is written with \
             probe-rs", .board.title)]
    TakesNoUf2 {
        /// The board.
        board: &'static Board,
        /// The option that needs a drive.
        option: &'static str,
    },
    /// Neither a drive nor probe-rs is available.
    #[error("{}", no_way(.0))]
    NoWay(&'static Board),
    /// The UF2 file cannot be written.
    #[error("{path}: {source}")]
    Output {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program cannot be built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The drive cannot be written.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The debug probe failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// Advice for a model that is too large.
fn instead(footprint: &Footprint) -> String {
    let boards = BOARDS.iter().filter(|board| fits(footprint, board));
    let names: Vec<&str> = boards.map(|board| board.name).collect();
    let smaller = "retrain with a smaller network (`posy fit` lists them)";
    match names.is_empty() {
        true => smaller.to_owned(),
        false => format!(
            "{smaller}, or take a board that has room: {}",
            names.join(", ")
        ),
    }
}

/// Advice for a board with neither a drive nor probe-rs.
fn no_way(board: &Board) -> String {
    match board.uf2 {
        Some(uf2) => format!(
            "no drive {} of a {} is mounted; hold its button BOOTSEL while plugging it in, wait \
             until the drive appears (or mount it), and try again; with a debug probe, install \
             probe-rs instead: https://probe.rs",
            uf2.label, board.title
        ),
        None => format!(
            "{} is written with the command probe-rs, which is not installed: https://probe.rs",
            board.title
        ),
    }
}

/// The program to flash with the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// No program: the board keeps its own.
    Kept,
    /// An ELF file.
    File(PathBuf),
    /// The crate in this folder, which is built.
    Source(PathBuf),
}

impl Program {
    /// The board's crate in `boards` of `folder`, or of a folder above it.
    ///
    /// # Errors
    /// [`FlashError::NoProgram`].
    pub fn of_checkout(board: &Board, folder: &Path) -> Result<Self, FlashError> {
        let found = program::find(board, folder);
        found
            .map(Self::Source)
            .ok_or(FlashError::NoProgram(board.name))
    }
}

/// Method of writing to the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into a UF2 file, without a board.
    File(PathBuf, uf2::Family),
    /// As a UF2 file on its drive.
    Drive(PathBuf, uf2::Family),
    /// Through a debug probe.
    Probe(Probe),
}

impl Way {
    /// Writes into a UF2 file.
    ///
    /// # Errors
    /// [`FlashError::TakesNoUf2`].
    pub fn file(board: &'static Board, path: PathBuf) -> Result<Self, FlashError> {
        let option = "output";
        let uf2 = board.uf2.ok_or(FlashError::TakesNoUf2 { board, option })?;
        Ok(Self::File(path, uf2.family))
    }

    /// Writes to the drive that is mounted at `path`.
    ///
    /// # Errors
    /// [`FlashError::TakesNoUf2`], [`FlashError::Drive`].
    pub fn drive(board: &'static Board, path: PathBuf) -> Result<Self, FlashError> {
        let option = "drive";
        let uf2 = board.uf2.ok_or(FlashError::TakesNoUf2 { board, option })?;
        drive::check(&path, &uf2)?;
        Ok(Self::Drive(path, uf2.family))
    }

    /// Writes through a debug probe: any, or the one that `selector` names.
    ///
    /// # Errors
    /// [`FlashError::NoWay`] if probe-rs is not installed.
    pub fn probe(board: &'static Board, selector: Option<String>) -> Result<Self, FlashError> {
        let command = probe::installed().ok_or(FlashError::NoWay(board))?;
        Ok(Self::Probe(Probe::new(command, board, selector)))
    }

    /// Writes to the drive, if the board shows one, else through a debug probe.
    ///
    /// # Errors
    /// [`FlashError::Drive`] if there are several drives, [`FlashError::NoWay`].
    pub fn find(board: &'static Board) -> Result<Self, FlashError> {
        if let Some(uf2) = board.uf2
            && let Some(path) = drive::find(&uf2)?
        {
            return Ok(Self::Drive(path, uf2.family));
        }
        Self::probe(board, None)
    }
}

/// A plan to flash a model that fits its board.
#[derive(Debug)]
pub struct Plan<'m> {
    board: &'static Board,
    /// The model's file.
    path: &'m Path,
    bytes: &'m [u8],
    footprint: Footprint,
    program: Program,
}

impl<'m> Plan<'m> {
    /// A plan for the model in the file `path`, with contents `bytes`, that needs `footprint`.
    ///
    /// # Errors
    /// [`FlashError::TooLarge`].
    pub fn new(
        board: &'static Board,
        path: &'m Path,
        bytes: &'m [u8],
        footprint: Footprint,
        program: Program,
    ) -> Result<Self, FlashError> {
        if !fits(&footprint, board) {
            return Err(FlashError::TooLarge { footprint, board });
        }
        Ok(Plan {
            board,
            path,
            bytes,
            footprint,
            program,
        })
    }

    /// Describes the steps, one line each, without touching anything. Without `way` it describes
    /// the board's usual method, and what is missing for it.
    ///
    /// # Errors
    /// [`FlashError::ReadProgram`], [`FlashError::Elf`].
    pub fn steps(&self, way: Option<&Way>) -> Result<Vec<String>, FlashError> {
        let board = self.board;
        let mut steps = Vec::new();
        let elf = match &self.program {
            Program::Kept => {
                steps.push("program: the one that is on the board".to_owned());
                None
            }
            Program::Source(folder) => {
                let target = board.target;
                steps.push(format!(
                    "program: cargo build --release in {}, for {target}",
                    folder.display()
                ));
                if let Err(error) = program::could_build(board, folder) {
                    steps.push(format!("but: {error}"));
                }
                Some(PathBuf::from("PROGRAM.elf"))
            }
            Program::File(path) => {
                let segments = self.segments(path)?;
                let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
                let start = segments.first().map_or(0, |segment| segment.address);
                let path_shown = path.display();
                steps.push(format!(
                    "program: {path_shown}, {bytes} bytes from {start:#010x}"
                ));
                Some(path.clone())
            }
        };
        steps.push(format!(
            "model: {}, {} bytes from {:#010x}, where there is room for {}",
            self.path.display(),
            self.bytes.len(),
            board.slot_start(),
            board.slot_bytes(),
        ));
        steps.push(format!(
            "RAM: {} of {} bytes for the network",
            self.footprint.ram_bytes_on(board),
            board.arena_bytes
        ));
        let what = match elf {
            Some(_) => "program and model",
            None => "the model",
        };
        match way {
            Some(Way::File(path, _)) => steps.push(format!("write {what} to {}", path.display())),
            Some(Way::Drive(path, _)) => steps.push(format!(
                "copy {what} as one UF2 file to the drive {}; the board restarts",
                path.display()
            )),
            Some(Way::Probe(probe)) => {
                for arguments in self.commands(probe, elf.as_deref()) {
                    let words = arguments.iter().map(|word| word.to_string_lossy());
                    let words: Vec<_> = words.collect();
                    steps.push(format!("run probe-rs {}", words.join(" ")));
                }
            }
            None => {
                if let Some(uf2) = board.uf2 {
                    let label = uf2.label;
                    steps.push(format!("copy {what} as one UF2 file to the drive {label}"));
                } else {
                    steps.push(format!("write {what} with probe-rs"));
                }
                steps.push(format!("but: {}", no_way(board)));
            }
        }
        Ok(steps)
    }

    /// Executes the plan; calls `report` before each step.
    ///
    /// # Errors
    /// [`FlashError`].
    pub fn carry_out(&self, way: &Way, mut report: impl FnMut(&str)) -> Result<(), FlashError> {
        let elf = match &self.program {
            Program::Kept => None,
            Program::File(path) => Some(path.clone()),
            Program::Source(folder) => {
                report(&format!("building the program in {}", folder.display()));
                Some(program::build(self.board, folder)?)
            }
        };
        let mut segments = match &elf {
            Some(path) => self.segments(path)?,
            None => Vec::new(),
        };
        segments.push(Segment {
            address: self.board.slot_start(),
            bytes: self.bytes.to_vec(),
        });
        match way {
            Way::File(path, family) => {
                let file = uf2::file(&segments, *family);
                atomic::write(path, &file).map_err(|source| FlashError::Output {
                    path: path.clone(),
                    source,
                })?;
                report(&format!("wrote {} ({} bytes)", path.display(), file.len()));
            }
            Way::Drive(path, family) => {
                let file = uf2::file(&segments, *family);
                let (len, path_shown) = (file.len(), path.display());
                report(&format!(
                    "copying {len} bytes to {path_shown}; takes some seconds"
                ));
                drive::write(path, &file)?;
                report("done: the board restarts with the model");
            }
            Way::Probe(probe) => {
                for arguments in self.commands(probe, elf.as_deref()) {
                    let words: Vec<_> = arguments
                        .iter()
                        .map(|word| word.to_string_lossy())
                        .collect();
                    report(&format!("probe-rs {}", words.join(" ")));
                    probe.run(&arguments)?;
                }
                report("done: the board restarts with the model");
            }
        }
        Ok(())
    }

    /// The probe's commands, in order.
    fn commands(&self, probe: &Probe, elf: Option<&Path>) -> Vec<Vec<std::ffi::OsString>> {
        let program = elf.map(|elf| probe.write_program(elf));
        let model = probe.write_bytes(self.path, self.board.slot_start());
        program.into_iter().chain([model, probe.reset()]).collect()
    }

    /// The flash contents of the program in the file `path`.
    fn segments(&self, path: &Path) -> Result<Vec<Segment>, FlashError> {
        let elf =
            bounded::read(path, bounded::NETWORK).map_err(|error| FlashError::ReadProgram {
                path: path.into(),
                source: error.into(),
            })?;
        elf::segments(&elf, self.board).map_err(|source| FlashError::Elf {
            path: path.into(),
            source,
        })
    }
}
