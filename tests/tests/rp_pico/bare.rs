//! The program for an OV2640 without a frame buffer: its lines read by a PIO, against a sensor simulated
//! line by line.

use posy_tests::answers::{classified, retrain};
use posy_tests::data;
use posy_tests::draw::extent;
use posy_tests::frames::{HEIGHT, WIDTH, halved, photos};
use posy_tests::pico::{ANSWER, Pico, after_line, after_ms};
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::json;

use super::answers::{LABELS, write_frames};

const FOUND: &str = "OV2640 0x2642, frame 38,400 bytes";

#[test]
fn photos_by_a_bare_camera_are_answered_as_on_the_laptop() {
    let test = "photos_by_a_bare_camera_are_answered_as_on_the_laptop";
    let (Some(pico), Some(flowers)) = (Pico::find_bare(test), data(test, "flower_photos")) else {
        return;
    };
    let scratch = Scratch::new();
    let frames = write_frames(&scratch, &photos(&flowers, extent(1, 5)));
    scratch.copy_photos(&flowers, "photos", &LABELS, 12);
    let model = retrain(&scratch, "mobilenet_v1_0.25_128");
    let slot = scratch.read(&model);
    let seen: Vec<_> = frames
        .iter()
        .map(|name| halved(&scratch.read(name)))
        .collect();
    let expected = classified(&slot, &seen);
    // The picture that an answer is for was taken before the next frame is shown.
    let times = frames.len();
    let steps = [after_line(ANSWER, times as u32, &[])];
    let more = json!({ "camera": "bare" });
    let run = pico.run(&scratch, &slot, &frames, &steps, more).succeeds();
    let rankings: Vec<&str> = expected.iter().map(|answer| &*answer.ranking).collect();
    assert_eq!(run.answers("uart"), rankings, "{run}");
    let found = format!("posy: camera: {FOUND}");
    let lines = run.port("uart");
    assert!(lines.iter().any(|line| line.text == found), "{run}");
    eprintln!("{times} photos by a bare camera: {rankings:?}");
}

/// Faults: how they begin and end, and what the board says meanwhile.
const TROUBLES: [(&[&str], &[&str], &str); 7] = [
    (
        &["unplug"],
        &["plug"],
        "the sensor does not answer on I2C (no device at its address)",
    ),
    (
        &["unplug", "identity 5642", "plug"],
        &["identity 2642"],
        "wrong sensor: identity 56 42 where an OV2640 has 26 40 to 26 42",
    ),
    (
        &["stuck"],
        &["fills"],
        "ms: check VSYNC, HREF, PCLK and XCLK",
    ),
    (
        &["torn -320"],
        &["torn 0"],
        "torn frame: 38080 bytes came, a frame has 38400",
    ),
    (
        &["torn 320"],
        &["torn 0"],
        "torn frame: bytes were lost, or more than a frame came",
    ),
    (
        &["unplug", "line stuck-low 3", "plug"],
        &["line clean"],
        "the camera's data line D3 stays low",
    ),
    (
        &["unplug", "line late", "plug"],
        &["line clean"],
        "the test picture's bytes are swapped or off by one",
    ),
];

#[test]
fn a_failing_bare_camera_is_named_and_answers_come_again() {
    let test = "a_failing_bare_camera_is_named_and_answers_come_again";
    let Some(pico) = Pico::find_bare(test) else {
        return;
    };
    let model = small_classifier(3);
    let scratch = Scratch::new();
    let len = 2 * usize::from(WIDTH) * usize::from(HEIGHT);
    let frame: Vec<u8> = (0..len).map(|at| (at / 300) as u8).collect();
    let expected = classified(&model, &[halved(&frame)]);
    scratch.write("0.rgb565", &frame);
    let mut steps: Vec<_> = TROUBLES
        .iter()
        .flat_map(|(begin, end, message)| {
            let at = message.find(['(', ':', '\'']).unwrap_or(message.len());
            let said = match *message {
                "ms: check VSYNC, HREF, PCLK and XCLK" => message,
                _ => message[..at].trim_end(),
            };
            let said = format!("^posy: attempt [123] of 3: .*{said}");
            [
                after_line(ANSWER, 1, begin),
                after_line(&said, 4, end),
                after_line("^posy: camera is back: OV2640 0x2642", 1, &[]),
            ]
        })
        .collect();
    // Within a frame, at several moments behind an answer.
    for ms in [10, 30, 60] {
        steps.push(after_line(ANSWER, 2, &[]));
        steps.push(after_ms(ms, &["unplug"]));
        steps.push(after_line("^posy: attempt 1 of 3: ", 1, &["plug"]));
    }
    steps.push(after_line(ANSWER, 1, &[]));
    let more = json!({ "camera": "bare" });
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
