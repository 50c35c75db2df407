//! Flashing a program and a model onto a board: first a plan, then its execution.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use posy_nn::{atomic, bounded};

use super::boards::{BOARDS, Board, FileKind, Loader};
use super::dfu::{self, DfuError};
use super::drive::{self, DriveError};
use super::elf::{self, ElfError};
use super::fit::{Footprint, fits};
use super::hex;
use super::image::{Image, joined};
use super::probe::{self, Probe, ProbeError};
use super::program::{self, ProgramError};
use super::samba::{self, SambaError};
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
    /// The source of the board's program was not found.
    #[error(
        "there is no source of a program for {0} here: run this inside a checkout of posy, which has it \
         in boards/{0}, or leave --build out: posy carries the program"
    )]
    NoSource(&'static str),
    /// The carried program cannot be unpacked.
    #[error(
        "the program for {board} that posy carries: {source}; give one with --program FILE.elf"
    )]
    Carried {
        /// The board.
        board: &'static str,
        /// The decoder's error.
        source: io::Error,
    },
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
    #[error("{} has no drive; leave --drive out: it is written with {}", .0.title, tool(.0))]
    NoDrive(&'static Board),
    /// The board's loader does not answer, and the tool that writes the board is not installed.
    #[error("{}", no_way(.0))]
    NoWay(&'static Board),
    /// The output file cannot be written, or not a file for a tool.
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
    /// Arduino's boot loader failed.
    #[error(transparent)]
    Samba(#[from] SambaError),
    /// The chip's boot loader failed.
    #[error(transparent)]
    Dfu(#[from] DfuError),
    /// The board is not written through a serial port.
    #[error("{} is not written through a serial port; leave --port out", .0.title)]
    NoSerialPort(&'static Board),
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

/// Name of the program that writes a board without a drive.
fn tool(board: &Board) -> &'static str {
    match board.loader {
        Loader::Samba(_) => "posy itself, through its serial port",
        Loader::Dfu => dfu::COMMAND,
        Loader::Drive(_) | Loader::Probe => "probe-rs",
    }
}

/// Advice for a board with neither a drive nor probe-rs.
fn no_way(board: &Board) -> String {
    match board.loader {
        Loader::Drive(uf2) => format!(
            "no drive {} of a {} is mounted; {}, wait until the drive appears (or mount it), and try \
             again; with a debug probe, install probe-rs instead: https://probe.rs",
            uf2.label, board.title, uf2.gesture
        ),
        Loader::Samba(samba) => format!(
            "no serial port of a {}'s boot loader; {}, wait until its LED glows and fades, and try again",
            board.title, samba.gesture
        ),
        Loader::Dfu => format!(
            "{} is written with the command dfu-util, which is not installed: \
             https://dfu-util.sourceforge.net (on Debian: apt install dfu-util); or make a file for another \
             programmer with --output FILE",
            board.title
        ),
        Loader::Probe => format!(
            "{} is written with the command probe-rs, which is not installed: https://probe.rs; or \
             make a file for another programmer with --output FILE",
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
    /// The program that posy carries.
    Carried(&'static Image),
    /// The crate in this folder, which is built.
    Source(PathBuf),
}

/// A program on disk, as a debug probe writes it.
enum OnDisk {
    /// An ELF file, which has its addresses.
    Elf(PathBuf),
    /// Bytes for the start of the board's flash.
    Bytes(PathBuf),
}

impl Program {
    /// The program that posy carries for a board.
    ///
    /// # Errors
    /// [`FlashError::NoSource`] for a board that is not in the table.
    pub fn carried(board: &Board) -> Result<Self, FlashError> {
        let image = Image::of(board);
        image
            .map(Self::Carried)
            .ok_or(FlashError::NoSource(board.name))
    }

    /// The board's crate in `boards` of `folder`, or of a folder above it.
    ///
    /// # Errors
    /// [`FlashError::NoSource`].
    pub fn of_checkout(board: &Board, folder: &Path) -> Result<Self, FlashError> {
        let found = program::find(board, folder);
        found
            .map(Self::Source)
            .ok_or(FlashError::NoSource(board.name))
    }
}

/// Method of writing to the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into a file for the board's drive or for a tool, without a board.
    File(PathBuf, FileKind),
    /// As a UF2 file on its drive.
    Drive(PathBuf, uf2::Family),
    /// Through this serial port, to Arduino's boot loader.
    Samba(String),
    /// With this command `dfu-util`, to the chip's boot loader.
    Dfu(PathBuf),
    /// Through a debug probe.
    Probe(Probe),
}

impl Way {
    /// Writes into a file of the kind that the board's loader or tools take.
    pub fn file(board: &Board, path: PathBuf) -> Self {
        Self::File(path, board.file_kind())
    }

    /// Writes to the drive that is mounted at `path`.
    ///
    /// # Errors
    /// [`FlashError::NoDrive`], [`FlashError::Drive`].
    pub fn drive(board: &'static Board, path: PathBuf) -> Result<Self, FlashError> {
        let uf2 = board.uf2().ok_or(FlashError::NoDrive(board))?;
        drive::check(&path, &uf2)?;
        Ok(Self::Drive(path, uf2.family))
    }

    /// Writes through the serial port `name`.
    ///
    /// # Errors
    /// [`FlashError::NoSerialPort`].
    pub fn port(board: &'static Board, name: String) -> Result<Self, FlashError> {
        match board.loader {
            Loader::Samba(_) => Ok(Self::Samba(name)),
            _ => Err(FlashError::NoSerialPort(board)),
        }
    }

    /// Writes through a debug probe: any, or the one that `selector` names.
    ///
    /// # Errors
    /// [`FlashError::NoWay`] if probe-rs is not installed.
    pub fn probe(board: &'static Board, selector: Option<String>) -> Result<Self, FlashError> {
        let command = probe::installed().ok_or(FlashError::NoWay(board))?;
        Ok(Self::Probe(Probe::new(command, board, selector)))
    }

    /// Writes by the board's boot loader; through a debug probe, if it has none or shows no drive.
    ///
    /// # Errors
    /// [`FlashError::Drive`] and [`FlashError::Samba`] if several boards wait, [`FlashError::NoWay`].
    pub fn find(board: &'static Board) -> Result<Self, FlashError> {
        match board.loader {
            Loader::Drive(uf2) => match drive::find(&uf2)? {
                Some(path) => Ok(Self::Drive(path, uf2.family)),
                None => Self::probe(board, None),
            },
            Loader::Samba(_) => match samba::find(board) {
                Err(SambaError::None { .. }) => Err(FlashError::NoWay(board)),
                found => Ok(Self::Samba(found?)),
            },
            Loader::Dfu => match dfu::installed() {
                Some(command) => Ok(Self::Dfu(command)),
                None => Err(FlashError::NoWay(board)),
            },
            Loader::Probe => Self::probe(board, None),
        }
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

/// A folder for a file that a tool reads.
fn scratch() -> Result<tempfile::TempDir, FlashError> {
    tempfile::tempdir().map_err(|source| FlashError::Output {
        path: std::env::temp_dir(),
        source,
    })
}

/// A command as it is shown.
fn shown(command: &str, arguments: &[OsString]) -> String {
    let words = arguments.iter().map(|word| word.to_string_lossy());
    let words: Vec<_> = words.collect();
    format!("{command} {}", words.join(" "))
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
        let program = match &self.program {
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
                Some(OnDisk::Elf("PROGRAM.elf".into()))
            }
            Program::Carried(image) => {
                let bytes = self.carried(image)?.bytes.len();
                let start = board.flash_start;
                steps.push(format!(
                    "program: carried in posy, {bytes} bytes from {start:#010x}"
                ));
                Some(OnDisk::Bytes("PROGRAM.bin".into()))
            }
            Program::File(path) => {
                let segments = self.segments(path)?;
                let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
                let start = segments.first().map_or(0, |segment| segment.address);
                let path_shown = path.display();
                steps.push(format!(
                    "program: {path_shown}, {bytes} bytes from {start:#010x}"
                ));
                Some(OnDisk::Elf(path.clone()))
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
        let what = match program {
            Some(_) => "program and model",
            None => "the model",
        };
        match way {
            Some(Way::File(path, kind)) => {
                let path = path.display();
                steps.push(format!("write {what} to {path}, {}", kind.name()));
            }
            Some(Way::Drive(path, _)) => steps.push(format!(
                "copy {what} as one UF2 file to the drive {}; the board restarts",
                path.display()
            )),
            Some(Way::Samba(port)) => steps.push(format!(
                "write {what} through the serial port {port}; the board restarts"
            )),
            Some(Way::Dfu(_)) => steps.push(self.dfu_step(program.is_some())),
            Some(Way::Probe(probe)) => {
                let commands = self.commands(probe, program.as_ref());
                steps.extend(
                    commands
                        .iter()
                        .map(|words| format!("run {}", shown("probe-rs", words))),
                );
            }
            None => {
                match board.loader {
                    Loader::Drive(uf2) => {
                        let label = uf2.label;
                        steps.push(format!("copy {what} as one UF2 file to the drive {label}"));
                    }
                    Loader::Samba(_) => {
                        steps.push(format!(
                            "write {what} through the boot loader's serial port"
                        ));
                    }
                    Loader::Dfu => steps.push(self.dfu_step(program.is_some())),
                    Loader::Probe => {
                        let probe = Probe::new("probe-rs".into(), board, None);
                        let commands = self.commands(&probe, program.as_ref());
                        steps.extend(
                            commands
                                .iter()
                                .map(|words| format!("run {}", shown("probe-rs", words))),
                        );
                    }
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
            Program::Kept | Program::Carried(_) => None,
            Program::File(path) => Some(path.clone()),
            Program::Source(folder) => {
                report(&format!("building the program in {}", folder.display()));
                Some(program::build(self.board, folder)?)
            }
        };
        let mut segments = match (&self.program, &elf) {
            (Program::Carried(image), _) => vec![self.carried(image)?],
            (_, Some(path)) => self.segments(path)?,
            (_, None) => Vec::new(),
        };
        segments.push(Segment {
            address: self.board.slot_start(),
            bytes: self.bytes.to_vec(),
        });
        match way {
            Way::File(path, kind) => {
                let (file, from) = match (kind, joined(&segments)) {
                    (FileKind::Uf2(family), _) => (uf2::file(&segments, *family), None),
                    (FileKind::Hex, _) => (hex::file(&segments), None),
                    (FileKind::Bin, whole) => {
                        let whole = whole.map(|whole| (whole.bytes, Some(whole.address)));
                        whole.unwrap_or_default()
                    }
                };
                self.output(path, &file)?;
                let from = from.map(|from| format!(" for address {from:#010x}"));
                let (path, len) = (path.display(), file.len());
                report(&format!(
                    "wrote {path} ({len} bytes{})",
                    from.unwrap_or_default()
                ));
            }
            Way::Drive(path, family) => {
                let file = uf2::file(&segments, *family);
                let (len, path_shown) = (file.len(), path.display());
                report(&format!(
                    "copying {len} bytes to {path_shown}; takes some seconds"
                ));
                let gesture = self.board.uf2().map_or("", |uf2| uf2.gesture);
                drive::write(path, &file, gesture)?;
                report("done: the board restarts with the model");
            }
            Way::Samba(port) => {
                let whole = joined(&segments).unwrap_or_default();
                if whole.address != self.board.flash_start {
                    return Err(SambaError::ModelOnly(self.board.title).into());
                }
                let len = whole.bytes.len();
                report(&format!(
                    "writing {len} bytes through {port}; takes half a minute"
                ));
                samba::write(port, &whole.bytes)?;
                report("done: the board restarts with the model");
            }
            Way::Dfu(command) => {
                let folder = scratch()?;
                let path = folder.path().join("flash.bin");
                let whole = joined(&segments).unwrap_or_default();
                self.output(&path, &whole.bytes)?;
                let arguments = dfu::arguments(&path, whole.address);
                report(&shown(dfu::COMMAND, &arguments));
                dfu::run(command, &arguments)?;
                report("done: the board restarts with the model");
            }
            Way::Probe(probe) => {
                let folder = scratch()?;
                let program = match (&self.program, elf) {
                    (Program::Carried(_), _) => {
                        let path = folder.path().join("program.bin");
                        // The program comes before the model.
                        self.output(&path, segments.first().map_or(&[], |first| &first.bytes))?;
                        Some(OnDisk::Bytes(path))
                    }
                    (_, elf) => elf.map(OnDisk::Elf),
                };
                for arguments in self.commands(probe, program.as_ref()) {
                    report(&shown("probe-rs", &arguments));
                    probe.run(&arguments)?;
                }
                report("done: the board restarts with the model");
            }
        }
        Ok(())
    }

    fn output(&self, path: &Path, bytes: &[u8]) -> Result<(), FlashError> {
        atomic::write(path, bytes).map_err(|source| FlashError::Output {
            path: path.into(),
            source,
        })
    }

    /// The carried program as a segment.
    fn carried(&self, image: &Image) -> Result<Segment, FlashError> {
        let board = self.board.name;
        let bytes = image.bytes();
        let bytes = bytes.map_err(|source| FlashError::Carried { board, source })?;
        Ok(Segment {
            address: self.board.flash_start,
            bytes,
        })
    }

    /// The step of writing by DFU.
    fn dfu_step(&self, with_program: bool) -> String {
        let from = match with_program {
            true => self.board.flash_start,
            false => self.board.slot_start(),
        };
        let arguments = dfu::arguments(Path::new("FLASH.bin"), from);
        format!("run {}", shown(dfu::COMMAND, &arguments))
    }

    /// The probe's commands, in order.
    fn commands(&self, probe: &Probe, program: Option<&OnDisk>) -> Vec<Vec<OsString>> {
        let program = program.map(|program| match program {
            OnDisk::Elf(path) => probe.write_program(path),
            OnDisk::Bytes(path) => probe.write_bytes(path, self.board.flash_start),
        });
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
