//! Cross-builds for 64-bit ARM and runs the result in QEMU: the kernels of ARM laptops.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::boards::{answer, free_of_cargo};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// An emulated processor, by QEMU's name.
#[derive(Clone, Copy, Debug)]
pub enum Cpu {
    /// Every extension that QEMU supports, the dot product included.
    Max,
    /// Armv8.0 without the dot product.
    CortexA53,
}

impl Cpu {
    const fn name(self) -> &'static str {
        match self {
            Cpu::Max => "max",
            Cpu::CortexA53 => "cortex-a53",
        }
    }
}

/// A cargo that builds for aarch64, and QEMU.
pub struct Tools {
    /// Toolchain argument of cargo: `+toolchain`, if any.
    cargo: Option<String>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// QEMU's command line for `cpu`, before a program and its arguments.
fn emulator(cpu: Cpu) -> [&'static str; 5] {
    let library = "/usr/aarch64-linux-gnu";
    ["qemu-aarch64", "-cpu", cpu.name(), "-L", library]
}

impl Tools {
    /// Finds the tools on this machine. Prints that `test` is skipped if they are missing.
    pub fn find(test: &str) -> Option<Tools> {
        let script = workspace().join("tests/aarch64-tools.sh");
        match answer(free_of_cargo(Command::new(script).arg("--check"))) {
            Ok(said) => Some(Tools {
                cargo: Some(said).filter(|said| !said.is_empty()),
            }),
            Err(reason) => {
                eprintln!("SKIPPED: {test}: {reason}");
                None
            }
        }
    }

    /// A cargo command on `posy-shared`.
    fn cargo(&self, cpu: Cpu, command: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .args(&self.cargo)
            .args([command, "--release", "--locked", "--quiet"])
            .args(["-p", "posy-shared", "--features", "std"])
            .args(["--target", TARGET])
            // The boards' crates are built there too and share the dependencies.
            .arg("--target-dir")
            .arg(self.output())
            .current_dir(workspace())
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
                "aarch64-linux-gnu-gcc",
            )
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                emulator(cpu).join(" "),
            )
            .stdin(Stdio::null());
        free_of_cargo(&mut cargo);
        cargo
    }

    fn output(&self) -> PathBuf {
        workspace().join("target/boards")
    }

    /// Runs the unit tests of `posy-shared` that match `filter` on `cpu`. Returns their output.
    ///
    /// # Errors
    /// Their output, if one fails.
    pub fn unit_tests(&self, cpu: Cpu, filter: &str) -> Result<String, String> {
        let mut command = self.cargo(cpu, "test");
        command.args(["--lib", filter, "--", "--nocapture"]);
        let output = command.output().map_err(|error| error.to_string())?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(text),
        }
    }

    /// Builds an example of `posy-shared` and returns its path.
    pub fn example(&self, name: &str) -> PathBuf {
        let mut command = self.cargo(Cpu::Max, "build");
        command.args(["--example", name]);
        if let Err(error) = answer(&mut command) {
            panic!("{command:?}: {error}");
        }
        self.output()
            .join(TARGET)
            .join("release/examples")
            .join(name)
    }
}

/// Output of the example `layers` on `cpu` with a kernel variant, for a model and inputs.
///
/// # Panics
/// If it fails.
pub fn run(cpu: Cpu, program: &Path, variant: &str, files: &[PathBuf]) -> String {
    let [qemu, options @ ..] = emulator(cpu);
    let mut command = Command::new(qemu);
    command.args(options).arg(program).arg(variant).args(files);
    answer(&mut command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
