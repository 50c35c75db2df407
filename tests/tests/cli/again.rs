//! A second run with another training option recomputes nothing that does not depend on it.

use std::time::Instant;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};

#[test]
fn another_learning_setting_decodes_nothing() {
    let Some(flowers) = data("another_learning_setting_decodes_nothing", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses", "tulips"], 25);
    // Recently modified files are not recognised by their metadata.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let run = |more: &[&str]| {
        let mut command = scratch.command([
            "retrain",
            "--head-only",
            "--no-float",
            "--image-dir=flowers",
        ]);
        command.args([
            "--architecture=mobilenet_0.25_128",
            "--bottleneck-dir=cache",
        ]);
        command.args(more);
        let started = Instant::now();
        let outcome = Outcome::of(command).succeeds();
        eprintln!("{more:?}: {:.2} s", started.elapsed().as_secs_f64());
        outcome
    };
    run(&["--trainer=logistic"]).says(&["75 computed, 0 from the cache"]);
    let again = [
        "--trainer=sgd",
        "--learning-rate=0.02",
        "--how-many-training-steps=50",
    ];
    run(&again).says(&["0 computed, 75 from the cache"]);

    let adjust = ["--trainer=adjust", "--adjust-epochs=2"];
    run(&adjust).says(&[
        "0 computed, 75 from the cache",
        "fine-tuning: the last block and the last layer, 2 epochs on 9 views of each photo",
    ]);
    let faster = [
        "--trainer=adjust",
        "--adjust-epochs=3",
        "--adjust-rate=0.001",
    ];
    run(&faster).says(&["fine-tuning: the last block and the last layer, 3 epochs"]);
    // Options of retrain.py, in its spelling, that affect the head alone.
    let spelt = [
        "--trainer=logistic",
        "--flip_left_right",
        "--random_crop=10",
        "--random_scale=10",
        "--random_brightness=10",
        "--variants=2",
    ];
    run(&spelt).says(&["variants of 75 photos: 75 computed, 0 from the cache"]);
    run(&spelt).says(&["variants of 75 photos: 0 computed, 75 from the cache"]);
}

#[test]
fn options_of_variants_out_of_range_are_refused() {
    let scratch = Scratch::new();
    for wrong in ["--random-crop=101", "--variants=0", "--random-scale=-1"] {
        let outcome = Outcome::of(scratch.command(["retrain", wrong]));
        assert_eq!(outcome.code, Some(2), "{outcome}");
    }
}
