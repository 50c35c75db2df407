//! Choice of the model in a slot that runs.

use posy_shared::model::slot::{self, Head, Place};
use posy_shared::model::{HEAD_ALIGN, Model, PRELUDE_LEN, Prelude, ReadError, write};

use crate::networks::{random_network, spec};

const SLOT_LEN: usize = 256 * 1024;

fn file(seed: u32) -> Vec<u8> {
    write(&spec(random_network(seed))).unwrap()
}

fn prelude(bytes: &[u8]) -> Prelude {
    Prelude::parse(bytes).unwrap()
}

/// A slot with a file at its start.
fn flashed(file: &[u8]) -> Vec<u8> {
    let mut slot = file.to_vec();
    slot.resize(SLOT_LEN, 0xFF);
    slot
}

/// Writes a model as a push does; where.
fn push(slot: &mut [u8], file: &[u8], sector: u32) -> Place {
    let Prelude {
        head_len,
        backbone_len,
        ..
    } = prelude(file);
    let running = slot::newest(slot);
    let place = slot::place(
        slot.len() as u32,
        sector,
        running.as_ref(),
        head_len,
        backbone_len,
        false,
    )
    .unwrap();
    let new = Prelude {
        generation: slot::next_generation(slot).unwrap(),
        base: slot::base(slot),
        backbone_offset: place.backbone,
        ..prelude(file)
    };
    let contents = &file[PRELUDE_LEN..head_len as usize];
    let (head, backbone) = (place.head as usize, place.backbone as usize);
    slot[head..][..PRELUDE_LEN].copy_from_slice(&new.sealed(contents).to_bytes());
    slot[head + PRELUDE_LEN..][..contents.len()].copy_from_slice(contents);
    slot[backbone..][..backbone_len as usize].copy_from_slice(&file[head_len as usize..]);
    place
}

fn golden_of(slot: &[u8]) -> Vec<u8> {
    Model::read_slot(slot).unwrap().golden().logits.to_vec()
}

#[test]
fn the_head_begins_and_ends_at_sectors_and_the_backbone_follows() {
    let file = file(3);
    let Prelude {
        generation,
        base,
        head_len,
        backbone_offset,
        backbone_len,
        ..
    } = prelude(&file);
    assert_eq!((generation, base, backbone_offset), (0, 0, head_len));
    assert!((head_len as usize).is_multiple_of(HEAD_ALIGN));
    assert_eq!(file.len(), (head_len + backbone_len) as usize);
    assert_eq!(Model::read(&file).unwrap().file_len(), file.len());
    assert_eq!(prelude(&prelude(&file).to_bytes()), prelude(&file));
}

#[test]
fn the_newest_model_runs_and_is_never_in_the_way_of_the_next() {
    let files: Vec<Vec<u8>> = (10..16).map(file).collect();
    let mut slot = flashed(&files[0]);
    for round in 1..if cfg!(miri) { 3 } else { 20 } {
        let next = &files[round % files.len()];
        let before = slot.clone();
        let running = slot::newest(&before).unwrap();
        let place = push(&mut slot, next, 4096);
        assert!(!place.clears, "round {round}");
        assert_eq!(slot::newest(&slot).unwrap().at, place.head);
        assert_eq!(golden_of(&slot), golden_of(next), "round {round}");
        // Its bytes alone were changed: the one before still reads.
        assert!(Model::read_head(&slot, &running).is_ok(), "round {round}");
    }
}

#[test]
fn a_file_written_over_the_start_wins_over_what_was_pushed() {
    let [first, pushed, second] = [20, 21, 22].map(file);
    let mut slot = flashed(&first);
    push(&mut slot, &pushed, 4096);
    assert_eq!(golden_of(&slot), golden_of(&pushed));
    slot[..second.len()].copy_from_slice(&second);
    assert_eq!(golden_of(&slot), golden_of(&second));
    // The same file again, told apart by another base.
    slot[..first.len()].copy_from_slice(&first);
    let contents = &first[PRELUDE_LEN..prelude(&first).head_len as usize];
    let told_apart = Prelude {
        base: 77,
        ..prelude(&first)
    };
    slot[..PRELUDE_LEN].copy_from_slice(&told_apart.sealed(contents).to_bytes());
    assert_eq!(golden_of(&slot), golden_of(&first));
    // And what is pushed then wins, though an older head is of an older base.
    push(&mut slot, &pushed, 4096);
    assert_eq!(golden_of(&slot), golden_of(&pushed));
}

#[test]
fn a_prelude_counts_only_whole_and_with_its_head() {
    let [first, second] = [30, 31].map(file);
    let mut slot = flashed(&first);
    let head = push(&mut slot, &second, 4096).head as usize;
    let every = if cfg!(miri) { 9 } else { 1 };
    let places = (0..PRELUDE_LEN).chain([PRELUDE_LEN, PRELUDE_LEN + 999]);
    for at in places.step_by(every) {
        for flip in [1, 0x80] {
            slot[head + at] ^= flip;
            assert_eq!(slot::newest(&slot).map(|head| head.at), Some(0), "{at}");
            slot[head + at] ^= flip;
        }
    }
    // A damaged backbone is not passed over in silence.
    let last = slot::newest(&slot).unwrap();
    slot[last.prelude.backbone_offset as usize] ^= 1;
    assert!(matches!(
        Model::read_slot(&slot),
        Err(ReadError::Checksum { .. })
    ));
}

#[test]
fn parts_that_lie_over_one_another_or_outside_do_not_count() {
    let file = file(40);
    let contents = &file[PRELUDE_LEN..prelude(&file).head_len as usize];
    for (backbone_offset, backbone_len) in [
        (0, 16),
        (4096 - 16, 32),
        (SLOT_LEN as u32 - 16, 32),
        (u32::MAX, u32::MAX),
    ] {
        let wrong = Prelude {
            backbone_offset,
            backbone_len,
            ..prelude(&file)
        };
        let mut slot = flashed(&file);
        slot[..PRELUDE_LEN].copy_from_slice(&wrong.sealed(contents).to_bytes());
        assert_eq!(slot::newest(&slot), None);
        assert!(Model::read_slot(&slot).is_err());
    }
}

#[test]
fn room_is_found_beside_what_runs_or_it_has_to_go() {
    let head = |at, backbone_offset, backbone_len| Head {
        at,
        prelude: Prelude {
            generation: 1,
            base: 0,
            head_len: 8192,
            backbone_offset,
            backbone_len,
            crc: 0,
        },
    };
    let place = |head, backbone, clears| {
        Some(Place {
            head,
            backbone,
            clears,
        })
    };
    let at = |slot_len, sector, running: Option<Head>, backbone_len, same| {
        slot::place(slot_len, sector, running.as_ref(), 8192, backbone_len, same)
    };
    assert_eq!(at(1 << 20, 4096, None, 100, false), place(0, 8192, false));
    // The head alone: behind the backbone, then where the file's was.
    let first = head(0, 8192, 100_000);
    let second = head(110_592, 8192, 100_000);
    assert_eq!(
        at(1 << 20, 4096, Some(first), 100_000, true),
        place(110_592, 8192, false)
    );
    assert_eq!(
        at(1 << 20, 4096, Some(second), 100_000, true),
        place(0, 8192, false)
    );
    // Sectors of 128 KiB: the file's first one holds a part of the backbone.
    assert_eq!(
        at(1 << 20, 1 << 17, Some(first), 100_000, true),
        place(1 << 17, 8192, false)
    );
    // Another backbone, beside.
    assert_eq!(
        at(1 << 20, 4096, Some(first), 200_000, false),
        place(110_592, 118_784, false)
    );
    // No room for another backbone, and none for a head.
    assert_eq!(
        at(1 << 18, 4096, Some(first), 200_000, false),
        place(0, 8192, true)
    );
    assert_eq!(
        at(112_000, 4096, Some(first), 100_000, true),
        place(0, 8192, true)
    );
    assert_eq!(at(1 << 17, 4096, Some(first), 200_000, false), None);
    assert_eq!(at(1 << 17, 0, Some(first), 2, false), None);
    assert_eq!(at(1 << 17, 4096, None, u32::MAX, false), None);
}
