//! `posy monitor`: output of a board.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::note;
use super::preview;
use crate::device::link::Finder;
use crate::device::port::{self, Port};
use crate::device::protocol::{Line, Lines};

/// Command byte that asks the board for one answer.
const CLASSIFY: u8 = b'c';

/// Command byte that asks the board for its status. The reply is a whole line, which also ends a
/// line that was begun before the port was opened, so a quiet board does not block the monitor.
const STATUS: u8 = b's';

/// Timeout of the board's first line.
const FIRST: Duration = Duration::from_secs(1);

/// Shows a board's answers, line by line, until Ctrl-C.
///
/// The board is found among the USB serial ports. It classifies one picture after another; its
/// button, or --once, asks for a single answer.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The serial port, such as /dev/ttyACM0, /dev/cu.usbmodem101 or COM3, if it is not found.
    #[arg(long, value_name = "PORT")]
    port: Option<String>,
    /// Baud rate; a board's own USB port accepts any.
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(1..))]
    baud: u32,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Show what the network sees above the answers, in a terminal of 24-bit colours.
    #[arg(long, conflicts_with_all = ["json", "once"])]
    preview: bool,
    /// With --preview: small pictures of the camera, ten a second or more, to aim it by; nothing is classified
    /// meanwhile.
    #[arg(long, requires = "preview")]
    quick: bool,
    /// Ask for one answer, print it and exit.
    #[arg(long)]
    once: bool,
    /// Timeout of --once, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "once", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
}

/// No answer arrived in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{port}: no answer in {seconds} s; is posy's program on this board (`posy flash`), and a camera \
     at it? `posy monitor` shows all that it says"
)]
struct NoAnswer {
    port: String,
    seconds: u32,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.preview {
        let finder = Finder {
            port: arguments.port.clone(),
            baud: arguments.baud,
            ..Finder::default()
        };
        return preview::run(&finder, arguments.quick);
    }
    let name = match &arguments.port {
        Some(name) => name.clone(),
        None => port::find()?,
    };
    let mut port = Port::open(&name, arguments.baud)?;
    port.send(STATUS)?;
    match arguments.once {
        true => once(arguments, &name, &mut port),
        false => follow(arguments, &name, &mut port),
    }
}

/// Prints lines until the port disappears.
fn follow(arguments: &Arguments, name: &str, port: &mut Port) -> Result<ExitCode, Failure> {
    note!("listening on {name}; Ctrl-C ends");
    let mut lines = Lines::default();
    let mut bytes = [0; 256];
    loop {
        let len = port.read(&mut bytes)?;
        for line in lines.push(&bytes[..len]) {
            print(arguments.json, &line)?;
        }
    }
}

/// Prints the first answer to a request; other lines go to standard error.
fn once(arguments: &Arguments, name: &str, port: &mut Port) -> Result<ExitCode, Failure> {
    let begun = Instant::now();
    let mut lines = Lines::default();
    let mut asked = false;
    let mut bytes = [0; 256];
    while begun.elapsed() < Duration::from_secs(arguments.timeout.into()) {
        let len = port.read(&mut bytes)?;
        for line in lines.push(&bytes[..len]) {
            match &line {
                // Earlier it may be the answer to a previous request.
                Line::Answer(_) if asked => {
                    print(arguments.json, &line)?;
                    return Ok(ExitCode::SUCCESS);
                }
                Line::Problem(_) => note!("{line}"),
                _ => {}
            }
        }
        if !asked && (lines.has_begun() || begun.elapsed() >= FIRST) {
            port.send(CLASSIFY)?;
            asked = true;
        }
    }
    Err(Box::new(NoAnswer {
        port: name.to_owned(),
        seconds: arguments.timeout,
    }))
}

fn print(as_json: bool, line: &Line) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if !as_json {
        writeln!(out, "{line}")?;
        return Ok(out.flush()?);
    }
    let value = match line {
        Line::Answer(answer) => {
            let labels = answer.labels.iter();
            let labels: Vec<_> = labels
                .map(|(label, score)| json!({"label": label, "score": score}))
                .collect();
            json!({"labels": labels, "unknown": answer.unknown, "time_ms": answer.time_ms})
        }
        Line::News(said) => json!({"news": said}),
        Line::Problem(said) => json!({"problem": said}),
        Line::Text(text) => json!({"text": text}),
    };
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
