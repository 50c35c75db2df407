use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const KEY: ExtractorKey = [7; 32];

fn entry(number: u8, len: usize) -> Entry {
    Entry {
        content: [number; 32],
        features: Some(vec![number; len]),
        file: None,
    }
}

fn found(cache: &Cache, number: u8, len: usize) -> bool {
    let reader = cache.reader().unwrap();
    reader.features(&KEY, &[number; 32], len) == Some(vec![number; len])
}

/// A closed cache file with 200 entries, and its bytes.
fn filled(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let path = folder.path().join("features.redb");
    let cache = Cache::open(&path).unwrap();
    let entries: Vec<Entry> = (0..200).map(|number| entry(number, 256)).collect();
    cache.write(&KEY, &entries).unwrap();
    drop(cache);
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn entries_outlast_closing() {
    let folder = TempDir::new().unwrap();
    let (path, _) = filled(&folder);
    let cache = Cache::open(&path).unwrap();
    assert_eq!(cache.moved_aside(), None);
    assert!((0..200).all(|number| found(&cache, number, 256)));
    assert!(!found(&cache, 200, 256));
    let reader = cache.reader().unwrap();
    assert_eq!(reader.features(&[8; 32], &[1; 32], 256), None);
}

#[test]
fn an_entry_of_another_length_is_not_trusted() {
    let folder = TempDir::new().unwrap();
    let (path, _) = filled(&folder);
    assert!(!found(&Cache::open(&path).unwrap(), 3, 255));
}

/// The file as a killed process leaves it: everything committed is there.
#[test]
fn a_file_that_was_never_closed_holds_what_was_written() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("features.redb");
    let copy = folder.path().join("copy.redb");
    let cache = Cache::open(&path).unwrap();
    for number in 0..20 {
        cache.write(&KEY, &[entry(number, 64)]).unwrap();
        fs::copy(&path, &copy).unwrap();
        let reopened = Cache::open(&copy).unwrap();
        assert_eq!(reopened.moved_aside(), None);
        assert!((0..=number).all(|number| found(&reopened, number, 64)));
    }
}

#[test]
fn a_cache_in_use_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("features.redb");
    let _first = Cache::open(&path).unwrap();
    let error = Cache::open(&path).unwrap_err();
    assert!(matches!(error, CacheError::Locked { .. }));
    assert!(error.to_string().contains("features.redb"), "{error}");
}

fn assert_rebuilt(path: &Path, what: &str) {
    let cache = Cache::open(path).unwrap_or_else(|error| panic!("{what}: {error}"));
    let moved = cache.moved_aside().unwrap_or_else(|| panic!("{what}"));
    assert!(!fs::read(&moved.aside).unwrap().is_empty());
    assert!(moved.to_string().contains("features.redb"));
    cache.write(&KEY, &[entry(1, 8)]).unwrap();
    assert!(found(&cache, 1, 8));
}

#[test]
fn foreign_files_are_moved_aside() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("features.redb");
    for content in [
        b"label,score\n".to_vec(),
        vec![0xff; 100_000],
        vec![0; 5000],
    ] {
        fs::write(&path, &content).unwrap();
        assert_rebuilt(&path, &format!("{} bytes", content.len()));
        let kept = fs::read_dir(folder.path())
            .unwrap()
            .any(|file| fs::read(file.unwrap().path()).unwrap() == content);
        assert!(kept, "the file that was moved aside is as it was");
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 4, "cache and three files moved aside");
}

#[test]
fn an_empty_file_becomes_a_cache() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/down/features.redb");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"").unwrap();
    assert_eq!(Cache::open(&path).unwrap().moved_aside(), None);
}

#[test]
fn other_databases_and_formats_are_moved_aside() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("features.redb");
    let other: TableDefinition<u64, u64> = TableDefinition::new("other");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(other).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_rebuilt(&path, "another program's");

    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = FORMAT + 1;
    transaction
        .open_table(META)
        .unwrap()
        .insert(FORMAT_KEY, newer)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert_rebuilt(&path, "newer format");
}

#[test]
fn truncated_files_are_moved_aside_or_read_right() {
    let folder = TempDir::new().unwrap();
    let (path, bytes) = filled(&folder);
    for len in (1..bytes.len()).step_by(bytes.len() / 40 + 1) {
        fs::write(&path, &bytes[..len]).unwrap();
        Cache::open(&path).unwrap_or_else(|error| panic!("{len} bytes: {error}"));
    }
}

/// One flipped bit anywhere: never a panic or an error, and never a wrong value.
#[test]
fn flipped_bits_are_found_out() {
    let folder = TempDir::new().unwrap();
    let (path, bytes) = filled(&folder);
    let mut moved = 0;
    for case in 0..300usize {
        let mut damaged = bytes.clone();
        // Half of the cases lie in the first page, where the roots are.
        let span = if case % 2 == 0 { 512 } else { bytes.len() };
        let bit = case * 7_919 % (span * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &damaged).unwrap();
        let cache = Cache::open(&path).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        let reader = cache.reader().unwrap();
        for number in 0..200u8 {
            let values = reader.features(&KEY, &[number; 32], 256);
            assert!(
                values.is_none_or(|values| values == [number; 256]),
                "bit {bit} changed entry {number}"
            );
        }
        moved += usize::from(cache.moved_aside().is_some());
    }
    assert!(moved > 0);
}
