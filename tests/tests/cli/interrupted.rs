//! Runs killed during feature extraction, repeatedly, and at random moments: stored features are
//! not lost, the next run gives the results of an uninterrupted one, and no other files remain.

use std::error::Error as StdError;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use posy::dataset::{ScanOptions, scan};
use posy::features::cache::{Cache, ExtractorKey};
use posy::features::extract::{Extractor, Options, extract};
use posy::features::extractors::IntExtractor;
use posy::features::progress::Silent;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const KILLS: usize = 10;
/// Number of kills in full test runs.
const ALL_KILLS: usize = 50;
const SIGKILL: i32 = 9;

/// An extractor that finds features in the cache and computes nothing.
struct Lookup<'m>(IntExtractor<'m>);

impl Extractor for Lookup<'_> {
    fn key(&self) -> ExtractorKey {
        self.0.key()
    }

    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn value_len(&self) -> usize {
        self.0.value_len()
    }

    fn compute(&self, _: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        Err("not in the cache".into())
    }
}

/// Number of photos whose features are in the cache.
fn stored(scratch: &Scratch, extractor: &Lookup<'_>, photos: &[PathBuf]) -> usize {
    let cache = Cache::open(&scratch.join("cache"), u64::MAX, |text| panic!("{text}"));
    let found = extract(
        photos,
        extractor,
        Some(&cache),
        &Options::default(),
        &Silent,
    );
    found.counts().cached
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

    let mut killed = Scratch::new();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut counts = Vec::new();
    let mut before = 0;
    // Features are stored every half second, so about half of these runs store some. Ten of them
    // together store less than the whole work.
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
            // A fast machine may finish the model before it is killed; then the model is complete,
            // and only files written after it may be missing.
            assert_eq!(killed.read("flowers.posy"), whole.read("flowers.posy"));
            eprintln!("not killed in time: all begins anew");
            killed = Scratch::new();
            before = 0;
            continue;
        }
        let count = stored(&killed, &extractor, &paths);
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

/// Options of the killed runs: short, with every output.
const OPTIONS: [&str; 5] = [
    "--trainer=sgd",
    "--how-many-training-steps=60",
    "--summaries-dir=logs",
    "--output-labels=labels.txt",
    "--no-check",
];

const RESULTS: [&str; 6] = [
    "flowers.posy",
    "flowers.split.json",
    "flowers.run.json",
    "flowers.report.html",
    "labels.txt",
    "logs",
];

/// Names of unexpected files in the folder after a successful run.
fn left_over(scratch: &Scratch) -> Vec<String> {
    let given = ["cache", "flowers", "network.tflite"];
    let known = |name: &String| RESULTS.contains(&name.as_str()) || given.contains(&name.as_str());
    let mut left = scratch.names(".");
    left.retain(|name| !known(name));
    for part in ["", "train", "validation", "test"] {
        let folder = format!("logs/{part}");
        let names = scratch.names(&folder);
        let events = names.iter().filter(|name| name.contains("tfevents"));
        if events.count() != 1 || names.len() > 4 {
            left.push(format!("{folder}: {names:?}"));
        }
    }
    for set in scratch.names("cache/features") {
        let names = scratch.names(format!("cache/features/{set}"));
        if names.iter().any(|name| !name.ends_with(".seg")) {
            left.push(format!("{set}: {names:?}"));
        }
    }
    left
}

/// Warnings.
fn warnings(outcome: &Outcome) -> Vec<String> {
    let lines = outcome.stderr.lines();
    let lines = lines.filter(|line| line.contains("warning"));
    lines.map(String::from).collect()
}

/// Reads the child's standard output up to the accuracy, which is printed right before results are
/// written.
fn wait_for_figures(child: &mut std::process::Child) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    lines.any(|line| line.starts_with("Final test accuracy"));
    // Keep reading, or the child would get a broken pipe.
    std::thread::spawn(move || lines.count());
}

/// Half of the kills come at a random moment of a run, half while results are written; half with an
/// empty folder, half over the results of an earlier run.
#[test]
fn kills_at_any_moment_leave_nothing_behind() {
    let all = std::env::var_os("POSY_TESTS_ALL").is_some();
    let kills = if all { ALL_KILLS } else { KILLS };
    let whole = Scratch::new();
    whole.draw_photos("flowers", 12);
    let run = |scratch: &Scratch| Outcome::of(scratch.retrain_drawings("flowers", &OPTIONS));
    run(&whole).succeeds();
    let started = Instant::now();
    let usual = warnings(&run(&whole).succeeds());
    let seconds = started.elapsed().as_secs_f64();

    let (mut killed, mut temporary, mut partial) = (0, 0, 0);
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for turn in 0..kills {
        let scratch = Scratch::new();
        scratch.draw_photos("flowers", 12);
        if turn % 4 >= 2 {
            run(&scratch).succeeds();
        }
        let mut command = scratch.retrain_drawings("flowers", &OPTIONS);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let latest = match turn % 2 {
            0 => seconds,
            _ => {
                wait_for_figures(&mut child);
                0.05
            }
        };
        std::thread::sleep(Duration::from_secs_f64(random.random_range(0.0..latest)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let was_killed = status.signal() == Some(SIGKILL);
        assert!(was_killed || status.success(), "{status}");
        killed += usize::from(was_killed);
        let names = scratch.names(".");
        temporary += usize::from(names.iter().any(|name| name.ends_with(".tmp")));
        let there = RESULTS.iter().filter(|name| scratch.join(name).exists());
        partial += usize::from((1..RESULTS.len()).contains(&there.count()));

        let outcome = run(&scratch).succeeds();
        // An unreadable split or cache would give a warning.
        assert_eq!(warnings(&outcome), usual, "turn {turn}: {outcome}");
        for name in &RESULTS[..3] {
            assert!(
                scratch.read(name) == whole.read(name),
                "turn {turn}: {name} differs"
            );
        }
        assert_eq!(scratch.read("labels.txt"), whole.read("labels.txt"));
        assert_eq!(left_over(&scratch), [""; 0], "turn {turn}");
        let again = scratch.retrain_drawings("flowers", &["--json"]);
        assert_eq!(Outcome::of(again).succeeds().json()["computed"], 0);
    }
    eprintln!(
        "{killed} of {kills} runs of {seconds:.2} s killed in time; {temporary} left unfinished files, {partial} \
         only some of the results"
    );
    assert!(2 * killed > kills, "{killed}");
}
