//! The host's table of boards against the boards' own files.

use std::path::Path;

use posy::device::{BOARDS, Board};
use posy_tests::images::crates;

/// Start and length of the regions in a linker script's `MEMORY`, by name.
fn regions(memory_x: &str) -> Vec<(String, u64, u64)> {
    let inside = memory_x.split_once("MEMORY").unwrap().1;
    let inside = inside.split_once('{').unwrap().1.split_once('}').unwrap().0;
    let mut regions = Vec::new();
    for line in inside.lines() {
        let Some((name, rest)) = line.split_once(": ORIGIN = 0x") else {
            continue;
        };
        let (start, length) = rest.split_once(", LENGTH = ").unwrap();
        // A length is a sum or difference of numbers, some with the suffix K.
        let mut bytes = 0;
        let mut sign = 1;
        for word in length.split_whitespace() {
            match (word, word.strip_suffix('K')) {
                ("-", _) => sign = -1,
                ("+", _) => sign = 1,
                (_, Some(kib)) => bytes += sign * 1024 * kib.parse::<i64>().unwrap(),
                _ => bytes += sign * word.parse::<i64>().unwrap(),
            }
        }
        let start = u64::from_str_radix(start, 16).unwrap();
        regions.push((name.trim().to_owned(), start, bytes.try_into().unwrap()));
    }
    regions
}

/// `N` of the line `const ARENA: usize = N * 1024;` in a board's sources, or those of its chip's family.
fn arena_kib(board: &Board) -> u32 {
    let mut found = Vec::new();
    let folders = crates(board).into_iter().map(|folder| folder.join("src"));
    let own = folders.filter(|folder| folder.ancestors().any(|above| above.ends_with("boards")));
    for entry in own.flat_map(|folder| folder.read_dir().unwrap()) {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let number = line.trim().strip_prefix("const ARENA: usize = ");
            let number = number.and_then(|number| number.strip_suffix(" * 1024;"));
            found.extend(number.map(|number| number.parse::<u32>().unwrap()));
        }
    }
    assert_eq!(found.len(), 1, "{}: {found:?}", board.name);
    found[0]
}

#[test]
fn memory_maps_agree() {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards");
    let mut compared = 0;
    for board in &BOARDS {
        let folder = boards.join(board.name);
        if !folder.exists() {
            continue;
        }
        let text = std::fs::read_to_string(folder.join("memory.x")).unwrap();
        let regions = regions(&text);
        let model = regions.iter().find(|(name, ..)| name == "MODEL").unwrap();
        let slot = (board.slot_start().into(), board.slot_bytes().into());
        assert_eq!((model.1, model.2), slot, "{}", board.name);
        // The program occupies the flash before the model, in one region or more.
        let is_program = |start| (board.flash_start.into()..model.1).contains(start);
        let program = regions.iter().filter(|(_, start, _)| is_program(start));
        let program: u64 = program.map(|(_, _, bytes)| bytes).sum();
        assert_eq!(
            u64::from(board.flash_start) + program,
            model.1,
            "{}",
            board.name
        );
        let is_ram = |start: u64| start >= 0x2000_0000;
        let ram = regions.iter().filter(|(_, start, _)| is_ram(*start));
        let largest = ram.map(|(_, _, bytes)| *bytes).max().unwrap();
        assert_eq!(largest, u64::from(board.ram_bytes), "{}", board.name);
        assert_eq!(arena_kib(board) * 1024, board.arena_bytes, "{}", board.name);
        compared += 1;
    }
    assert!(compared > 0, "no board of the table has a folder in boards");
}

/// Limit of a board's own lines: boards of a chip share their family's crate, and a board is a table of pins and a memory map.
#[test]
fn a_board_has_few_lines_of_its_own() {
    for board in &BOARDS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards");
        let folder = folder.join(board.name);
        let sources = folder.join("src").read_dir().unwrap();
        let sources = sources.map(|entry| entry.unwrap().path());
        let files = ["build.rs", "memory.x"].map(|name| folder.join(name));
        // Most boards share a build script.
        let files = files.into_iter().filter(|path| path.exists());
        // The Pico's second program is the emulator's.
        let files = files.chain(sources);
        let files = files.filter(|path| !path.ends_with("profile.rs"));
        let lines = files.map(|path| std::fs::read_to_string(path).unwrap().lines().count());
        let lines: usize = lines.sum();
        assert!(lines <= 150, "{}: {lines} lines of its own", board.name);
    }
}
