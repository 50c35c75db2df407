//! `posy demo` on a bare machine: no photos, no networks, no cache, no network access.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use posy::demo::{Flower, draw};
use posy_tests::emulator::Tools;
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::{boards, data};

const LABELS: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// The command on such a machine.
fn bare(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = scratch.command(arguments);
    command.env("POSY_DATA", scratch.join("nowhere"));
    command.env("HOME", scratch.join("home"));
    command
}

/// Every file below `folder` except the cache, whose layout is not the demo's, and the report and
/// the run record, which contain times.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap();
            let name = name.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("cache") && !name.starts_with("flowers.r") {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Top label of each of the three drawings, by their true label.
fn named(outcome: &Outcome) -> Vec<(String, String)> {
    let mut lines = outcome.stdout.lines();
    let mut named = Vec::new();
    while let Some(line) = lines.next() {
        if let Some((_, file)) = line.split_once("unseen/") {
            let truth = file.strip_suffix(".jpg:").unwrap();
            let answer = lines.next().unwrap();
            let answer = answer
                .split_once(" (score = ")
                .map_or(answer, |(label, _)| label);
            named.push((truth.into(), answer.into()));
        }
    }
    named
}

#[test]
fn the_whole_road_with_nothing_at_hand() {
    let scratch = Scratch::new();
    let run = |folder: &str, more: &[&str]| {
        let out = format!("--out={folder}");
        let words = [&["demo", out.as_str()], more].concat();
        Outcome::of(bare(&scratch, &words)).succeeds()
    };
    let first = run("one", &[]);
    // Every step is shown as a command, and the output says what the pictures are.
    let first = first.says(&[
        "drawing 500 pictures",
        "not photos",
        "$ posy retrain --no-check --no-float --head-only --image-dir one/drawings --backbone one/drawings_0.25_128.tflite",
        "$ posy label --model one/flowers.posy",
    ]);
    let labels = scratch.names("one/drawings");
    assert_eq!(labels, LABELS);
    for label in LABELS {
        assert_eq!(scratch.names(format!("one/drawings/{label}")).len(), 100);
    }
    let accuracy = first.stdout.lines().find_map(|line| {
        let share = line.strip_prefix("Final test accuracy = ")?;
        share.split_once('%')?.0.parse::<f64>().ok()
    });
    // Chance is 20%.
    assert!(accuracy.is_some_and(|share| share >= 80.0), "{first}");
    let named = named(&first);
    assert_eq!(named.len(), 3, "{first}");
    for (truth, answer) in named {
        assert_eq!(truth, answer, "{first}");
    }
    assert_says_what_is_right(&first);

    // The same seed gives the same bytes; another seed gives other drawings.
    let second = run("two", &[]);
    assert_eq!(second.stdout.replace("two/", "one/"), first.stdout);
    let [one, two] = ["one", "two"].map(|folder| files(&scratch.join(folder)));
    // Drawings, unseen ones, and the network, the model, its split and the marker file.
    assert_eq!(one.len(), 500 + 3 + 4, "{:?}", one.keys());
    assert!(one == two, "files differ");
    run("other", &["--seed=1"]);
    let other = files(&scratch.join("other"));
    for (name, bytes) in &one {
        let same = other.get(name) == Some(bytes);
        // The network is the same, and so is the split, which depends on names.
        let fixed =
            name.ends_with(".tflite") || name == "flowers.split.json" || name == "posy-demo.txt";
        assert_eq!(same, fixed, "{name}");
    }
}

/// Asserts that each of the three drawings has a verdict, right or wrong, that matches its answer.
#[track_caller]
fn assert_says_what_is_right(outcome: &Outcome) {
    for (truth, answer) in named(outcome) {
        let right = if truth == answer { "right" } else { "wrong" };
        let line = format!("{truth}.jpg: called {answer}, which is {right}");
        let said = outcome.stderr.lines().any(|said| said == line);
        assert!(said, "{line}: {outcome}");
    }
}

/// The output and the report that it links stay until the next demo; files of others are never
/// removed.
#[test]
fn a_folder_is_overwritten_only_if_a_demo_made_it() {
    let scratch = Scratch::new();
    let first = Outcome::of(bare(&scratch, &["demo", "--seed=4"])).succeeds();
    assert_says_what_is_right(&first);
    let report = "posy-demo/flowers.report.html";
    let first = first.says(&[report, "stays in posy-demo"]);
    assert!(!first.stderr.contains("called what it is"), "{first}");
    assert!(scratch.join(report).is_file());
    // The last words are the two commands to go on with, which the command line knows.
    let said: Vec<&str> = first.stderr.lines().rev().take(3).collect();
    assert_eq!(
        said,
        [
            "  posy label --model PHOTOS.posy PHOTO.jpg",
            "  posy retrain --image-dir PHOTOS",
            "next, with your own photos, one folder of them for each label:",
        ],
        "{first}"
    );
    scratch.copy_photos(&scratch.join("posy-demo/drawings"), "PHOTOS", &LABELS, 30);
    let go_on = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        Outcome::of(bare(&scratch, &words)).succeeds()
    };
    go_on(said[1]);
    let photo = scratch.read("posy-demo/unseen/daisy.jpg");
    scratch.write("PHOTO.jpg", photo);
    assert!(go_on(said[0]).stdout.starts_with("daisy (score = "));
    scratch.write("posy-demo/mine.txt", "mine");
    let second = Outcome::of(bare(&scratch, &["demo"])).succeeds();
    assert_says_what_is_right(&second);
    assert_eq!(scratch.read("posy-demo/mine.txt"), b"mine");

    scratch.write("posy-demo-2/mine.txt", "mine");
    let occupied = Outcome::of(bare(&scratch, &["demo", "--out=posy-demo-2"]));
    occupied.fails(2, &["posy-demo-2: is not empty", "--out"]);
    assert_eq!(scratch.names("posy-demo-2"), ["mine.txt"]);
}

#[test]
fn the_emulated_board_answers_in_the_demo() {
    if Tools::find("the_emulated_board_answers_in_the_demo").is_none() {
        return;
    }
    let scratch = Scratch::new();
    let mut command = bare(&scratch, &["demo"]);
    command.arg("--out").arg(scratch.join("out"));
    // Without an argument it looks in the current checkout. Toolchains are in the home folder.
    command.current_dir(boards::folder());
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    let outcome = Outcome::of(command).succeeds();
    let outcome = outcome.says(&["logits are the laptop's, bit for bit"]);
    let last = outcome.stdout.lines().last().unwrap();
    assert!(last.starts_with("daisy "), "{outcome}");
    assert!(last.ends_with(" ms"), "{outcome}");
}

/// The embedded network is used, with a note, if no network is named and none can be had; never if
/// one is named.
#[test]
fn a_network_to_fall_back_on() {
    let scratch = Scratch::new();
    for flower in [Flower::Daisy, Flower::Tulip] {
        let folder = scratch.join("photos").join(flower.label());
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..12 {
            let path = folder.join(format!("{number}.png"));
            draw(flower, 0, number).save(path).unwrap();
        }
    }
    let words = [
        "retrain",
        "--no-float",
        "--image-dir=photos",
        "--bottleneck-dir=cache",
    ];
    let run = |more: &[&str], resort: Option<&Path>| {
        let mut command = bare(&scratch, &[&words[..], more].concat());
        if let Some(path) = resort {
            command.env("POSY_LAST_RESORT", path);
        }
        Outcome::of(command)
    };
    let missing = "no network file for mobilenet_v1_0.50_224";
    run(&[], None).succeeds().says(&[
        "warning: mobilenet_v1_0.50_224 is not here, and the server cannot be reached",
        "going on with drawings_0.25_128 (part of posy), a last resort",
        "backbone: drawings_0.25_128 (part of posy)",
    ]);
    let named = "--architecture=mobilenet_0.50_224";
    run(&[named], None).fails(1, &[missing]);
    run(&["--model-dir=here"], None).fails(1, &[missing]);
    run(&[], Some(Path::new(""))).fails(1, &[missing]);
    run(&[], Some(Path::new("none.tflite"))).fails(1, &["none.tflite"]);
    if let Some(models) = data("another_network_to_fall_back_on", "models") {
        let network = models.join("mobilenet_v1_0.25_128_quant.tflite");
        let texts = ["going on with mobilenet_v1_0.25_128_quant"];
        run(&[], Some(&network)).succeeds().says(&texts);
    }
}
