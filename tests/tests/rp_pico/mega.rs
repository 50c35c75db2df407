//! The board with an Arducam Mega on its wires: the same program finds out.

use posy_tests::answers::retrain;
use posy_tests::data;
use posy_tests::draw::extent;
use posy_tests::frames::{HEIGHT, WIDTH, photos};
use posy_tests::pico::{ANSWER, Pico, after_line, after_ms};
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::json;

use super::answers::{LABELS, expected, in_order, rankings, write_frames};

const FOUND: &str = "Arducam Mega 5MP 0x81, FPGA 0x21, SPI 8 MHz, frame 153,600 bytes";

#[test]
fn photos_by_a_mega_are_answered_as_on_the_laptop() {
    let test = "photos_by_a_mega_are_answered_as_on_the_laptop";
    let (Some(pico), Some(flowers)) = (Pico::find(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    let frames = write_frames(&scratch, &photos(&flowers, extent(1, 5)));
    scratch.copy_photos(&flowers, "photos", &LABELS, 12);
    let model = retrain(&scratch, "mobilenet_v1_0.25_128");
    let expected = expected(&scratch, &model, &frames);
    let times = frames.len() + 1;
    let steps = [json!({ "after": { "line": ANSWER, "times": times, "port": "usb" } })];
    let more = json!({ "camera": "mega" });
    let run = pico.run(&scratch, &scratch.read(&model), &frames, &steps, more);
    let run = run.succeeds();
    assert_eq!(in_order(&run), rankings(&expected), "{run}");
    let found = format!("posy: camera: {FOUND}");
    let lines = run.port("uart");
    assert!(lines.iter().any(|line| line.text == found), "{run}");
    eprintln!("{} photos by a Mega: {:?}", frames.len(), in_order(&run));
}

/// Faults of a Mega: how they begin and end, and what the board says meanwhile.
const TROUBLES: [(&[&str], &[&str], &str); 5] = [
    (&["unplug"], &["plug"], "SPI link test failed (wrote "),
    (
        &["unplug", "identity 42", "plug"],
        &["identity 81"],
        "wrong camera: identity 42 where an Arducam Mega has 81 to 84",
    ),
    (&["stuck"], &["fills"], "ms: is the sensor running?"),
    (
        &["torn -10"],
        &["torn 0"],
        "torn frame: 153590 bytes came, a frame has 153600",
    ),
    (
        &["trailer 640"],
        &["trailer 0"],
        "torn frame: 154240 bytes came, a frame has 153600",
    ),
];

#[test]
fn a_failing_mega_is_named_and_answers_come_again() {
    let Some(pico) = Pico::find("a_failing_mega_is_named_and_answers_come_again") else {
        return;
    };
    let model = small_classifier(3);
    let scratch = Scratch::new();
    let len = 2 * usize::from(WIDTH) * usize::from(HEIGHT);
    let frame: Vec<u8> = (0..len).map(|at| (at / 300) as u8).collect();
    let expected = posy_tests::answers::classified(&model, std::slice::from_ref(&frame));
    scratch.write("0.rgb565", &frame);
    let mut steps: Vec<_> = TROUBLES
        .iter()
        .flat_map(|(begin, end, message)| {
            let at = message.find(['(', ':']).unwrap_or(message.len());
            let said = format!("^posy: attempt [123] of 3: .*{}", message[..at].trim_end());
            [
                after_line(ANSWER, 1, begin),
                after_line(&said, 4, end),
                after_line("^posy: camera is back: Arducam Mega 5MP", 1, &[]),
            ]
        })
        .collect();
    // Within a frame, at several moments behind an answer.
    for ms in [20, 130, 210] {
        steps.push(after_line(ANSWER, 2, &[]));
        steps.push(after_ms(ms, &["unplug"]));
        steps.push(after_line("^posy: attempt 1 of 3: ", 1, &["plug"]));
    }
    steps.push(after_line(ANSWER, 1, &[]));
    let more = json!({ "camera": "mega" });
    let run = pico.run(&scratch, &model, &["0.rgb565".into()], &steps, more);
    let run = run.succeeds();
    for answer in run.answers("uart") {
        assert_eq!(answer, expected[0].ranking, "{run}");
    }
    let lines = run.port("uart");
    for (index, (_, _, message)) in TROUBLES.iter().enumerate() {
        let said = lines.iter().filter(|line| line.text.contains(message));
        let during = said.filter(|line| line.steps == 3 * index + 1);
        assert_eq!(during.count(), 4, "{message}: {run}");
    }
}
