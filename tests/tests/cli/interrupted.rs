//! Killed in the middle of the features, again and again: nothing that was stored is lost, and the
//! model is that of an uninterrupted run.

use std::error::Error as StdError;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use posy::backbone::load::Backbone;
use posy::features::cache::{Cache, ExtractorKey};
use posy::features::extract::{Extractor, Options, extract};
use posy::features::extractors::IntExtractor;
use posy::features::progress::Silent;
use posy::photos::{ScanOptions, scan};
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const KILLS: usize = 10;
const SIGKILL: i32 = 9;

/// Finds what is in the cache: an extractor that computes nothing.
struct Lookup<'m>(IntExtractor<'m>);

impl Extractor for Lookup<'_> {
    fn key(&self) -> ExtractorKey {
        self.0.key()
    }

    fn value_len(&self) -> usize {
        self.0.value_len()
    }

    fn compute(&self, _: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        Err("not in the cache".into())
    }
}

/// Photos whose features are in the cache, which had `before` of them. Whoever is killed while the
/// cache is made for the first time leaves a file that is none yet, with nothing to lose.
fn stored(scratch: &Scratch, extractor: &Lookup<'_>, photos: &[PathBuf], before: usize) -> usize {
    let cache = Cache::open(&scratch.join("cache/features.redb")).unwrap();
    if before > 0 {
        assert_eq!(cache.moved_aside(), None, "the cache was damaged");
    }
    let found = extract(
        photos,
        extractor,
        Some(&cache),
        &Options::default(),
        &Silent,
    );
    found.unwrap().counts().cached
}

#[test]
fn ten_kills_change_nothing() {
    let test = "ten_kills_change_nothing";
    let (Some(flowers), Some(network)) = (
        data(test, "flower_photos"),
        data(test, "models/mobilenet_v1_0.25_128_quant.tflite"),
    ) else {
        return;
    };
    let whole = Scratch::new();
    let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
    whole.copy_photos(&flowers, "flowers", &labels, 150);
    let folder = whole.join("flowers");
    let uninterrupted = whole.retrain(&folder, &["--json"]).succeeds().json();
    let photos = uninterrupted["photos"].as_u64().unwrap() as usize;
    assert_eq!(uninterrupted["computed"], photos);
    let seconds = uninterrupted["feature_seconds"].as_f64().unwrap();

    let paths: Vec<PathBuf> = scan(&folder, &ScanOptions::default())
        .unwrap()
        .photos
        .into_iter()
        .map(|photo| photo.path)
        .collect();
    let input = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let backbone = Backbone::read(&network, "mobilenet_v1_0.25_128").unwrap();
    let bytes = backbone.extractor(input).unwrap();
    let extractor = Lookup(IntExtractor::new(&bytes).unwrap());
    assert_eq!(stored(&whole, &extractor, &paths, photos), photos);

    let mut killed = Scratch::new();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut counts = Vec::new();
    let mut before = 0;
    // Features are stored every half second, so that about half of these runs store some. What is
    // stored in ten of them is less than the whole work.
    let latest = (seconds * 0.15).max(1.2);
    for _ in 0..4 * KILLS {
        if counts.len() == KILLS {
            break;
        }
        let moment = Duration::from_secs_f64(random.random_range(0.0..latest));
        let mut command = killed.retrain_command(&folder, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let was_killed = status.signal() == Some(SIGKILL);
        assert!(was_killed || status.success(), "{status}");
        if killed.join("flowers.posy").exists() {
            // A fast machine may be done with the model before it is killed; then it is whole, and
            // only what is written after it may be missing.
            assert_eq!(killed.read("flowers.posy"), whole.read("flowers.posy"));
            eprintln!("not killed in time: all begins anew");
            killed = Scratch::new();
            before = 0;
            continue;
        }
        let count = match killed.join("cache").exists() {
            true => stored(&killed, &extractor, &paths, before),
            false => 0,
        };
        assert!(count >= before, "{count} photos stored, {before} before");
        before = count;
        counts.push(count);
    }
    assert_eq!(counts.len(), KILLS);
    assert!(counts.iter().any(|count| *count > 0), "{counts:?}");
    eprintln!("photos stored after each kill: {counts:?} of {photos}");

    let command = killed.retrain_command(&folder, &["--json"]);
    let json = Outcome::of(command).succeeds().json();
    assert_eq!(json["from_cache"], before);
    assert_eq!(json["computed"], photos - before);
    assert_eq!(killed.read("flowers.posy"), whole.read("flowers.posy"));
    assert_eq!(
        killed.read("flowers.split.json"),
        whole.read("flowers.split.json")
    );
    assert_eq!(
        killed.names("."),
        [
            "cache",
            "flowers.posy",
            "flowers.report.html",
            "flowers.run.json",
            "flowers.split.json"
        ]
    );
}
