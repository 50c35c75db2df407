//! The drive of a board's boot loader: finding it and writing to it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::boards::Uf2Drive;

/// The file that identifies such a drive.
const INFO: &str = "INFO_UF2.TXT";

/// Bytes of a block of a UF2 file.
const BLOCK_BYTES: usize = 512;

/// Maximum number of bytes that are read of it; boot ROMs write less than a hundred.
const INFO_BYTES: u64 = 4096;

/// The name of the file that is written. A board ignores it; FAT has room for 8 + 3 letters.
const FILE: &str = "POSY.UF2";

/// Errors of finding or writing a drive.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Several boards wait for a program.
    #[error(
        "{} boards wait for a program; name the drive of one with --drive: {}",
        .0.len(),
        listed(.0)
    )]
    Several(Vec<PathBuf>),
    /// The folder is not a board's drive.
    #[error(
        "{path}: this is no drive of a board: it has no file {INFO}; to start the board's loader, \
         {gesture}, and give the folder where its drive appears"
    )]
    NoDrive {
        /// The folder.
        path: PathBuf,
        /// Instruction that makes the drive appear.
        gesture: &'static str,
    },
    /// The drive of another board.
    #[error("{path}: this is the drive of a {found}, not of a {expected}")]
    Other {
        /// The drive.
        path: PathBuf,
        /// Board that the drive belongs to.
        found: String,
        /// Expected board.
        expected: &'static str,
    },
    /// Writing the file failed.
    #[error("{path}: {source}; unplug the board and plug it in, {gesture}, and try again")]
    Io {
        /// The file.
        path: PathBuf,
        /// Instruction that makes the drive appear.
        gesture: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

fn listed(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    shown.join(", ")
}

/// The mounted drive of a board of this kind, if there is one.
///
/// # Errors
/// [`DriveError::Several`].
pub fn find(drive: &Uf2Drive) -> Result<Option<PathBuf>, DriveError> {
    let mut found: Vec<PathBuf> = mount_points();
    found.retain(|path| board_id(path).is_some_and(|id| drive.has_id(&id)));
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(DriveError::Several(found)),
    }
}

/// Checks that `path` is the drive of a board of this kind.
///
/// # Errors
/// [`DriveError::NoDrive`], [`DriveError::Other`].
pub fn check(path: &Path, drive: &Uf2Drive) -> Result<(), DriveError> {
    match board_id(path) {
        None => Err(DriveError::NoDrive {
            path: path.into(),
            gesture: drive.gesture,
        }),
        Some(found) if drive.has_id(&found) => Ok(()),
        Some(found) => Err(DriveError::Other {
            path: path.into(),
            found,
            expected: drive.board_ids.first().copied().unwrap_or("board"),
        }),
    }
}

/// Writes a UF2 file to a drive, which `gesture` has made appear; returns the file's path.
///
/// # Errors
/// [`DriveError::Io`].
pub fn write(drive: &Path, uf2: &[u8], gesture: &'static str) -> Result<PathBuf, DriveError> {
    let path = drive.join(FILE);
    let is_gone = || board_id(drive).is_none();
    let written = File::create(&path).and_then(|mut file| {
        hand_over(&mut file, uf2, is_gone)?;
        match file.sync_all() {
            Err(_) if is_gone() => Ok(()),
            synced => synced,
        }
    });
    match written {
        Ok(()) => Ok(path),
        Err(source) => Err(DriveError::Io {
            path,
            gesture,
            source,
        }),
    }
}

/// Writes blocks. A board restarts with the last one, and takes its drive with it before the system is
/// done with its books: whatever fails once that block is handed over is no failure where `is_gone`.
fn hand_over(file: &mut impl Write, uf2: &[u8], is_gone: impl Fn() -> bool) -> io::Result<()> {
    let last = uf2.len().div_ceil(BLOCK_BYTES).saturating_sub(1);
    for (index, block) in uf2.chunks(BLOCK_BYTES).enumerate() {
        match file.write_all(block) {
            Err(_) if index == last && is_gone() => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

/// The line `Board-ID` of a drive.
fn board_id(drive: &Path) -> Option<String> {
    let file = File::open(drive.join(INFO)).ok()?;
    let mut bytes = Vec::new();
    file.take(INFO_BYTES).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let id = text
        .lines()
        .find_map(|line| line.strip_prefix("Board-ID:"))?;
    let id = id.trim().chars().filter(|c| !c.is_control());
    Some(id.take(64).collect())
}

/// Mount points of drives.
#[cfg(target_os = "linux")]
fn mount_points() -> Vec<PathBuf> {
    // The kernel's own list; without it no drive can be found.
    std::fs::read("/proc/self/mounts")
        .map(|mounts| fat_mount_points(&String::from_utf8_lossy(&mounts)))
        .unwrap_or_default()
}

/// Mount points of drives: the drive letters.
#[cfg(windows)]
fn mount_points() -> Vec<PathBuf> {
    ('A'..='Z')
        .map(|letter| PathBuf::from(format!("{letter}:\\")))
        .collect()
}

/// Mount points of drives: macOS has them in one folder.
#[cfg(not(any(target_os = "linux", windows)))]
fn mount_points() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/Volumes").into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).collect()
}

/// The mount points of FAT drives in the text of `/proc/self/mounts`, as `man 5 fstab` describes
/// it: device, mount point, type; names have space, tab, line end and backslash in octal. Other
/// drives are left alone: one across a network may not answer.
#[cfg(any(target_os = "linux", test))]
fn fat_mount_points(mounts: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        if let (Some(point), Some("vfat" | "msdos")) = (fields.next(), fields.next()) {
            let names = [
                ("\\040", " "),
                ("\\011", "\t"),
                ("\\012", "\n"),
                ("\\134", "\\"),
            ];
            let point = names
                .iter()
                .fold(point.to_owned(), |point, (octal, plain)| {
                    point.replace(octal, plain)
                });
            found.push(PathBuf::from(point));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;

    /// Text of the boot ROMs, including line ends.
    const INFOS: [&str; 2] = [
        "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
        "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n",
    ];

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        let mounts = "/dev/sda1 / ext4 rw,relatime 0 0\n\
                      proc /proc proc rw 0 0\n\
                      /dev/sdb1 /media/eve/RPI-RP2 vfat rw,nosuid 0 0\n\
                      /dev/sdc1 /media/eve/my\\040board\\134s vfat rw 0 0\n\
                      broken\n\n";
        let found = fat_mount_points(mounts);
        let expected = ["/media/eve/RPI-RP2", "/media/eve/my board\\s"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn a_drive_is_known_by_its_board_id() {
        let folder = tempfile::tempdir().unwrap();
        let info = folder.path().join(INFO);
        let drives = [BOARDS[0].uf2().unwrap(), BOARDS[1].uf2().unwrap()];
        for drive in &drives {
            let error = check(folder.path(), drive).unwrap_err();
            assert!(matches!(error, DriveError::NoDrive { .. }), "{error}");
        }
        for (own, text) in INFOS.iter().enumerate() {
            std::fs::write(&info, text).unwrap();
            check(folder.path(), &drives[own]).unwrap();
            let error = check(folder.path(), &drives[1 - own]).unwrap_err();
            assert!(matches!(error, DriveError::Other { .. }), "{error}");
        }
        for garbage in [&b"\xFF\xFE\x00"[..], b"Board-ID", &[b'x'; 100_000]] {
            std::fs::write(&info, garbage).unwrap();
            assert_eq!(board_id(folder.path()), None);
        }
        std::fs::write(&info, "Board-ID: \x1b[31mred\x07").unwrap();
        assert_eq!(board_id(folder.path()).as_deref(), Some("[31mred"));
    }

    /// A drive that vanishes as it is given a block.
    struct Vanishing {
        blocks: usize,
    }

    impl Write for Vanishing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.blocks = self
                .blocks
                .checked_sub(1)
                .ok_or(io::ErrorKind::NotConnected)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_board_that_restarts_with_its_last_block_has_it() {
        let uf2 = [7; 3 * BLOCK_BYTES];
        for (blocks, gone, succeeds) in [
            (3, true, true),
            (2, true, true),
            (2, false, false),
            (1, true, false),
            (0, true, false),
        ] {
            let written = hand_over(&mut Vanishing { blocks }, &uf2, || gone);
            assert_eq!(written.is_ok(), succeeds, "{blocks} blocks, gone: {gone}");
        }
    }

    #[test]
    fn what_is_written_is_there_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(INFO), INFOS[0]).unwrap();
        let path = write(folder.path(), b"blocks", "press").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"blocks");
        let error = write(&folder.path().join("gone"), b"blocks", "press").unwrap_err();
        assert!(matches!(error, DriveError::Io { .. }), "{error}");
    }
}
