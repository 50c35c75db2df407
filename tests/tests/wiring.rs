//! The wiring pictures say what the boards' programs are compiled from.

use posy::device::BOARDS;
use posy_tests::wiring::{DRAWN, draw, table};

#[test]
fn pictures_show_the_pins_that_the_code_uses() {
    for drawn in &DRAWN {
        let pins = table(&drawn.pins_text());
        assert!(pins.len() >= 8, "{}: {pins:?}", drawn.board);
        let found = std::fs::read_to_string(drawn.path()).unwrap_or_default();
        assert!(
            found == draw(drawn, &pins),
            "{}/{} is out of date: cargo run --release -p posy-tests --bin xtask -- board-wiring",
            drawn.board,
            drawn.file
        );
        let readme = std::fs::read_to_string(drawn.path().with_file_name("README.md")).unwrap();
        let link = format!("]({})", drawn.file);
        assert!(readme.contains(&link), "{}: {link}", drawn.board);
    }
}

#[test]
fn a_pin_changed_in_the_code_changes_the_picture() {
    let drawn = &DRAWN[0];
    let text = drawn.pins_text();
    let before = draw(drawn, &table(&text));
    let after = draw(drawn, &table(&text.replace("PIN_4 }", "PIN_8 }")));
    assert!(before.contains("pin 6, GP4") && !before.contains("pin 11, GP8"));
    assert!(after.contains("pin 11, GP8") && !after.contains("pin 6, GP4"));
}

/// Every role in the code is one of the table's, and no pin is named elsewhere.
#[test]
fn programs_name_their_pins_in_the_table_alone() {
    for board in BOARDS.map(|board| board.name) {
        let main = posy_tests::boards::folder().join(board).join("src/main.rs");
        let text = std::fs::read_to_string(main).unwrap();
        assert!(text.contains("pin!(chip, sda)"), "{board}");
        for name in [
            "chip.PIN_",
            "chip.P0_",
            "chip.P1_",
            "chip.PA",
            "chip.PB",
            "chip.PC",
        ] {
            assert!(!text.contains(name), "{board}: {name}");
        }
    }
}
