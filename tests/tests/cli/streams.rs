//! Standard output and standard error, and readers that close early. `posy_tests::scratch` asserts
//! for every run that nothing is drawn for a terminal if there is none.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use posy_tests::scratch::Scratch;
use posy_tests::{data, small_classifier};

#[test]
fn json_is_all_that_standard_output_gets() {
    let Some(flowers) = data("json_is_all_that_standard_output_gets", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 6);
    let more = ["--json", "--trainer=sgd", "--how-many-training-steps=20"];
    let outcome = scratch.retrain("flowers", &more).succeeds();
    let json = outcome.json();
    assert_eq!(json["photos"], 12);
    assert!(json["feature_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(json["model_bytes"], scratch.read("flowers.posy").len());
    outcome.says(&[
        "backbone: mobilenet_v1_0.25_128",
        "photos: flowers",
        "features of 12 photos: 12 computed, 0 from the cache, 0 files skipped",
        "Step 0: Train accuracy",
        "wrote flowers.posy",
    ]);
    let text = scratch.retrain("flowers", &[]).succeeds();
    assert!(!text.stdout.contains("wrote"), "{text}");
    assert!(text.stdout.starts_with("label "), "{text}");
    for arguments in [
        ["inspect", "--json", "flowers.posy"],
        ["fit", "--json", "flowers.posy"],
    ] {
        let outcome = scratch.posy(arguments).succeeds();
        assert_eq!(outcome.stderr, "");
        outcome.json();
    }
}

/// Runs a command and closes its standard output after one byte, as `head` would. Returns exit code
/// and standard error.
fn read_one_byte(mut command: Command) -> (Option<i32>, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut byte = [0];
    out.read_exact(&mut byte).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[test]
fn a_reader_may_leave_early() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(30));
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/grey.png");
    let photo = photo.to_str().unwrap();
    // More than the pipe can hold (64 KiB).
    let mut label = vec!["label", "--model=model.posy", "--top=30"];
    label.extend([photo; 200]);
    let mut label_json = label.clone();
    label_json.push("--json");
    let mut fit = vec!["fit", "--json"];
    fit.extend(["mobilenet_v2_1.0_224"; 600]);
    let layers = vec!["inspect", "--layers", "model.posy"];
    let inspect = vec!["inspect", "--json", "model.posy"];
    for arguments in [label, label_json, fit, layers, inspect] {
        let (code, stderr) = read_one_byte(scratch.command(&arguments));
        let shown = &arguments[..2];
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{shown:?}");
    }
}

/// A closed progress stream does not stop the run: the model is written all the same.
#[test]
fn nobody_needs_to_read_the_progress() {
    let Some(flowers) = data("nobody_needs_to_read_the_progress", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 3);
    let mut command = scratch.retrain_command("flowers", &[]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert!(scratch.join("flowers.posy").is_file());
}

/// `/dev/full` accepts nothing: lost output must not pass for success.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    let cases: [&[&str]; 4] = [
        &["fit"],
        &["fit", "--json"],
        &["inspect", "model.posy"],
        &["inspect", "--json", "model.posy"],
    ];
    for arguments in cases {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = scratch
            .command(arguments)
            .stdout(full.unwrap())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
