//! File stamps: recognising an unchanged file by its metadata alone.

use std::fs::Metadata;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file that changed this recently may change again without its times moving: the time resolution
/// of file systems is two seconds at the coarsest (FAT).
const SETTLING: Duration = Duration::from_secs(2);

/// Size, times and (on Unix) inode of a file.
///
/// On Unix this includes the time of the last status change, which no ordinary program can set: a
/// file that was edited or replaced with size and modification time restored still differs.
/// Elsewhere such a file counts as unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size_bytes: u64,
    inode: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    /// Length of [`Stamp::to_bytes`], bytes.
    pub(super) const LEN: usize = 32;

    /// The stamp of a file; `None` where the system keeps no modification time.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        let (inode, changed_ns) = unix_fields(metadata);
        Some(Self {
            size_bytes: metadata.len(),
            inode,
            modified_ns: since_epoch_ns(metadata.modified().ok()?),
            changed_ns,
        })
    }

    /// Returns true if the last change is so long before `now` that another change must show.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let latest_ns = self.modified_ns.max(self.changed_ns);
        latest_ns.saturating_add(SETTLING.as_nanos() as i64) <= since_epoch_ns(now)
    }

    /// Fixed little-endian encoding for storage.
    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let fields = [
            self.size_bytes.to_le_bytes(),
            self.inode.to_le_bytes(),
            self.modified_ns.to_le_bytes(),
            self.changed_ns.to_le_bytes(),
        ];
        for (out, field) in bytes.chunks_exact_mut(8).zip(fields) {
            out.copy_from_slice(&field);
        }
        bytes
    }
}

#[cfg(unix)]
fn unix_fields(metadata: &Metadata) -> (u64, i64) {
    use std::os::unix::fs::MetadataExt;
    let changed_ns = metadata
        .ctime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.ctime_nsec());
    (metadata.ino(), changed_ns)
}

#[cfg(not(unix))]
fn unix_fields(_: &Metadata) -> (u64, i64) {
    (0, i64::MIN)
}

fn since_epoch_ns(time: SystemTime) -> i64 {
    let ns = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => ns(after),
        Err(before) => -ns(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settles_after_two_seconds() {
        let stamp = Stamp {
            size_bytes: 1,
            inode: 2,
            modified_ns: 5_000_000_000,
            changed_ns: 7_000_000_000,
        };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!stamp.is_settled(at(8)));
        assert!(stamp.is_settled(at(9)));
        // A modification time in the future never settles.
        let future = Stamp {
            modified_ns: i64::MAX,
            ..stamp
        };
        assert!(!future.is_settled(at(9)));
    }

    #[test]
    fn a_rewritten_file_has_another_stamp() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let stamp = || Stamp::of(&file.path().metadata().unwrap()).unwrap();
        std::fs::write(file.path(), b"one").unwrap();
        let first = stamp();
        assert_eq!(first, stamp());
        std::fs::write(file.path(), b"longer").unwrap();
        assert_ne!(first.to_bytes(), stamp().to_bytes());
    }
}
