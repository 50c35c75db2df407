//! Data sets already divided into the folders `train`, `valid` and `test`, with the labels in them.

use posy_tests::data;
use posy_tests::scratch::Scratch;
use serde_json::Value;

/// Photos of two labels in folders of these names.
fn divided(test: &str, parts: [&str; 3]) -> Option<Scratch> {
    let photos = data(test, "flower_photos")?;
    let scratch = Scratch::new();
    let labels = ["daisy", "roses"];
    scratch.copy_photos(&photos, "all", &labels, 24);
    for label in labels {
        for (index, name) in scratch.names(format!("all/{label}")).iter().enumerate() {
            let part = parts[match index {
                0..12 => 0,
                12..16 => 1,
                _ => 2,
            }];
            let bytes = scratch.read(format!("all/{label}/{name}"));
            scratch.write(format!("set/{part}/{label}/{name}"), bytes);
        }
    }
    scratch.write("set/README.txt", "exported by somebody");
    Some(scratch)
}

#[test]
fn parts_are_not_learnt_as_labels() {
    let Some(scratch) = divided("parts_are_not_learnt_as_labels", ["train", "valid", "test"])
    else {
        return;
    };
    let texts = [
        "error: set: its folders test, train, valid are parts of a split",
        "posy retrain --image-dir set --split folders",
        "posy check set --split folders",
        "--image-dir set/train",
    ];
    scratch.retrain("set", &[]).fails(1, &texts);
    assert!(!scratch.join("set.posy").exists());
    let network = ["--architecture", "mobilenet_0.25_128"];
    scratch
        .posy(["check", "set"].iter().chain(&network))
        .fails(1, &texts);
    // The advice works.
    scratch.retrain("set/train", &["--no-check"]).succeeds();
    // Folders without labels in them hold nothing to train on.
    for part in ["Training", "TEST"] {
        let bytes = scratch.read(format!("all/daisy/{}", scratch.names("all/daisy")[0]));
        scratch.write(format!("flat/{part}/a.jpg"), bytes);
    }
    scratch.retrain("flat", &[]).fails(
        1,
        &[
            "its folders TEST, Training are parts of a split, not labels",
            "in flat/Training",
        ],
    );
    scratch.retrain("all", &["--split", "folders"]).fails(
        1,
        &[
            "all: --split folders wants a folder train",
            "here are daisy, roses",
        ],
    );
}

#[test]
fn a_split_by_folders_is_taken_and_recorded() {
    let parts = ["Training", "VAL", "testing"];
    let Some(scratch) = divided("a_split_by_folders_is_taken_and_recorded", parts) else {
        return;
    };
    let folders = ["--split", "folders"];
    let outcome = scratch
        .retrain("set", &["--split", "folders", "--json"])
        .succeeds();
    let json = outcome.json();
    let labels: Vec<&Value> = json["labels"].as_array().unwrap().iter().collect();
    assert_eq!(labels.len(), 2, "{json}");
    let split: Value = serde_json::from_slice(&scratch.read("set.split.json")).unwrap();
    assert_eq!(split["rule"]["name"], "folders");
    // 4 and 8 of 24 photos of each label.
    assert_eq!(split["percentages"]["validation"], 17);
    assert_eq!(split["percentages"]["testing"], 33);
    for label in ["daisy", "roses"] {
        let names = scratch.names(format!("all/{label}"));
        for (part, folder, range) in [
            ("training", parts[0], 0..12),
            ("validation", parts[1], 12..16),
            ("testing", parts[2], 16..24),
        ] {
            let expected: Vec<String> = names[range]
                .iter()
                .map(|name| format!("{folder}/{label}/{name}"))
                .collect();
            let found: Vec<&str> = split["labels"][label][part]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            assert_eq!(found, expected, "{label}, {part}");
        }
    }
    let record: Value = serde_json::from_slice(&scratch.read("set.run.json")).unwrap();
    assert!(
        record.to_string().contains("{\"name\":\"folders\"}"),
        "{record}"
    );

    let network = [
        "--architecture",
        "mobilenet_0.25_128",
        "--bottleneck-dir",
        "cache",
    ];
    let check = scratch.posy(["check", "set"].iter().chain(&folders).chain(&network));
    assert!(check.stdout.contains("48 photos of 2 labels"), "{check}");
    let label = scratch
        .posy(["label", "--model", "set.posy", "set/testing"])
        .succeeds();
    assert_eq!(label.stdout.matches(".jpg:").count(), 16, "{label}");
}

/// Missing validation or test folders are no error, but noted.
#[test]
fn parts_may_be_missing() {
    let Some(scratch) = divided("parts_may_be_missing", ["train", "valid", "test"]) else {
        return;
    };
    let more = ["--split", "folders", "--no-check", "--no-report"];
    std::fs::remove_dir_all(scratch.join("set/valid")).unwrap();
    scratch.retrain("set", &more[..3]).succeeds();
    std::fs::remove_dir_all(scratch.join("set/test")).unwrap();
    std::fs::create_dir_all(scratch.join("set/unsorted")).unwrap();
    scratch.retrain("set", &more[..3]).succeeds().says(&[
        "warning: there is no folder test",
        "warning: folder \"unsorted\" is none of train, valid and test: left out",
    ]);
}
