//! `posy studio`: the live page.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::{Args, ValueEnum};
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

use super::backbone::network;
use super::emulate::SceneArguments;
use super::normalisation::PixelArguments;
use super::output::note;
use super::port::PortArguments;
use super::retrain::files::{Destinations, Results};
use super::retrain::record::record;
use super::{Failure, cache, usage};
use crate::dataset::split::{Percentages, Rule};
use crate::device::link::Finder;
use crate::retrain::{Calibration, Prepared, TrainedModel};
use crate::studio::folder::Folder;
use crate::studio::{BoardChoice, Settings, Studio};
use posy_nn::zoo::{Architecture, Version};

/// The folder where none is named.
pub(super) const FOLDER: &str = "posy-studio";

/// The network where none is named: it fits every board, and is the quickest.
const DEFAULT: Architecture = Architecture {
    version: Version::V1,
    width_percent: 25,
    size: 128,
};

/// Factor of time-outs of an emulated board: other programs may keep the processor busy.
const SLOW: u32 = 4;

/// Teaches, trains and tries a network live, in a page on this machine.
///
/// Pictures come from a board's camera, a webcam, or files; hold a button to record them. Training takes
/// less than a second and starts by itself; the answers are live; a button pushes the model to the
/// board. Everything lies in FOLDER: photos/LABEL, and model.posy with its records, which the other
/// commands read and write too.
///
/// The page is for this machine and this run alone: its address has a token.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder of photos and models; it is made if it is not there.
    #[arg(value_name = "FOLDER", default_value = FOLDER)]
    folder: PathBuf,
    /// Pre-trained network to start from, as for `posy retrain` [default: mobilenet_0.25_128].
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
    /// File of the pre-trained network, in place of an architecture's own.
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// The board.
    #[arg(long, value_enum, default_value_t = BoardName::Serial)]
    board: BoardName,
    #[command(flatten)]
    scene: SceneArguments,
    #[command(flatten)]
    port: PortArguments,
    /// Port of this machine for the page [default: 7679, or any if that is taken].
    #[arg(long, value_name = "N")]
    http_port: Option<u16>,
    /// Print the address of the page, and do not open it.
    #[arg(long)]
    no_open: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BoardName {
    /// The board on a serial port.
    Serial,
    /// An emulated board, where QEMU is installed; see `posy emulate`.
    Emulator,
    /// No board.
    None,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let folder = Folder::open(&arguments.folder)?;
    let architecture = arguments.architecture.as_ref().unwrap_or(&DEFAULT);
    let backbone = network(
        Some(architecture),
        arguments.backbone.as_deref(),
        None,
        &PixelArguments::default(),
        &Calibration {
            image_dir: folder.photos(),
            input: InputContract {
                crop: Crop::Squash,
                filter: Filter::Area,
                table: None,
            },
            rule: Rule::Stable { seed: 0 },
            percentages: Percentages::USUAL,
        },
    )?;
    note!("backbone: {} ({})", backbone.name, backbone.path.display());
    let model = folder.model();
    // It ends with this command.
    let emulated = match arguments.board {
        BoardName::Emulator => Some(arguments.scene.start(&[])?),
        BoardName::Serial | BoardName::None if arguments.scene.scene.is_some() => {
            return Err(usage("--scene is for --board emulator"));
        }
        BoardName::Serial | BoardName::None => None,
    };
    let board = match (arguments.board, &emulated) {
        (_, Some(emulated)) => BoardChoice::Found(Finder {
            port: Some(emulated.port().to_owned()),
            slow: SLOW,
            ..Finder::default()
        }),
        (BoardName::None, _) => BoardChoice::None,
        _ => BoardChoice::Found(arguments.port.finder()),
    };
    let studio = Studio::new(Settings {
        folder: arguments.folder.clone(),
        port: arguments.http_port,
        board,
        backbone,
        cache: cache::open(None)?,
        keep: Box::new(move |prepared, outcome| keep(&model, prepared, outcome)),
    })?;
    let address = studio.address();
    let mut out = io::stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()?;
    drop(out);
    note!(
        "photos and model: {}; Ctrl-C ends",
        arguments.folder.display()
    );
    if !arguments.no_open && !open(&address) {
        note!("open the address above in a browser");
    }
    studio.serve()?;
    Ok(ExitCode::SUCCESS)
}

/// Writes model, split and record, as `posy retrain` does.
fn keep(model: &Path, prepared: &Prepared, outcome: &TrainedModel) -> Result<(), String> {
    let destinations = Destinations::new(model, None);
    let destinations = destinations.and_of_boards(None, None, None);
    let mut results = Results::default();
    results.add(&destinations.model, Ok::<_, Failure>(outcome.model.clone()));
    results.add(&destinations.split, outcome.split.to_bytes());
    if let Some(destination) = &destinations.record {
        let record = record(prepared, outcome, &model.to_string_lossy());
        results.add(
            destination,
            record.and_then(|record| Ok(record.to_bytes()?)),
        );
    }
    match results.place() {
        true => Ok(()),
        false => Err(format!(
            "{} cannot be written; is the disk full? The model answers here, and is written after the next training",
            model.display()
        )),
    }
}

/// Opens the address in the user's browser; returns true if a program for that was started.
fn open(address: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = match std::env::consts::OS {
        "macos" => ("open", &[]),
        "windows" => ("rundll32", &["url.dll,FileProtocolHandler"]),
        _ => ("xdg-open", &[]),
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(address).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
