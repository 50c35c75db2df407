//! Builds the boards' programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A cargo that builds for ARM.
pub struct Toolchain {
    /// Toolchain argument of cargo: `+toolchain`, if any.
    cargo: Option<String>,
}

/// A board's crate and its build settings.
#[derive(Clone, Copy, Debug)]
pub struct Crate {
    /// Folder in `boards`; the program's name is this after `posy-`.
    pub name: &'static str,
    /// Rust target.
    pub target: &'static str,
    /// Cargo features, separated by commas.
    pub features: &'static str,
}

/// Standard output of `command` if it succeeds, else the reason.
pub fn answer(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// Removes cargo's environment variables: boards choose their own toolchain, and the running cargo
/// passes its own to children.
pub(crate) fn free_of_cargo(command: &mut Command) -> &mut Command {
    for name in [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "LD_LIBRARY_PATH",
    ] {
        command.env_remove(name);
    }
    command
}

/// Folder of the boards' crates.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards")
}

impl Toolchain {
    /// Finds the toolchain on this machine.
    ///
    /// # Errors
    /// The missing tool.
    pub fn find() -> Result<Toolchain, String> {
        let script = folder().join("arm-toolchain.sh");
        let said = answer(free_of_cargo(Command::new(script).arg("--check")))?;
        Ok(Toolchain {
            cargo: Some(said).filter(|said| !said.is_empty()),
        })
    }

    /// Version of the compiler.
    ///
    /// # Panics
    /// There is none, although [`Toolchain::find`] has found it.
    pub fn compiler(&self) -> String {
        let mut command = Command::new("rustc");
        command.args(&self.cargo).arg("--version");
        // The project's choice of a toolchain holds from there.
        command.current_dir(folder());
        answer(free_of_cargo(&mut command)).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Builds a board's program and returns its ELF file. Builds run one at a time, because
    /// programs of one board with different features have the same name.
    pub fn build(&self, board: Crate) -> Vec<u8> {
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        // Beside the workspace's own output; boards share their dependencies. What posy carries is built
        // by a wrapper of the compiler, in a folder that no other has written to.
        let emulated = board.name.starts_with("qemu");
        let output = folder().join(match emulated {
            true => "../target/boards",
            false => "../target/programs",
        });
        let mut command = Command::new("cargo");
        if !emulated {
            command.env("RUSTC_WRAPPER", folder().join("rustc.sh"));
        }
        command
            .args(&self.cargo)
            .args(["build", "--release", "--locked", "--quiet"])
            .args(["--target", board.target])
            .args(["--features", board.features])
            .arg("--target-dir")
            .arg(&output)
            .current_dir(folder().join(board.name));
        if let Err(error) = answer(free_of_cargo(&mut command)) {
            panic!("{command:?}: {error}");
        }
        let program = format!("{}/release/posy-{}", board.target, board.name);
        let program = output.join(program);
        std::fs::read(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }
}
