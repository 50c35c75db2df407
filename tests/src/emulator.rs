//! The program of `boards/qemu-mps2`: building it, and running it in QEMU.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use assert_cmd::Command as Timed;

use crate::answers::Answer;
use crate::boards::{Crate, Toolchain, answer};

/// An emulated board.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// As the feature of the board crate names it, and QEMU after `mps2-`.
    pub name: &'static str,
    /// Its processor.
    pub core: &'static str,
    target: &'static str,
}

/// The boards that the program is for.
pub const MACHINES: [Machine; 3] = [
    Machine {
        name: "an386",
        core: "Cortex-M4",
        target: "thumbv7em-none-eabihf",
    },
    Machine {
        name: "an500",
        core: "Cortex-M7",
        target: "thumbv7em-none-eabihf",
    },
    Machine {
        name: "an505",
        core: "Cortex-M33",
        target: "thumbv8m.main-none-eabihf",
    },
];

/// A cargo that builds for ARM, and an emulator.
pub struct Tools {
    toolchain: Toolchain,
}

impl Tools {
    /// The tools of this machine. Where they are missing, says loudly that `test` is skipped.
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
        let built = self.toolchain.build(Crate {
            name: "qemu-mps2",
            target: machine.target,
            features: machine.name,
        });
        let program = folder.join(machine.name);
        std::fs::copy(&built, &program)
            .unwrap_or_else(|error| panic!("{}: {error}", built.display()));
        program
    }
}

/// Runs `program` on `machine` in `folder`, with the files `model` and `frames` there; what it
/// printed, and whether it succeeded.
pub fn emulate(
    machine: Machine,
    program: &Path,
    folder: &Path,
    (model, frames): (&str, &str),
) -> (String, bool) {
    let mut command = Command::new("qemu-system-arm");
    command
        .arg("-machine")
        .arg(format!("mps2-{}", machine.name))
        .args(["-nographic", "-monitor", "none", "-serial", "none"])
        .arg("-semihosting-config")
        .arg(format!(
            "enable=on,target=native,arg=posy,arg={model},arg={frames}"
        ))
        .arg("-kernel")
        .arg(program)
        .current_dir(folder);
    let shown = format!("{command:?}");
    let output = Timed::from_std(command)
        .timeout(Duration::from_secs(900))
        .output()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert!(output.status.code().is_some(), "{shown}: {output:?}");
    let printed = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&printed).into_owned(),
        output.status.success(),
    )
}

/// The answers in what the program printed; every line is accounted for.
pub fn answers(printed: &str) -> Vec<Answer> {
    let mut lines = printed.lines();
    let mut next = || {
        lines
            .next()
            .unwrap_or_else(|| panic!("too short: {printed}"))
    };
    assert!(next().starts_with("model: "), "{printed}");
    assert_eq!(next(), "golden check: passed", "{printed}");
    let mut answers = Vec::new();
    loop {
        let line = next();
        let Some(logits) = line.strip_prefix("logits:") else {
            assert_eq!(line, format!("frames classified: {}", answers.len()));
            assert_eq!(lines.next(), None, "{printed}");
            return answers;
        };
        let logits = logits.split_whitespace().map(|logit| logit.parse());
        let (ranking, time) = next().rsplit_once("  ").expect("a ranking and a time");
        assert!(time.ends_with(" ms"), "{time}");
        answers.push(Answer {
            logits: logits.collect::<Result<_, _>>().expect("int8 logits"),
            ranking: ranking.into(),
        });
    }
}
