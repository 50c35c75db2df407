//! An append-only file of the feature cache.
//!
//! ```text
//! header  magic (8), the set's key (32), CRC-32C of both (4)
//! record  id (32), length of the value (4), CRC-32C of the value (4), CRC-32C of these (4), value
//! ```
//!
//! Integers are little-endian. The writer holds the file's lock, so a file has one writer and any
//! number of readers; an unlocked file has no writer. A killed writer leaves part of a record at
//! the end, which readers skip and the next writer truncates. Any other mismatch with a checksum is
//! damage.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crc::{CRC_32_ISCSI, Crc, Table};

use posy_nn::atomic::still_names;

/// Identity of a record within its set. Records are immutable: two with one id have the same value.
pub(super) type Id = [u8; 32];

/// Extension of the files' names.
pub(super) const ENDING: &str = "seg";
/// Size from which on a file gets no further records, bytes.
const FULL_BYTES: u64 = 64 << 20;
/// Longest value; a greater length is damage.
const MAX_VALUE_BYTES: u32 = 256 << 20;

const MAGIC: &[u8; 8] = b"posyfc\0\x02";
const HEADER: usize = 8 + 32 + 4;
const HEAD: usize = 32 + 4 + 4 + 4;

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Position of a record's value in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    offset: u64,
    len: u32,
    crc: u32,
}

/// Result of a walk through a file's records.
#[derive(Debug, Default)]
struct Walked {
    /// End of the last whole record; 0 if the header is incomplete.
    end: u64,
    /// True if damage follows, rather than the last writer's unfinished record.
    damaged: bool,
}

/// A file opened for reading.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: Mutex<File>,
}

impl Segment {
    /// Opens the file of the set `key` and calls `found` for each whole record, in order. The
    /// second value is true if the file is damaged. `Err` if it cannot be read.
    pub(super) fn open(
        path: &Path,
        key: &[u8; 32],
        found: &mut dyn FnMut(Id, Place),
    ) -> io::Result<(Self, bool)> {
        let mut file = File::open(path)?;
        let walked = walk(&mut file, key, found)?;
        // The modification time orders files for clearing. Where it cannot be set, the time of
        // writing stays.
        let _ = file.set_modified(SystemTime::now());
        let segment = Segment {
            path: path.to_owned(),
            file: Mutex::new(file),
        };
        Ok((segment, walked.damaged))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a record; an error of the kind [`io::ErrorKind::InvalidData`] if it is damaged.
    pub(super) fn value(&self, place: Place) -> io::Result<Vec<u8>> {
        let mut value = vec![0; place.len as usize];
        {
            let file = self.file.lock();
            let mut file = file.unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place.offset))?;
            file.read_exact(&mut value)?;
        }
        match CRC.checksum(&value) == place.crc {
            true => Ok(value),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Place {
    /// Length of the value, bytes.
    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

/// Walks through a file's records from the start.
fn walk(file: &mut File, key: &[u8; 32], found: &mut dyn FnMut(Id, Place)) -> io::Result<Walked> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 13, file);
    let mut walked = Walked::default();
    let mut header = [0; HEADER];
    if size < HEADER as u64 {
        return Ok(walked);
    }
    reader.read_exact(&mut header)?;
    if header == [0; HEADER] {
        return Ok(walked);
    }
    if header != header_of(key) {
        walked.damaged = true;
        return Ok(walked);
    }
    walked.end = HEADER as u64;
    while size - walked.end >= HEAD as u64 {
        let mut head = [0; HEAD];
        reader.read_exact(&mut head)?;
        // A power failure can leave zeros where nothing was written.
        if head == [0; HEAD] {
            break;
        }
        let (id, place) = match parse(&head, walked.end + HEAD as u64) {
            Some(record) => record,
            None => {
                walked.damaged = true;
                break;
            }
        };
        let end = place.offset + u64::from(place.len);
        if end > size {
            break;
        }
        found(id, place);
        reader.seek_relative(i64::from(place.len))?;
        walked.end = end;
    }
    Ok(walked)
}

fn header_of(key: &[u8; 32]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..40].copy_from_slice(key);
    let crc = CRC.checksum(&header[..40]);
    header[40..].copy_from_slice(&crc.to_le_bytes());
    header
}

fn head_of(id: &Id, value: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..32].copy_from_slice(id);
    head[32..36].copy_from_slice(&(value.len() as u32).to_le_bytes());
    head[36..40].copy_from_slice(&CRC.checksum(value).to_le_bytes());
    let crc = CRC.checksum(&head[..40]);
    head[40..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Parses a record's head; `None` if it is damaged. `offset` is the position of its value.
fn parse(head: &[u8; HEAD], offset: u64) -> Option<(Id, Place)> {
    let number = |at: usize| Some(u32::from_le_bytes(*head[at..].first_chunk()?));
    let (len, crc, head_crc) = (number(32)?, number(36)?, number(40)?);
    let sound = CRC.checksum(&head[..40]) == head_crc && len <= MAX_VALUE_BYTES;
    let id = *head.first_chunk()?;
    sound.then_some((id, Place { offset, len, crc }))
}

/// A file opened for appending, locked during this value's life.
#[derive(Debug)]
pub(super) struct Appender {
    path: PathBuf,
    file: File,
    end: u64,
    key: [u8; 32],
}

impl Appender {
    /// Opens the first of the files `0.seg`, `1.seg`, ... in `folder` that is not full, not damaged
    /// and has no writer; creates one if there is none.
    pub(super) fn open(folder: &Path, key: &[u8; 32]) -> io::Result<Self> {
        for number in 0u32.. {
            let path = folder.join(format!("{number}.{ENDING}"));
            let (file, new) = open_or_make(folder, &path)?;
            let locked = match file.try_lock() {
                Ok(()) => true,
                // On a file system without locks, only a file that was just created is used, by
                // this run alone.
                Err(TryLockError::Error(_)) => new,
                Err(TryLockError::WouldBlock) => false,
            };
            if locked
                && file.metadata()?.len() < FULL_BYTES
                && still_names(&path, &file)
                && let Some(appender) = Self::take(path, file, key)?
            {
                return Ok(appender);
            }
        }
        Err(io::ErrorKind::QuotaExceeded.into())
    }

    /// Locks and checks the file for appending; `None` if it is damaged.
    fn take(path: PathBuf, mut file: File, key: &[u8; 32]) -> io::Result<Option<Self>> {
        let walked = walk(&mut file, key, &mut |_, _| {})?;
        if walked.damaged {
            return Ok(None);
        }
        file.set_len(walked.end)?;
        Ok(Some(Appender {
            path,
            file,
            end: walked.end,
            key: *key,
        }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if the file is full.
    pub(super) fn is_full(&self) -> bool {
        self.end >= FULL_BYTES
    }

    /// Appends records: all of them, or none on an error.
    pub(super) fn append<'a>(
        &mut self,
        records: impl Iterator<Item = (&'a Id, &'a [u8])>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        if self.end == 0 {
            bytes.extend(header_of(&self.key));
        }
        for (id, value) in records {
            bytes.extend(head_of(id, value));
            bytes.extend(value);
        }
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&bytes));
        match written {
            Ok(()) => self.end += bytes.len() as u64,
            // If even this fails, the next writer truncates the file.
            Err(_) => drop(self.file.set_len(self.end)),
        }
        written
    }
}

/// Opens or creates the file; the second value is true if it was created.
fn open_or_make(folder: &Path, path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // Other processes create and clear files meanwhile.
    let mut patience = 100;
    loop {
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map(|file| (file, false)),
        }
        std::fs::create_dir_all(folder)?;
        match options.clone().create_new(true).open(path) {
            Err(error) if patience > 0 && is_passing(&error) => patience -= 1,
            made => return made.map(|file| (file, true)),
        }
    }
}

/// Returns true if another process created the file, or cleared its folder, a moment ago.
fn is_passing(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound];
    kinds.contains(&error.kind())
}

/// Size of records with these values, bytes.
pub(super) fn record_bytes<'a>(values: impl Iterator<Item = &'a [u8]>) -> u64 {
    values.map(|value| (HEAD + value.len()) as u64).sum()
}

/// Index of a set's records over all files.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: Vec<Segment>,
    places: HashMap<Id, (usize, Place)>,
}

impl Index {
    /// Reads the index of the files in `folder`; calls `damaged` for each damaged one. Unreadable
    /// files count as missing.
    pub(super) fn read(folder: &Path, key: &[u8; 32], damaged: &mut dyn FnMut(&Path)) -> Self {
        let mut index = Index::default();
        for path in files(folder) {
            let number = index.segments.len();
            let places = &mut index.places;
            let opened = Segment::open(&path, key, &mut |id, place| {
                places.insert(id, (number, place));
            });
            match opened {
                Ok((segment, is_damaged)) => {
                    if is_damaged {
                        damaged(&path);
                    }
                    index.segments.push(segment);
                }
                // The file was truncated during the walk: drop its records.
                Err(_) => index.places.retain(|_, (of, _)| *of != number),
            }
        }
        index
    }

    /// The value of the record `id`, if it is stored and `len` bytes long; calls `damaged` for its
    /// file if the record is damaged.
    pub(super) fn value(
        &self,
        id: &Id,
        len: usize,
        damaged: &mut dyn FnMut(&Path),
    ) -> Option<Vec<u8>> {
        let (segment, place) = self.places.get(id)?;
        if place.len() != len {
            return None;
        }
        let segment = self.segments.get(*segment)?;
        match segment.value(*place) {
            Ok(value) => Some(value),
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    damaged(segment.path());
                }
                None
            }
        }
    }
}

/// The files in a set's folder, sorted by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .collect();
    paths.sort();
    paths
}
