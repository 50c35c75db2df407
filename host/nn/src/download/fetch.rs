//! Downloads one file.
//!
//! An incomplete file has `.part` appended to its name, and a later attempt resumes it. It gets its
//! final name once its SHA-256 is verified. A lock file (`.lock`) keeps two processes from writing
//! the same part.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::{DownloadError, FetchError};
use super::http::ask;
use super::pinned::Pinned;

/// Observer of a download's progress.
pub trait ProgressSink {
    /// Reports the bytes on disk and the total, if known.
    fn at(&self, have: u64, want: Option<u64>);
    /// Reports that another process downloads the same file and that this one waits for it.
    fn waiting(&self) {}
}

/// A meter that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn at(&self, _: u64, _: Option<u64>) {}
}

/// Timeouts and retries.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Timeout of name lookup, connection, and response headers, each.
    pub connect: Duration,
    /// Timeout of one response body. After it the connection counts as lost, and the next attempt
    /// resumes; so a slow connection finishes, and a dead one does not hang.
    pub body: Duration,
    /// Maximum number of consecutive attempts without progress.
    pub attempts: u32,
    /// Pause after the first lost connection; doubled after each further one.
    pub pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            connect: Duration::from_secs(20),
            body: Duration::from_secs(120),
            attempts: 3,
            pause: Duration::from_millis(500),
        }
    }
}

/// Downloads the file `what` to `target` unless it exists. An existing file is not checked again:
/// it got its name only after its checksum was verified.
///
/// # Errors
/// [`FetchError`] names address, target and remedy. A partial file is kept for the next attempt
/// unless it is known to be wrong.
pub fn download(
    what: &Pinned,
    target: &Path,
    retries: &RetryPolicy,
    progress: &dyn ProgressSink,
) -> Result<(), FetchError> {
    if target.is_file() {
        return Ok(());
    }
    let url = what.address();
    let attempts = Attempts {
        what,
        url: &url,
        part: beside(target, "part"),
        target,
        retries,
        progress,
    };
    let result = lock(target, progress).and_then(|_locked| match target.is_file() {
        // Another process has just finished it.
        true => Ok(()),
        false => attempts.run(),
    });
    result.map_err(|cause| FetchError {
        url: url.clone(),
        target: target.to_owned(),
        cause,
    })
}

/// `target` with `.ending` appended to its name.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Waits for the lock on `target` and holds it until the result is dropped. Creates the folder. The
/// lock file stays: removing it would let two processes hold two locks of one name.
///
/// # Errors
/// If the folder or the lock file cannot be created.
pub fn lock(target: &Path, progress: &dyn ProgressSink) -> Result<File, DownloadError> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(|error| DownloadError::writing(folder, error))?;
    }
    let path = beside(target, "lock");
    let failed = |error| DownloadError::writing(&path, error);
    let lock = File::create(&path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.waiting();
            lock.lock().map_err(failed)?;
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    Ok(lock)
}

struct Attempts<'a> {
    what: &'a Pinned,
    url: &'a str,
    part: PathBuf,
    target: &'a Path,
    retries: &'a RetryPolicy,
    progress: &'a dyn ProgressSink,
}

impl Attempts<'_> {
    fn run(&self) -> Result<(), DownloadError> {
        let resumed = self.have() > 0;
        match self.fetch_and_place() {
            // A part left by an earlier process may be of another version of the file.
            Err(DownloadError::WrongSum { .. } | DownloadError::TooLong(_)) if resumed => {
                self.fetch_and_place()
            }
            result => result,
        }
    }

    fn have(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |part| part.len())
    }

    fn fetch_and_place(&self) -> Result<(), DownloadError> {
        let mut fruitless = 0;
        while !self.complete() {
            let before = self.have();
            let (body, step) = (self.retries.body, fruitless.min(8));
            match self.attempt(before, body.saturating_mul(1 << step)) {
                Ok(()) => break,
                Err(cause @ DownloadError::Lost { .. }) => {
                    fruitless = if self.have() > before {
                        0
                    } else {
                        fruitless + 1
                    };
                    if fruitless >= self.retries.attempts {
                        return Err(cause);
                    }
                    sleep(self.retries.pause * (fruitless + 1));
                }
                Err(cause) => return Err(cause),
            }
        }
        self.place()
    }

    fn complete(&self) -> bool {
        self.what.len == Some(self.have())
    }

    /// Performs one request; `Ok` at the end of the body.
    fn attempt(&self, before: u64, body_time: Duration) -> Result<(), DownloadError> {
        let answer = ask(self.url, before, self.retries.connect, body_time)?;
        let writing = |error| DownloadError::writing(&self.part, error);
        let mut options = OpenOptions::new();
        let mut part = options
            .write(true)
            .create(true)
            .truncate(answer.start == 0)
            .open(&self.part)
            .map_err(writing)?;
        part.seek(SeekFrom::Start(answer.start)).map_err(writing)?;
        let (mut have, bound) = (answer.start, self.what.bound());
        let mut body = answer.body;
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.progress.at(have, self.what.len);
            let lost = |reason: String| DownloadError::Lost {
                have,
                want: self.what.len,
                reason,
            };
            let count = match body.read(&mut buffer) {
                Ok(0) if self.what.len.is_some_and(|len| have < len) => {
                    return Err(lost("the answer ended early".into()));
                }
                Ok(0) => return part.sync_all().map_err(writing),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(lost(error.to_string())),
            };
            have += count as u64;
            if have > bound {
                self.discard();
                return Err(DownloadError::TooLong(bound));
            }
            part.write_all(&buffer[..count]).map_err(writing)?;
        }
    }

    /// Verifies the checksum and renames the file.
    fn place(&self) -> Result<(), DownloadError> {
        let reading = |error| DownloadError::writing(&self.part, error);
        let mut part = File::open(&self.part).map_err(reading)?;
        let mut sum = Sha256::new();
        io::copy(&mut part, &mut HashWriter(&mut sum)).map_err(reading)?;
        let digits = sum.finalize();
        let found: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        if found != self.what.sha256 {
            self.discard();
            let pinned = self.what.sha256;
            return Err(DownloadError::WrongSum { found, pinned });
        }
        fs::rename(&self.part, self.target)
            .map_err(|error| DownloadError::writing(self.target, error))
    }

    /// Removes a part known to be wrong, which must not be resumed. If it cannot be removed, the
    /// next attempt detects it again.
    fn discard(&self) {
        let _ = fs::remove_file(&self.part);
    }
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
