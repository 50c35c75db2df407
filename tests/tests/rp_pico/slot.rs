//! The board's messages about an unusable model slot.

use crc::{CRC_32_ISO_HDLC, Crc};
use posy_shared::model::{FORMAT_VERSION, HEAD_BLOCK, Model, PRELUDE_LEN};
use posy_tests::draw::draw;
use posy_tests::pico::{Pico, after_line};
use posy_tests::scratch::Scratch;
use posy_tests::{large_classifier, small_classifier};
use serde_json::json;

/// Size of the slot in bytes: the rest of 2 MB after the program.
const SLOT_BYTES: usize = 1872 * 1024;
/// Writes the checksums that the contents have, so that only what they mean is wrong.
fn with_checksum(mut file: Vec<u8>) -> Vec<u8> {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let head = u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize;
    let checksum = crc.checksum(&file[head..]);
    file[36..40].copy_from_slice(&checksum.to_le_bytes());
    let checksum = crc.checksum(&[&file[..28], &file[PRELUDE_LEN..head]].concat());
    file[28..32].copy_from_slice(&checksum.to_le_bytes());
    file
}

#[test]
fn a_slot_that_cannot_be_used_is_named_each_second() {
    let test = "a_slot_that_cannot_be_used_is_named_each_second";
    let Some(pico) = Pico::find(test) else {
        return;
    };
    let file = small_classifier(3);
    let header_len = u32::from_le_bytes(file[32..36].try_into().unwrap()) as usize;
    let header_end = PRELUDE_LEN + 16 + header_len;
    let block = header_end.next_multiple_of(16);
    // Weights and tables of the dense layer lie in the head's block.
    let model = Model::read(&file).unwrap();
    let dense = model.layers().last().unwrap();
    let (weights, tables) = (
        block + (dense.weights & !HEAD_BLOCK) as usize,
        block + (dense.tables & !HEAD_BLOCK) as usize,
    );
    let label = file.windows(7).position(|text| text == b"label 1").unwrap();
    let golden = header_end - 1;

    let flipped = |at: usize, bit: u8| {
        let mut file = file.clone();
        file[at] ^= 1 << bit;
        file
    };
    let mut longer = file.clone();
    longer[24..28].copy_from_slice(&(SLOT_BYTES as u32 - 4095).to_le_bytes());
    let other = format!(
        "the model is of format {}, this program reads {FORMAT_VERSION}",
        FORMAT_VERSION ^ 1
    );
    let damaged = "the model is damaged (CRC ";
    let cases = [
        ("empty", vec![], "the model slot is empty"),
        ("cut off", file[..file.len() / 2].to_vec(), damaged),
        ("cut in the prelude", file[..6].to_vec(), "header"),
        ("another version", flipped(4, 0), &other),
        (
            "magic",
            flipped(0, 0),
            "the model slot holds something else",
        ),
        ("zero", flipped(6, 3), "the model's header is damaged"),
        ("header's length", flipped(32, 2), damaged),
        ("head's length, not of sectors", flipped(16, 0), "header"),
        ("backbone's length", flipped(24, 0), damaged),
        (
            "length, far",
            longer,
            "the model has 1916929 bytes, the slot 1916928",
        ),
        ("checksum", flipped(28, 7), damaged),
        ("header", flipped(PRELUDE_LEN, 0), damaged),
        ("label", flipped(label, 0), damaged),
        ("golden", flipped(golden, 0), damaged),
        ("weights", flipped(weights, 0), damaged),
        ("tables", flipped(tables, 0), damaged),
        ("last byte", flipped(file.len() - 1, 7), damaged),
        (
            "golden, checksum right",
            with_checksum(flipped(golden, 0)),
            "golden check failed",
        ),
        (
            "weights, checksum right",
            with_checksum(flipped(weights, 7)),
            "golden check failed",
        ),
        (
            "too large",
            large_classifier(),
            "bytes of RAM, there are 221184; choose a smaller",
        ),
    ];
    for (name, slot, message) in draw(test, cases, 5) {
        let scratch = Scratch::new();
        // What the model is comes first, and once, where it can be read.
        let steps = [after_line("^posy: (?!rp-pico)", 4, &[])];
        let run = pico.run(&scratch, &slot, &[], &steps, json!({})).succeeds();
        let mut lines = run.port("uart");
        if name.ends_with("checksum right") || name == "too large" {
            let introduction = lines.remove(0);
            assert!(
                introduction.text.starts_with("posy: rp-pico, "),
                "{name}: {run}"
            );
        }
        // No other lines: a restarted program would print some.
        assert_eq!(lines.len(), 4, "{name}: {run}");
        let line = &lines[0].text;
        assert!(
            line.starts_with("posy: ") && line.contains(message),
            "{name}: {run}"
        );
        for pair in lines.windows(2) {
            assert_eq!(pair[0].text, pair[1].text, "{name}: {run}");
            let apart_ms = pair[1].ms - pair[0].ms;
            // The slot is looked through in between, where it may hold a head at any sector.
            assert!((990.0..1250.0).contains(&apart_ms), "{name}: {run}");
        }
    }
}
