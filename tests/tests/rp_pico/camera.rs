//! Behaviour of the board while its camera fails, and afterwards.

use posy_tests::answers::classified;
use posy_tests::frames::{HEIGHT, WIDTH};
use posy_tests::pico::{ANSWER, Line, Pico, after_line, after_ms};
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::json;

/// Frames that differ in brightness and structure.
fn frames(count: usize) -> Vec<Vec<u8>> {
    let len = 2 * usize::from(WIDTH) * usize::from(HEIGHT);
    let byte = |seed: usize, at: usize| at / (len / 4 + 97 * seed) * 50 + at * seed * 7 / 640;
    (0..count)
        .map(|seed| (0..len).map(|at| byte(seed + 1, at) as u8).collect())
        .collect()
}

#[test]
fn a_failing_camera_is_named_and_answers_come_again() {
    let Some(pico) = Pico::find("a_failing_camera_is_named_and_answers_come_again") else {
        return;
    };
    let model = small_classifier(3);
    // Start and end of a fault, and the board's message meanwhile.
    let faults = [
        (
            &["unplug"][..],
            &["plug"][..],
            "SPI link test failed (wrote 55, read ff): is the camera plugged in? check CS, MOSI, MISO, SCK",
        ),
        (
            &["unplug", "identity 5642", "plug"],
            &["identity 2642"],
            "wrong sensor: identity 56 42 where an OV2640 has 26 40 to 26 42",
        ),
        (
            &["unplug", "loose", "plug"],
            &["wired"],
            "the sensor does not answer on I2C",
        ),
        (
            &["stuck"],
            &["fills"],
            "no frame within 1000 ms: is the sensor running?",
        ),
        (
            &["torn -2"],
            &["torn 0"],
            "torn frame: 153606 bytes came, a frame has 153600",
        ),
        (
            &["torn 640"],
            &["torn 0"],
            "torn frame: 154248 bytes came, a frame has 153600",
        ),
    ];
    let frames = frames(faults.len() + 1);
    let expected = classified(&model, &frames);
    let mut rankings: Vec<&str> = expected.iter().map(|answer| &*answer.ranking).collect();
    rankings.sort_unstable();
    rankings.dedup();
    assert!(rankings.len() > faults.len() / 2, "{rankings:?}");

    let scratch = Scratch::new();
    let names: Vec<String> = (0..frames.len()).map(|at| format!("{at}.rgb565")).collect();
    for (name, frame) in names.iter().zip(&frames) {
        scratch.write(name, frame);
    }
    // An answer, then a fault until it is reported four times: more often than the attempts at an
    // answer. A short disconnection that no attempt noticed is first detected by its frames.
    let mut steps: Vec<_> = faults
        .iter()
        .flat_map(|(begin, end, message)| {
            // The message as a regular expression, up to its first parenthesis.
            let plain = message.split(" (").next().unwrap();
            let said = format!("^posy: attempt [123] of 3: {plain}");
            [after_line(ANSWER, 1, begin), after_line(&said, 4, end)]
        })
        .collect();
    // Finally the button: one more answer after the current one, then none.
    steps.push(after_line(ANSWER, 1, &["press 50"]));
    steps.push(after_line(ANSWER, 2, &[]));
    steps.push(after_ms(3000, &[]));
    let run = pico.run(&scratch, &model, &names, &steps, json!({}));
    let run = run.succeeds();

    let answers = run.answers("uart");
    let last = &expected[faults.len()];
    let expected = expected.iter().chain([last, last]);
    let rankings: Vec<&str> = expected.map(|answer| &*answer.ranking).collect();
    assert_eq!(answers, rankings, "{run}");
    let lines = run.port("uart");
    for (index, (_, _, message)) in faults.iter().enumerate() {
        let during = lines.iter().filter(|line| line.steps == 2 * index + 1);
        let during: Vec<&&Line> = during.collect();
        let named = during.iter().filter(|line| line.text.contains(message));
        assert_eq!(named.count(), 4, "{message}: {run}");
        assert!(during.len() <= 6, "{message}: {run}");
        for (line, attempt) in during.iter().zip([1, 2, 3].into_iter().cycle()) {
            let begin = format!("posy: attempt {attempt} of 3: ");
            assert!(line.text.starts_with(&begin), "{message}: {run}");
            let end = if attempt < 3 {
                "; trying again"
            } else {
                "; no answer"
            };
            assert!(line.text.ends_with(end), "{message}: {run}");
        }
    }
    // The program has not restarted.
    let started = lines
        .iter()
        .filter(|line| line.text.contains("golden check passed"));
    assert_eq!(started.count(), 1, "{run}");
}

#[test]
fn a_camera_that_goes_within_a_frame_gives_no_answer() {
    let Some(pico) = Pico::find("a_camera_that_goes_within_a_frame_gives_no_answer") else {
        return;
    };
    let model = small_classifier(3);
    let frames = frames(1);
    let expected = classified(&model, &frames);
    let scratch = Scratch::new();
    scratch.write("0.rgb565", &frames[0]);
    // Milliseconds after an answer, while the next frame is awaited and read.
    let moments = [20, 90, 130, 170, 210, 250];
    let steps: Vec<_> = moments
        .iter()
        .flat_map(|&ms| {
            [
                after_line(ANSWER, 2, &[]),
                after_ms(ms, &["unplug"]),
                after_line("^posy: attempt 1 of 3: ", 1, &["plug"]),
            ]
        })
        .chain([after_line(ANSWER, 1, &[])])
        .collect();
    let run = pico.run(&scratch, &model, &["0.rgb565".into()], &steps, json!({}));
    let run = run.succeeds();
    for answer in run.answers("uart") {
        assert_eq!(answer, expected[0].ranking, "{run}");
    }
}
