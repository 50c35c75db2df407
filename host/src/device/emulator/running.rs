//! An emulated board that goes on running, with a serial port as a real one has.

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use super::{EmulatorError, HEIGHT, MACHINE, QEMU, WIDTH};

/// Longest wait for QEMU to name the port.
const START: Duration = Duration::from_secs(30);

/// Names of the files that the board reads. The emulator takes no path with spaces or commas; it runs where
/// they lie.
const MODEL: &str = "model.posy";
const FRAME: &str = "frame.rgb565";

/// Runs the emulator in its arguments, whose output is its own, and ends it when standard input does: however
/// posy ends, no emulator stays behind.
const UNTIL_INPUT_ENDS: &str =
    "\"$@\" & child=$!; exec >&- 2>&-; trap 'kill $child; exit' INT TERM HUP; read _; kill $child";

/// An emulated board, which is ended with this value. Its camera sees one frame until another is shown.
#[derive(Debug)]
pub struct EmulatedBoard {
    process: Child,
    port: String,
    folder: TempDir,
    /// Reads the emulator's output to its end.
    output: Option<JoinHandle<()>>,
}

impl EmulatedBoard {
    /// Starts `program` with the bytes `model` in its slot, or none; see [`super::Emulator::start`].
    pub(super) fn start(program: &Path, model: &[u8]) -> Result<Self, EmulatorError> {
        if !cfg!(unix) {
            return Err(EmulatorError::System);
        }
        let folder = tempfile::tempdir().map_err(EmulatorError::Files)?;
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.path().join(name), bytes).map_err(EmulatorError::Files)
        };
        write(MODEL, model)?;
        write(
            FRAME,
            &vec![0; 2 * usize::from(WIDTH) * usize::from(HEIGHT)],
        )?;
        let mut command = Command::new("sh");
        command
            .args(["-c", UNTIL_INPUT_ENDS, "sh", QEMU])
            .args(["-machine", &format!("mps2-{MACHINE}"), "-nographic"])
            .args(["-monitor", "none", "-serial", "pty", "-semihosting-config"])
            .arg(format!(
                "enable=on,target=native,arg=posy,arg={MODEL},arg={FRAME},arg=--serial"
            ))
            .arg("-kernel")
            .arg(fs::canonicalize(program).map_err(EmulatorError::Files)?)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().map_err(EmulatorError::Emulator)?;
        let output = process.stdout.take().zip(process.stderr.take());
        let mut board = EmulatedBoard {
            process,
            port: String::new(),
            folder,
            output: None,
        };
        let (named, output) = output.map(listen).unzip();
        board.output = output;
        board.port = named
            .and_then(|named| named.recv_timeout(START).ok())
            .unwrap_or_else(|| Err("it named no serial port".into()))
            .map_err(EmulatorError::GaveUp)?;
        Ok(board)
    }

    /// Its serial port.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Shows its camera a frame: 320 x 240 pixels, RGB565, high byte first, row by row from the top.
    ///
    /// # Errors
    /// If the frame's file cannot be written.
    pub fn show(&self, frame: &[u8]) -> io::Result<()> {
        // In place: the board has the file open.
        let path = self.folder.path().join(FRAME);
        OpenOptions::new().write(true).open(path)?.write_all(frame)
    }

    /// True if it has ended, as by a signal to the whole terminal.
    pub fn has_ended(&self) -> bool {
        self.output.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for EmulatedBoard {
    fn drop(&mut self) {
        // The end of its standard input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The port that the emulator names, or the reason why it ended before.
type Named = Receiver<Result<String, String>>;

/// Reads on whatever the emulator prints, so that it never waits for a reader, on a thread that ends with it.
fn listen((stdout, mut stderr): (ChildStdout, ChildStderr)) -> (Named, JoinHandle<()>) {
    let (sender, named) = channel();
    let failed = sender.clone();
    let output = thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                let _ = sender.send(Ok(port.to_owned()));
            }
        }
    });
    thread::spawn(move || {
        let mut said = String::new();
        let _ = stderr.read_to_string(&mut said);
        let _ = failed.send(Err(said.trim().to_owned()));
    });
    (named, output)
}

/// The terminal in QEMU's line `char device redirected to /dev/pts/3 (label serial0)`.
fn port_in(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("char device redirected to ")?;
    rest.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_its_line() {
        let line = "char device redirected to /dev/pts/3 (label serial0)";
        assert_eq!(port_in(line), Some("/dev/pts/3"));
        assert_eq!(port_in("error: the model's file: not found"), None);
    }
}
