//! Shell completions and man pages.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::help::command;
use super::output::print_lines;
use super::{Failure, output};

/// Prints a shell's completion script for posy's commands and options.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Writes man pages, one for posy and one for each command.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Output folder.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub(super) fn completions(arguments: &Completions) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "posy", &mut text);
    output::print_bytes(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(arguments: &Man) -> Result<ExitCode, Failure> {
    let folder = &arguments.out;
    let named = |error: io::Error| format!("{}: cannot be written: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(named)?;
    clap_mangen::generate_to(command(), folder).map_err(named)?;
    print_lines(&[folder.display().to_string()])?;
    Ok(ExitCode::SUCCESS)
}
