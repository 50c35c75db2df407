//! Commands of Google's "TensorFlow for Poets" codelab, verbatim except for the program: `posy
//! retrain` in place of `python -m scripts.retrain`, `posy label-image` in place of `python -m
//! scripts.label_image`. The codelab's shell sets `IMAGE_SIZE=224` and
//! `ARCHITECTURE="mobilenet_0.50_${IMAGE_SIZE}"` first.

use std::process::Command;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch, posy_path};

const LABELS: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// The two photos that the codelab labels.
const DAISY: &str = "daisy/21652746_cc379e0eea_m.jpg";
const ROSE: &str = "roses/2414954629_3708a1a04d.jpg";

/// "Run the training".
const RETRAIN: &str = r#"python -m scripts.retrain \
  --bottleneck_dir=tf_files/bottlenecks \
  --how_many_training_steps=500 \
  --model_dir=tf_files/models/ \
  --summaries_dir=tf_files/training_summaries/"${ARCHITECTURE}" \
  --output_graph=tf_files/retrained_graph.pb \
  --output_labels=tf_files/retrained_labels.txt \
  --architecture="${ARCHITECTURE}" \
  --image_dir=tf_files/flower_photos"#;

/// "Optional: I'm NOT in a hurry!", without a number of steps.
const UNHURRIED: &str = r#"python -m scripts.retrain \
  --bottleneck_dir=tf_files/bottlenecks \
  --model_dir=tf_files/models/"${ARCHITECTURE}" \
  --summaries_dir=tf_files/training_summaries/"${ARCHITECTURE}" \
  --output_graph=tf_files/retrained_graph.pb \
  --output_labels=tf_files/retrained_labels.txt \
  --architecture="${ARCHITECTURE}" \
  --image_dir=tf_files/flower_photos"#;

/// "Using the retrained model".
const LABEL_DAISY: &str = r"python -m scripts.label_image \
    --graph=tf_files/retrained_graph.pb  \
    --image=tf_files/flower_photos/daisy/21652746_cc379e0eea_m.jpg";

const LABEL_ROSE: &str = r"python -m scripts.label_image \
    --graph=tf_files/retrained_graph.pb  \
    --image=tf_files/flower_photos/roses/2414954629_3708a1a04d.jpg";

/// The codelab's folders with some of its photos, and no network in `tf_files/models`.
struct Codelab {
    scratch: Scratch,
}

impl Codelab {
    fn new(test: &str) -> Option<Self> {
        let flowers = data(test, "flower_photos")?;
        data(test, "models")?;
        let scratch = Scratch::new();
        scratch.copy_photos(&flowers, "tf_files/flower_photos", &LABELS, 30);
        for photo in [DAISY, ROSE] {
            let bytes = std::fs::read(flowers.join(photo)).unwrap();
            scratch.write(format!("tf_files/flower_photos/{photo}"), bytes);
        }
        Some(Codelab { scratch })
    }

    /// Runs a command of the codelab in a shell, with posy as the program and `more` at its end.
    fn run(&self, command: &str, more: &str) -> Outcome {
        let posy = posy_path();
        let posy = posy.to_str().expect("a path in UTF-8");
        let line = command
            .replace(
                "python -m scripts.retrain",
                &format!("'{posy}' retrain --no-float"),
            )
            .replace(
                "python -m scripts.label_image",
                &format!("'{posy}' label-image"),
            );
        assert_ne!(line, command);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{line} {more}")]);
        shell.env("IMAGE_SIZE", "224");
        shell.env("ARCHITECTURE", "mobilenet_0.50_224");
        // The usual environment: folder, data, cache, no network access.
        let usual = self.scratch.command([""; 0]);
        for (name, value) in usual.get_envs() {
            shell.env(name, value.expect("variables are set"));
        }
        shell.current_dir(self.scratch.path());
        Outcome::of(shell)
    }
}

/// Percentage in the last line, which has the codelab's form.
fn accuracy(outcome: &Outcome) -> f64 {
    let last = outcome.stdout.lines().last().unwrap_or_default();
    let rest = last.strip_prefix("Final test accuracy = ");
    let share = rest.and_then(|rest| rest.split_once("% (N=")?.0.parse().ok());
    share.unwrap_or_else(|| panic!("{outcome}"))
}

/// Labels and scores in the lines of `label_image.py`.
fn ranked(outcome: &Outcome) -> Vec<(String, f64)> {
    let mut lines = outcome.stdout.lines();
    assert_eq!(lines.next(), Some(""), "{outcome}");
    let time = lines.next().unwrap();
    assert!(time.starts_with("Evaluation time (1-image): "), "{outcome}");
    assert_eq!(lines.next(), Some(""), "{outcome}");
    let line = |line: &str| {
        let (label, score) = line.split_once(" (score=").unwrap();
        let score = score.strip_suffix(')').unwrap().parse().unwrap();
        (label.to_owned(), score)
    };
    lines.map(line).collect()
}

#[test]
fn every_command_runs_as_it_is_written() {
    let Some(codelab) = Codelab::new("the_codelabs_commands") else {
        return;
    };
    let scratch = &codelab.scratch;
    let first = codelab.run(RETRAIN, "").succeeds();
    // A line per step, by `--how_many_training_steps`.
    first
        .says(&[
            "Step 0: Train accuracy = ",
            "Step 499: Validation accuracy = ",
        ])
        .says(&["Step 490: Cross entropy = "]);
    assert_eq!(
        scratch.read("tf_files/retrained_labels.txt"),
        b"daisy\ndandelion\nroses\nsunflowers\ntulips\n"
    );
    assert!(scratch.read("tf_files/retrained_graph.pb").len() > 3_000_000);
    let summaries = "tf_files/training_summaries/mobilenet_0.50_224";
    assert!(scratch.names(summaries).contains(&"train".to_owned()));
    assert!(scratch.names(summaries).contains(&"validation".to_owned()));
    assert_eq!(scratch.names("tf_files/bottlenecks"), ["features"]);
    // Nothing was fetched into the new folder: the network is in a default folder.
    assert!(!scratch.join("tf_files/models").exists());

    // Chance is a fifth. The photos' features come from the cache.
    let unhurried = codelab.run(UNHURRIED, "").succeeds();
    assert!(accuracy(&unhurried) > 50.0, "{unhurried}");
    unhurried.says(&["152 photos: 0 computed, 152 from the cache"]);

    // "Trying other hyperparameters".
    let more = "--learning_rate=0.5 --summaries_dir=tf_files/training_summaries/LR_0.5 \
                --how_many_training_steps=40";
    let command = RETRAIN
        .replace(
            "  --summaries_dir=tf_files/training_summaries/\"${ARCHITECTURE}\" \\\n",
            "",
        )
        .replace("  --how_many_training_steps=500 \\\n", "");
    codelab
        .run(&command, more)
        .succeeds()
        .says(&["Step 39: Train accuracy = "]);
    assert!(
        scratch
            .join("tf_files/training_summaries/LR_0.5/train")
            .is_dir()
    );
}

#[test]
fn its_two_photos_are_labelled() {
    let Some(codelab) = Codelab::new("the_codelabs_two_photos") else {
        return;
    };
    codelab.run(RETRAIN, "").succeeds();
    for (command, label) in [(LABEL_DAISY, "daisy"), (LABEL_ROSE, "roses")] {
        let ranked = ranked(&codelab.run(command, "").succeeds());
        assert_eq!(ranked.len(), LABELS.len());
        assert_eq!(ranked[0].0, label, "{ranked:?}");
        assert!(ranked.iter().map(|(_, score)| score).sum::<f64>() > 0.99);
        // The codelab adds these for networks of another size.
        let sized = r#"--input_width="${IMAGE_SIZE}" --input_height="${IMAGE_SIZE}""#;
        let again = codelab.run(command, sized).succeeds();
        assert_eq!(self::ranked(&again), ranked);
    }
    codelab
        .run(LABEL_ROSE, "--input_width=128 --input_height=128")
        .fails(2, &["128 does not suit", "224 x 224"]);
}

/// "Other retraining options": help lists every option of both scripts in posy's spelling with the
/// scripts' default, and posy accepts it in the scripts' spelling.
#[test]
fn the_help_lists_every_option_of_the_scripts() {
    let scratch = Scratch::new();
    let retrain = [
        "image_dir",
        "output_graph",
        "intermediate_output_graphs_dir",
        "intermediate_store_frequency",
        "output_labels",
        "summaries_dir",
        "how_many_training_steps",
        "learning_rate",
        "testing_percentage",
        "validation_percentage",
        "eval_step_interval",
        "train_batch_size",
        "test_batch_size",
        "validation_batch_size",
        "print_misclassified_test_images",
        "model_dir",
        "bottleneck_dir",
        "final_tensor_name",
        "flip_left_right",
        "random_crop",
        "random_scale",
        "random_brightness",
        "architecture",
    ];
    let label_image = [
        "image",
        "graph",
        "labels",
        "input_height",
        "input_width",
        "input_mean",
        "input_std",
        "input_layer",
        "output_layer",
    ];
    for (command, options) in [("retrain", &retrain[..]), ("label-image", &label_image)] {
        let help = scratch.posy([command, "-h"]).succeeds().stdout;
        for option in options {
            let ours = format!("--{} ", option.replace('_', "-"));
            let ends = format!("--{}\n", option.replace('_', "-"));
            assert!(
                help.contains(&ours) || help.contains(&ends),
                "{option}: {help}"
            );
            // Known: the error is about a missing value, other arguments, or photos.
            let mut command = scratch.command([command, &format!("--{option}")]);
            command.env("POSY_DATA", scratch.join("nowhere"));
            command.env("POSY_LAST_RESORT", "");
            let outcome = Outcome::of(command);
            assert!(matches!(outcome.code, Some(1 | 2)), "{outcome}");
            assert!(!outcome.stderr.contains("unexpected argument"), "{outcome}");
        }
    }
    let help = scratch.posy(["retrain", "-h"]).succeeds().stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    for default in ["4000", "0.01", "final_result", "mobilenet_0.50_224"] {
        assert!(help.contains(&format!("[default: {default}]")), "{default}");
    }
    // Options without effect say so.
    let refused = |option: &str| scratch.posy(["retrain", option]);
    refused("--final_tensor_name=other").fails(2, &["final_result", "leave the option out"]);
    refused("--intermediate_store_frequency=100").fails(2, &["no intermediate graphs"]);
}
