//! A board's program: finding its crate and building it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::boards::Board;

/// Errors of building a program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The core library for the chip is missing.
    #[error(
        "Rust has no core library for {target}; get it with: rustup target add {target} (where that \
         cannot be had: {script})"
    )]
    Target {
        /// The target.
        target: &'static str,
        /// The script that installs toolchains.
        script: PathBuf,
    },
    /// A command could not be run.
    #[error("{command}: {source}; install Rust from https://rustup.rs, or give --program FILE.elf")]
    Command {
        /// The command.
        command: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The build failed; cargo has printed the reason.
    #[error("{0}: the program could not be built; cargo's errors are above")]
    Build(PathBuf),
    /// Cargo's messages name no program.
    #[error("{0}: cargo built no program there; give one with --program FILE.elf")]
    None(PathBuf),
}

/// The folder of a board's crate: `boards/NAME` in `folder` or in one above it.
pub fn find(board: &Board, folder: &Path) -> Option<PathBuf> {
    let mut crates = folder
        .ancestors()
        .map(|above| above.join("boards").join(board.name));
    crates.find(|folder| folder.join("Cargo.toml").is_file())
}

/// Builds the program in `folder`; returns the path of the ELF file. Cargo's progress goes to
/// standard error.
///
/// # Errors
/// [`ProgramError`].
pub fn build(board: &Board, folder: &Path) -> Result<PathBuf, ProgramError> {
    build_for(board.target, &[], folder)
}

/// Checks that the program in `folder` could be built, for a description of the steps alone.
///
/// # Errors
/// [`ProgramError::Target`], [`ProgramError::Command`].
pub fn could_build(board: &Board, folder: &Path) -> Result<(), ProgramError> {
    toolchain(board.target, folder).map(drop)
}

/// [`build`] for the processor `target`, with more options of `cargo build`.
pub(super) fn build_for(
    target: &'static str,
    options: &[&str],
    folder: &Path,
) -> Result<PathBuf, ProgramError> {
    let mut cargo = Command::new("cargo");
    cargo.args(toolchain(target, folder)?);
    cargo.args(["build", "--release"]).args(options);
    // Cargo prints a line of JSON on standard output for each artifact.
    cargo.arg("--message-format=json-render-diagnostics");
    cargo
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = run("cargo", cargo)?;
    if !output.status.success() {
        return Err(ProgramError::Build(folder.into()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    built(&text).ok_or_else(|| ProgramError::None(folder.into()))
}

/// Cargo's first argument for building for the board: `None`, or `+toolchain`.
fn toolchain(target: &'static str, folder: &Path) -> Result<Option<String>, ProgramError> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]);
    rustc.current_dir(folder).stdin(Stdio::null());
    let output = run("rustc", rustc)?;
    if output.status.success() && Path::new(line(&output.stdout).trim()).is_dir() {
        return Ok(None);
    }
    let script = folder.with_file_name("arm-toolchain.sh");
    let missing = || ProgramError::Target {
        target,
        script: script.clone(),
    };
    let mut shell = Command::new("sh");
    shell.arg(&script).arg("--check").stdin(Stdio::null());
    // Without a shell there is no such toolchain either.
    let output = run("sh", shell).map_err(|_| missing())?;
    if !output.status.success() {
        return Err(missing());
    }
    let answer = line(&output.stdout);
    Ok(Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty()))
}

fn run(name: &'static str, mut command: Command) -> Result<std::process::Output, ProgramError> {
    // Boards choose their own toolchain; under cargo, posy has inherited the library path of
    // another.
    if std::env::var_os("CARGO").is_some() {
        command.env_remove("CARGO").env_remove("LD_LIBRARY_PATH");
    }
    command.output().map_err(|source| ProgramError::Command {
        command: name,
        source,
    })
}

fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().to_owned()
}

/// The last program that cargo's messages name.
fn built(messages: &str) -> Option<PathBuf> {
    let lines = messages.lines().rev();
    let mut values = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    values.find_map(|message| {
        let is_artifact = message["reason"] == "compiler-artifact";
        let executable = message["executable"].as_str().filter(|_| is_artifact)?;
        Some(PathBuf::from(executable))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;

    #[test]
    fn the_crate_is_found_from_folders_within() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("boards/rp-pico");
        let deep = root.path().join("boards/rp-pico/src/bin");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(find(&BOARDS[0], &deep), None);
        std::fs::write(folder.join("Cargo.toml"), "").unwrap();
        for from in [&deep, &folder, root.path()] {
            assert_eq!(find(&BOARDS[0], from), Some(folder.clone()));
        }
        assert_eq!(find(&BOARDS[1], &deep), None);
    }

    #[test]
    fn cargo_says_what_it_built() {
        let messages = r#"{"reason":"compiler-artifact","executable":null,"target":{"kind":["lib"]}}
{"reason":"compiler-artifact","executable":"/target/release/rp-pico","target":{"kind":["bin"]}}
not JSON
{"reason":"build-finished","success":true}"#;
        assert_eq!(built(messages), Some("/target/release/rp-pico".into()));
        assert_eq!(
            built(r#"{"reason":"build-finished","executable":"x"}"#),
            None
        );
        assert_eq!(built(""), None);
    }
}
