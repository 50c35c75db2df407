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

/// Photos whose features are in the cache.
fn stored(scratch: &Scratch, extractor: &Lookup<'_>, photos: &[PathBuf]) -> usize {
    let cache = Cache::open(&scratch.join("cache/features.redb")).unwrap();
    assert_eq!(cache.moved_aside(), None, "the cache was damaged");
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
    assert_eq!(stored(&whole, &extractor, &paths), photos);

    let killed = Scratch::new();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut counts = Vec::new();
    // A machine that has become faster may end before it is killed; then all begins again.
    for _ in 0..4 * KILLS {
        if counts.len() == KILLS {
            break;
        }
        // Ten of these moments come to about three quarters of the whole work.
        let moment = Duration::from_secs_f64(random.random_range(0.0..seconds * 0.15));
        let mut command = killed.retrain_command(&folder, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        if status.signal() != Some(SIGKILL) {
            assert!(status.success(), "{status}");
            eprintln!("not killed in time: the cache begins anew");
            std::fs::remove_dir_all(killed.join("cache")).unwrap();
            counts.clear();
            continue;
        }
        let count = match killed.join("cache").exists() {
            true => stored(&killed, &extractor, &paths),
            false => 0,
        };
        let before = counts.last().copied().unwrap_or(0);
        assert!(count >= before, "{count} photos stored, {before} before");
        assert!(!killed.join("flowers.posy").exists());
        counts.push(count);
    }
    assert_eq!(counts.len(), KILLS);
    eprintln!("photos stored after each kill: {counts:?} of {photos}");

    let command = killed.retrain_command(&folder, &["--json"]);
    let json = Outcome::of(command).succeeds().json();
    let left = *counts.last().unwrap();
    assert_eq!(json["from_cache"], left);
    assert_eq!(json["computed"], photos - left);
    assert_eq!(killed.read("flowers.posy"), whole.read("flowers.posy"));
    assert_eq!(
        killed.read("flowers.split.json"),
        whole.read("flowers.split.json")
    );
    assert_eq!(
        killed.names("."),
        ["cache", "flowers.posy", "flowers.split.json"]
    );
}
