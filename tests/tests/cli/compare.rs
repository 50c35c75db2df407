//! Run records and `posy compare`.

use posy_tests::data;
use posy_tests::scratch::Scratch;
use serde_json::Value;

#[test]
fn runs_are_recorded_and_compared() {
    let Some(photos) = data("runs_are_recorded_and_compared", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&photos, "flowers", &["daisy", "roses", "tulips"], 50);
    let runs = [
        ("one.posy", "--trainer=logistic", "--split-seed=0"),
        ("two.posy", "--trainer=sgd", "--split-seed=0"),
        ("three.posy", "--trainer=logistic", "--split-seed=7"),
    ];
    for (name, trainer, seed) in runs {
        let shared = ["--testing-percentage=30", "--how-many-training-steps=3"];
        let more = [&shared[..], &[trainer, seed, "--output", name]].concat();
        scratch.retrain("flowers", &more).succeeds();
    }
    let record: Value = serde_json::from_slice(&scratch.read("one.run.json")).unwrap();
    let photos = record["photos"].as_array().unwrap();
    let inspected = scratch.posy(["inspect", "--json", "one.posy"]).json();
    assert_eq!(photos.len(), inspected["split"]["testing"]);
    assert_eq!(record["backbone_sha256"], inspected["backbone_sha256"]);
    assert_eq!(record["model"]["ram_bytes"], inspected["ram_bytes"]);
    // The record's answers and scores equal those of the model.
    for photo in photos.iter().take(5) {
        let path = format!("flowers/{}", photo["photo"].as_str().unwrap());
        let arguments = ["label", "--json", "--model=one.posy", &path];
        let labelled = scratch.posy(arguments).succeeds().json();
        let Some(answer) = photo["answer"].as_u64() else {
            assert_eq!(labelled["unknown"], true, "{path}");
            continue;
        };
        let answer = answer as usize;
        let best = &labelled["labels"][0];
        assert_eq!(best["label"], record["labels"][answer], "{path}");
        // One is written as f32, the other as f64.
        let single = |score: &Value| score.as_f64().map(|score| score as f32);
        assert_eq!(
            single(&best["score"]),
            single(&photo["scores"][answer]),
            "{path}"
        );
    }

    let outcome = scratch.posy([
        "compare",
        "--json",
        "one.posy",
        "two.run.json",
        "three.posy",
    ]);
    let compared = outcome.succeeds().json();
    let [paired, unpaired] = [0, 1].map(|index| &compared["comparisons"][index]["comparison"]);
    assert_eq!(paired["method"], "paired");
    assert_eq!(paired["photos"], photos.len());
    // Recomputed from both records.
    let other: Value = serde_json::from_slice(&scratch.read("two.run.json")).unwrap();
    let right = |photo: &Value| {
        let scores = photo["scores"].as_array().unwrap().iter();
        let scores: Vec<f64> = scores.map(|score| score.as_f64().unwrap()).collect();
        let top = scores.iter().copied().fold(0.0, f64::max);
        photo["truth"] == scores.iter().position(|&score| score == top).unwrap()
    };
    let pairs = photos.iter().zip(other["photos"].as_array().unwrap());
    let only_first = pairs
        .filter(|(one, other)| right(one) && !right(other))
        .count();
    assert_eq!(paired["only_first"], only_first);
    assert_eq!(unpaired["method"], "unpaired");
    assert_eq!(compared["runs"][1]["ram_bytes"], inspected["ram_bytes"]);

    let text = scratch
        .posy(["compare", "one.posy", "two.posy", "three.posy"])
        .succeeds();
    for part in ["95% interval", "McNemar's exact p = ", "not paired: only "] {
        assert!(text.stdout.contains(part), "{part}: {text}");
    }

    // Invalid arguments.
    scratch.posy(["compare", "one.posy"]).fails(2, &["RUN"]);
    let missing = scratch.posy(["compare", "one.posy", "four.posy"]);
    missing.fails(1, &["error: four.run.json: cannot be read", "posy retrain"]);
    scratch.write("text.json", "no record");
    let text = scratch.posy(["compare", "one.posy", "text.json"]);
    text.fails(1, &["error: text.json: not a run's record", "posy retrain"]);
}
