//! Board answers against the laptop's: emulated Cortex-M4, M7 and M33, on camera frames of real
//! photos.
//!
//! Five photos, drawn at random, for each network and board; 50 under `tests/run.sh --all`.

use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use posy_tests::answers::{Answer, answers, classified, convert, labelled, retrain};
use posy_tests::draw::draw;
use posy_tests::emulator::{ARMV6M, MACHINES, Machine, Run, Tools, check_kernels, emulate};
use posy_tests::frames::{HEIGHT, WIDTH, frame, photos, save};
use posy_tests::logs::Decoder;
use posy_tests::scratch::Scratch;
use posy_tests::{data, small_classifier};

const ARCHITECTURES: [&str; 3] = [
    "mobilenet_v1_0.25_128",
    "mobilenet_v1_0.50_224",
    "mobilenet_v2_0.5_224",
];

/// Users' files below `cases`, converted with their own classes: grey, Edge Impulse's dense layer of each pixel, a
/// mean with a scale of its own and a sigmoid's scores.
const USERS: [&str; 4] = [
    "keras/avg1_int8",
    "keras/ei3_int8",
    "keras/v1_025_int8",
    "keras/avg3_sigmoid",
];

/// Serialises the tests: they build the same files, and two emulators keep a small machine busy.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn every_board_answers_as_the_laptop() {
    let test = "every_board_answers_as_the_laptop";
    let (Some(tools), Some(flowers)) = (Tools::find(test), data(test, "flower_photos")) else {
        return;
    };
    let _alone = ALONE.lock();
    let scratch = Scratch::new();
    let programs = MACHINES.map(|machine| tools.build(machine, scratch.path()));

    let photos = draw(test, photos(&flowers, 50), 5);
    let frames: Vec<Vec<u8>> = photos.iter().map(|photo| frame(photo)).collect();
    scratch.write("frames.rgb565", frames.concat());
    std::fs::create_dir(scratch.join("frames")).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        save(frame, &scratch.join(format!("frames/{index:03}.png")));
    }

    let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
    scratch.copy_photos(&flowers, "photos", &labels, 12);
    let retrained = ARCHITECTURES.map(|architecture| retrain(&scratch, architecture));
    let cases = data(test, "cases");
    let users = USERS.iter().zip(cases.iter().cycle());
    let users = users.map(|(file, cases)| convert(&scratch, cases, file));
    let networks = retrained.into_iter().chain(users).map(|name| {
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
    let networks: Vec<_> = networks.collect();

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

/// Runs one network on one board. Returns the differences from the expected answers.
fn compare(
    machine: Machine,
    program: &Path,
    scratch: &Scratch,
    name: &str,
    expected: &[Answer],
) -> Vec<String> {
    let started = Instant::now();
    let files = (name, "frames.rgb565");
    let run = emulate(machine, program, scratch.path(), files);
    let place = format!("{} ({}), {name}", machine.core, machine.name);
    let printed = String::from_utf8_lossy(&run.stdout);
    if !run.succeeded {
        return vec![format!("{place}: {printed}{}", run.stderr)];
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
fn kernels_equal_the_reference_on_every_core() {
    let Some(tools) = Tools::find("kernels_equal_the_reference_on_every_core") else {
        return;
    };
    let _alone = ALONE.lock();
    let scratch = Scratch::new();
    for machine in MACHINES.into_iter().chain([ARMV6M]) {
        let program = tools.build(machine, scratch.path());
        let run = check_kernels(machine, &program, scratch.path());
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.succeeded, "{}: {said}{}", machine.core, run.stderr);
        let cases = said.trim().strip_suffix(" cases equal");
        let cases: usize = cases.and_then(|cases| cases.parse().ok()).expect("a count");
        assert!(cases > 15_000, "{}: {cases}", machine.core);
    }
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
    let mut newer = model.clone();
    newer[4] += 1;
    scratch.write("whole.posy", &model);
    scratch.write("flipped.posy", flipped);
    scratch.write("newer.posy", newer);
    scratch.write("cut.posy", &model[..model.len() / 2]);
    scratch.write("photo.posy", "not a model");
    scratch.write("none.posy", "");
    let frame_len = 2 * usize::from(WIDTH) * usize::from(HEIGHT);
    scratch.write("two.rgb565", vec![7; 2 * frame_len]);
    scratch.write("torn.rgb565", vec![7; 2 * frame_len - 1]);
    scratch.write("none.rgb565", "");
    let unanswered = "error: 0 of 2 frames were answered";
    let torn = "error: the frames' file does not end with a whole frame";
    // Output of the board, and the reason that the program ends.
    for (model, frames, said, error) in [
        (
            "flipped.posy",
            "two.rgb565",
            "posy: the model is damaged",
            unanswered,
        ),
        (
            "cut.posy",
            "two.rgb565",
            "posy: the model is damaged",
            unanswered,
        ),
        (
            "newer.posy",
            "two.rgb565",
            "posy: the model is of format ",
            unanswered,
        ),
        (
            "photo.posy",
            "two.rgb565",
            "posy: the model slot holds something else",
            unanswered,
        ),
        (
            "none.posy",
            "two.rgb565",
            "posy: the model slot is empty",
            unanswered,
        ),
        ("no.posy", "two.rgb565", "", "error: the model's file: "),
        ("whole.posy", "no.rgb565", "", "error: the frames' file: "),
        ("whole.posy", "torn.rgb565", "", torn),
        ("whole.posy", "none.rgb565", "", torn),
    ] {
        let run = emulate(machine, &program, scratch.path(), (model, frames));
        let Run { stdout, stderr, .. } = run;
        let printed = String::from_utf8(stdout).unwrap();
        assert!(!run.succeeded, "{model}, {frames}: {printed}");
        assert!(printed.starts_with(said), "{model}, {frames}: {printed}");
        let lines = usize::from(!said.is_empty());
        assert_eq!(printed.lines().count(), lines, "{printed}");
        assert!(stderr.starts_with(error), "{model}, {frames}: {stderr}");
    }
    let files = ("whole.posy", "two.rgb565");
    let run = emulate(machine, &program, scratch.path(), files);
    assert!(run.succeeded, "{}", run.stderr);
    assert_eq!(
        answers(&String::from_utf8(run.stdout).unwrap()),
        classified(&model, &vec![vec![7; frame_len]; 2])
    );
}

/// Number of a time in a record: `total_ms: 412`.
fn time_ms(record: &str, stage: &str) -> u32 {
    let after = record.split_once(stage).and_then(|(_, rest)| {
        let rest = rest.strip_prefix(": ")?;
        rest.split([',', ' ']).next()?.parse().ok()
    });
    after.unwrap_or_else(|| panic!("no {stage} in {record}"))
}

#[test]
fn structured_logs_have_what_is_printed_and_the_time_of_each_stage() {
    let test = "structured_logs_have_what_is_printed_and_the_time_of_each_stage";
    let (Some(tools), Some(decoder)) = (Tools::find(test), Decoder::find(test)) else {
        return;
    };
    let _alone = ALONE.lock();
    let scratch = Scratch::new();
    let machine = MACHINES[0];
    let program = tools.build_logging(machine, scratch.path());
    let model = small_classifier(3);
    scratch.write("model.posy", &model);
    scratch.write("cut.posy", &model[..model.len() / 2]);
    let frame_len = 2 * usize::from(WIDTH) * usize::from(HEIGHT);
    // Noise, a dark room, a bright one.
    let mut frames = vec![vec![0; frame_len], vec![0xFF; frame_len]];
    frames.push((0..frame_len).map(|at| (at * at / 7) as u8).collect());
    scratch.write("frames.rgb565", frames.concat());

    let files = ("model.posy", "frames.rgb565");
    let run = emulate(machine, &program, scratch.path(), files);
    assert!(run.succeeded, "{}", run.stderr);
    let records = decoder.decode(&program, &run.stdout);
    let shown = records.join("\n");
    // The plain text has an answer's logits on a line of their own, and the golden check.
    let printed = run
        .stderr
        .lines()
        .filter(|line| !line.starts_with("logits:") && *line != "posy: golden check passed");
    let printed: Vec<&str> = printed.collect();
    assert_eq!(printed.len(), records.len(), "{shown}");
    assert_eq!(printed.len(), 2 + frames.len() + 1, "{shown}");
    for (index, (record, line)) in records.iter().zip(printed).enumerate() {
        let message = record.strip_prefix("INFO ").expect(record);
        if let Some(line) = line.strip_prefix("posy: ") {
            // The first record leaves out the number of labels.
            assert_eq!(message, line.replace(" 3 labels,", ""), "record {index}");
            continue;
        }
        let (ranking, times) = message.split_once("  Times { ").expect(message);
        let (expected, total) = line.rsplit_once("  ").expect(line);
        assert_eq!(ranking, expected);
        let [capture, rows, network, all] =
            ["capture_ms", "rows_ms", "network_ms", "total_ms"].map(|stage| time_ms(times, stage));
        assert_eq!(capture + rows + network, all, "{record}");
        assert_eq!(format!("{all} ms"), total);
    }

    let files = ("cut.posy", "frames.rgb565");
    let run = emulate(machine, &program, scratch.path(), files);
    assert!(!run.succeeded);
    let records = decoder.decode(&program, &run.stdout);
    let [slot, end] = &records[..] else {
        panic!("{records:?}")
    };
    assert!(
        slot.starts_with("ERROR the model is damaged (CRC "),
        "{slot}"
    );
    assert_eq!(end, "ERROR 0 of 3 frames were answered");

    // The decoder must not invent records.
    assert_eq!(decoder.decode(&program, &[]), [""; 0]);
}
