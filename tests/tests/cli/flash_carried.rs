//! `posy flash` on a machine that has posy and nothing else: the programs that posy carries.

use std::collections::BTreeMap;
use std::process::Command;

use posy::device::image::Image;
use posy::device::{BOARDS, Board, FileKind};
use posy_tests::frames::{frame, photos, save};
use posy_tests::pico::{ANSWER, after_line, emulate, has_emulator};
use posy_tests::scratch::{Outcome, Scratch, posy_path};
use posy_tests::{data, small_classifier};
use serde_json::json;

use super::flash::{at, flash_of};

/// Runs posy in the folder of `scratch` without any variable of the environment: no search path, no home.
fn alone(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(posy_path());
    command
        .env_clear()
        .args(arguments)
        .current_dir(scratch.path());
    Outcome::of(command)
}

/// Name of the file for a board.
fn name_for(board: &Board) -> &'static str {
    match board.file_kind() {
        FileKind::Uf2(_) => "out.uf2",
        FileKind::Hex => "out.hex",
        FileKind::Bin => "out.bin",
    }
}

/// Flash contents of an Intel HEX file, by its specification; sums are checked.
fn flash_of_hex(text: &str) -> BTreeMap<u32, u8> {
    let mut flash = BTreeMap::new();
    let mut upper = 0;
    let mut ended = false;
    for line in text.lines() {
        assert!(!ended, "{line}: after the end");
        let digits = line.strip_prefix(':').expect("a record");
        let bytes: Vec<u8> = (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert_eq!(
            bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)),
            0
        );
        let [len, high, low, kind, rest @ ..] = &bytes[..] else {
            panic!("{line}");
        };
        let (data, _) = rest.split_at(usize::from(*len));
        assert_eq!(data.len() + 1, rest.len());
        match kind {
            0 => {
                let start = upper + u32::from(u16::from_be_bytes([*high, *low]));
                for (address, byte) in (start..).zip(data) {
                    assert_eq!(flash.insert(address, *byte), None, "{address:#x} twice");
                }
            }
            1 => ended = true,
            4 => upper = u32::from(u16::from_be_bytes([data[0], data[1]])) << 16,
            _ => panic!("{line}"),
        }
    }
    assert!(ended);
    flash
}

/// Contents that a written file puts into flash.
fn contents(scratch: &Scratch, board: &Board) -> BTreeMap<u32, u8> {
    let file = scratch.read(name_for(board));
    match board.file_kind() {
        FileKind::Uf2(family) => flash_of(&file, family),
        FileKind::Hex => flash_of_hex(&String::from_utf8(file).unwrap()),
        FileKind::Bin => (board.flash_start..).zip(file).collect(),
    }
}

#[test]
fn every_board_gets_its_file_from_posy_alone() {
    let scratch = Scratch::new();
    let model = small_classifier(3);
    scratch.write("model.posy", &model);
    for board in &BOARDS {
        let output = format!("--output={}", name_for(board));
        let arguments = ["flash", "--board", board.name, "model.posy", &output];
        let dry = alone(&scratch, &[&arguments[..], &["--dry-run"]].concat()).succeeds();
        assert!(dry.stdout.contains("program: carried in posy, "), "{dry}");
        assert!(!scratch.join(name_for(board)).exists());
        let said = alone(&scratch, &arguments).succeeds();
        let said = said.says(&["wrote out.", "next: "]);
        eprintln!("{}: {}", board.name, said.stderr.lines().next().unwrap());
        let flash = contents(&scratch, board);
        let program = Image::of(board).unwrap().bytes().unwrap();
        assert!(program.len() > 50_000);
        assert_eq!(at(&flash, board.flash_start, program.len()), program);
        assert_eq!(
            at(&flash, board.slot_start(), model.len()),
            model,
            "{}",
            board.name
        );
        let end = board.flash_start + board.flash_bytes;
        assert!(
            flash
                .keys()
                .all(|address| (board.flash_start..end).contains(address))
        );
        std::fs::remove_file(scratch.join(name_for(board))).unwrap();
    }
    assert_eq!(scratch.names("."), ["model.posy"]);
}

/// Without any tool each board's dry run says what would be done, or run, and what is missing for it.
#[test]
fn a_dry_run_alone_says_what_it_would_run() {
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    for board in &BOARDS {
        let arguments = ["flash", "--board", board.name, "model.posy", "--dry-run"];
        let dry = alone(&scratch, &arguments).succeeds();
        let lines: Vec<&str> = dry.stdout.lines().collect();
        assert!(lines[0].starts_with("program: carried in posy, "), "{dry}");
        let last = lines.last().unwrap();
        assert!(last.starts_with("but: "), "{dry}");
        let done = [
            "run probe-rs download --chip ",
            "run dfu-util ",
            "copy program",
            "write program",
        ];
        let is_done = |line: &&str| done.iter().any(|begin| line.starts_with(begin));
        assert!(lines.iter().any(is_done), "{dry}");
        // Doing it says the same, and fails.
        let missing = last.trim_start_matches("but: ");
        alone(&scratch, &arguments[..4]).fails(1, &[missing]);
    }
    let arguments = [
        "flash",
        "--board=rp-pico",
        "model.posy",
        "--build",
        "--output=a.uf2",
    ];
    alone(&scratch, &arguments).fails(1, &["boards/rp-pico", "leave --build out"]);
}

/// The file for the Pico, as posy alone writes it, answers in the emulator as the laptop does.
#[test]
fn the_carried_program_answers_as_the_laptop() {
    let test = "the_carried_program_answers_as_the_laptop";
    let Some(flowers) = data(test, "flower_photos") else {
        return;
    };
    if !has_emulator(test) {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("model.posy", small_classifier(3));
    std::fs::create_dir(scratch.join("frames")).unwrap();
    let photo = photos(&flowers, 1).remove(0);
    let seen = frame(&photo);
    save(&seen, &scratch.join("frames/000.png"));
    scratch.write("000.rgb565", seen);
    let expected = posy_tests::answers::labelled(&scratch, "model.posy");
    let arguments = ["flash", "--board=rp-pico", "model.posy", "--output=out.uf2"];
    alone(&scratch, &arguments).succeeds();
    let scenario = json!({
        "images": ["out.uf2"],
        "frames": ["000.rgb565"],
        "next": ANSWER,
        "steps": [after_line(ANSWER, 2, &[])],
        "limits": { "ms": 120_000, "instructions": 20_000_000_000_u64 },
    });
    let run = emulate(&scratch, &scenario).succeeds();
    assert_eq!(
        run.answers("uart").last(),
        Some(&&*expected[0].ranking),
        "{run}"
    );
    let first = &run.port("uart")[0].text;
    assert!(first.starts_with("posy: rp-pico, "), "{run}");
}
