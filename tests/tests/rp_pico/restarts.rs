//! The board's lines after a restart and to a port that is opened late, and its name on USB.

use posy_tests::answers::classified;
use posy_tests::frames::{HEIGHT, WIDTH};
use posy_tests::pico::{ANSWER, Pico, after_line};
use posy_tests::scratch::Scratch;
use posy_tests::small_classifier;
use serde_json::json;

#[test]
fn a_program_that_ends_begins_anew_and_says_why() {
    let Some(pico) = Pico::find("a_program_that_ends_begins_anew_and_says_why") else {
        return;
    };
    let model = small_classifier(3);
    let frame: Vec<u8> = (0..2 * usize::from(WIDTH) * usize::from(HEIGHT))
        .map(|at| (at / 300) as u8)
        .collect();
    let expected = &classified(&model, std::slice::from_ref(&frame))[0].ranking;
    let scratch = Scratch::new();
    scratch.write("0.rgb565", &frame);
    let steps = [
        after_line(ANSWER, 1, &["stall"]),
        after_line("^posy: restarted: the program got stuck", 1, &[]),
        after_line(ANSWER, 1, &["fault"]),
        after_line("^posy: restarted: hard fault at 0x[12]0", 1, &[]),
        after_line(ANSWER, 1, &["dip"]),
        after_line("^posy: restarted: the supply dipped", 1, &[]),
        after_line(ANSWER, 1, &[]),
    ];
    let more = json!({ "restarts": true });
    let run = pico.run(&scratch, &model, &["0.rgb565".into()], &steps, more);
    let run = run.succeeds();
    assert_eq!(run.answers("uart"), vec![&**expected; 4], "{run}");
    let lines = run.port("uart");
    // The watchdog's time, and no more; the other ends are at once.
    let said = |text: &str| {
        let line = lines.iter().find(|line| line.text.contains(text));
        line.unwrap_or_else(|| panic!("{text}: {run}")).ms
    };
    let answered: Vec<f64> = lines
        .iter()
        .filter(|line| line.answer().is_some())
        .map(|line| line.ms)
        .collect();
    let stuck_ms = said("got stuck") - answered[0];
    assert!((7500.0..8600.0).contains(&stuck_ms), "{stuck_ms}: {run}");
    for (index, text) in [(1, "hard fault"), (2, "dipped")] {
        let after_ms = said(text) - answered[index];
        assert!(after_ms < 100.0, "{text}: {after_ms}: {run}");
    }
}

#[test]
fn a_port_that_is_opened_late_hears_who_is_there() {
    let Some(pico) = Pico::find("a_port_that_is_opened_late_hears_who_is_there") else {
        return;
    };
    let model = small_classifier(3);
    let scratch = Scratch::new();
    scratch.write(
        "0.rgb565",
        vec![0x5A; 2 * usize::from(WIDTH) * usize::from(HEIGHT)],
    );
    let steps = [json!({ "after": { "line": ANSWER, "times": 2, "port": "usb" } })];
    let more = json!({ "opens": 3000 });
    let run = pico.run(&scratch, &model, &["0.rgb565".into()], &steps, more);
    let run = run.succeeds();
    let heard = run.port("usb");
    assert!(heard[0].ms > 3000.0, "{run}");
    let texts: Vec<&str> = heard.iter().map(|line| &*line.text).collect();
    let at = |begin: &str| {
        let found = texts.iter().position(|text| text.starts_with(begin));
        found.unwrap_or_else(|| panic!("{begin}: {run}"))
    };
    // At most an answer that was being said comes before.
    assert!(at("posy: rp-pico, ") <= 1, "{run}");
    assert_eq!(
        at("posy: camera: OV2640 "),
        at("posy: rp-pico, ") + 1,
        "{run}"
    );
}

#[test]
fn two_boards_have_two_serial_numbers_and_keep_them() {
    let Some(pico) = Pico::find("two_boards_have_two_serial_numbers_and_keep_them") else {
        return;
    };
    // No model: what a board says on USB comes first.
    let restarts = [
        after_line("^posy: the model slot is empty", 1, &["dip"]),
        after_line("^posy: the model slot is empty", 1, &[]),
    ];
    let numbers = ["e6614103e7452d2f", "e6614103e7452d30", "ffffffffffffffff"].map(|chip| {
        let more = json!({ "chip": chip, "restarts": true });
        let run = pico.run(&Scratch::new(), &[], &[], &restarts, more);
        run.succeeds().serial_numbers
    });
    let twice = |number: &str| vec![number.to_owned(); 2];
    assert_eq!(numbers[0], twice("E6614103E7452D2F"));
    assert_eq!(numbers[1], twice("E6614103E7452D30"));
    // A chip without a number.
    assert_eq!(numbers[2], Vec::<String>::new());
}
