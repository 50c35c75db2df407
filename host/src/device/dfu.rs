//! The boot loader in STM32 chips, over USB: DFU with ST's extensions (application note AN3156), written with
//! the command `dfu-util` (version 0.9 or later, <https://dfu-util.sourceforge.net>).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::tool;

/// Name of the command.
pub const COMMAND: &str = "dfu-util";

/// Numbers of ST's boot loaders on USB.
const DEVICE: &str = "0483:df11";

/// Errors of writing by DFU.
#[derive(Debug, thiserror::Error)]
pub enum DfuError {
    /// The command could not be started, or its output not read.
    #[error("{command}: {source}")]
    Command {
        /// The command.
        command: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The command failed, and printed the reason on standard error.
    #[error("dfu-util failed: {0}")]
    Failed(&'static str),
}

/// The `dfu-util` on the search path, if it is installed.
pub fn installed() -> Option<PathBuf> {
    tool::find(COMMAND)
}

/// Arguments that write the raw file `file` to `address`, and start the program.
pub fn arguments(file: &Path, address: u32) -> Vec<OsString> {
    let address = format!("{address:#010x}:leave");
    let words = [
        "--device",
        DEVICE,
        "--alt",
        "0",
        "--dfuse-address",
        &address,
    ];
    let words = words.into_iter().chain(["--download"]).map(OsString::from);
    words.chain([file.as_os_str().to_owned()]).collect()
}

/// Runs the command with `arguments`; its output goes to standard error.
///
/// # Errors
/// [`DfuError`].
pub fn run(command: &Path, arguments: &[OsString]) -> Result<(), DfuError> {
    let ended = tool::run(command, arguments).map_err(|source| DfuError::Command {
        command: command.into(),
        source,
    })?;
    // A chip that starts its program may be gone before it has answered for the last time.
    match ended.success || ended.said.contains("File downloaded successfully") {
        true => Ok(()),
        false => Err(DfuError::Failed(advice(&ended.said))),
    }
}

/// Advice for a failure, by the messages of dfu-util 0.11.
fn advice(said: &str) -> &'static str {
    const KNOWN: [(&str, &str); 7] = [
        (
            "no dfu capable usb device",
            "no board waits for a program; hold its button BOOT0, press and release RESET, release BOOT0, \
             and try again",
        ),
        (
            "cannot open dfu device",
            "this user may not open the board; on Linux it needs a udev rule for 0483:df11, on Windows the \
             driver WinUSB, by https://zadig.akeo.ie",
        ),
        (
            "more than one dfu capable",
            "several boards wait for a program; leave one plugged in",
        ),
        (
            "is not writeable",
            "this chip has less flash than the board that was named; check --board",
        ),
        (
            "does not support dfuse",
            "this is no STM32 chip's own boot loader; check --board",
        ),
        (
            "read protect",
            "the chip is protected; take that off with ST's STM32CubeProgrammer, which erases it",
        ),
        (
            "download",
            "the transfer broke off, and the board has half a program; start its boot loader again (hold \
             BOOT0, press and release RESET) and try again, with another cable if it happens twice",
        ),
    ];
    tool::advice(said, &KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_of_dfu_util() {
        let words = arguments(Path::new("a.bin"), 0x0802_0000);
        let words = words.join(std::ffi::OsStr::new(" "));
        assert_eq!(
            words.to_str(),
            Some("--device 0483:df11 --alt 0 --dfuse-address 0x08020000:leave --download a.bin")
        );
    }

    /// Messages of dfu-util 0.11, from its sources.
    #[test]
    fn known_failures_have_advice() {
        let cases = [
            ("dfu-util: No DFU capable USB device available", "BOOT0"),
            (
                "dfu-util: Cannot open DFU device 0483:df11 found on devnum 5 (LIBUSB_ERROR_ACCESS)",
                "udev",
            ),
            (
                "dfu-util: More than one DFU capable USB device found! Try `--list' and specify the serial \
                 number or disconnect all but one device",
                "several boards",
            ),
            (
                "dfu-util: Last page at 0x081fffff is not writeable",
                "less flash",
            ),
            ("dfu-util: Error during download get_status", "broke off"),
            ("dfu-util: something new", "above"),
        ];
        for (said, expected) in cases {
            let advice = advice(said);
            assert!(advice.contains(expected), "{said}: {advice}");
        }
    }
}
