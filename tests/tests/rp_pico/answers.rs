//! The board's answers to real photos, and their instructions and memory.

use std::path::PathBuf;

use posy::device::Footprint;
use posy_shared::model::Model;
use posy_tests::answers::{Answer, classified, convert, labelled, retrain};
use posy_tests::data;
use posy_tests::draw::{draw, extent};
use posy_tests::frames::{frame, photos, save};
use posy_tests::pico::{ANSWER, Line, Pico, RAM_BYTES, Run, after_line, board};
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::json;

pub(super) const LABELS: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// Writes the frames of `photos` as the camera sends them, and as images for the laptop. Returns
/// the names of the former.
pub(super) fn write_frames(scratch: &Scratch, photos: &[PathBuf]) -> Vec<String> {
    std::fs::create_dir(scratch.join("frames")).unwrap();
    let write = |(index, photo): (usize, &PathBuf)| {
        let frame = frame(photo);
        save(&frame, &scratch.join(format!("frames/{index:03}.png")));
        let name = format!("{index:03}.rgb565");
        scratch.write(&name, frame);
        name
    };
    photos.iter().enumerate().map(write).collect()
}

/// Expected answers for the frames: by the laptop's command, and by the firmware's loop.
pub(super) fn expected(scratch: &Scratch, model: &str, frames: &[String]) -> Vec<Answer> {
    let expected = labelled(scratch, model);
    let frames: Vec<Vec<u8>> = frames.iter().map(|name| scratch.read(name)).collect();
    assert_eq!(classified(&scratch.read(model), &frames), expected);
    expected
}

pub(super) fn rankings(answers: &[Answer]) -> Vec<&str> {
    answers.iter().map(|answer| &*answer.ranking).collect()
}

/// The answers to the frames, one each: the frame that is under way when an answer is said shows what was
/// there before, so that the first is answered twice.
pub(super) fn in_order(run: &Run) -> Vec<&str> {
    let answers = run.answers("uart");
    assert_eq!(answers.first(), answers.get(1), "{run}");
    answers.into_iter().skip(1).collect()
}

/// Prints the number of instructions per answer, and the board's line on RAM.
fn report(name: &str, run: &Run) {
    let lines = run.port("uart");
    for pair in lines.windows(2) {
        if pair[1].answer().is_some() {
            let million = (pair[1].instructions - pair[0].instructions) as f64 / 1e6;
            eprintln!(
                "{name}: {million:.1} million instructions: {}",
                pair[1].text
            );
        }
        if pair[1].text.starts_with("posy: RAM ") {
            eprintln!("{name}: {}", pair[1].text);
        }
    }
}

#[test]
fn photos_are_answered_as_on_the_laptop() {
    let test = "photos_are_answered_as_on_the_laptop";
    let (Some(pico), Some(flowers)) = (Pico::find(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    let frames = write_frames(&scratch, &photos(&flowers, 5));
    scratch.copy_photos(&flowers, "photos", &LABELS, 12);
    let model = retrain(&scratch, "mobilenet_v1_0.25_128");
    let expected = expected(&scratch, &model, &frames);
    // An answer that does not depend on the picture would prove nothing.
    let mut distinct = rankings(&expected);
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 2, "{distinct:?}");

    let slot = scratch.read(&model);
    // USB output appears after the UART's.
    let steps = [json!({ "after": { "line": ANSWER, "times": 6, "port": "usb" } })];
    let run = pico.run(&scratch, &slot, &frames, &steps, json!({}));
    let run = run.succeeds();
    report(&model, &run);
    assert_eq!(in_order(&run), rankings(&expected), "{run}");
    let uart = run.port("uart");
    let begin = format!(
        "posy: rp-pico, mobilenet_v1_0.25_128, 5 labels, {} bytes",
        slot.len()
    );
    assert_eq!(uart[0].text, begin, "{run}");
    assert_eq!(uart[1].text, "posy: golden check passed", "{run}");
    // The greeting does not wait for the check, which takes as long as an answer.
    assert!(uart[0].ms + 300.0 < uart[1].ms, "{run}");
    // Both ports print the same.
    let texts = |port| -> Vec<String> {
        let lines = run.port(port).into_iter();
        lines.map(|line| line.text.clone()).collect()
    };
    let (uart, usb) = (texts("uart"), texts("usb"));
    assert_eq!(usb, uart);
}

/// A grey network, and one with Edge Impulse's dense layer of each pixel.
#[test]
fn users_networks_answer_as_on_the_laptop() {
    let test = "users_networks_answer_as_on_the_laptop";
    let (Some(pico), Some(flowers), Some(cases)) = (
        Pico::find(test),
        data(test, "flower_photos"),
        data(test, "cases"),
    ) else {
        return;
    };
    for file in draw(test, ["keras/avg1_int8", "keras/ei3_int8"], 1) {
        let scratch = Scratch::new();
        let frames = write_frames(&scratch, &photos(&flowers, extent(5, 20)));
        let model = convert(&scratch, &cases, file);
        let expected = expected(&scratch, &model, &frames);
        let times = frames.len() + 1;
        let steps = [json!({ "after": { "line": ANSWER, "times": times, "port": "usb" } })];
        let run = pico.run(&scratch, &scratch.read(&model), &frames, &steps, json!({}));
        let run = run.succeeds();
        report(&model, &run);
        assert_eq!(in_order(&run), rankings(&expected), "{run}");
    }
}

#[test]
fn a_larger_network_fits() {
    let test = "a_larger_network_fits";
    let (Some(pico), Some(flowers)) = (Pico::find(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    let frames = write_frames(&scratch, &photos(&flowers, 1));
    scratch.copy_photos(&flowers, "photos", &LABELS, 12);
    let model = retrain(&scratch, "mobilenet_v1_0.50_224");
    let expected = expected(&scratch, &model, &frames);

    let steps = [
        after_line(ANSWER, 1, &["send-usb s"]),
        after_line("^posy: RAM ", 1, &[]),
    ];
    let run = pico.run(&scratch, &scratch.read(&model), &frames, &steps, json!({}));
    let run = run.succeeds();
    report(&model, &run);
    assert_eq!(in_order(&run), rankings(&expected), "{run}");

    let line = &run.port("uart").last().unwrap().text;
    let numbers: Vec<u64> = line
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [network, arena, used, size] = numbers[..] else {
        panic!("{line}");
    };
    let statics = pico.static_ram_bytes();
    eprintln!("statics {statics} bytes, stack {used} of {size} bytes, RAM {RAM_BYTES} bytes");
    assert!(network <= arena && arena <= statics, "{line}; {statics}");
    assert!(0 < used && used < size, "{line}");
    assert!(statics + size <= RAM_BYTES, "{line}; {statics}");
}

/// Emulated milliseconds of an answer, and the share of them that waits for the camera.
fn answer(run: &Run) -> (f64, f64) {
    let said = run.port("uart").into_iter();
    let answers: Vec<&Line> = said.filter(|line| line.answer().is_some()).collect();
    let [first, .., last] = &answers[..] else {
        panic!("{run}");
    };
    let ms = last.ms - first.ms;
    let waited = (last.waited_ms - first.waited_ms) / ms;
    (ms / (answers.len() - 1) as f64, waited)
}

/// An answer's emulated time, with what is read of flash past its cache charged, is what `posy fit` says; and
/// the camera keeps larger networks waiting for a small part of it.
#[test]
fn an_answer_takes_as_long_as_estimated() {
    let test = "an_answer_takes_as_long_as_estimated";
    let (Some(pico), Some(flowers)) = (Pico::find(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    let frames = write_frames(&scratch, &photos(&flowers, 1));
    scratch.copy_photos(&flowers, "photos", &LABELS, 12);
    // What a network that computes next to nothing takes is the camera's.
    let steps = [after_line(ANSWER, 3, &[])];
    let run = pico.run(&scratch, &small_classifier(3), &frames, &steps, json!({}));
    let (found, waited) = answer(&run.succeeds());
    eprintln!(
        "small: {found:.0} ms an answer, {:.1}% of it waits for the camera",
        100.0 * waited
    );
    assert!(waited > 0.3, "{waited}");
    // The second takes minutes.
    let cases = [
        ("mobilenet_v1_0.25_128", 0.4, 720.0),
        ("mobilenet_v1_0.50_224", 0.15, 4000.0),
    ];
    for (backbone, most_waited, most_ms) in &cases[..extent(1, 2)] {
        let model = retrain(&scratch, backbone);
        let slot = scratch.read(&model);
        let footprint = Footprint::of_model(&Model::read(&slot).unwrap());
        let estimated = f64::from(footprint.answer_ms(board()));
        let run = pico.run(&scratch, &slot, &frames, &steps, json!({ "cached": true }));
        let run = run.succeeds();
        let (found, waited) = answer(&run);
        eprintln!(
            "{model}: {found:.0} ms an answer, estimated {estimated}, {:.1}% of it waits for the camera",
            100.0 * waited
        );
        assert!(
            (0.93..1.07).contains(&(estimated / found)),
            "{found}: {run}"
        );
        assert!(0.0 < waited && waited < *most_waited, "{waited}: {run}");
        assert!(found < *most_ms, "{found}: {run}");
    }
}

#[test]
fn a_label_more_needs_only_the_slot_written() {
    let test = "a_label_more_needs_only_the_slot_written";
    let (Some(pico), Some(flowers)) = (Pico::find(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    // The first photo of the last label.
    let tulip = photos(&flowers, LABELS.len()).pop().unwrap();
    let frames = write_frames(&scratch, &[tulip]);
    let steps = [
        after_line(ANSWER, 1, &["send s"]),
        after_line("^posy: RAM ", 1, &[]),
    ];
    let mut programs = Vec::new();
    for count in [LABELS.len() - 1, LABELS.len()] {
        scratch.copy_photos(&flowers, "photos", &LABELS[..count], 12);
        let model = retrain(&scratch, "mobilenet_v1_0.25_128");
        let expected = expected(&scratch, &model, &frames);
        let run = pico.run(&scratch, &scratch.read(&model), &frames, &steps, json!({}));
        let run = run.succeeds();
        let answers = run.answers("uart");
        assert_eq!(answers, rankings(&expected), "{run}");
        assert_eq!(
            answers[0].starts_with("tulips "),
            count == LABELS.len(),
            "{run}"
        );
        programs.push(scratch.read("program.uf2"));
    }
    assert_eq!(programs[0], programs[1]);
}
