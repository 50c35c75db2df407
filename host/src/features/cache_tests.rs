use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

const KEY: ExtractorKey = [7; 32];
const SET: Set<'static> = Set {
    kind: "int8",
    key: &KEY,
};

fn entry(number: u8, len: usize) -> Entry {
    Entry {
        content: [number; 32],
        features: Some(vec![number; len]),
        file: None,
    }
}

fn entries(numbers: std::ops::Range<u8>, len: usize) -> Vec<Entry> {
    numbers.map(|number| entry(number, len)).collect()
}

/// A cache, and its warnings.
struct Heard {
    cache: Cache,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Heard {
    fn open(folder: &Path) -> Self {
        Self::within(folder, u64::MAX)
    }

    fn within(folder: &Path, limit: u64) -> Self {
        let warnings = Arc::<Mutex<Vec<String>>>::default();
        let heard = warnings.clone();
        let cache = Cache::open(folder, limit, move |text| {
            heard.lock().unwrap().push(text.to_owned());
        });
        Heard { cache, warnings }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }

    /// The numbers from 0 to 199 whose entries are stored.
    fn found(&self, len: usize) -> Vec<u8> {
        let reader = self.cache.reader(SET);
        let of = |number: u8| reader.features(&[number; 32], len);
        let right = |number: u8, values: Vec<u8>| assert_eq!(values, vec![number; len]);
        (0..200)
            .filter(|&number| of(number).map(|values| right(number, values)).is_some())
            .collect()
    }
}

/// Folder of the set in the cache below `folder`.
fn set_folder(folder: &Path) -> PathBuf {
    folder.join("features/int8-0707070707070707")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A closed cache with 200 entries: its one file, and the file's bytes.
fn filled(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let heard = Heard::open(folder.path());
    heard.cache.write(SET, &entries(0..200, 256));
    assert_eq!(heard.warnings(), [""; 0]);
    let path = set_folder(folder.path()).join("0.seg");
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

fn all() -> Vec<u8> {
    (0..200).collect()
}

#[test]
fn entries_outlast_closing() {
    let folder = TempDir::new().unwrap();
    filled(&folder);
    let heard = Heard::open(folder.path());
    assert_eq!(heard.found(256), all());
    // Features of another length are not trusted.
    assert_eq!(heard.found(255), [0; 0]);
    let other = Set {
        kind: "int8",
        key: &[8; 32],
    };
    assert_eq!(heard.cache.reader(other).features(&[1; 32], 256), None);
    assert_eq!(heard.warnings(), [""; 0]);
}

#[test]
fn nothing_is_made_before_something_is_stored() {
    let folder = TempDir::new().unwrap();
    let heard = Heard::open(&folder.path().join("deep/down"));
    assert_eq!(heard.found(4), [0; 0]);
    assert_eq!(names(folder.path()), [""; 0]);
    heard.cache.write(SET, &[entry(1, 4)]);
    assert_eq!(heard.found(4), [1]);
}

/// Several writers at once, as processes are: each sees all records, and a later reader too.
#[test]
fn writers_side_by_side_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let open: Vec<Heard> = (0..4).map(|_| Heard::open(folder.path())).collect();
    std::thread::scope(|scope| {
        for (turn, heard) in open.iter().enumerate() {
            scope.spawn(move || {
                for number in (turn as u8 * 50)..(turn as u8 + 1) * 50 {
                    heard.cache.write(SET, &[entry(number, 64)]);
                }
            });
        }
    });
    assert_eq!(names(&set_folder(folder.path())).len(), 4);
    for heard in &open {
        assert_eq!(heard.found(64), all());
        assert_eq!(heard.warnings(), [""; 0]);
    }
    drop(open);
    // A later writer appends to the same files.
    let later = Heard::open(folder.path());
    later.cache.write(SET, &[entry(200, 64)]);
    assert_eq!(later.found(64), all());
    assert_eq!(names(&set_folder(folder.path())).len(), 4);
}

/// A killed writer leaves a prefix of its last record, of any length.
#[test]
fn an_unfinished_end_is_passed_over_and_cut_off() {
    let folder = TempDir::new().unwrap();
    let (path, bytes) = filled(&folder);
    let record = 44 + 256;
    for missing in [
        1,
        44,
        200,
        256,
        257,
        299,
        300,
        301,
        bytes.len() - 45,
        bytes.len(),
    ] {
        let len = bytes.len() - missing;
        let mut torn = bytes[..len].to_vec();
        if missing == 256 {
            // A power failure can leave zeros where nothing was written.
            torn.truncate(len - 44);
            torn.extend([0; 120]);
        }
        fs::write(&path, &torn).unwrap();
        let heard = Heard::open(folder.path());
        let whole = len.saturating_sub(44) / record;
        assert_eq!(heard.found(256).len(), whole, "{missing}");
        heard.cache.write(SET, &entries(0..200, 256));
        assert_eq!(heard.found(256), all(), "{missing}");
        assert_eq!(heard.warnings(), [""; 0], "{missing}");
        drop(heard);
        assert_eq!(names(&set_folder(folder.path())), ["0.seg"], "{missing}");
    }
}

/// One flipped bit anywhere never causes a panic or a wrong value; there is one warning, and the
/// file is moved aside.
#[test]
fn flipped_bits_are_found_out() {
    let folder = TempDir::new().unwrap();
    let (path, bytes) = filled(&folder);
    let aside = path.with_extension("damaged");
    let (mut moved, mut cut) = (0, 0);
    for case in 0..300usize {
        let mut damaged = bytes.clone();
        // Half of the cases lie in the header and the first record's head.
        let span = if case % 2 == 0 { 88 } else { bytes.len() };
        let bit = case * 7_919 % (span * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &damaged).unwrap();
        let heard = Heard::open(folder.path());
        let found = heard.found(256);
        assert!(found.len() < 200, "bit {bit}");
        let warnings = heard.warnings();
        assert_eq!(warnings.len(), 1, "bit {bit}: {warnings:?}");
        assert!(warnings[0].contains("damaged file"), "{warnings:?}");
        assert!(warnings[0].contains("--bottleneck-dir"), "{warnings:?}");
        cut += usize::from(found.len() == 199);
        moved += usize::from(aside.exists() && !path.exists());
        heard.cache.write(SET, &entries(0..200, 256));
        assert_eq!(heard.found(256), all(), "bit {bit}");
    }
    assert_eq!(moved, 300);
    assert!(cut > 100, "{cut}");
}

#[test]
fn files_of_others_do_not_matter() {
    let folder = TempDir::new().unwrap();
    let at = set_folder(folder.path());
    fs::create_dir_all(&at).unwrap();
    fs::write(at.join("0.seg"), b"label,score\n".repeat(50)).unwrap();
    fs::write(at.join("notes.txt"), "mine").unwrap();
    let heard = Heard::open(folder.path());
    assert_eq!(heard.found(8), [0; 0]);
    assert_eq!(heard.warnings().len(), 1);
    heard.cache.write(SET, &[entry(1, 8)]);
    assert_eq!(heard.found(8), [1]);
    assert_eq!(names(&at), ["0.damaged", "0.seg", "notes.txt"]);
    usage::clear_to(&folder.path().join("features"), 0, &HashSet::new());
    assert!(names(&at).contains(&"notes.txt".to_owned()));
}

/// A folder that cannot be created, as with a full disk: the run continues, with one warning.
#[test]
fn what_cannot_be_written_is_said_once() {
    let folder = TempDir::new().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let heard = Heard::open(&taken);
    for number in 0..3 {
        heard.cache.write(SET, &[entry(number, 8)]);
        assert_eq!(heard.found(8), [0; 0]);
    }
    let warnings = heard.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for text in ["taken", "going on without", "--bottleneck-dir"] {
        assert!(warnings[0].contains(text), "{warnings:?}");
    }
}

#[test]
fn caches_of_earlier_versions_go_and_are_named() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("features.redb"),
        [&EARLIER_MAGIC[..], &[0; 100]].concat(),
    )
    .unwrap();
    fs::write(at("maps.redb"), "not one").unwrap();
    let warnings = Heard::open(folder.path()).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("features.redb"), "{warnings:?}");
    assert_eq!(names(folder.path()), ["maps.redb"]);
}

/// Gives the set with this key a file that was last used `days` days ago.
fn aged(folder: &Path, key: &ExtractorKey, days: u64) {
    let heard = Heard::open(folder);
    heard
        .cache
        .write(Set { kind: "int8", key }, &entries(0..100, 956));
    let path = heard
        .cache
        .folder_of(Set { kind: "int8", key })
        .join("0.seg");
    let time = SystemTime::now() - Duration::from_secs(days * 86_400);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let folder = TempDir::new().unwrap();
    for (key, days) in [([1; 32], 3), ([2; 32], 9), ([3; 32], 1)] {
        aged(folder.path(), &key, days);
    }
    let features = folder.path().join("features");
    let sets = usage::sets(&features);
    assert_eq!(sets.len(), 3);
    assert!(
        sets.iter()
            .all(|set| set.bytes == 100_044 && set.files == 1)
    );
    // Clearing on opening.
    drop(Heard::within(folder.path(), 260_000));
    let left = ["int8-0101010101010101", "int8-0303030303030303"];
    assert_eq!(names(&features), left);
    // Clearing on writing. A process does not clear the sets that it uses.
    let heard = Heard::within(folder.path(), 260_000);
    let used = Set {
        kind: "int8",
        key: &[1; 32],
    };
    heard.cache.reader(used);
    heard.cache.write(SET, &entries(0..100, 956));
    assert_eq!(names(&features), [left[0], "int8-0707070707070707"]);
    assert_eq!(heard.warnings(), [""; 0]);
    // A cache full of sets in use: one warning, and nothing is removed.
    for _ in 0..2 {
        heard.cache.write(SET, &entries(100..200, 956));
    }
    let warnings = heard.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("limit of 0.3 MB"), "{warnings:?}");
    assert!(warnings[0].contains(LIMIT_VARIABLE), "{warnings:?}");
    assert_eq!(heard.found(956), (0..100).collect::<Vec<u8>>());

    // A file that is being written stays.
    let cleared = usage::clear(&features).unwrap();
    assert_eq!((cleared.bytes, cleared.in_use), (100_044, 1));
    drop(heard);
    let cleared = usage::clear(&features).unwrap();
    assert_eq!((cleared.bytes, cleared.in_use), (100_044, 0));
    assert!(!features.exists());
    // A limit of zero keeps nothing, without a warning.
    let heard = Heard::within(folder.path(), 0);
    heard.cache.write(SET, &[entry(1, 8)]);
    assert_eq!(heard.warnings(), [""; 0]);
    assert!(!features.exists());
}
