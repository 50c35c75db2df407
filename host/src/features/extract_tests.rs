use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::super::progress::Silent;
use super::*;

/// Returns a byte for the extractor, then the photo's first three. Counts its calls; photos that
/// begin with `bad` are faulty, with `short` give too few bytes.
struct Fake {
    kind: u8,
    calls: AtomicUsize,
}

impl Fake {
    fn new(kind: u8) -> Self {
        let calls = AtomicUsize::new(0);
        Self { kind, calls }
    }

    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }
}

impl Extractor for Fake {
    fn key(&self) -> ExtractorKey {
        [self.kind; 32]
    }

    fn kind(&self) -> &'static str {
        "fake"
    }

    fn value_len(&self) -> usize {
        4
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if photo.starts_with(b"bad") {
            return Err("is not a picture".into());
        }
        if photo.starts_with(b"short") {
            return Ok(vec![0]);
        }
        Ok(vec![self.kind, photo[0], photo[1], photo[2]])
    }
}

fn open(folder: &Path) -> Cache {
    Cache::open(folder, u64::MAX, |text| panic!("{text}"))
}

/// Photos in a folder, and a cache beside them.
struct Bench {
    folder: TempDir,
    cache: Cache,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let cache = open(folder.path());
        Self { folder, cache }
    }

    fn photo(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn photos(&self, count: usize) -> Vec<PathBuf> {
        (0..count)
            .map(|i| self.photo(&format!("{i}.jpg"), format!("{i:03} photo").as_bytes()))
            .collect()
    }

    fn extract(&self, photos: &[PathBuf], extractor: &Fake) -> Extraction {
        let options = Options::default();
        extract(photos, extractor, Some(&self.cache), &options, &Silent)
    }
}

fn counts(computed: usize, cached: usize, failed: usize) -> Counts {
    Counts {
        computed,
        cached,
        failed,
    }
}

#[test]
fn a_second_run_computes_nothing_and_gives_the_same() {
    let bench = Bench::new();
    let photos = bench.photos(600);
    let fake = Fake::new(1);
    let first = bench.extract(&photos, &fake);
    assert_eq!((fake.calls(), first.counts()), (600, counts(600, 0, 0)));
    let second = bench.extract(&photos, &fake);
    assert_eq!((fake.calls(), second.counts()), (0, counts(0, 600, 0)));
    for (i, (first, second)) in first.photos.iter().zip(&second.photos).enumerate() {
        let (first, second) = (first.as_ref().unwrap(), second.as_ref().unwrap());
        assert_eq!(first.values[1..], format!("{i:03}").as_bytes()[..]);
        assert_eq!(first.values, second.values);
        assert_eq!(first.content, second.content);
    }
}

#[test]
fn only_changed_and_added_photos_are_computed() {
    let bench = Bench::new();
    let mut photos = bench.photos(10);
    let fake = Fake::new(1);
    bench.extract(&photos, &fake);
    fake.calls();
    bench.photo("3.jpg", b"xyz photo");
    photos.push(bench.photo("new.jpg", b"new"));
    let again = bench.extract(&photos, &fake);
    assert_eq!((fake.calls(), again.counts()), (2, counts(2, 9, 0)));
    assert_eq!(again.photos[3].as_ref().unwrap().values, b"\x01xyz");
    assert_eq!(again.photos[10].as_ref().unwrap().values, b"\x01new");
}

#[test]
fn a_renamed_photo_is_known_by_its_content() {
    let bench = Bench::new();
    let photos = bench.photos(2);
    let fake = Fake::new(1);
    let first = bench.extract(&photos, &fake);
    fake.calls();
    let copy = bench.photo("copy.jpg", b"001 photo");
    let found = bench.extract(&[copy], &fake);
    assert_eq!((fake.calls(), found.counts()), (0, counts(0, 1, 0)));
    let content =
        |extraction: &Extraction, i: usize| extraction.photos[i].as_ref().unwrap().content;
    assert_eq!(content(&found, 0), content(&first, 1));
}

#[test]
fn another_extractor_computes_anew_beside_the_first() {
    let bench = Bench::new();
    let photos = bench.photos(5);
    let (one, two) = (Fake::new(1), Fake::new(2));
    bench.extract(&photos, &one);
    assert_eq!(bench.extract(&photos, &two).counts(), counts(5, 0, 0));
    assert_eq!(bench.extract(&photos, &one).counts(), counts(0, 5, 0));
    assert_eq!(bench.extract(&photos, &two).counts(), counts(0, 5, 0));
}

/// A file whose metadata match the cache is not read, whatever its content.
#[test]
fn unchanged_files_are_not_read_unless_asked_for() {
    let bench = Bench::new();
    let photos = bench.photos(1);
    let fake = Fake::new(1);
    bench.extract(&photos, &fake);
    // The entry of a file with other content, read some time after it was made.
    let metadata = fs::metadata(&photos[0]).unwrap();
    let stamp = Stamp::of(&metadata).unwrap();
    let other = Entry {
        content: [9; 32],
        features: Some(b"told".to_vec()),
        file: Some((photos[0].clone(), stamp)),
    };
    let key = fake.key();
    let set = Set {
        kind: "fake",
        key: &key,
    };
    bench.cache.write(set, &[other]);
    let trusting = bench.extract(&photos, &fake);
    assert_eq!(trusting.photos[0].as_ref().unwrap().values, b"told");
    let options = Options {
        trust_metadata: false,
        ..Options::default()
    };
    let reading = extract(&photos, &fake, Some(&bench.cache), &options, &Silent);
    assert_eq!(reading.photos[0].as_ref().unwrap().values, b"\x01000");
}

/// Files that were just written may change again without their times showing it.
#[test]
fn files_just_written_are_not_remembered_by_metadata() {
    let bench = Bench::new();
    let photos = bench.photos(1);
    bench.extract(&photos, &Fake::new(1));
    let stamp = Stamp::of(&fs::metadata(&photos[0]).unwrap()).unwrap();
    let key = [1; 32];
    let set = Set {
        kind: "fake",
        key: &key,
    };
    let reader = bench.cache.reader(set);
    assert_eq!(reader.content(&photos[0], &stamp), None);
    if stamp.is_settled(SystemTime::now() + Duration::from_secs(3)) {
        thread::sleep(Duration::from_millis(2100));
        bench.extract(&photos, &Fake::new(1));
        let reader = bench.cache.reader(set);
        assert!(reader.content(&photos[0], &stamp).is_some());
    }
}

#[test]
fn faults_are_of_single_photos_in_their_places() {
    let bench = Bench::new();
    let photos = [
        bench.photo("good.jpg", b"good"),
        bench.photo("bad.jpg", b"bad"),
        bench.folder.path().join("missing.jpg"),
        bench.folder.path().to_path_buf(),
        bench.photo("large.jpg", &[1; 101]),
        bench.photo("short.jpg", b"short"),
        bench.photo("fine.jpg", &[65; 100]),
    ];
    let fake = Fake::new(1);
    let options = Options {
        max_file_bytes: 100,
        ..Options::default()
    };
    for _ in 0..2 {
        let found = extract(&photos, &fake, Some(&bench.cache), &options, &Silent);
        assert_eq!(found.counts().failed, 5);
        assert!(found.photos[0].is_ok() && found.photos[6].is_ok());
        let fault = |i: usize| found.photos[i].as_ref().unwrap_err();
        assert_eq!(fault(1).to_string(), "is not a picture");
        assert!(matches!(fault(2), PhotoFault::Unreadable(_)));
        assert!(matches!(fault(3), PhotoFault::NotAFile));
        let (bytes, limit) = (101, 100);
        assert!(
            matches!(fault(4), PhotoFault::TooLarge { bytes: b, limit: l }
            if (*b, *l) == (bytes, limit))
        );
        assert!(matches!(fault(5), PhotoFault::Length { found: 1, .. }));
    }
}

#[test]
fn works_without_a_cache_and_without_photos() {
    let bench = Bench::new();
    let photos = bench.photos(3);
    let fake = Fake::new(1);
    let options = Options::default();
    for _ in 0..2 {
        let found = extract(&photos, &fake, None, &options, &Silent);
        assert_eq!(found.counts(), counts(3, 0, 0));
    }
    assert_eq!(bench.extract(&[], &fake).counts(), counts(0, 0, 0));
}

/// Features computed well before a kill are in the file, though the run never ended.
#[test]
fn features_are_stored_while_others_are_still_computed() {
    struct Slow {
        fake: Fake,
        bench: Bench,
        seen: AtomicUsize,
    }
    impl Extractor for Slow {
        fn key(&self) -> ExtractorKey {
            self.fake.key()
        }
        fn kind(&self) -> &'static str {
            self.fake.kind()
        }
        fn value_len(&self) -> usize {
            4
        }
        fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
            if photo.starts_with(b"last") {
                thread::sleep(STORE_INTERVAL * 3);
                // Another process.
                let cache = open(self.bench.folder.path());
                let key = self.key();
                let reader = cache.reader(Set {
                    kind: self.kind(),
                    key: &key,
                });
                let known = (0..20)
                    .map(|i| Sha256::digest(format!("{i:03} photo").as_bytes()))
                    .filter(|hash| reader.features(&(*hash).into(), 4).is_some());
                self.seen.store(known.count(), Ordering::Relaxed);
            }
            self.fake.compute(photo)
        }
    }
    let bench = Bench::new();
    let mut photos = bench.photos(20);
    photos.push(bench.photo("last.jpg", b"last"));
    let slow = Slow {
        fake: Fake::new(1),
        bench,
        seen: AtomicUsize::new(0),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let options = Options::default();
    pool.unwrap()
        .install(|| extract(&photos, &slow, Some(&slow.bench.cache), &options, &Silent));
    assert_eq!(slow.seen.load(Ordering::Relaxed), 20);
}
