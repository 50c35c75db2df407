//! What can go wrong in fetching, in words for a person.

use std::io;
use std::path::PathBuf;

/// Why a file was not fetched. Nothing lies under its final name then.
#[derive(Debug, thiserror::Error)]
#[error(
    "{url} could not be fetched: {trouble}. {}, or get the file by other means and put it at {}",
    trouble.advice(),
    target.display()
)]
pub struct FetchError {
    /// The address that was asked.
    pub url: String,
    /// Where the file was to lie.
    pub target: PathBuf,
    /// What happened.
    pub trouble: Trouble,
}

/// What happened while fetching.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The server's name leads nowhere, or nobody answers there.
    #[error("the server cannot be reached ({0})")]
    Unreachable(String),
    /// The connection broke, or stood still for too long, again and again.
    #[error("the connection was lost after {} of {} bytes ({reason})", .have, told(*.want))]
    Lost {
        /// Bytes that are here.
        have: u64,
        /// Bytes that the file has, if that is known.
        want: Option<u64>,
        /// What the system says.
        reason: String,
    },
    /// The server does not give the file.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// The server gives something else.
    #[error("the answer has more than the file's {0} bytes, so it is another file")]
    TooLong(u64),
    /// The server gives something else of the same length.
    #[error("its SHA-256 is {found} where {pinned} is expected, so it is damaged or another file")]
    WrongSum {
        /// Of what came.
        found: String,
        /// Of what should have come.
        pinned: &'static str,
    },
    /// There is no room.
    #[error("the disk is full")]
    DiskFull,
    /// The file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Trouble {
    /// What to do, as the beginning of a sentence.
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

    /// From an error in writing `path`.
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
