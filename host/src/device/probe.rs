//! Writing through a debug probe, with the `probe-rs` command (version 0.32, <https://probe.rs>).

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use super::boards::Board;
use super::tool;

/// Errors of a debug probe.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The command could not be started, or its output not read.
    #[error("{command}: {source}")]
    Command {
        /// The command.
        command: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The command failed, and printed the reason on standard error.
    #[error("probe-rs failed: {0}")]
    Failed(&'static str),
}

/// The `probe-rs` on the search path, if it is installed.
pub fn installed() -> Option<PathBuf> {
    tool::find("probe-rs")
}

/// A chip, and its debug probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The `probe-rs` command.
    pub command: PathBuf,
    /// The chip's name.
    pub chip: &'static str,
    /// The probe in probe-rs's notation: `VID:PID` or `VID:PID:Serial`.
    pub selector: Option<String>,
}

impl Probe {
    /// The probe of a board.
    pub fn new(command: PathBuf, board: &Board, selector: Option<String>) -> Self {
        Probe {
            command,
            chip: board.chip,
            selector,
        }
    }

    /// Arguments that write an ELF file.
    pub fn write_program(&self, elf: &Path) -> Vec<OsString> {
        self.arguments(&["download"], &["--binary-format", "elf"], Some(elf))
    }

    /// Arguments that write a raw file to `address`.
    pub fn write_bytes(&self, file: &Path, address: u32) -> Vec<OsString> {
        let address = format!("{address:#010x}");
        let more = ["--binary-format", "bin", "--base-address", &address];
        self.arguments(&["download"], &more, Some(file))
    }

    /// Arguments that restart the program.
    pub fn reset(&self) -> Vec<OsString> {
        self.arguments(&["reset"], &[], None)
    }

    fn arguments(&self, verb: &[&str], more: &[&str], file: Option<&Path>) -> Vec<OsString> {
        let probe = self.selector.iter().flat_map(|probe| ["--probe", probe]);
        let words = verb.iter().copied().chain(["--chip", self.chip]);
        let words = words.chain(probe).chain(more.iter().copied());
        let file = file.map(|file| file.as_os_str().to_owned());
        words.map(OsString::from).chain(file).collect()
    }

    /// Runs the command with `arguments`; its output goes to standard error.
    ///
    /// # Errors
    /// [`ProbeError`].
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> Result<(), ProbeError> {
        let ended = tool::run(&self.command, arguments);
        let ended = ended.map_err(|source| ProbeError::Command {
            command: self.command.clone(),
            source,
        })?;
        match ended.success {
            true => Ok(()),
            false => Err(ProbeError::Failed(advice(&ended.said))),
        }
    }
}

/// Advice for a failure, by the messages of probe-rs 0.32.
fn advice(said: &str) -> &'static str {
    // A probe without permission is often not listed at all, so both cases share one advice.
    const NO_PROBE: &str = "there is no debug probe that it may open; plug the board's debug port in \
         by a cable with data lines, or a probe with its wires; on Linux it also needs probe-rs's \
         udev rules: https://probe.rs/docs/getting-started/probe-setup/";
    const KNOWN: [(&str, &str); 12] = [
        ("permission denied", NO_PROBE),
        ("access denied", NO_PROBE),
        ("no connected probes were found", NO_PROBE),
        ("probe not found", NO_PROBE),
        ("probe was not found", NO_PROBE),
        (
            "already in use",
            "another program has the probe open; end that one (a debugger, an IDE) and try again",
        ),
        (
            "failed to parse probe index",
            "there are several probes, listed above; name one with --probe VID:PID:SERIAL",
        ),
        ("failed to open probe", NO_PROBE),
        ("failed to open the debug probe", NO_PROBE),
        (
            "in the list of known targets",
            "this probe-rs does not know the board's chip; install version 0.32 or later from \
             https://probe.rs",
        ),
        (
            "failed to find or attach to the target",
            "the probe does not reach the chip; check that the board has power, and the wires \
             SWDIO, SWCLK and GND",
        ),
        (
            "unexpected argument",
            "this probe-rs takes other arguments; install version 0.32 or later from \
             https://probe.rs",
        ),
    ];
    tool::advice(said, &KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;

    #[test]
    fn arguments_are_those_of_probe_rs() {
        let mut probe = Probe::new("probe-rs".into(), &BOARDS[2], None);
        let spaced = |words: Vec<OsString>| words.join(OsStr::new(" ")).into_string().unwrap();
        assert_eq!(
            spaced(probe.write_program(Path::new("a.elf"))),
            "download --chip STM32H743ZITx --binary-format elf a.elf"
        );
        probe.selector = Some("0483:374b".to_owned());
        assert_eq!(
            spaced(probe.write_bytes(Path::new("a.posy"), 0x0802_0000)),
            "download --chip STM32H743ZITx --probe 0483:374b --binary-format bin \
             --base-address 0x08020000 a.posy"
        );
        assert_eq!(
            spaced(probe.reset()),
            "reset --chip STM32H743ZITx --probe 0483:374b"
        );
    }

    /// Messages of probe-rs 0.32.0 without a probe and for an unknown chip; the others are from its
    /// sources.
    #[test]
    fn known_failures_have_advice() {
        let cases = [
            ("Error: No connected probes were found.", "udev rules"),
            (
                "Error: Failed to open probe: Failed to open the debug probe.\n\nCaused by:\n    0: \
                 Probe could not be created\n    1: Permission denied (os error 13)",
                "udev rules",
            ),
            ("Error: Probe is already in use", "another program"),
            (
                "Error: Failed to parse probe index\n\nCaused by:\n    cannot parse integer from \
                 empty string",
                "--probe",
            ),
            (
                "Error: The requested chip 'Foo99' was not found in the list of known targets.",
                "0.32 or later",
            ),
            (
                "error: unexpected argument '--nonsense' found",
                "0.32 or later",
            ),
            (
                "Error: Failed to find or attach to the target. Please check the wiring before \
                 retrying.",
                "SWDIO",
            ),
            ("Error: something new", "above"),
        ];
        for (said, expected) in cases {
            let advice = advice(said);
            assert!(advice.contains(expected), "{said}: {advice}");
        }
    }
}
