//! Determinism: equal photos and options give equal bytes, whatever the number of threads.

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};

#[test]
fn threads_do_not_change_the_model() {
    let Some(flowers) = data("threads_do_not_change_the_model", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    let labels = ["daisy", "roses", "sunflowers", "tulips"];
    scratch.copy_photos(&flowers, "flowers", &labels, 25);
    for trainer in ["logistic", "sgd", "adjust"] {
        let mut files = Vec::new();
        for (run, threads) in ["1", "2", "5", "5"].into_iter().enumerate() {
            let model = format!("{trainer}-{run}.posy");
            let cache = format!("cache-{trainer}-{run}");
            let more = [
                "--trainer",
                trainer,
                "--how-many-training-steps=50",
                "--output-graph",
                &model,
                "--bottleneck-dir",
                &cache,
            ];
            // Repeating an option is an error, so the usual one is not given.
            let mut command = scratch.command([
                "retrain",
                "--head-only",
                "--no-float",
                "--image-dir=flowers",
            ]);
            command
                .args(["--architecture=mobilenet_0.25_128"])
                .args(more);
            command.env("RAYON_NUM_THREADS", threads);
            let outcome = Outcome::of(command).succeeds();
            outcome.says(&["100 computed, 0 from the cache"]);
            let split = format!("{trainer}-{run}.split.json");
            files.push((scratch.read(model), scratch.read(split)));
        }
        assert!(files.iter().all(|file| *file == files[0]), "{trainer}");
    }
    let trained = |trainer: &str| scratch.read(format!("{trainer}-0.posy"));
    assert_ne!(trained("logistic"), trained("sgd"));
}
