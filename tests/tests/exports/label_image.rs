//! The codelab's last steps: `label_image.py` and `posy label-image` on files of every format.

use std::path::Path;

use posy_tests::data;
use posy_tests::exports::Python;
use posy_tests::scratch::{ARCHITECTURE, Outcome, Scratch};

const LABELS: [&str; 3] = ["daisy", "roses", "tulips"];

/// Labels and scores of lines such as `daisy (score=0.97909)`.
fn ranking(text: &str) -> Vec<(String, f32)> {
    let line = |line: &str| {
        let (label, score) = line.strip_suffix(')')?.split_once(" (score=")?;
        Some((label.to_owned(), score.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// A folder with the codelab's files, trained by its commands, and photos outside the training set.
fn codelab(test: &str) -> Option<(Scratch, Vec<String>)> {
    let flowers = data(test, "flower_photos")?;
    data(test, "models")?;
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "tf_files/flower_photos", &LABELS, 30);
    let mut photos = Vec::new();
    for label in LABELS {
        let mut names: Vec<_> = flowers.join(label).read_dir().unwrap().collect();
        names.sort_by_key(|entry| entry.as_ref().unwrap().path());
        for entry in names.into_iter().rev().take(8) {
            photos.push(entry.unwrap().path().to_string_lossy().into_owned());
        }
    }
    for name in [
        "retrained_graph.pb",
        "model.onnx",
        "model.tflite",
        "model.posy",
    ] {
        let mut command =
            scratch.command(["retrain", "--head-only", "--architecture", ARCHITECTURE]);
        command.args([
            "--image_dir=tf_files/flower_photos",
            "--resize=legacy-bilinear",
        ]);
        command.args(["--bottleneck_dir=tf_files/bottlenecks"]);
        command.arg(format!("--output_graph=tf_files/{name}"));
        command.arg("--output_labels=tf_files/retrained_labels.txt");
        Outcome::of(command).succeeds();
    }
    Some((scratch, photos))
}

fn label_image(scratch: &Scratch, graph: &str, photo: &str, more: &[&str]) -> Vec<(String, f32)> {
    let mut command = scratch.command(["label-image", "--image", photo]);
    command.arg(format!("--graph=tf_files/{graph}")).args(more);
    let outcome = Outcome::of(command).succeeds();
    let ranking = ranking(&outcome.stdout);
    assert_eq!(ranking.len(), LABELS.len(), "{outcome}");
    ranking
}

#[test]
fn every_format_names_photos() {
    let Some((scratch, photos)) = codelab("every_format_names_photos") else {
        return;
    };
    for photo in photos.iter().step_by(3) {
        let of = |graph| label_image(&scratch, graph, photo, &[]);
        let [graph, onnx, tflite, posy] = [
            "retrained_graph.pb",
            "model.onnx",
            "model.tflite",
            "model.posy",
        ]
        .map(of);
        // Both files hold a board's numbers.
        assert_eq!(tflite, posy);
        // The float network; one of the two rounds the resized pixels.
        for (label, score) in &graph {
            let (_, other) = onnx.iter().find(|(name, _)| name == label).unwrap();
            assert!((score - other).abs() < 0.02, "{graph:?} {onnx:?}");
        }
    }
    // Stating the graph's own normalisation changes nothing; another one has an effect.
    let photo = &photos[0];
    let usual = label_image(&scratch, "retrained_graph.pb", photo, &[]);
    let named = ["--input_mean=128", "--input_std=128", "--input_layer=input"];
    assert_eq!(
        label_image(&scratch, "retrained_graph.pb", photo, &named),
        usual
    );
    let darker = ["--input_mean=200"];
    assert_ne!(
        label_image(&scratch, "retrained_graph.pb", photo, &darker),
        usual
    );
}

/// TensorFlow and posy give the same ranking for a photo file.
#[test]
fn the_ranking_is_tensorflows() {
    let test = "the_ranking_is_tensorflows";
    let Some(python) = Python::tensorflow(test) else {
        return;
    };
    let Some((scratch, photos)) = codelab(test) else {
        return;
    };
    let path = |name: &str| scratch.join(Path::new("tf_files").join(name));
    let mut arguments = vec!["--input_height=128".into(), "--input_width=128".into()];
    arguments.push(format!("--graph={}", path("retrained_graph.pb").display()));
    arguments.push(format!(
        "--labels={}",
        path("retrained_labels.txt").display()
    ));
    arguments.extend(photos.iter().cloned());
    let printed = python.run("label_image.py", &arguments);
    let theirs: Vec<_> = printed.trim_end().split("\n\n").map(ranking).collect();
    assert_eq!(theirs.len(), photos.len(), "{printed}");
    let mut worst = 0.0f32;
    for (photo, theirs) in photos.iter().zip(&theirs) {
        let ours = label_image(&scratch, "retrained_graph.pb", photo, &[]);
        let names = |ranking: &[(String, f32)]| -> Vec<String> {
            ranking.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&ours), names(theirs), "{photo}: {ours:?} {theirs:?}");
        for ((_, ours), (_, theirs)) in ours.iter().zip(theirs) {
            worst = worst.max((ours - theirs).abs());
        }
    }
    eprintln!(
        "{} photos, the same ranking, scores within {worst:e}",
        photos.len()
    );
    assert!(worst < 0.02, "{worst}");
}

/// Options for TensorFlow Hub's graph: its size is open, and its pixels are 0 to 1.
const HUB: [&str; 5] = [
    "--input_height=128",
    "--input_width=128",
    "--input_layer=Placeholder",
    "--input_mean=0",
    "--input_std=255",
];

/// Graphs of users: the codelab's own, whose constants are read through identities, and TensorFlow Hub's
/// network with a placeholder of open size.
#[test]
fn users_graphs_score_as_in_tensorflow() {
    let test = "users_graphs_score_as_in_tensorflow";
    let (Some(cases), Some(python)) = (data(test, "cases"), Python::tensorflow_always(test)) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.write("five.txt", "a\nb\nc\nd\ne\n");
    let [guide, hub] = ["guide.pb", "hub_noshape.pb"].map(|name| cases.join("models").join(name));
    let [guide_labels, five] = [cases.join("models/guide.txt"), scratch.join("five.txt")];
    // Decoders of JPEG differ by a grey level here and there.
    for (graph, labels, image, options, apart) in [
        (&guide, &guide_labels, "daisy_224.png", &[][..], 1e-4),
        (&guide, &guide_labels, "jpeg/ok.jpg", &[], 0.003),
        (&hub, &five, "daisy_224.png", &HUB, 1e-4),
        (&hub, &five, "daisy_160.png", &HUB, 1e-4),
    ] {
        let image = cases.join(image);
        let [graph, labels] = [("graph", graph), ("labels", labels)]
            .map(|(name, path)| format!("--{name}={}", path.display()));
        let mut arguments = vec![graph, labels];
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        let mut command = scratch.command(["label-image"]);
        command.args(&arguments).arg("--image").arg(&image);
        let outcome = Outcome::of(command).succeeds();
        arguments.push(image.to_string_lossy().into_owned());
        let [ours, theirs] =
            [outcome.stdout, python.run("label_image.py", &arguments)].map(|text| ranking(&text));
        assert!(ours.len() >= 3 && ours.len() == theirs.len(), "{ours:?}");
        let mut worst = 0.0f32;
        for ((ours, score), (theirs, other)) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{}", image.display());
            worst = worst.max((score - other).abs());
        }
        eprintln!(
            "{} in {}: within {worst:.0e}",
            image.display(),
            arguments[0]
        );
        assert!(worst < apart, "{worst}: {ours:?} {theirs:?}");
    }
}

#[test]
fn bad_graphs_are_refused_by_name() {
    let Some((scratch, photos)) = codelab("bad_graphs_are_refused_by_name") else {
        return;
    };
    let photo = &photos[0];
    let graph = scratch.read("tf_files/retrained_graph.pb");
    scratch.write("cut.pb", &graph[..graph.len() / 2]);
    scratch.write("empty.pb", []);
    scratch.write("text.onnx", "no model");
    scratch.write("few.txt", "daisy\n");
    let mut zip = scratch.read("tf_files/model.tflite");
    zip.truncate(zip.len() / 2);
    scratch.write("cut.tflite", zip);
    let graph = "tf_files/retrained_graph.pb";
    let cases: [(&str, &[&str], i32, &[&str]); 8] = [
        ("cut.pb", &[], 1, &["cut.pb: "]),
        ("empty.pb", &[], 1, &["empty.pb: ", "no node \"input\""]),
        ("text.onnx", &[], 1, &["text.onnx: "]),
        ("cut.tflite", &[], 1, &["cut.tflite: "]),
        (
            graph,
            &["--labels=few.txt"],
            1,
            &["few.txt has 1 lines", "3 labels"],
        ),
        (
            graph,
            &["--output_layer=layer_0/conv"],
            1,
            &["layer_0/conv", "Softmax"],
        ),
        (
            graph,
            &["--input_height=224"],
            2,
            &["--input_height 224", "128 x 128"],
        ),
        (graph, &["--input_std=0"], 2, &["--input_std 0"]),
    ];
    for (graph, more, code, texts) in cases {
        let mut command = scratch.command(["label-image", "--image", photo, "--graph", graph]);
        command.args(more);
        Outcome::of(command).fails(code, texts);
    }
}
