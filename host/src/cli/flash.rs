//! `posy flash`: writes a program and a model to a board.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use posy_nn::model_file::ModelFile;
use posy_nn::near::meant;
use posy_shared::shown::Shown;

use super::output::{note, print_lines};
use super::{Failure, usage};
use crate::device::flash::{FlashError, Plan, Program, Way};
use crate::device::{BOARDS, Board, FileKind, Footprint};

/// Writes a model, and the program that runs it, to a board.
///
/// A board with a USB drive needs only its cable: hold the button BOOTSEL of a Raspberry Pi Pico or
/// Pico 2 while plugging it in, or press RESET of a XIAO or Feather twice, and run this command; it
/// finds the drive that appears. So does an Arduino Nano 33 BLE, which is written through its serial
/// port. A WeAct MiniSTM32H743VI is written with the command dfu-util; the kits of Nordic and ST, and
/// any board with a debug probe, with the command probe-rs (https://probe.rs).
///
/// posy carries the program of each board; --build builds it anew, from boards/NAME of the posy
/// checkout that this is run in.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The board.
    #[arg(long, value_name = "NAME", value_parser = BoardParser)]
    board: &'static Board,
    /// The .posy file that `posy retrain` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Write this program, an ELF file, instead of the one that posy carries.
    #[arg(long, value_name = "FILE", conflicts_with = "model_only")]
    program: Option<PathBuf>,
    /// Build the program from boards/NAME of a checkout of posy; needs Rust.
    #[arg(long, conflicts_with_all = ["program", "model_only"])]
    build: bool,
    /// Write only the model; the board keeps its program.
    #[arg(long)]
    model_only: bool,
    /// Write a file to be put onto the board later, and stop: UF2 for a board with a drive, flash
    /// contents as they are for an Arduino, else Intel HEX.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["drive", "port", "probe"])]
    output: Option<PathBuf>,
    /// The folder where the board's drive is mounted, if it is not found.
    #[arg(long, value_name = "FOLDER", conflicts_with = "probe")]
    drive: Option<PathBuf>,
    /// The serial port of an Arduino's boot loader, if it is not found.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["drive", "probe"])]
    port: Option<String>,
    /// Write with this debug probe, as probe-rs names it; `probe-rs list` shows them.
    #[arg(long, value_name = "VID:PID[:SERIAL]")]
    probe: Option<String>,
    /// Print each step without doing it.
    #[arg(long)]
    dry_run: bool,
}

/// Value parser for the name of a board.
#[derive(Clone, Debug)]
struct BoardParser;

impl TypedValueParser for BoardParser {
    type Value = &'static Board;

    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        name: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let named = BOARDS.iter().find(|board| name == board.name);
        named.ok_or_else(|| {
            let (name, names) = (
                name.to_string_lossy(),
                BOARDS.iter().map(|board| board.name),
            );
            let meant = match meant(&name, names.clone()) {
                Some(meant) => format!("; did you mean {meant}?"),
                None => ".".into(),
            };
            let names: Vec<&str> = names.collect();
            let names = names.join(", ");
            let name = Shown::name(&name);
            let text = format!("no board is called \"{name}\"{meant} There are: {names}\n");
            clap::Error::raw(ErrorKind::InvalidValue, text)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |board: &Board| PossibleValue::new(board.name).help(board.title);
        Some(Box::new(BOARDS.iter().map(value)))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let board = arguments.board;
    let file = ModelFile::open(&arguments.model)?;
    let footprint = Footprint::of_model(&file.classifier()?);
    let program = match &arguments.program {
        _ if arguments.model_only => Program::Kept,
        Some(path) => Program::File(path.clone()),
        None if arguments.build => Program::of_checkout(board, &std::env::current_dir()?)?,
        None => Program::carried(board)?,
    };
    let plan = Plan::new(board, &arguments.model, file.bytes(), footprint, program)?;
    let way = match (&arguments.output, &arguments.drive, &arguments.probe) {
        (Some(path), _, _) => Ok(Way::file(board, path.clone())),
        (_, Some(path), _) => Way::drive(board, path.clone()),
        (_, _, Some(probe)) => Way::probe(board, Some(probe.clone())),
        _ => match &arguments.port {
            Some(port) => Way::port(board, port.clone()),
            None => Way::find(board),
        },
    };
    let way = match way {
        // The last step reports the missing tool.
        Err(FlashError::NoWay(_)) if arguments.dry_run => None,
        Err(error @ (FlashError::NoDrive(_) | FlashError::NoSerialPort(_))) => {
            return Err(usage(error));
        }
        way => Some(way?),
    };
    match way {
        Some(way) if !arguments.dry_run => {
            plan.carry_out(&way, |step| note!("{step}"))?;
            match way {
                Way::File(path, kind) => note!("next: {}", after_file(board, &path, kind)),
                _ => note!("next: posy monitor"),
            }
        }
        way => print_lines(&plan.steps(way.as_ref())?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Instruction for a file that was written.
fn after_file(board: &Board, path: &Path, kind: FileKind) -> String {
    let path = path.display();
    match kind {
        FileKind::Uf2(_) => "copy it to the drive that the board shows".to_owned(),
        FileKind::Hex => format!(
            "write it with any programmer, as probe-rs download --chip {} --binary-format hex {path}",
            board.chip
        ),
        FileKind::Bin => format!("write it with BOSSA of Arduino's, as bossac -e -w {path} -R"),
    }
}
