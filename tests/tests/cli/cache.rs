//! Cache of features: hits and misses, concurrent runs, and every way in which it can fail.

use std::path::PathBuf;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use serde_json::Value;

const PHOTOS: usize = 25;

/// Retrains. Returns the number of features computed, and of those from the cache.
fn counts(scratch: &Scratch) -> (u64, u64) {
    let json: Value = scratch.retrain("flowers", &["--json"]).succeeds().json();
    let count = |name: &str| json[name].as_u64().unwrap();
    (count("computed"), count("from_cache"))
}

#[test]
fn only_what_is_new_is_computed() {
    let Some(flowers) = data("only_what_is_new_is_computed", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], PHOTOS);
    let photos = PHOTOS as u64;
    assert_eq!(counts(&scratch), (2 * photos, 0));
    assert_eq!(counts(&scratch), (0, 2 * photos));

    // Another label.
    scratch.copy_photos(&flowers, "flowers", &["tulips"], PHOTOS);
    assert_eq!(counts(&scratch), (photos, 2 * photos));

    // A photo whose content changes under the same name.
    let names = scratch.names("flowers/daisy");
    let others = std::fs::read_dir(flowers.join("sunflowers")).unwrap();
    let other = others.map(|entry| entry.unwrap().path()).min().unwrap();
    let bytes = std::fs::read(other).unwrap();
    scratch.write(format!("flowers/daisy/{}", names[7]), bytes);
    assert_eq!(counts(&scratch), (1, 3 * photos - 1));

    // A photo that is moved counts as the same.
    let from = scratch.join(format!("flowers/daisy/{}", names[3]));
    std::fs::rename(from, scratch.join("flowers/daisy/renamed.jpg")).unwrap();
    assert_eq!(counts(&scratch), (0, 3 * photos));

    // Other preprocessing gives other features and keeps the first ones.
    let centre = scratch.retrain("flowers", &["--json", "--crop", "centre"]);
    assert_eq!(centre.succeeds().json()["computed"], 3 * photos);
    assert_eq!(counts(&scratch), (0, 3 * photos));
}

/// All files below a folder of the scratch folder, by relative path.
fn files(scratch: &Scratch, folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![scratch.join(folder)];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_damaged_cache_is_moved_aside_and_named() {
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 6);
    let retrain = || Outcome::of(scratch.retrain_drawings("flowers", &["--json"])).succeeds();
    assert_eq!(retrain().json()["computed"], 30);
    let model = scratch.read("flowers.posy");
    let found = files(&scratch, "cache");
    let path = found
        .iter()
        .find(|path| path.to_string_lossy().contains("features/int8-"));
    let path = path.unwrap_or_else(|| panic!("{found:?}"));

    // One bit in the middle.
    let whole = std::fs::read(path).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    let outcome = retrain();
    assert!(outcome.json()["computed"].as_u64() >= Some(1), "{outcome}");
    let warned = warnings(&outcome);
    assert_eq!(warned.len(), 1, "{outcome}");
    for text in ["damaged", "posy cache clear", "--bottleneck-dir"] {
        assert!(warned[0].contains(text), "{outcome}");
    }
    assert_eq!(scratch.read("flowers.posy"), model);

    // Another kind of file, and one that is truncated, as after a kill.
    std::fs::write(path, "label,score\n".repeat(100)).unwrap();
    retrain().says(&["damaged"]);
    assert_eq!(scratch.read("flowers.posy"), model);
    std::fs::write(path, &whole[..middle]).unwrap();
    let outcome = retrain();
    assert_eq!(warnings(&outcome), [""; 0], "{outcome}");
    assert!(
        outcome.json()["from_cache"].as_u64() >= Some(10),
        "{outcome}"
    );
    assert_eq!(scratch.read("flowers.posy"), model);
    assert_eq!(retrain().json()["from_cache"], 30);
}

/// Warnings about the cache.
fn warnings(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines();
    let lines = lines.filter(|line| line.starts_with("warning") && line.contains("cache"));
    lines.collect()
}

/// Asserts that a run with an unwritable cache succeeds with exactly one warning.
#[track_caller]
fn goes_on_without(outcome: &Outcome, reason: &str) {
    let warnings = warnings(outcome);
    assert_eq!(warnings.len(), 1, "{outcome}");
    for text in [
        reason,
        "cache cannot be written",
        "going on without",
        "--bottleneck-dir",
    ] {
        assert!(warnings[0].contains(text), "no {text:?} in {outcome}");
    }
}

#[test]
fn without_a_cache_a_run_ends_well() {
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 6);
    Outcome::of(scratch.retrain_drawings("flowers", &[])).succeeds();
    let model = scratch.read("flowers.posy");

    std::fs::remove_dir_all(scratch.join("cache")).unwrap();
    scratch.write("cache", "a file in the folder's place");
    let more = ["--trainer=adjust", "--adjust-epochs=1"];
    let outcome = Outcome::of(scratch.retrain_drawings("flowers", &more)).succeeds();
    goes_on_without(&outcome, "cache");
    let outcome = Outcome::of(scratch.retrain_drawings("flowers", &[])).succeeds();
    goes_on_without(&outcome, "cache");
    assert_eq!(scratch.read("flowers.posy"), model);
    let check = [
        "check",
        "--backbone=network.tflite",
        "--bottleneck-dir=cache",
        "flowers",
    ];
    goes_on_without(&scratch.posy(check), "cache");
}

#[test]
fn a_cache_on_a_full_or_read_only_disk() {
    let test = "a_cache_on_a_full_or_read_only_disk";
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 6);
    Outcome::of(scratch.retrain_drawings("flowers", &["--json"])).succeeds();
    let model = scratch.read("flowers.posy");
    let run = "$POSY retrain --json --no-float --backbone=network.tflite --image-dir=flowers \
               --output-graph=out.posy --bottleneck-dir=";
    scratch.write("tiny/.keep", "");
    let full = format!("mount -t tmpfs -o size=16k none tiny; {run}tiny");
    let Some(outcome) = scratch.in_namespace(test, &full) else {
        return;
    };
    let outcome = outcome.succeeds();
    goes_on_without(&outcome, "No space left on device");
    assert_eq!(outcome.json()["computed"], 30);
    assert_eq!(scratch.read("out.posy"), model);

    // Existing features are used; new ones cannot be stored.
    scratch.draw_photos("flowers", 7);
    let read_only = format!("mount --bind cache cache; mount -o remount,ro,bind cache; {run}cache");
    let outcome = scratch.in_namespace(test, &read_only).unwrap().succeeds();
    goes_on_without(&outcome, "Read-only file system");
    assert_eq!(outcome.json()["computed"], 5, "{outcome}");
    assert_eq!(outcome.json()["from_cache"], 30, "{outcome}");
}

/// Two trainings with different networks and a check, one after another and at the same time.
#[test]
fn runs_side_by_side_share_a_cache() {
    let test = "runs_side_by_side_share_a_cache";
    let (Some(flowers), Some(_)) = (data(test, "flower_photos"), data(test, "models")) else {
        return;
    };
    let labels = ["daisy", "dandelion", "roses", "tulips"];
    let lines: [&[&str]; 3] = [
        &[
            "retrain",
            "--head-only",
            "--json",
            "--architecture=mobilenet_0.25_128",
            "--output-graph=small.posy",
        ],
        &[
            "retrain",
            "--head-only",
            "--json",
            "--architecture=mobilenet_0.50_128",
            "--output-graph=large.posy",
        ],
        &["check", "--json", "--architecture=mobilenet_0.25_128"],
    ];
    let command = |scratch: &Scratch, line: &[&str]| {
        let mut command = scratch.command(line);
        command.arg("--bottleneck-dir=cache");
        match line[0] {
            "check" => command.arg("flowers"),
            _ => command.args(["--image-dir=flowers", "--no-float"]),
        };
        command
    };
    let make = || {
        let scratch = Scratch::new();
        scratch.copy_photos(&flowers, "flowers", &labels, 30);
        scratch
    };
    let (apart, together) = (make(), make());
    let one_by_one: Vec<Outcome> = lines
        .iter()
        .map(|line| Outcome::of(command(&apart, line)))
        .collect();
    let all_at_once = || -> Vec<Outcome> {
        std::thread::scope(|scope| {
            let run = |line: &&'static [&'static str]| {
                let command = command(&together, line);
                scope.spawn(move || Outcome::of(command))
            };
            let running: Vec<_> = lines.iter().map(run).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    // With an empty cache, and with a full one.
    for turn in 0..2 {
        for (one, other) in one_by_one.iter().zip(all_at_once()) {
            assert_eq!(one.code, other.code, "{other}");
            assert_eq!(warnings(one), warnings(&other), "{other}");
            if one.code == Some(0) && turn == 1 && other.json()["model"].is_string() {
                assert_eq!(other.json()["computed"], 0, "{other}");
            }
            if one.json()["model"].is_null() {
                assert_eq!(one.stdout, other.stdout);
            }
        }
        for model in ["small.posy", "large.posy"] {
            assert_eq!(apart.read(model), together.read(model), "{model}");
        }
    }
}

#[test]
fn what_is_cached_is_shown_and_cleared() {
    let scratch = Scratch::new();
    let here = "--bottleneck-dir=cache";
    scratch.posy(["cache", here]).succeeds();
    scratch
        .posy(["cache", "clear", here])
        .succeeds()
        .says(&["0.0 MB freed"]);
    scratch.draw_photos("flowers", 6);
    Outcome::of(scratch.retrain_drawings("flowers", &[])).succeeds();
    let json = scratch.posy(["cache", "--json", here]).succeeds().json();
    let bytes: u64 = files(&scratch, "cache")
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert_eq!(json["bytes"], bytes);
    assert_eq!(json["limit_bytes"], 1_000_000_000u64);
    let sets = json["features"].as_array().unwrap();
    let kinds = sets.iter().map(|set| set["name"].as_str().unwrap());
    let kinds: Vec<&str> = kinds.map(|name| name.split('-').next().unwrap()).collect();
    assert_eq!(kinds, ["int8", "thumbnails"], "{json}");
    let shown = scratch.posy(["cache", here]).succeeds();
    for text in [
        "int8-",
        "thumbnails-",
        "1.0 GB",
        "POSY_CACHE_LIMIT",
        "cache/features",
    ] {
        assert!(shown.stdout.contains(text), "{shown}");
    }
    shown.says(&["posy cache clear"]);
    scratch
        .posy(["cache", "clear", here])
        .succeeds()
        .says(&["MB freed"]);
    assert_eq!(files(&scratch, "cache"), Vec::<PathBuf>::new());
    // In the user's own folder, downloads are listed, and are removed only on request.
    scratch.write("user-cache/posy/models/net.tflite", vec![0; 2_000_000]);
    scratch.write("user-cache/posy/models/mine.txt", "mine");
    let shown = scratch.posy(["cache"]).succeeds();
    assert!(shown.stdout.contains("net.tflite"), "{shown}");
    scratch.posy(["cache", "clear"]).succeeds();
    assert!(scratch.join("user-cache/posy/models/net.tflite").exists());
    let cleared = scratch.posy(["cache", "clear", "--downloads"]).succeeds();
    cleared.says(&["2.0 MB freed"]);
    assert_eq!(scratch.names("user-cache/posy/models"), ["mine.txt"]);
}

#[test]
fn the_limit_is_the_environments() {
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 6);
    let retrain = |limit: &str| {
        let mut command = scratch.retrain_drawings("flowers", &["--json"]);
        command.env("POSY_CACHE_LIMIT", limit);
        Outcome::of(command)
    };
    retrain("much").fails(2, &["POSY_CACHE_LIMIT=\"much\"", "500M"]);
    let full = retrain("5K").succeeds();
    full.says(&["limit of 0.0 MB", "POSY_CACHE_LIMIT"]);
    assert!(scratch.names(".").contains(&"flowers.posy".to_owned()));
    assert_eq!(retrain("1G").succeeds().json()["computed"], 30);
    assert_eq!(retrain("1G").succeeds().json()["computed"], 0);
    assert_eq!(retrain("0").succeeds().json()["computed"], 30);
    assert_eq!(files(&scratch, "cache"), Vec::<PathBuf>::new());
}
