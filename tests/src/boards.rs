//! Building the programs of boards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A cargo that builds for ARM.
pub struct Toolchain {
    /// What cargo must be told first: nothing, or `+toolchain`.
    cargo: Option<String>,
}

/// A board's crate, and how it is built.
#[derive(Clone, Copy, Debug)]
pub struct Crate {
    /// Its folder among the boards; its program is called so too, behind `posy-`.
    pub name: &'static str,
    /// Its processor, as Rust calls it.
    pub target: &'static str,
    /// Its features, with commas between them.
    pub features: &'static str,
}

/// What `command` has on standard output, if it can be run and succeeds; else why not.
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

/// Boards choose their own toolchain: what the running cargo passes on to its children is of
/// another.
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

/// The folder of the boards' crates.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards")
}

impl Toolchain {
    /// The toolchain of this machine.
    ///
    /// # Errors
    /// Says what is missing, where there is none.
    pub fn find() -> Result<Toolchain, String> {
        let script = folder().join("arm-toolchain.sh");
        let said = answer(free_of_cargo(Command::new(script).arg("--check")))?;
        Ok(Toolchain {
            cargo: Some(said).filter(|said| !said.is_empty()),
        })
    }

    /// Builds a board's program; the bytes of its ELF file. One build at a time: programs of one board
    /// with different features have one name.
    pub fn build(&self, board: Crate) -> Vec<u8> {
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        // Beside the other output of the workspace: boards share what they have in common.
        let output = folder().join("../target/boards");
        let mut command = Command::new("cargo");
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
