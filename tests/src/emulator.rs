//! Builds the program of `boards/qemu-mps2` and runs it in QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use assert_cmd::Command as Timed;

use crate::boards::{Crate, Toolchain, answer};

/// An emulated board.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Feature of the board crate, and QEMU's name after `mps2-`.
    pub name: &'static str,
    /// Processor core.
    pub core: &'static str,
    target: &'static str,
    /// The feature, and that of structured logs.
    logging: &'static str,
}

/// The boards that the program supports.
pub const MACHINES: [Machine; 3] = [
    Machine {
        name: "an386",
        core: "Cortex-M4",
        target: "thumbv7em-none-eabihf",
        logging: "an386,defmt",
    },
    Machine {
        name: "an500",
        core: "Cortex-M7",
        target: "thumbv7em-none-eabihf",
        logging: "an500,defmt",
    },
    Machine {
        name: "an505",
        core: "Cortex-M33",
        target: "thumbv8m.main-none-eabihf",
        logging: "an505,defmt",
    },
];

/// Stand-in for a Cortex-M0+: QEMU has no such machine, but every later core runs its code.
pub const ARMV6M: Machine = Machine {
    name: "an385",
    core: "Cortex-M0+",
    target: "thumbv6m-none-eabi",
    logging: "an385,defmt",
};

/// A cargo that builds for ARM, and QEMU.
pub struct Tools {
    toolchain: Toolchain,
}

impl Tools {
    /// Finds the tools on this machine. Prints that `test` is skipped if they are missing.
    pub fn find(test: &str) -> Option<Tools> {
        let found = answer(Command::new("qemu-system-arm").arg("--version"))
            .map_err(|error| format!("qemu-system-arm: {error}; boards/arm-toolchain.sh gets it"))
            .and_then(|_| Toolchain::find());
        match found {
            Ok(toolchain) => Some(Tools { toolchain }),
            Err(reason) => {
                eprintln!("SKIPPED: {test}: {reason}");
                None
            }
        }
    }

    /// Builds the program for `machine` and copies it into `folder`.
    pub fn build(&self, machine: Machine, folder: &Path) -> PathBuf {
        self.build_with(machine, machine.name, folder)
    }

    /// [`Tools::build`], with structured logs on standard output and text on standard error.
    pub fn build_logging(&self, machine: Machine, folder: &Path) -> PathBuf {
        self.build_with(machine, machine.logging, folder)
    }

    fn build_with(&self, machine: Machine, features: &'static str, folder: &Path) -> PathBuf {
        let built = self.toolchain.build(Crate {
            name: "qemu-mps2",
            target: machine.target,
            features,
        });
        let program = folder.join(machine.name);
        std::fs::write(&program, built)
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        program
    }
}

/// Result of a program in the emulator.
pub struct Run {
    /// Standard output: the board's lines, or its structured logs.
    pub stdout: Vec<u8>,
    /// Standard error: the reason of a failure, and the board's lines if it logs structured.
    pub stderr: String,
    /// True if the exit code was 0.
    pub succeeded: bool,
}

/// Runs `program` on `machine` in `folder`, with the files `model` and `frames` there.
pub fn emulate(
    machine: Machine,
    program: &Path,
    folder: &Path,
    (model, frames): (&str, &str),
) -> Run {
    start(machine, program, folder, &[], &[model, frames])
}

/// Compares the kernels with the reference on `machine`. Returns the program's output.
pub fn check_kernels(machine: Machine, program: &Path, folder: &Path) -> Run {
    start(machine, program, folder, &[], &["--check"])
}

/// Instructions of each layer of `model`, a file in `folder`, for one picture; or the error.
pub fn profile(
    machine: Machine,
    program: &Path,
    folder: &Path,
    model: &str,
) -> Result<Vec<u64>, String> {
    let counted = ["-icount", "shift=0"];
    let run = start(machine, program, folder, &counted, &[model, "--profile"]);
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    if !run.succeeded {
        return Err(format!("{stdout}{}", run.stderr));
    }
    let count = |line: &str| line.rsplit(' ').next()?.parse().ok();
    let counts: Option<Vec<u64>> = stdout.lines().map(count).collect();
    counts.ok_or(stdout)
}

fn start(
    machine: Machine,
    program: &Path,
    folder: &Path,
    options: &[&str],
    arguments: &[&str],
) -> Run {
    let arguments: String = arguments
        .iter()
        .map(|each| format!(",arg={each}"))
        .collect();
    let mut command = Command::new("qemu-system-arm");
    command
        .args(options)
        .arg("-machine")
        .arg(format!("mps2-{}", machine.name))
        .args(["-nographic", "-monitor", "none", "-serial", "none"])
        .arg("-semihosting-config")
        .arg(format!("enable=on,target=native,arg=posy{arguments}"))
        .arg("-kernel")
        .arg(program)
        .current_dir(folder);
    let shown = format!("{command:?}");
    let output = Timed::from_std(command)
        .timeout(Duration::from_secs(900))
        .output()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert!(output.status.code().is_some(), "{shown}: {output:?}");
    Run {
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        succeeded: output.status.success(),
    }
}
