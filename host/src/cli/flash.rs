//! `posy flash`: writes a program and a model to a board.

use std::ffi::OsStr;
use std::path::PathBuf;
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
use crate::device::{BOARDS, Board, Footprint};

/// Writes a model, and the program that runs it, to a board.
///
/// A Raspberry Pi Pico or Pico 2 needs only its USB cable: hold its button BOOTSEL while plugging
/// it in, and run this command; it finds the drive that appears. Other boards, and a Pico with a
/// debug probe, are written with the command probe-rs (https://probe.rs).
///
/// The program is built from boards/NAME of the posy checkout that this is run in, unless --program
/// or --model-only is given.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The board.
    #[arg(long, value_name = "NAME", value_parser = BoardParser)]
    board: &'static Board,
    /// The .posy file that `posy retrain` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Write this program, an ELF file, instead of building one.
    #[arg(long, value_name = "FILE", conflicts_with = "model_only")]
    program: Option<PathBuf>,
    /// Write only the model; the board keeps its program.
    #[arg(long)]
    model_only: bool,
    /// Write a UF2 file, to be copied to the board's drive later, and stop.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["drive", "probe"])]
    output: Option<PathBuf>,
    /// The folder where the board's drive is mounted, if it is not found.
    #[arg(long, value_name = "FOLDER", conflicts_with = "probe")]
    drive: Option<PathBuf>,
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
        None => Program::of_checkout(board, &std::env::current_dir()?)?,
    };
    let plan = Plan::new(board, &arguments.model, file.bytes(), footprint, program)?;
    let way = match (&arguments.output, &arguments.drive, &arguments.probe) {
        (Some(path), _, _) => Way::file(board, path.clone()),
        (_, Some(path), _) => Way::drive(board, path.clone()),
        (_, _, Some(probe)) => Way::probe(board, Some(probe.clone())),
        _ => Way::find(board),
    };
    let way = match way {
        // The last step reports the missing tool.
        Err(FlashError::NoWay(_)) if arguments.dry_run => None,
        Err(error @ FlashError::TakesNoUf2 { .. }) => return Err(usage(error)),
        way => Some(way?),
    };
    match way {
        Some(way) if !arguments.dry_run => {
            plan.carry_out(&way, |step| note!("{step}"))?;
            match way {
                Way::File(..) => note!("next: copy it to the drive that the board shows"),
                _ => note!("next: posy monitor"),
            }
        }
        way => print_lines(&plan.steps(way.as_ref())?)?,
    }
    Ok(ExitCode::SUCCESS)
}
