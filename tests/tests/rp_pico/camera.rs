//! Behaviour of the board while its camera fails, and afterwards.

use posy_tests::answers::classified;
use posy_tests::draw::draw;
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

/// A fault: how it begins and ends, and what the board says meanwhile.
type Trouble = (
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

/// Faults that rule answers out. What is on the sensor's wires is noticed when the sensor is set up: so
/// those begin with a camera that was without power.
const TROUBLES: [Trouble; 17] = [
    (&["unplug"], &["plug"], "SPI link test failed (wrote "),
    (
        &["floating", "unplug"],
        &["plug"],
        "SPI link test failed (wrote ",
    ),
    (
        &["unplug", "identity 5642", "plug"],
        &["identity 2642"],
        "wrong sensor: identity 56 42 where an OV2640 has 26 40 to 26 42",
    ),
    (
        &["unplug", "loose", "plug"],
        &["wired"],
        "the sensor does not answer on I2C (no device at its address): check SDA, SCL",
    ),
    (
        &["unplug", "hold scl", "plug"],
        &["let-go"],
        "the sensor does not answer on I2C (SCL stays low)",
    ),
    (
        &["unplug", "hold sda", "plug"],
        &["let-go"],
        "the sensor does not answer on I2C (SDA stays low)",
    ),
    (
        &["unplug", "unstoppable", "plug"],
        &["obliging"],
        "the sensor does not answer on I2C (SDA stays low)",
    ),
    (&["stuck"], &["fills"], "ms: is the sensor running?"),
    (
        &["torn -10"],
        &["torn 0"],
        "torn frame: 153598 bytes came, a frame has 153600",
    ),
    (
        &["trailer 640"],
        &["trailer 8"],
        "torn frame: 154240 bytes came, a frame has 153600",
    ),
    (
        &["unplug", "line swapped", "plug"],
        &["line clean"],
        "the test picture's bytes are swapped or off by one",
    ),
    (
        &["unplug", "line stuck-low 3", "plug"],
        &["line clean"],
        "the camera's data line D3 stays low",
    ),
    (
        &["unplug", "line stuck-high 5", "plug"],
        &["line clean"],
        "the camera's data line D5 stays high",
    ),
    (
        &["unplug", "line late", "plug"],
        &["line clean"],
        "the test picture's bytes are swapped or off by one",
    ),
    (
        &["unplug", "forgets da", "plug"],
        &["good"],
        "the sensor does not keep a setting (wrote 08 to da, read ",
    ),
    (
        &["unplug", "stretch 6000", "plug"],
        &["obliging"],
        "the sensor does not answer on I2C (SCL stays low)",
    ),
    (
        &["drops"],
        &["keeps"],
        "the camera lost the frame while it was read",
    ),
];

#[test]
fn a_failing_camera_is_named_and_answers_come_again() {
    let test = "a_failing_camera_is_named_and_answers_come_again";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let troubles = draw(test, TROUBLES, 8);
    let model = small_classifier(3);
    // Indices of the frames that are answered: each answer shows the next one to the camera, and the frame
    // that is under way then is still of the one before. A camera without power loses it.
    let mut shown = vec![0];
    for (begin, ..) in &troubles {
        if !begin.contains(&"unplug") {
            shown.push(shown[shown.len() - 1]);
        }
        shown.push(shown.len());
    }
    let last = shown[shown.len() - 1];
    let frames = frames(last + 1);
    let expected = classified(&model, &frames);
    let mut rankings: Vec<&str> = expected.iter().map(|answer| &*answer.ranking).collect();
    rankings.sort_unstable();
    rankings.dedup();
    assert!(rankings.len() > troubles.len() / 2, "{rankings:?}");

    let scratch = Scratch::new();
    let names: Vec<String> = (0..frames.len()).map(|at| format!("{at}.rgb565")).collect();
    for (name, frame) in names.iter().zip(&frames) {
        scratch.write(name, frame);
    }
    // An answer, a fault until it has been said four times, which is more than the attempts at an answer,
    // and the camera's return. A camera that was away so shortly that nobody looked is first found by its
    // frames.
    let mut steps: Vec<_> = troubles
        .iter()
        .flat_map(|(begin, end, message)| {
            let said = format!("^posy: attempt [123] of 3: .*{}", plain(message));
            [
                after_line(ANSWER, 1, begin),
                after_line(&said, 4, end),
                after_line("^posy: camera is back: ", 1, &[]),
            ]
        })
        .collect();
    // Finally the button: one more answer after the current one, then none.
    steps.push(after_line(ANSWER, 1, &["press 50"]));
    steps.push(after_line(ANSWER, 2, &[]));
    steps.push(after_ms(3000, &[]));
    let run = pico.run(&scratch, &model, &names, &steps, json!({}));
    let run = run.succeeds();

    let answers = run.answers("uart");
    let shown = shown.into_iter().chain([last, last]);
    let rankings: Vec<&str> = shown.map(|index| &*expected[index].ranking).collect();
    assert_eq!(answers, rankings, "{run}");
    let lines = run.port("uart");
    for (index, (_, _, message)) in troubles.iter().enumerate() {
        let step = 3 * index + 1;
        let at = |step: usize| lines.iter().filter(move |line| line.steps == step);
        let during: Vec<&&Line> = at(step).collect();
        let named = during.iter().filter(|line| line.text.contains(message));
        assert_eq!(named.count(), 4, "{message}: {run}");
        assert!(during.len() <= 7, "{message}: {run}");
        // The last line before this step is the answer with which it began.
        let began = at(step - 1).next_back().expect("an answer").ms;
        let named = during.iter().find(|line| line.text.contains(message));
        let named_ms = named.expect("counted above").ms - began;
        let ended = during.last().expect("counted above").ms;
        let back = at(step + 1).find(|line| line.text.starts_with("posy: camera is back: "));
        let back_ms = back.expect("a step").ms - ended;
        let answered = at(step + 2).find(|line| line.answer().is_some());
        let answered_ms = answered.expect("a step").ms - back.expect("a step").ms;
        eprintln!(
            "{message}: named after {named_ms:.0} ms, back after {back_ms:.0} ms, answer after \
             {answered_ms:.0} ms"
        );
        // A frame that was under way as the fault began is still answered.
        let before = during.iter().find(|line| line.answer().is_some());
        let under_way_ms = before.map_or(0.0, |line| line.ms - began);
        assert!(named_ms - under_way_ms < 1000.0, "{message}: {run}");
        assert!(back_ms < 1000.0, "{message}: {run}");
        assert!(answered_ms < 2000.0, "{message}: {run}");
    }
    // The program has not restarted.
    let started = lines
        .iter()
        .filter(|line| line.text.contains("golden check passed"));
    assert_eq!(started.count(), 1, "{run}");
}

/// A message as a regular expression, as far as it is one.
fn plain(message: &str) -> &str {
    let end = message.find(['(', ':']).unwrap_or(message.len());
    message[..end].trim_end()
}

/// Report of a module without peculiarities.
const PLAIN: &str = "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 153,608 bytes";

/// Peculiarities of a camera that do not rule answers out, and its report then.
const PECULIARITIES: [(&[&str], &str); 15] = [
    (&[], PLAIN),
    (&["refuse 200"], PLAIN),
    (&["silent 2"], PLAIN),
    (&["stretch 1000"], PLAIN),
    (&["loses 5a"], PLAIN),
    (&["loses da"], PLAIN),
    (&["drift 15"], PLAIN),
    (&["exposes 5", "drift 8"], PLAIN),
    (&["rate 30"], PLAIN),
    (&["rate 7.5"], PLAIN),
    (
        &["revision 55"],
        "OV2640 0x2642, ArduChip 0x55, SPI 8 MHz, frame 153,608 bytes",
    ),
    (
        &["identity 2641"],
        "OV2640 0x2641, ArduChip 0x73, SPI 8 MHz, frame 153,608 bytes",
    ),
    (
        &["trailer 0"],
        "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 153,600 bytes",
    ),
    (
        &["trailer 639"],
        "OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 154,239 bytes",
    ),
    (
        &["errors 0.00001 4000000"],
        "OV2640 0x2642, ArduChip 0x73, SPI 4 MHz, frame 153,608 bytes",
    ),
];

#[test]
fn modules_that_are_peculiar_give_the_same_answers() {
    let test = "modules_that_are_peculiar_give_the_same_answers";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let peculiarities = draw(test, PECULIARITIES, 7);
    let model = small_classifier(3);
    let frames = frames(peculiarities.len() + 1);
    let expected = classified(&model, &frames);
    let scratch = Scratch::new();
    let names: Vec<String> = (0..frames.len()).map(|at| format!("{at}.rgb565")).collect();
    for (name, frame) in names.iter().zip(&frames) {
        scratch.write(name, frame);
    }
    // Each begins with a camera that was without power.
    let mut steps: Vec<_> = peculiarities
        .iter()
        .map(|(begin, _)| {
            let actions = [&["unplug", "good"], *begin, &["plug"]].concat();
            after_line(ANSWER, 1, &actions)
        })
        .collect();
    steps.push(after_line(ANSWER, 1, &[]));
    let run = pico.run(&scratch, &model, &names, &steps, json!({}));
    let run = run.succeeds();
    let rankings: Vec<&str> = expected.iter().map(|answer| &*answer.ranking).collect();
    assert_eq!(run.answers("uart"), rankings, "{run}");
    for (index, (_, found)) in peculiarities.iter().enumerate() {
        let line = format!("posy: camera is back: {found}");
        let port = run.port("uart");
        let mut during = port.iter().filter(|line| line.steps == index + 1);
        assert!(during.any(|said| said.text == line), "{line}: {run}");
    }
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
