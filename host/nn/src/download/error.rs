//! Errors of downloads.

use std::io;
use std::path::PathBuf;

/// A failed download. No file exists under the final name then.
#[derive(Debug, thiserror::Error)]
#[error(
    "{url} could not be fetched: {cause}. {}, or get the file by other means and put it at {}",
    cause.advice(),
    target.display()
)]
pub struct FetchError {
    /// Address.
    pub url: String,
    /// Target path.
    pub target: PathBuf,
    /// Cause.
    pub cause: DownloadError,
}

/// Cause of a failed download.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// Name lookup or connection failed.
    #[error("the server cannot be reached ({0})")]
    Unreachable(String),
    /// The connection broke or stalled repeatedly.
    #[error("the connection was lost after {} of {} bytes ({reason})", .have, told(*.want))]
    Lost {
        /// Bytes on disk.
        have: u64,
        /// Total bytes, if known.
        want: Option<u64>,
        /// Message of the last error.
        reason: String,
    },
    /// An HTTP status other than success.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The file is longer than expected.
    #[error("the answer has more than the file's {0} bytes, so it is another file")]
    TooLong(u64),
    /// The file's checksum differs from the pinned one.
    #[error("its SHA-256 is {found} where {pinned} is expected, so it is damaged or another file")]
    WrongSum {
        /// SHA-256 of the downloaded bytes.
        found: String,
        /// Expected SHA-256.
        pinned: &'static str,
    },
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl DownloadError {
    /// Advice, as the beginning of a sentence.
    fn advice(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "Check the network (a proxy is taken from HTTPS_PROXY, another server from POSY_MIRROR)"
            }
            Self::Lost { .. } => "Run the command again: it goes on where it stopped",
            Self::Status(_) => "Try again later",
            Self::TooLong(_) | Self::WrongSum { .. } => {
                "Try again; if it happens again, something on the way changes the file (a proxy, a log-in page)"
            }
            Self::DiskFull => "Make room and run the command again: it goes on where it stopped",
            Self::Write { .. } => "Make the folder writable",
        }
    }

    /// Converts an error from writing `path`.
    pub(super) fn writing(path: &std::path::Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::Write {
                path: path.to_owned(),
                source,
            },
        }
    }
}

fn told(want: Option<u64>) -> String {
    want.map_or_else(|| "an unknown number of".into(), |want| want.to_string())
}
