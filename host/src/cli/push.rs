//! `posy push`: writes a model to a board over its serial port.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::{kib, note, print_json};
use super::port::PortArguments;
use crate::device::link::{LinkError, Progress, Pushed};
use posy_nn::model_file::ModelFile;

/// Time for which a board that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Writes a model to a board over its cable, while its program goes on running.
///
/// Only what differs is sent: after retraining that is the last layer alone. The board checks the model
/// before it runs it; until then the old one stays, whenever power fails or the cable is pulled.
/// `posy flash` writes programs.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The .posy file that `posy retrain` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    port: PortArguments,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.model)?;
    file.classifier()?;
    let begun = Instant::now();
    let mut connection = arguments.port.connect()?;
    let finder = arguments.port.finder();
    let pushed = loop {
        match connection.push(file.bytes(), &mut show) {
            Err(error) if passes(&error) && begun.elapsed() < PATIENCE => {
                note!("{error}");
                note!("waiting for the board");
                connection = finder.connect_again(PATIENCE)?;
            }
            pushed => break pushed?,
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let board = connection.info().board.clone();
    if arguments.json {
        print_json(&json!({
            "board": board, "port": connection.port(), "bytes": file.bytes().len(),
            "sent": pushed.sent, "head_alone": pushed.head_alone, "unchanged": pushed.unchanged,
            "seconds": seconds,
        }))?;
    } else {
        note!("{}", words(pushed, &board, seconds));
    }
    Ok(ExitCode::SUCCESS)
}

/// Errors after which the board is looked for again: it was unplugged, or started anew.
const fn passes(error: &LinkError) -> bool {
    error.is_passing()
}

fn words(pushed: Pushed, board: &str, seconds: f64) -> String {
    match pushed {
        Pushed {
            unchanged: true, ..
        } => format!("{board}: has this model already"),
        Pushed {
            sent, head_alone, ..
        } => {
            let part = match head_alone {
                true => "the last layer alone",
                false => "the whole model",
            };
            format!(
                "{board}: runs the model; {part}, {} KiB sent, {seconds:.1} s",
                kib(sent as u64)
            )
        }
    }
}

/// Shows progress where somebody is looking.
fn show(progress: Progress) {
    let mut err = std::io::stderr();
    if err.is_terminal() && progress.all > 0 {
        let end = if progress.done >= progress.all {
            "\n"
        } else {
            ""
        };
        let _ = write!(
            err,
            "\rpushing {:3}%{end}",
            100 * progress.done / progress.all
        );
    }
}
