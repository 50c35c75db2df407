//! Structured logs of boards, decoded by defmt's own decoder.
//!
//! `defmt-print` is a separate program in `target/tools`, where `tests/run.sh --all` installs it:
//! as a dependency, its library would change how every crate of the workspace reads JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use assert_cmd::Command as Timed;

use crate::draw::in_full_runs;

/// The `defmt-print` program.
pub struct Decoder {
    program: PathBuf,
}

impl Decoder {
    /// Finds the decoder in this workspace, for full runs. Prints that `test` is skipped if it is
    /// missing.
    pub fn find(test: &str) -> Option<Decoder> {
        if !in_full_runs(test) {
            return None;
        }
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
        let program = tools.join("bin/defmt-print");
        let mut version = Command::new(&program);
        match version.arg("--version").stdout(Stdio::null()).status() {
            Ok(status) if status.success() => Some(Decoder { program }),
            outcome => {
                eprintln!(
                    "SKIPPED: {test}: no defmt-print ({outcome:?}); tests/run.sh --all gets it"
                );
                None
            }
        }
    }

    /// Decodes the records in `bytes`, logged by the program in the file `elf`: `INFO the message`.
    /// Undecodable bytes become a record that says so.
    pub fn decode(&self, elf: &Path, bytes: &[u8]) -> Vec<String> {
        let mut command = Command::new(&self.program);
        command
            .arg("-e")
            .arg(elf)
            .args(["--log-format", "{L} {s}", "--show-skipped-frames"]);
        let output = Timed::from_std(command)
            .write_stdin(bytes)
            .timeout(Duration::from_secs(60))
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let text = |bytes| String::from_utf8(bytes).expect("records in UTF-8");
        let (records, said) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{said}");
        // Levels are padded to one width.
        let record = |line: &str| match line.split_once(' ') {
            Some((level, message)) => format!("{level} {}", message.trim_start()),
            None => line.to_owned(),
        };
        records.lines().map(record).collect()
    }
}
