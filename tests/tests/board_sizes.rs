//! Sizes of the boards' programs against the table in `boards/README.md`.

use posy::device::BOARDS;
use posy_tests::boards::{Toolchain, folder};
use posy_tests::sizes::{measure, programs, rows_in};

/// Bytes of the Pico's program flash that its usual image leaves free.
const KEPT_FREE: u64 = 16 * 1024;

#[test]
fn the_table_of_sizes_is_what_programs_take() {
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(reason) => {
            eprintln!("SKIPPED: the_table_of_sizes_is_what_programs_take: {reason}");
            return;
        }
    };
    let rows = rows_in(&folder().join("README.md"));
    let programs = programs();
    let names: Vec<&str> = rows.iter().map(|(name, _)| &**name).collect();
    let expected: Vec<&str> = programs.iter().map(|board| board.name).collect();
    let command = "cargo run --release -p posy-tests --bin xtask -- board-sizes";
    assert_eq!(names, expected, "{command} prints the rows");
    for ((name, written), board) in rows.iter().zip(programs) {
        let measured = measure(&toolchain, board).numbers();
        eprintln!("{name}: {measured:?}");
        let room = BOARDS.iter().find(|other| other.name == board.name);
        let room = u64::from(room.unwrap().program_bytes) - measured[0];
        let kept = if name == "rp-pico" { KEPT_FREE } else { 0 };
        assert!(
            room >= kept,
            "{name}: {room} bytes are left for the program"
        );
        // Sizes vary a little between compilers.
        let is_close =
            |(written, measured): (&u64, u64)| written.abs_diff(measured) * 10 <= measured;
        assert!(
            written.iter().zip(measured).all(is_close),
            "{name}: {written:?} is written and {measured:?} measured; {command} prints the rows"
        );
    }
}

#[test]
fn pages_say_what_the_table_of_boards_does() {
    for board in BOARDS {
        let page = folder().join(board.name).join("README.md");
        let page = std::fs::read_to_string(page).unwrap();
        let room = format!("{} KiB for the network", board.arena_bytes / 1024);
        assert!(page.contains(&room), "{}: {room}", board.name);
        let cores = page.contains("which share the network");
        assert_eq!(cores, board.cores == 2, "{}", board.name);
    }
}
