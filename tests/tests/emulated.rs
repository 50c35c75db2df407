//! The same answer on the board: emulated Cortex-M4, M7 and M33 against the laptop, on camera
//! frames of real photos.
//!
//! `POSY_EMULATED_PHOTOS` is the number of photos for each network and board, 10 by default.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use posy_tests::answers::{Answer, classified, labelled, retrain};
use posy_tests::emulator::{MACHINES, Machine, Tools, answers, emulate};
use posy_tests::frames::{frame, photos, save};
use posy_tests::scratch::Scratch;
use posy_tests::{data, small_classifier};

const ARCHITECTURES: [&str; 3] = [
    "mobilenet_v1_0.25_128",
    "mobilenet_v1_0.50_224",
    "mobilenet_v2_0.5_224",
];

/// One test at a time: they build the same files, and two emulators keep a small machine busy.
static ALONE: Mutex<()> = Mutex::new(());

fn photo_count() -> usize {
    let count = std::env::var("POSY_EMULATED_PHOTOS").unwrap_or_else(|_| "10".into());
    count.parse().expect("POSY_EMULATED_PHOTOS is a number")
}

#[test]
fn every_board_answers_as_the_laptop() {
    let test = "every_board_answers_as_the_laptop";
    let (Some(tools), Some(flowers)) = (Tools::find(test), data(test, "flower_photos")) else {
        return;
    };
    let _alone = ALONE.lock();
    let scratch = Scratch::new();
    let programs = MACHINES.map(|machine| tools.build(machine, scratch.path()));

    let photos = photos(&flowers, photo_count());
    let frames: Vec<Vec<u8>> = photos.iter().map(|photo| frame(photo)).collect();
    scratch.write("frames.rgb565", frames.concat());
    std::fs::create_dir(scratch.join("frames")).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        save(frame, &scratch.join(format!("frames/{index:03}.png")));
    }

    let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
    scratch.copy_photos(&flowers, "photos", &labels, 12);
    let networks = ARCHITECTURES.map(|architecture| {
        let name = retrain(&scratch, architecture);
        let expected = labelled(&scratch, &name);
        assert_eq!(expected.len(), photos.len());
        assert_eq!(classified(&scratch.read(&name), &frames), expected);
        // An answer that does not depend on the picture would prove nothing.
        let mut rankings: Vec<&str> = expected.iter().map(|answer| &*answer.ranking).collect();
        rankings.sort_unstable();
        rankings.dedup();
        assert!(2 * rankings.len() > photos.len(), "{rankings:?}");
        (name, expected)
    });

    let runs = MACHINES.iter().zip(&programs);
    let runs = runs.flat_map(|run| networks.iter().map(move |network| (run, network)));
    let queue = Mutex::new(runs);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        // Two emulators at once.
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(((machine, program), (name, expected))) = next else {
                        return;
                    };
                    let failed = compare(*machine, program, &scratch, name, expected);
                    failures.lock().unwrap().extend(failed);
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs one network on one board; what is not as expected.
fn compare(
    machine: Machine,
    program: &Path,
    scratch: &Scratch,
    name: &str,
    expected: &[Answer],
) -> Vec<String> {
    let started = Instant::now();
    let files = (name, "frames.rgb565");
    let (printed, succeeded) = emulate(machine, program, scratch.path(), files);
    let place = format!("{} ({}), {name}", machine.core, machine.name);
    if !succeeded {
        return vec![format!("{place}: {printed}")];
    }
    let actual = answers(&printed);
    if actual.len() != expected.len() {
        return vec![format!("{place}: {} frames answered", actual.len())];
    }
    let pairs = actual.iter().zip(expected);
    let equal = pairs
        .clone()
        .filter(|(actual, expected)| actual == expected)
        .count();
    let logits: usize = actual.iter().map(|answer| answer.logits.len()).sum();
    eprintln!(
        "{place}: {equal} of {} frames ({logits} logits) equal, {:.1} s",
        expected.len(),
        started.elapsed().as_secs_f64()
    );
    pairs
        .enumerate()
        .filter(|(_, (actual, expected))| actual != expected)
        .map(|(frame, (actual, expected))| {
            format!("{place}, frame {frame}: {actual:?}, laptop: {expected:?}")
        })
        .collect()
}

#[test]
fn the_program_says_what_it_cannot_use() {
    let Some(tools) = Tools::find("the_program_says_what_it_cannot_use") else {
        return;
    };
    let _alone = ALONE.lock();
    let scratch = Scratch::new();
    let machine = MACHINES[0];
    let program = tools.build(machine, scratch.path());
    let model = small_classifier(3);
    let mut flipped = model.clone();
    *flipped.last_mut().unwrap() ^= 1;
    scratch.write("whole.posy", &model);
    scratch.write("flipped.posy", flipped);
    scratch.write("cut.posy", &model[..model.len() / 2]);
    scratch.write("photo.posy", "not a model");
    scratch.write("none.rgb565", "");
    scratch.write("torn.rgb565", vec![7; 1000]);
    for (model, frames, message) in [
        ("flipped.posy", "none.rgb565", "error: the model is damaged"),
        ("cut.posy", "none.rgb565", "error: the model should be "),
        (
            "photo.posy",
            "none.rgb565",
            "error: this is not a posy model",
        ),
        ("no.posy", "none.rgb565", "error: the model's file: "),
        ("whole.posy", "no.rgb565", "error: the frames' file: "),
        (
            "whole.posy",
            "torn.rgb565",
            "error: the frames' file ends within a frame",
        ),
    ] {
        let (printed, succeeded) = emulate(machine, &program, scratch.path(), (model, frames));
        assert!(!succeeded, "{model}, {frames}: {printed}");
        assert!(printed.contains(message), "{model}, {frames}: {printed}");
    }
    let files = ("whole.posy", "none.rgb565");
    let (printed, succeeded) = emulate(machine, &program, scratch.path(), files);
    assert!(succeeded, "{printed}");
    assert_eq!(answers(&printed), []);
}
