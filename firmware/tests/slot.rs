//! Faults of a model slot: each is said by name, whatever the bytes.

mod common;

use common::small::small_classifier;
use posy_firmware::slot::{self, SlotError};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::kernels::{DenseParams, Kernels};
use posy_shared::model::{FORMAT_VERSION, Model};

const SLOT_LEN: usize = 64 * 1024;

/// A slot of erased flash that begins with `bytes`.
fn flash(bytes: &[u8]) -> Vec<u8> {
    let mut slot = bytes.to_vec();
    slot.resize(SLOT_LEN, 0xFF);
    slot
}

fn check(slot: &[u8]) -> Result<usize, SlotError> {
    let mut arena = vec![0x55; 4096];
    let mut row = [0; 48];
    let model = Model::read_slot(slot)?;
    slot::check(&model, &mut arena, &mut row, Scalar)?;
    Ok(model.labels().count())
}

/// Bytes of the head, as the format's prelude has them.
fn head_len(file: &[u8]) -> usize {
    u32::from_le_bytes(file[16..20].try_into().unwrap()) as usize
}

/// Sets the checksums of changed contents right; their places and extents are on the format's page.
fn seal(file: &mut [u8]) {
    let head = head_len(file);
    let crc = crc32(&file[head..]);
    file[36..40].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32(&[&file[..28], &file[32..head]].concat());
    file[28..32].copy_from_slice(&crc.to_le_bytes());
}

/// CRC-32 of ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(!0, step)
}

#[test]
fn a_model_in_its_slot_is_found_and_another_one_in_its_place_too() {
    assert_eq!(check(&flash(&small_classifier(5))), Ok(5));
    assert_eq!(check(&flash(&small_classifier(6))), Ok(6));
    // A slot that the model fills to the byte.
    assert_eq!(check(&small_classifier(5)), Ok(5));
}

#[test]
fn nothing_something_else_and_other_versions() {
    assert_eq!(check(&flash(&[])), Err(SlotError::Empty));
    assert_eq!(check(&[]), Err(SlotError::Empty));
    assert_eq!(check(&[0; 4096]), Err(SlotError::Magic));
    assert_eq!(check(&flash(b"TFL3 and so on")), Err(SlotError::Magic));
    let mut file = small_classifier(5);
    file[4] = 9;
    let (found, reads) = (9, FORMAT_VERSION);
    let version = SlotError::Version { found, reads };
    assert_eq!(check(&flash(&file)), Err(version));
    let text = version.to_string();
    assert!(
        text.contains("format 9") && text.contains(&format!("reads {FORMAT_VERSION}")),
        "{text}"
    );
}

#[test]
fn a_model_longer_than_its_slot_is_told_with_both_lengths() {
    let file = small_classifier(5);
    for slot in [file.len() - 1, 64, 32] {
        let model = file.len();
        assert_eq!(
            check(&file[..slot]),
            Err(SlotError::Length { model, slot }),
            "{slot}"
        );
    }
}

#[test]
fn a_model_written_only_in_part_is_damaged() {
    let file = small_classifier(5);
    // At pages of flash, and anywhere; the rest is still erased.
    for written in [32, 33, 256, 512, file.len() / 2, file.len() - 1] {
        let mut slot = flash(&file[..written]);
        // The last byte may happen to be that of erased flash.
        if slot[..file.len()] == file[..] {
            slot[written - 1] ^= 1;
        }
        let error = check(&slot).unwrap_err();
        assert!(
            matches!(error, SlotError::Checksum { .. }),
            "{written}: {error}"
        );
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_said_in_a_line() {
    let file = small_classifier(3);
    let mut slot = flash(&file);
    for bit in 0..8 * file.len() {
        slot[bit / 8] ^= 1 << (bit % 8);
        let error = check(&slot).unwrap_err();
        let text = error.to_string();
        assert!(text.len() < 130 && !text.contains('\n'), "{text}");
        if bit >= 8 * 32 {
            assert!(matches!(error, SlotError::Checksum { .. }), "bit {bit}");
        }
        slot[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn contents_that_are_wrong_under_a_right_checksum_are_noticed_or_harmless() {
    let file = small_classifier(3);
    let (mut layers, mut golden, mut others, mut harmless) = (0, 0, 0, 0);
    let header_end = 48 + u32::from_le_bytes(file[32..36].try_into().unwrap()) as usize;
    for at in (40..header_end + 256).chain(head_len(&file)..file.len()) {
        for flip in [0x01, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= flip;
            seal(&mut changed);
            match check(&flash(&changed)) {
                Err(SlotError::Layer { .. }) => layers += 1,
                Err(SlotError::Golden) => golden += 1,
                Err(error) => {
                    assert!(!matches!(error, SlotError::Checksum { .. }));
                    others += 1;
                }
                // Labels, provenance, gaps.
                Ok(_) => harmless += 1,
            }
        }
    }
    assert!(
        layers > 0 && golden > 0 && others > 0 && harmless > 0,
        "{layers} {golden} {others} {harmless}"
    );
}

#[test]
fn a_model_too_large_for_the_memory_is_told_with_both_sizes() {
    let file = small_classifier(5);
    let model = Model::read(&file).unwrap();
    let needed = model.plan().arena_len;
    let mut row = [0; 48];
    for available in [0, needed - 1] {
        let mut arena = vec![0; available];
        let error = slot::check(&model, &mut arena, &mut row, Scalar).unwrap_err();
        assert_eq!(error, SlotError::Memory { needed, available });
        let text = error.to_string();
        assert!(text.contains(&needed.to_string()), "{text}");
    }
    let mut arena = vec![0; needed];
    assert_eq!(
        slot::check(&model, &mut arena, &mut row[..47], Scalar).unwrap_err(),
        SlotError::Row {
            needed: 48,
            available: 47
        }
    );
    assert!(slot::check(&model, &mut arena, &mut row, Scalar).is_ok());
}

/// Kernels of a processor with a fault.
struct Broken;

impl Kernels for Broken {
    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        Scalar.dense(params, input, scratch, output);
        output[0] ^= 1;
    }
}

#[test]
fn a_board_that_computes_otherwise_fails_the_golden_check() {
    let file = small_classifier(5);
    let model = Model::read(&file).unwrap();
    let (mut arena, mut row) = (vec![0; 4096], [0; 48]);
    let error = slot::check(&model, &mut arena, &mut row, Broken).unwrap_err();
    assert_eq!(error, SlotError::Golden);
}

/// `file` with its labels taken out of the header, as a model of features has none.
fn without_labels(file: &[u8], labels: &[u8]) -> Vec<u8> {
    let header_len = u32::from_le_bytes(file[32..36].try_into().unwrap()) as usize;
    let header = &file[48..48 + header_len];
    let block = &file[(48 + header_len).next_multiple_of(16)..head_len(file)];
    let at = header
        .windows(labels.len())
        .position(|part| part == labels)
        .unwrap();
    // A string lies behind its length, which is one byte for so few labels.
    let mut short = header[..at].to_vec();
    *short.last_mut().unwrap() = 0;
    short.extend(&header[at + labels.len()..]);
    let mut changed = [&file[..48], &short].concat();
    changed[32..36].copy_from_slice(&(short.len() as u32).to_le_bytes());
    changed.resize(changed.len().next_multiple_of(16), 0);
    changed.extend(block);
    changed.resize(head_len(file), 0xFF);
    changed.extend(&file[head_len(file)..]);
    seal(&mut changed);
    changed
}

#[test]
fn a_model_of_features_has_nothing_to_tell() {
    let file = without_labels(&small_classifier(3), b"label 0\nlabel 1\nlabel 2\n");
    assert_eq!(Model::read(&file).unwrap().labels().count(), 0);
    assert_eq!(check(&flash(&file)), Err(SlotError::NoLabels));
}
