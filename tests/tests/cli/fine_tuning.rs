//! Fine-tuning by the command: its line, its record, and runs that are killed in the midst of it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};

const KILLS: usize = 3;
/// Number of kills in full test runs.
const ALL_KILLS: usize = 10;

/// A few flowers of each label, or `None` if there are none.
fn flowers(test: &str, each: usize) -> Option<Scratch> {
    let flowers = data(test, "flower_photos")?;
    data(test, "models/mobilenet_v1_0.25_128_quant.tflite")?;
    let scratch = Scratch::new();
    let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
    scratch.copy_photos(&flowers, "flowers", &labels, each);
    Some(scratch)
}

/// Time of the newest state in the cache.
fn state(scratch: &Scratch) -> Option<SystemTime> {
    let folder = scratch.join("cache/fine-tuning").read_dir().ok()?;
    let times = folder.flatten().filter_map(|entry| {
        let whole = entry.path().extension()? == "state";
        whole.then(|| entry.metadata().ok()?.modified().ok())?
    });
    times.max()
}

#[test]
fn killed_runs_go_on_and_give_the_same_model() {
    let Some(scratch) = flowers("killed_runs_go_on_and_give_the_same_model", 20) else {
        return;
    };
    let kills = match std::env::var_os("POSY_TESTS_ALL") {
        Some(_) => ALL_KILLS,
        None => KILLS,
    };
    let epochs = format!("--adjust-epochs={}", 50 * (kills + 1));
    let options = [
        "--fine-tune=1",
        "--variants=1",
        &epochs,
        "--no-check",
        "--no-report",
    ];
    let whole = scratch.retrain("flowers", &options).succeeds();
    whole.says(&["fine-tuning: the last block and the last layer"]);
    let expected = scratch.read("flowers.posy");
    assert_eq!(state(&scratch), None, "the state is removed in the end");
    std::fs::remove_file(scratch.join("flowers.posy")).unwrap();
    for _ in 0..kills {
        let before = state(&scratch);
        let mut command = scratch.retrain_command("flowers", &options);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        while state(&scratch) == before && started.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(5));
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ended = scratch.join("flowers.posy").exists();
    assert!(
        !ended,
        "a run ended before it was killed: more epochs are needed"
    );
    let last = Outcome::of(scratch.retrain_command("flowers", &options)).succeeds();
    last.says(&["going on after", "epochs of a run that ended early"]);
    assert_eq!(scratch.read("flowers.posy"), expected);
}

/// Presses Ctrl-C after the first state has been kept.
#[test]
fn ctrl_c_keeps_the_best_epoch() {
    let Some(scratch) = flowers("ctrl_c_keeps_the_best_epoch", 20) else {
        return;
    };
    let options = [
        "--fine-tune=1",
        "--variants=1",
        "--adjust-epochs=1000",
        "--no-check",
        "--no-report",
    ];
    let mut command = scratch.retrain_command("flowers", &options);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let started = Instant::now();
    while state(&scratch).is_none() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pressed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(pressed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("stopping after this epoch"), "{stderr}");
    let record: serde_json::Value =
        serde_json::from_slice(&scratch.read("flowers.run.json")).unwrap();
    let done = record["fine_tuning"]["done"].as_u64().unwrap();
    assert!((1..1000).contains(&done), "{done} epochs");
    assert_eq!(record["fine_tuning"]["epochs"], 1000);
    let inspected = scratch.posy(["inspect", "flowers.posy"]);
    inspected.succeeds();
    assert_eq!(state(&scratch), None, "the next run begins anew");
}

#[test]
fn the_record_and_json_tell_what_was_done_and_the_line_why_not() {
    let test = "the_record_and_json_tell_what_was_done_and_the_line_why_not";
    let Some(scratch) = flowers(test, 12) else {
        return;
    };
    let few = scratch.retrain("flowers", &["--fine-tune=auto", "--no-report"]);
    few.succeeds().says(&[
        "training the last layer alone: ",
        "training photos, and fine-tuning wants 20 of each label",
    ]);
    let options = ["--fine-tune=1", "--adjust-epochs=2", "--variants=1"];
    let json = scratch
        .retrain("flowers", &[&options[..], &["--json"]].concat())
        .succeeds()
        .json();
    let found = &json["fine_tuning"];
    assert_eq!(
        (&found["blocks"], &found["views"], &found["done"]),
        (&1.into(), &2.into(), &2.into())
    );
    let record: serde_json::Value =
        serde_json::from_slice(&scratch.read("flowers.run.json")).unwrap();
    assert_eq!(record["fine_tuning"], *found);
    let report = String::from_utf8(scratch.read("flowers.report.html")).unwrap();
    assert!(report.contains("its last block fine-tuned"));
    assert!(report.contains("Accuracy in fine-tuning"));
}
