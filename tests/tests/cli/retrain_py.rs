//! Compatibility with TensorFlow's `retrain.py` (googlecodelabs/tensorflow-for-poets-2, folder
//! `scripts`): spellings of options, output lines, split.

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use serde_json::Value;

const LABELS: [&str; 3] = ["daisy", "roses", "tulips"];

/// Parses a number in a line such as `Step 10: Train accuracy = 65.0%`, between `start` and `end`.
fn number_in(line: &str, start: &str, end: &str) -> Option<f64> {
    line.strip_prefix(start)?.strip_suffix(end)?.parse().ok()
}

#[test]
fn its_spellings_and_lines() {
    let test = "retrain_pys_spellings_and_lines";
    let (Some(flowers), Some(models)) = (data(test, "flower_photos"), data(test, "models")) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &LABELS, 30);
    let mut command = scratch.command(["retrain", "--no-float", "--trainer=sgd"]);
    command.args(["--image_dir", "flowers"]);
    command.args(["--output_graph", "out/graph.posy"]);
    command.args(["--output_labels", "out/labels.txt"]);
    command.args(["--how_many_training_steps", "25"]);
    command.args(["--learning_rate", "0.005"]);
    command.args(["--testing_percentage", "20"]);
    command.args(["--validation_percentage", "15"]);
    command.args(["--eval_step_interval", "10"]);
    command.args(["--train_batch_size", "50"]);
    command.args(["--test_batch_size", "-1"]);
    command.args(["--validation_batch_size", "40"]);
    command.arg("--print_misclassified_test_images");
    command.arg("--model_dir").arg(models);
    command.args(["--bottleneck_dir", "bottlenecks"]);
    command.args(["--architecture", "mobilenet_0.25_128_quantized"]);
    let outcome = Outcome::of(command).succeeds();

    let steps: Vec<&str> = outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("Step "))
        .collect();
    let mut lines = steps.iter();
    for step in [0, 10, 20, 24] {
        let mut next = |what: &str, end: &str| {
            let line = lines.next().unwrap_or_else(|| panic!("{outcome}"));
            let number = number_in(line, &format!("Step {step}: {what} = "), end);
            number.unwrap_or_else(|| panic!("{line}"))
        };
        assert!((0.0..=100.0).contains(&next("Train accuracy", "%")));
        assert!((0.0..10.0).contains(&next("Cross entropy", "")));
        assert!((0.0..=100.0).contains(&next("Validation accuracy", "% (N=40)")));
    }
    assert_eq!(lines.next(), None, "{outcome}");

    let tested = split(&scratch, "out/graph.split.json", "testing").len();
    assert!((12..=24).contains(&tested), "{tested}");
    let last = outcome.stdout.lines().last().unwrap();
    let end = format!("% (N={tested})");
    let accuracy = number_in(last, "Final test accuracy = ", &end);
    let accuracy = accuracy.unwrap_or_else(|| panic!("{outcome}"));
    let (_, after) = outcome
        .stdout
        .split_once("=== MISCLASSIFIED TEST IMAGES ===\n")
        .unwrap();
    let wrong = after.lines().take_while(|line| !line.is_empty()).count();
    let right = 100.0 * (tested - wrong) as f64 / tested as f64;
    assert!((right - accuracy).abs() <= 0.05, "{outcome}");

    assert_eq!(scratch.read("out/labels.txt"), b"daisy\nroses\ntulips\n");
    assert_eq!(
        scratch.names("out"),
        [
            "graph.posy",
            "graph.report.html",
            "graph.run.json",
            "graph.split.json",
            "labels.txt"
        ]
    );
    assert_eq!(scratch.names("bottlenecks"), ["features"]);
}

/// Relative paths of the photos in one part, over all labels.
fn split(scratch: &Scratch, file: &str, part: &str) -> Vec<String> {
    let split: Value = serde_json::from_slice(&scratch.read(file)).unwrap();
    let labels = split["labels"].as_object().unwrap();
    labels
        .values()
        .flat_map(|parts| parts[part].as_array().unwrap())
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_test_batch_limits_the_test() {
    let Some(flowers) = data("a_test_batch_limits_the_test", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &LABELS, 20);
    let tested = |size: &str| {
        let batch = format!("--test-batch-size={size}");
        let more = ["--testing-percentage=40", "--json", &batch];
        let json = scratch.retrain("flowers", &more).succeeds().json();
        let cells = json["confusion"].as_array().unwrap().iter();
        let cells = cells.flat_map(|row| row.as_array().unwrap());
        let sum: u64 = cells.map(|cell| cell.as_u64().unwrap()).sum();
        assert_eq!(json["split"]["testing"], sum);
        sum
    };
    let all = tested("-1");
    assert_eq!(
        all,
        split(&scratch, "flowers.split.json", "testing").len() as u64
    );
    assert!(all > 10);
    assert_eq!(tested("7"), 7);
    // The split file is complete.
    assert_eq!(
        all,
        split(&scratch, "flowers.split.json", "testing").len() as u64
    );
    assert_eq!(tested("1000"), all);
}

/// Validation and test photos among the first 30 of each label, for the folder typed as
/// `tf_files/flowers`: computed in Python 3.11 by the lines of `retrain.py` with `hashlib`.
const VALIDATION: [&str; 8] = [
    "daisy/10466558316_a7198b87e2.jpg",
    "daisy/11023272144_fce94401f2_m.jpg",
    "daisy/14021430525_e06baf93a9.jpg",
    "roses/12045735155_42547ce4e9_n.jpg",
    "roses/13235124703_a7e1266e44.jpg",
    "roses/14573732424_1bb91e2e42_n.jpg",
    "roses/14982802401_a3dfb22afb.jpg",
    "tulips/135994133_4f306fe4bf_n.jpg",
];
const TESTING: [&str; 9] = [
    "daisy/12601254324_3cb62c254a_m.jpg",
    "roses/10090824183_d02c613f10_m.jpg",
    "roses/10503217854_e66a804309.jpg",
    "roses/13929462317_96342a9a44.jpg",
    "tulips/10686568196_b1915544a8.jpg",
    "tulips/12916135413_dafcf3089e_n.jpg",
    "tulips/13289268363_b9337d751e.jpg",
    "tulips/133858239_3eaa8a91fd_n.jpg",
    "tulips/13555215723_cf2c11626b_b.jpg",
];

#[test]
fn its_split() {
    let Some(flowers) = data("retrain_pys_split", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "tf_files/flowers", &LABELS, 30);
    let run = |folder: &str, more: &[&str]| {
        scratch.retrain(folder, more).succeeds();
        ["training", "validation", "testing"]
            .map(|part| split(&scratch, "flowers.split.json", part))
    };
    let [training, validation, testing] = run("tf_files/flowers", &["--split", "codelab"]);
    assert_eq!(validation, VALIDATION);
    assert_eq!(testing, TESTING);
    assert_eq!(training.len(), 90 - 17);
    // The split depends on the path as typed, so another spelling of the folder gives another
    // split; the stable rule does not depend on it.
    let dotted = run("./tf_files/flowers", &["--split", "codelab"]);
    assert_ne!(dotted[1], VALIDATION);
    let stable = run("tf_files/flowers", &[]);
    assert_eq!(run("./tf_files/flowers", &[]), stable);
    assert_ne!(run("tf_files/flowers", &["--split-seed", "1"]), stable);
    assert_ne!(run("tf_files/flowers", &["--split_seed=2"]), stable);
}

/// Every hyphenated option of every command is also accepted with underscores.
#[test]
fn every_option_may_be_spelt_with_underscores() {
    let scratch = Scratch::new();
    let mut tried = 0;
    for command in ["retrain", "label", "inspect", "fit"] {
        let help = scratch.posy([command, "--help"]).succeeds().stdout;
        let words = help.split(|letter: char| !(letter == '-' || letter.is_ascii_alphabetic()));
        let options = words.filter(|word| word.starts_with("--") && word[2..].contains('-'));
        for option in options {
            let underscored = format!("--{}", option[2..].replace('-', "_"));
            // Known: the error is about a missing value or missing arguments.
            let mut command = scratch.command([command, &underscored]);
            command.env("POSY_DATA", scratch.join("nowhere"));
            let outcome = Outcome::of(command);
            assert!(matches!(outcome.code, Some(1 | 2)), "{outcome}");
            assert!(!outcome.stderr.contains("unexpected argument"), "{outcome}");
            tried += 1;
        }
    }
    assert!(tried >= 16, "{tried} options");
}

/// Output lines of `label_image.py`, for the model that `retrain` wrote.
#[test]
fn label_images_options_and_lines() {
    let Some(flowers) = data("label_images_options_and_lines", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &LABELS, 30);
    let labels = ["--output_labels=labels.txt"];
    scratch.retrain("flowers", &labels).succeeds();
    let photo = scratch.names("flowers/roses").remove(0);
    let image = format!("--image=flowers/roses/{photo}");
    let run = |more: &[&str]| {
        let graph = "--graph=flowers.posy";
        scratch.posy(["label-image", graph, &image].iter().chain(more))
    };
    let outcome = run(&["--labels=labels.txt"]).succeeds();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let [first, time, third, ranked @ ..] = lines.as_slice() else {
        panic!("{outcome}");
    };
    assert_eq!((*first, *third), ("", ""));
    assert!(number_in(time, "Evaluation time (1-image): ", "s").is_some());
    // The labels and scores equal those of `posy label`, in another form.
    let path = format!("flowers/roses/{photo}");
    let labelled = scratch.posy(["label", "--model=flowers.posy", &path]);
    let labelled = labelled.succeeds().stdout.replace(" = ", "=");
    assert_eq!(ranked, labelled.lines().collect::<Vec<_>>());
    assert_eq!(ranked.len(), LABELS.len());

    run(&["--input_height=128", "--input_mean=128"]).succeeds();
    run(&["--input_width=224"]).fails(2, &["--input_width 224 does not suit", "128 x 128"]);
    scratch.write("labels.txt", "one\ntwo\n");
    run(&["--labels=labels.txt"]).fails(1, &["labels.txt has 2 lines", "3 labels"]);
}
