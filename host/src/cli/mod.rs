//! The command line: one file per command, arguments and printing, no logic.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 for success, 1
//! for an error, 2 for arguments that make no sense.

mod backbone;
mod cache;
mod capture;
mod check;
mod compare;
mod convert;
mod demo;
mod demo_board;
mod emulate;
mod fit;
mod flash;
mod frames;
mod guard;
mod help;
mod inspect;
mod label;
mod label_image;
mod manual;
mod models;
mod monitor;
mod normalisation;
mod output;
mod page;
mod photos;
mod port;
mod preview;
mod profile;
mod progress;
mod push;
mod retrain;
mod studio;
mod trials;
mod verify;

use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

/// Teaches a pocket-sized board to name what its camera sees.
#[derive(Debug, Parser)]
#[command(
    name = "posy",
    version,
    about,
    long_about = "Teaches a pocket-sized board to name what its camera sees: retrains the last \
                  layer of a MobileNet on folders of photos, quantises it, and writes one file \
                  that runs on a microcontroller and on this machine with the same answer, bit \
                  for bit.",
    max_term_width = 100
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Retrain(Box<retrain::Arguments>),
    Check(check::Arguments),
    Compare(compare::Arguments),
    Convert(convert::Arguments),
    Label(label::Arguments),
    Inspect(inspect::Arguments),
    LabelImage(label_image::Arguments),
    Models(models::Arguments),
    Page(page::Arguments),
    Photos(photos::Arguments),
    Frames(frames::Arguments),
    Fit(fit::Arguments),
    Studio(studio::Arguments),
    Capture(capture::Arguments),
    Flash(flash::Arguments),
    Push(push::Arguments),
    Verify(verify::Arguments),
    Monitor(monitor::Arguments),
    Emulate(emulate::Arguments),
    Profile(profile::Arguments),
    Cache(cache::Arguments),
    Completions(manual::Completions),
    Man(manual::Man),
}

/// An error with a message for the user.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An invalid argument found after the command line was parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// A failure with the exit code of the command line's parser.
fn usage(error: impl std::fmt::Display) -> Failure {
    Box::new(Usage(error.to_string()))
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    if let Some(code) = guard::answer() {
        return code;
    }
    let matches = help::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match carry_out(arguments.command) {
        Ok(code) => code,
        // Broken pipe: the reader closed, as `head` does.
        Err(failure) if output::is_broken_pipe(&*failure) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note!("error: {failure}");
            match failure.is::<Usage>() {
                true => ExitCode::from(2),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn carry_out(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Retrain(arguments) => retrain::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Label(arguments) => label::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::LabelImage(arguments) => label_image::run(&arguments),
        Command::Models(arguments) => models::run(&arguments),
        Command::Page(arguments) => page::run(&arguments),
        Command::Photos(arguments) => photos::run(&arguments),
        Command::Frames(arguments) => frames::run(&arguments),
        Command::Fit(arguments) => fit::run(&arguments),
        Command::Studio(arguments) => studio::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Flash(arguments) => flash::run(&arguments),
        Command::Push(arguments) => push::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Monitor(arguments) => monitor::run(&arguments),
        Command::Emulate(arguments) => emulate::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Cache(arguments) => cache::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    }
}

/// Runs the command in the words `line`, without the leading `posy`.
fn run_line(line: &[std::ffi::OsString]) -> Result<ExitCode, Failure> {
    let words = std::iter::once("posy".into()).chain(line.iter().cloned());
    let matches = help::command().try_get_matches_from(words).map_err(usage)?;
    carry_out(
        Arguments::from_arg_matches(&matches)
            .map_err(usage)?
            .command,
    )
}
