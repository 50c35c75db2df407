//! Programs of others that write boards: finding and running them.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes at the end of a program's output that are kept.
const REMEMBERED: usize = 64 * 1024;

/// The program `name` on the search path, if it is installed.
pub fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(&name));
    files.find(|file| file.is_file())
}

/// End of a program: its success, and its last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// True if its exit code was 0.
    pub success: bool,
    /// The end of its standard output, and of its standard error.
    pub said: String,
}

/// Runs a program; its output goes to standard error.
///
/// # Errors
/// It could not be started, or its output not read.
pub fn run(command: &Path, arguments: &[impl AsRef<OsStr>]) -> io::Result<Ended> {
    // Without an input, a program fails instead of asking.
    let mut child = Command::new(command)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err) = std::thread::scope(|scope| {
        let out = scope.spawn(|| stdout.map_or_else(|| Ok(Vec::new()), pass_on));
        let err = stderr.map_or_else(|| Ok(Vec::new()), pass_on);
        let out = out
            .join()
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        (out, err)
    });
    let said = [out?, err?].concat();
    Ok(Ended {
        success: child.wait()?.success(),
        said: String::from_utf8_lossy(&said).into_owned(),
    })
}

/// Advice for a failure: that of the first of `known` whose text, in lower case, the program said.
pub fn advice(said: &str, known: &[(&str, &'static str)]) -> &'static str {
    let said = said.to_lowercase();
    let found = known.iter().find(|(text, _)| said.contains(text));
    found.map_or("its reason is above", |(_, advice)| advice)
}

/// Copies everything to standard error; returns the end of it.
fn pass_on(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let len = match from.read(&mut bytes) {
            Ok(0) => return Ok(said),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // If nobody reads standard error, the work goes on.
        let _ = io::stderr().write_all(&bytes[..len]);
        said.extend(&bytes[..len]);
        said.drain(..said.len().saturating_sub(REMEMBERED));
    }
}
