//! Answers: rejection, scores, photos of none of the labels, and labels added later.

use std::collections::BTreeMap;

use posy::dataset::SplitFile;
use posy_tests::data;
use posy_tests::scratch::Scratch;
use serde_json::Value;

/// Number of photos in a folder that `posy label` calls unknown, and number of photos.
fn unknown(scratch: &Scratch, folder: &str) -> (usize, usize) {
    let said = scratch.posy(["label", "--json", "--model=flowers.posy", folder]);
    let said = said.succeeds();
    let lines: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let unknown = lines.iter().filter(|line| line["unknown"] == true);
    for line in &lines {
        for ranked in line["labels"].as_array().unwrap() {
            assert_ne!(ranked["label"], "_unknown", "it has no name");
        }
    }
    (unknown.count(), lines.len())
}

#[test]
fn photos_of_none_of_the_labels_are_unknown_by_a_folder_of_others() {
    let Some(flowers) = data("photos_of_none_of_the_labels", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 40);
    scratch.copy_photos(&flowers, "others", &["sunflowers"], 40);
    // Half of the sunflowers train the logit of "none of these".
    let names = scratch.names("others/sunflowers");
    std::fs::create_dir_all(scratch.join("flowers/_unknown")).unwrap();
    for name in &names[..30] {
        let from = scratch.join(format!("others/sunflowers/{name}"));
        std::fs::rename(from, scratch.join(format!("flowers/_unknown/{name}"))).unwrap();
    }
    let options = ["--json", "--output-labels", "labels.txt"];
    let outcome = scratch.retrain("flowers", &options).succeeds();
    let answers = &outcome.json()["answers"];
    assert_eq!(answers["unknown_label"], true, "{outcome}");
    assert_eq!(scratch.read("labels.txt"), b"daisy\nroses\n");
    let (others, count) = unknown(&scratch, "others");
    assert_eq!(count, 10);
    assert!(others >= 8, "{others}");
    let (known, count) = unknown(&scratch, "flowers/daisy");
    assert!(known <= count / 8, "{known} of {count}");
    let shown = scratch.posy(["inspect", "flowers.posy"]).succeeds();
    assert!(shown.stdout.contains("2: daisy, roses"), "{shown}");
    assert!(shown.stdout.contains("none of these"), "{shown}");
}

#[test]
fn photos_of_none_of_the_labels_are_unknown_by_threshold() {
    let Some(flowers) = data("unknown_by_threshold", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 40);
    scratch.copy_photos(&flowers, "others", &["sunflowers", "dandelion"], 20);
    for (by, stored) in [("distance", "too little like"), ("score", "score")] {
        let options = ["--json", "--unknown", by, "--unknown-percentage", "10"];
        let outcome = scratch.retrain("flowers", &options).succeeds();
        let answers = outcome.json()["answers"].clone();
        assert_eq!(answers["rejected_by"], by, "{outcome}");
        let held_out = &answers["held_out_known"];
        let rejected = held_out["rejected"].as_u64().unwrap();
        assert!(rejected * 10 <= held_out["photos"].as_u64().unwrap());
        let shown = scratch.posy(["inspect", "flowers.posy"]).succeeds();
        assert!(shown.stdout.contains(stored), "{shown}");
        let (others, count) = unknown(&scratch, "others");
        let (known, of_known) = unknown(&scratch, "flowers");
        // More out-of-distribution photos than training photos are called unknown.
        assert!(
            others * of_known > 2 * known * count,
            "{by}: {others} {known}"
        );
    }
    let off = scratch.retrain("flowers", &["--unknown", "off"]).succeeds();
    assert!(off.stdout.contains("unknown: never answered"), "{off}");
    assert_eq!(unknown(&scratch, "others").0, 0);
}

#[test]
fn of_few_photos_no_threshold_is_chosen() {
    let Some(flowers) = data("no_threshold_of_few_photos", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 6);
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    assert!(
        outcome.stdout.contains("never answered; it takes 40"),
        "{outcome}"
    );
    for (option, value) in [("--unknown-percentage", "51"), ("--max-drop", "nan")] {
        scratch
            .retrain("flowers", &[option, value])
            .fails(2, &[option]);
    }
}

/// Part of each photo in the split file.
fn parts(scratch: &Scratch) -> BTreeMap<String, u8> {
    let file = SplitFile::read(&scratch.join("flowers.split.json")).unwrap();
    let mut parts = BTreeMap::new();
    for label in file.labels.into_values() {
        let lists = [label.training, label.validation, label.testing];
        for (part, list) in (0..).zip(lists) {
            parts.extend(list.into_iter().map(|photo| (photo, part)));
        }
    }
    parts
}

#[test]
fn a_label_added_later_moves_no_photo_and_computes_only_its_own() {
    let Some(flowers) = data("a_label_added_later", "flower_photos") else {
        return;
    };
    // By the rule alone, a photo that had to fill a part goes back when others fill it; there is a
    // split in which one had to.
    let mut rule_moves = false;
    for seed in ["0", "1", "2", "3", "4", "5", "6", "7"] {
        let scratch = Scratch::new();
        let seed = ["--split-seed", seed];
        let with = |more: &[&'static str]| [&seed[..], more].concat();
        scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 8);
        scratch.retrain("flowers", &seed).succeeds();
        let before = parts(&scratch);
        assert_eq!(before.len(), 16);

        scratch.copy_photos(&flowers, "flowers", &["tulips"], 9);
        scratch.copy_photos(&flowers, "flowers", &["roses"], 30);
        let outcome = scratch.retrain("flowers", &with(&["--json"])).succeeds();
        let json = outcome.json();
        assert_eq!(
            (&json["computed"], &json["from_cache"]),
            (&31.into(), &16.into())
        );
        let after = parts(&scratch);
        assert_eq!(after.len(), 47);
        for (photo, part) in &before {
            assert_eq!(after[photo], *part, "{photo} moved, seed {seed:?}");
        }
        assert!(
            json["labels"]
                .as_array()
                .unwrap()
                .contains(&"tulips".into())
        );

        scratch
            .retrain("flowers", &with(&["--new-split"]))
            .succeeds();
        let anew = parts(&scratch);
        if before.iter().all(|(photo, part)| anew[photo] == *part) {
            continue;
        }
        rule_moves = true;
        // An unreadable split file is named, and does not end the run.
        scratch.write("flowers.split.json", "{}");
        let outcome = scratch.retrain("flowers", &seed).succeeds();
        outcome.says(&["flowers.split.json: not a split", "divided anew"]);
        assert_eq!(parts(&scratch), anew);
        break;
    }
    assert!(rule_moves, "no split in which the rule moves a photo");
}
