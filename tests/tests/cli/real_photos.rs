//! All real photos, from nothing to ranked labels, and a second run.

use std::path::Path;

use posy_tests::data;
use posy_tests::scratch::Scratch;
use serde_json::Value;

/// Label and score of a line such as `daisy (score = 0.99071)`.
fn ranked(line: &str) -> (&str, f32) {
    let (label, rest) = line.split_once(" (score = ").expect("a ranked line");
    let digits = rest.strip_suffix(')').expect("a closed bracket");
    let (whole, decimals) = digits.split_once('.').expect("a decimal point");
    assert!(whole == "0" || whole == "1", "{line}");
    assert_eq!(decimals.len(), 5, "{line}");
    (label, digits.parse().expect("a number"))
}

/// The two photos that the codelab "TensorFlow for Poets" labels.
#[test]
fn the_codelabs_photos_get_their_labels_and_a_second_run_computes_nothing() {
    let Some(flowers) = data("real_photos", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    // The working folder has no such name, so it is found in POSY_DATA.
    let first = scratch.retrain("flower_photos", &["--json"]).succeeds();
    let json = first.json();
    let photos = json["photos"].as_u64().unwrap();
    assert!(photos >= 1000, "{json}");
    assert_eq!(json["computed"], photos, "{json}");
    assert_eq!(json["from_cache"], 0);
    assert_eq!(
        json["labels"],
        serde_json::json!(["daisy", "dandelion", "roses", "sunflowers", "tulips"])
    );
    let accuracy = json["int8_test_accuracy"].as_f64().unwrap();
    // The reference accuracy is 81.6%, the mean of 10 splits, with a standard deviation of 3
    // points.
    assert!((0.70..=0.95).contains(&accuracy), "{accuracy}");
    assert_split_is_whole(&scratch, photos);

    for (name, flower) in [
        ("daisy/21652746_cc379e0eea_m.jpg", "daisy"),
        ("roses/2414954629_3708a1a04d.jpg", "roses"),
    ] {
        let photo = flowers.join(name);
        let shown = scratch.posy([
            Path::new("label"),
            Path::new("--model=flowers.posy"),
            &photo,
        ]);
        let shown = shown.succeeds();
        let lines: Vec<(&str, f32)> = shown.stdout.lines().map(ranked).collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert_eq!(lines[0].0, flower, "{shown}");
        assert!(lines.is_sorted_by(|a, b| a.1 >= b.1), "{shown}");
        let sum: f32 = lines.iter().map(|line| line.1).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{shown}");
    }

    let model = scratch.read("flowers.posy");
    let second = scratch.retrain("flower_photos", &["--json"]).succeeds();
    let again = second.json();
    assert_eq!(again["computed"], 0, "{second}");
    assert_eq!(again["from_cache"], photos);
    assert!(second.stderr.contains(" 0 computed"), "{second}");
    assert_eq!(scratch.read("flowers.posy"), model);
    let seconds = |json: &Value| json["feature_seconds"].as_f64().unwrap();
    eprintln!(
        "features of {photos} photos: {:.2} s, then {:.2} s from the cache: {:.0} times faster",
        seconds(&json),
        seconds(&again),
        seconds(&json) / seconds(&again)
    );
}

/// Asserts that the split file has every photo once.
fn assert_split_is_whole(scratch: &Scratch, photos: u64) {
    let split: Value = serde_json::from_slice(&scratch.read("flowers.split.json")).unwrap();
    let labels = split["labels"].as_object().unwrap();
    assert_eq!(labels.len(), 5);
    let mut listed: Vec<&str> = Vec::new();
    for parts in labels.values() {
        for part in ["training", "validation", "testing"] {
            let names = parts[part].as_array().unwrap();
            assert!(!names.is_empty(), "{split}");
            listed.extend(names.iter().map(|name| name.as_str().unwrap()));
        }
    }
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len() as u64, photos);
}
