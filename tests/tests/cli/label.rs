//! `posy label`: input and output.

use std::path::{Path, PathBuf};

use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::small_classifier;
use serde_json::Value;

/// Photos in many formats; see the README beside them.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/photos")
        .join(name)
}

/// A folder with a model of three labels, `model.posy`, and photos.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    for name in ["baseline_444.jpg", "grey.png", "lossy.webp"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        scratch.write(Path::new("photos").join(name), bytes);
    }
    scratch
}

fn label(scratch: &Scratch, more: &[&str]) -> Outcome {
    scratch.posy(["label", "--model", "model.posy"].iter().chain(more))
}

#[test]
fn one_photo_is_not_named() {
    let outcome = label(&scratch(), &["photos/grey.png"]).succeeds();
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout.lines().count(), 3, "{outcome}");
    for line in outcome.stdout.lines() {
        let (label, score) = line.split_once(" (score = ").unwrap();
        assert!(label.starts_with("label "), "{line}");
        assert!(score.ends_with(')') && score.len() == 8, "{line}");
    }
}

#[test]
fn a_folder_is_its_files_in_order() {
    let scratch = scratch();
    scratch.write("photos/.hidden", "not looked at");
    let folder = label(&scratch, &["photos"]).succeeds();
    let heads: Vec<&str> = folder
        .stdout
        .lines()
        .filter(|line| line.ends_with(':'))
        .collect();
    assert_eq!(
        heads,
        [
            "photos/baseline_444.jpg:",
            "photos/grey.png:",
            "photos/lossy.webp:"
        ]
    );
    let files = [
        "photos/baseline_444.jpg",
        "photos/grey.png",
        "photos/lossy.webp",
    ];
    assert_eq!(label(&scratch, &files).succeeds().stdout, folder.stdout);
}

#[test]
fn standard_input_is_a_photo() {
    let scratch = scratch();
    let bytes = std::fs::read(fixture("grey.png")).unwrap();
    let named = label(&scratch, &["photos/grey.png"]).succeeds();
    let piped = scratch.command(["label", "--model", "model.posy", "-"]);
    let piped = Outcome::with_input(piped, &bytes).succeeds();
    assert_eq!(piped.stdout, named.stdout);

    let nothing = scratch.command(["label", "--model", "model.posy", "-"]);
    Outcome::with_input(nothing, b"").fails(1, &["standard input: the file is empty"]);
}

#[test]
fn top_limits_the_labels() {
    let scratch = scratch();
    let all = label(&scratch, &["photos/grey.png"]).succeeds().stdout;
    let two = label(&scratch, &["--top", "2", "photos/grey.png"]).succeeds();
    let expected: String = all.split_inclusive('\n').take(2).collect();
    assert_eq!(two.stdout, expected);
}

#[test]
fn json_is_one_object_a_line() {
    let outcome = label(&scratch(), &["--json", "--top", "2", "photos"]).succeeds();
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["photo"], "photos/grey.png");
    for line in &lines {
        assert_eq!(line["unknown"], false);
        assert_eq!(line["logits"].as_array().unwrap().len(), 3);
        let labels = line["labels"].as_array().unwrap();
        assert_eq!(labels.len(), 2);
        let score = |label: &Value| label["score"].as_f64().unwrap();
        assert!(score(&labels[0]) >= score(&labels[1]), "{line}");
        assert!(labels[0]["label"].as_str().unwrap().starts_with("label "));
    }
}

#[test]
fn a_bad_file_is_named_and_the_others_are_labelled() {
    let scratch = scratch();
    let jpeg = std::fs::read(fixture("baseline_444.jpg")).unwrap();
    scratch.write("photos/cut.jpg", &jpeg[..jpeg.len() / 2]);
    scratch.write("photos/text.jpg", "daisies are not roses\n");
    let outcome = label(&scratch, &["photos", "missing.jpg"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let outcome = outcome.says(&[
        "photos/cut.jpg: the JPEG ends early",
        "photos/text.jpg: it is a text",
        "missing.jpg: cannot be read",
        "3 of the files and folders could not be labelled",
    ]);
    assert_eq!(outcome.stdout.matches("label 0 (").count(), 3, "{outcome}");
    // Each bad file has one line that names it once.
    assert_eq!(outcome.stderr.matches("missing.jpg").count(), 1);
    assert_eq!(outcome.stderr.lines().count(), 4, "{outcome}");
}

/// Broken and cyclic links do not stop other photos in a folder from being labelled.
#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_or_back_are_named_and_the_others_are_labelled() {
    use std::os::unix::fs::symlink;

    let scratch = scratch();
    symlink("nowhere", scratch.join("photos/a.jpg")).unwrap();
    std::fs::create_dir(scratch.join("photos/more")).unwrap();
    symlink("..", scratch.join("photos/more/b")).unwrap();
    symlink("itself", scratch.join("photos/itself")).unwrap();
    let outcome = label(&scratch, &["photos"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let outcome = outcome.says(&[
        "skipped photos/a.jpg: a link that leads nowhere",
        "skipped photos/more/b: a link that leads back to a folder above itself",
        "skipped photos/itself: cannot be read",
        "3 of the files and folders could not be labelled",
    ]);
    assert_eq!(outcome.stdout.matches("label 0 (").count(), 3, "{outcome}");
    assert_eq!(outcome.stderr.lines().count(), 4, "{outcome}");
}

/// The error for standard input does not advise removing it from a folder.
#[test]
fn standard_input_that_is_no_photo_is_named() {
    let scratch = scratch();
    for (bytes, text) in [
        (
            &b"daisies are not roses\n"[..],
            "standard input: it is a text, not a photo (JPEG, PNG, WebP, GIF or BMP)\n",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "standard input: it is a pointer of Git LFS, not the photo itself; run `git lfs pull`",
        ),
        (
            b"<!DOCTYPE html><html><body>Not found</body></html>",
            "standard input: it is a web page, not a photo; the download went wrong",
        ),
        (
            &[7; 40],
            "standard input: its first bytes are of no known image format",
        ),
    ] {
        let command = scratch.command(["label", "--model", "model.posy", "-"]);
        let outcome = Outcome::with_input(command, bytes).fails(1, &[text]);
        assert!(
            !outcome.stderr.contains("folder that") || text.contains("lfs"),
            "{outcome}"
        );
        assert!(!outcome.stderr.contains("take it out"), "{outcome}");
    }
}

#[test]
fn an_empty_folder_is_named() {
    let scratch = scratch();
    std::fs::create_dir(scratch.join("empty")).unwrap();
    label(&scratch, &["empty"]).fails(1, &["empty: there are no files in this folder"]);
}
