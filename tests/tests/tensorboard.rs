//! Event files, read back by the real TensorBoard.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use posy::report::events::{EventFile, Hparam, Tagged};
use posy_tests::data;
use posy_tests::scratch::Scratch;
use posy_tests::tensorboard::Tensorboard;
use serde_json::{Value, json};

/// `[step, value]` pairs of a scalar.
fn scalars<'a>(run: &'a Value, tag: &str) -> Vec<(u64, &'a Value)> {
    let pairs = run["scalars"][tag].as_array();
    let pairs = pairs.unwrap_or_else(|| panic!("no {tag} in {}", run["scalars"]));
    let pair = |pair: &'a Value| (pair[0].as_u64().unwrap(), &pair[1]);
    pairs.iter().map(pair).collect()
}

#[test]
fn the_accumulator_reads_what_was_written() {
    let Some(tensorboard) = Tensorboard::find("event_files") else {
        return;
    };
    let scratch = Scratch::new();
    let steps = [0, 1, 7, 4_000_000_000];
    let values = [0.5, -1.0e-30, 3.0e30, 1.0 / 3.0];
    let mut file = EventFile::create(&scratch.join("run/train")).unwrap();
    for (step, value) in steps.into_iter().zip(values) {
        let tagged = vec![
            Tagged::scalar("some/tag", value),
            Tagged::scalar("ünïcode 雏菊", -value),
        ];
        file.summary(step, tagged).unwrap();
    }
    let spread = [-2.0, 0.0, 1.0, 1.0, f64::NAN];
    file.summary(3, vec![Tagged::histogram("spread", spread.into_iter())])
        .unwrap();
    // Longer than any buffer on the way.
    let png = vec![7u8; 200_000];
    file.summary(4, vec![Tagged::image("picture", 20, 10, png.clone())])
        .unwrap();
    file.session(&[
        ("rate", Hparam::Number(0.25)),
        ("name", Hparam::Text("ورد".into())),
        ("flag", Hparam::Flag(true)),
    ])
    .unwrap();
    file.session_end().unwrap();
    file.flush().unwrap();

    let read = tensorboard.read(scratch.path());
    let run = &read["run/train"];
    for (tag, sign) in [("some/tag", 1.0), ("ünïcode 雏菊", -1.0)] {
        let found = scalars(run, tag);
        assert_eq!(found.len(), steps.len());
        for ((step, value), (expected_step, expected)) in
            found.into_iter().zip(steps.into_iter().zip(values))
        {
            assert_eq!(step, expected_step as u64);
            // Stored as f32, so exactly that is read.
            let expected = f64::from((sign * expected) as f32);
            assert_eq!(value.as_f64(), Some(expected), "{tag} at {step}");
        }
    }
    let histogram = &run["histograms"]["spread"][0];
    for (name, expected) in [
        ("step", 3.0),
        ("min", -2.0),
        ("max", 1.0),
        ("num", 4.0),
        ("sum", 0.0),
        ("sum_squares", 6.0),
    ] {
        assert_eq!(histogram[name].as_f64(), Some(expected), "{name}");
    }
    let image = &run["images"]["picture"][0];
    assert_eq!(
        (&image["width"], &image["height"]),
        (&json!(20), &json!(10))
    );
    let bytes = STANDARD.decode(image["png"].as_str().unwrap()).unwrap();
    assert_eq!(bytes, png);
    let hparams = json!({"rate": 0.25, "name": "ورد", "flag": true});
    assert_eq!(run["hparams"], hparams);
}

/// Numbers that `retrain` printed, `Step 10: Train accuracy = 65.0%` and the like, by step.
fn printed(stderr: &str, what: &str) -> Vec<(u64, f64)> {
    let lines = stderr.lines().filter_map(|line| {
        let (step, rest) = line.strip_prefix("Step ")?.split_once(": ")?;
        let number = rest.strip_prefix(what)?.strip_prefix(" = ")?;
        let number = number.split(['%', ' ']).next()?;
        Some((step.parse().ok()?, number.parse().ok()?))
    });
    lines.collect()
}

#[test]
fn a_run_is_read_as_it_was_printed_and_served() {
    let test = "tensorboard_of_a_run";
    let (Some(flowers), Some(tensorboard)) = (data(test, "flower_photos"), Tensorboard::find(test))
    else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses", "tulips"], 30);
    let sgd = scratch
        .retrain(
            "flowers",
            &[
                "--summaries_dir=logs/sgd",
                "--trainer=sgd",
                "--how_many_training_steps=45",
            ],
        )
        .succeeds();
    let logistic = ["--summaries-dir", "logs/logistic", "--json"];
    let logistic = scratch.retrain("flowers", &logistic).succeeds().json();

    let read = tensorboard.read(&scratch.join("logs"));
    let runs: BTreeSet<&str> = read
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = ["logistic", "sgd"]
        .into_iter()
        .flat_map(|run| ["", "/test", "/train", "/validation"].map(|part| format!("{run}{part}")));
    let expected: BTreeSet<String> = expected.collect();
    assert_eq!(runs, expected.iter().map(String::as_str).collect());

    // Gradient descent: every step equals the printed numbers.
    let (train, validation) = (&read["sgd/train"], &read["sgd/validation"]);
    let steps = |run, tag| {
        scalars(run, tag)
            .iter()
            .map(|pair| pair.0)
            .collect::<Vec<u64>>()
    };
    let measured = [0, 10, 20, 30, 40, 44];
    for tag in ["accuracy_1", "cross_entropy_1"] {
        assert_eq!(steps(train, tag), (0..45).collect::<Vec<u64>>());
        assert_eq!(steps(validation, tag), measured);
    }
    for (run, tag, what, unit, tolerance) in [
        (train, "accuracy_1", "Train accuracy", 100.0, 0.051),
        (train, "cross_entropy_1", "Cross entropy", 1.0, 1e-6),
        (
            validation,
            "accuracy_1",
            "Validation accuracy",
            100.0,
            0.051,
        ),
    ] {
        let lines = printed(&sgd.stderr, what);
        assert_eq!(lines.len(), measured.len(), "{sgd}");
        let values = scalars(run, tag);
        for (step, number) in lines {
            let (_, value) = values.iter().find(|pair| pair.0 == step).unwrap();
            let value = value.as_f64().unwrap() * unit;
            assert!(
                (value - number).abs() <= tolerance,
                "{what} {step}: {value} {number}"
            );
        }
    }
    for part in ["weights", "biases"] {
        let tag = |what: &str| format!("final_training_ops/{part}/summaries/{what}");
        let [mean, deviation, max, min] = ["mean_1", "stddev_1", "max_1", "min_1"].map(|what| {
            let values = scalars(train, &tag(what));
            assert_eq!(values.len(), measured.len());
            values.last().unwrap().1.as_f64().unwrap()
        });
        assert!(min < mean && mean < max && deviation > 0.0 && deviation < max - min);
        let histogram = train["histograms"][tag("histogram")].as_array().unwrap();
        let last = histogram.last().unwrap();
        let number = |name: &str| last[name].as_f64().unwrap();
        assert!((number("min") - min).abs() < 1e-6 && (number("max") - max).abs() < 1e-6);
        assert!((number("sum") / number("num") - mean).abs() < 1e-6);
        let expected = if part == "weights" { 3.0 * 256.0 } else { 3.0 };
        assert_eq!(number("num"), expected);
    }
    for tag in [
        "final_training_ops/Wx_plus_b/pre_activations",
        "activations",
    ] {
        let histogram = &train["histograms"][tag][0];
        assert_eq!(histogram["num"], 300.0, "100 photos, 3 labels");
    }
    let activations = &train["histograms"]["activations"][0];
    assert!((activations["sum"].as_f64().unwrap() - 100.0).abs() < 1e-3);

    // The graph is connected.
    let nodes = train["graph"].as_array().unwrap();
    let names: BTreeSet<&str> = nodes
        .iter()
        .map(|node| node["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), nodes.len());
    for node in nodes {
        for input in node["inputs"].as_array().unwrap() {
            assert!(names.contains(input.as_str().unwrap()), "{node}");
        }
    }
    let count = |op: &str| nodes.iter().filter(|node| node["op"] == op).count();
    assert_eq!(
        (
            count("DepthwiseConv2dNative"),
            count("Conv2D"),
            count("Softmax")
        ),
        (13, 14, 1)
    );

    // The solver: its last step is the selected head.
    let train = &read["logistic/train"];
    let ends = scalars(train, "cross_entropy_1");
    assert!(ends.len() > 9);
    assert!(ends.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    let [first, last] = [&ends[0], &ends[ends.len() - 1]].map(|pair| pair.1.as_f64().unwrap());
    assert!(last < first && last > 0.0);
    assert_eq!(
        steps(&read["logistic/validation"], "accuracy_1").len(),
        ends.len()
    );
    let accuracy = scalars(&read["logistic/test"], "accuracy_1")[0]
        .1
        .as_f64()
        .unwrap();
    let expected = logistic["int8_test_accuracy"].as_f64().unwrap();
    assert_eq!(accuracy, f64::from(expected as f32));
    for run in ["logistic/test", "logistic/validation"] {
        let image = &read[run]["images"]["confusion_matrix"][0];
        let png = STANDARD.decode(image["png"].as_str().unwrap()).unwrap();
        let png = image::load_from_memory(&png).unwrap();
        assert_eq!(image["width"], png.width());
        assert_eq!(image["height"], png.height());
    }
    assert_eq!(read["logistic"]["hparams"]["trainer"], "logistic");
    assert_eq!(read["sgd"]["hparams"]["how_many_training_steps"], 45.0);

    // A server gives the same over HTTP.
    let server = tensorboard.serve(&scratch.join("logs"));
    let tags = "data/plugin/scalars/tags";
    server.ask(tags, |tags| {
        tags.get("logistic/train")?.get("accuracy_1").cloned()
    });
    for (run, tag) in [
        ("sgd/train", "accuracy_1"),
        ("sgd/validation", "cross_entropy_1"),
        (
            "logistic/train",
            "final_training_ops/weights/summaries/mean_1",
        ),
    ] {
        let expected = scalars(&read[run], tag);
        let path = format!("data/plugin/scalars/scalars?run={run}&tag={tag}")
            .replace("/train", "%2Ftrain");
        let served = server.ask(&path, |points| {
            let points = points.as_array()?;
            (points.len() == expected.len()).then(|| points.clone())
        });
        for (point, (step, value)) in served.iter().zip(expected) {
            assert_eq!((&point[1], &point[2]), (&json!(step), value));
        }
    }
    let body = json!({
        "experimentName": "", "startIndex": 0, "sliceSize": 10, "colParams": [],
        "allowedStatuses": ["STATUS_SUCCESS"],
    });
    let groups = server.post("data/plugin/hparams/session_groups", &body, |answer| {
        let groups = answer["sessionGroups"].as_array()?;
        (groups.len() == 2).then(|| groups.clone())
    });
    let trainers: BTreeSet<&str> = groups
        .iter()
        .map(|group| group["hparams"]["trainer"].as_str().unwrap())
        .collect();
    assert_eq!(trainers, BTreeSet::from(["logistic", "sgd"]));
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_anything_is_trained() {
    let Some(flowers) = data("unwritable_summaries", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 5);
    scratch.write("taken", "a file");
    scratch
        .retrain("flowers", &["--summaries-dir", "taken"])
        .fails(1, &["taken", "--summaries-dir"]);
}
