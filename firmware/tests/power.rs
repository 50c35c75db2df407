//! Power that fails while a model is pushed: afterwards the old model runs, or the new one, whole.

mod common;

use std::sync::{Arc, Mutex};

use common::flash::Chip;
use common::laptop::Laptop;
use common::plugged::{nothing_left, plug_in};
use common::small::{classifier, small_classifier};
use common::{frame_bytes, logits_of};
use posy_firmware::camera::StoredFrame;
use posy_shared::image::{ImageView, PixelFormat};

const WIDTH: u16 = 32;
const HEIGHT: u16 = 32;

fn camera() -> StoredFrame<'static> {
    let bytes: &'static [u8] = Vec::leak(frame_bytes(2048, 3));
    StoredFrame::new(ImageView::packed(WIDTH, HEIGHT, PixelFormat::Rgb565Be, bytes).unwrap())
}

/// A slot of a chip, and the models that are pushed into it one after another.
struct Case {
    slot_len: usize,
    files: Vec<Vec<u8>>,
    /// True if the slot may be without a model in between, which is then said.
    tears: bool,
}

/// Cuts of each push.
const CUTS: usize = 200;

impl Case {
    /// Runs a push from `slot` on, with a cut or without; operations of the chip where there was none.
    fn push<const SECTOR: usize, const WORD: usize>(
        &self,
        slot: &[u8],
        file: &[u8],
        cut: Option<(usize, u64)>,
        left: &Arc<Mutex<Vec<u8>>>,
    ) -> Option<usize> {
        let chip = Chip::<SECTOR, WORD>::new(slot, self.slot_len, left);
        let chip = match cut {
            Some((at, seed)) => chip.cut(at, seed),
            None => chip,
        };
        let mut laptop = plug_in(camera(), chip);
        let pushed = laptop.hello(3).and_then(|()| laptop.push(file));
        assert_eq!(pushed.is_ok(), cut.is_none());
        laptop.unplug()
    }

    /// The logits that a board with `slot` answers by, or what it says of its slot.
    fn boots<const SECTOR: usize, const WORD: usize>(&self, slot: &[u8]) -> Result<String, String> {
        let chip = Chip::<SECTOR, WORD>::new(slot, self.slot_len, &nothing_left());
        let mut laptop: Laptop = plug_in(camera(), chip);
        let lines = laptop.until_lines(1);
        if !lines[0].starts_with("posy: laptop, ") {
            laptop.unplug();
            return Err(lines[0].clone());
        }
        let lines = laptop.until_lines(4);
        laptop.unplug();
        assert_eq!(lines[1], "posy: golden check passed");
        Ok(lines[3].clone())
    }

    /// Cuts power in each push at operations all over it.
    fn survives<const SECTOR: usize, const WORD: usize>(&self) -> [usize; 3] {
        let logits =
            |file: &Vec<u8>| format!("logits {:?}", logits_of(&mut camera(), file).unwrap());
        let left = nothing_left();
        let mut slot = self.files[0].clone();
        let [mut old, mut new, mut torn] = [0; 3];
        for (round, pair) in self.files.windows(2).enumerate() {
            let [before, after] = [logits(&pair[0]), logits(&pair[1])];
            assert_ne!(before, after);
            let operations = self.push::<SECTOR, WORD>(&slot, &pair[1], None, &left);
            let operations = operations.unwrap();
            let whole = left.lock().unwrap().clone();
            assert_eq!(self.boots::<SECTOR, WORD>(&whole), Ok(after.clone()));
            for cut in 0..CUTS {
                // The first and the last, and between them evenly; the commit's last word often.
                let at = match cut % 4 {
                    0 => operations - 1 - cut / 4 % operations.min(12),
                    1 => cut / 4 % 3,
                    _ => cut * (operations - 1) / (CUTS - 1),
                };
                let seed = (round * CUTS + cut) as u64;
                let cut_off = self.push::<SECTOR, WORD>(&slot, &pair[1], Some((at, seed)), &left);
                assert_eq!(cut_off, None, "power did not fail at {at}");
                let torn_slot = left.lock().unwrap().clone();
                match self.boots::<SECTOR, WORD>(&torn_slot) {
                    Ok(logits) if logits == before => old += 1,
                    Ok(logits) if logits == after => new += 1,
                    Err(line) if self.tears => {
                        let named = [
                            "whole model",
                            "damaged",
                            "something else",
                            "is empty",
                            "header",
                            "is of format",
                            "the model has",
                        ];
                        assert!(named.iter().any(|text| line.contains(text)), "{line}");
                        torn += 1;
                    }
                    other => panic!("round {round}, operation {at} of {operations}: {other:?}"),
                }
                // Whatever is left, the push is done again and holds.
                if cut % 10 == 0 {
                    self.push::<SECTOR, WORD>(&torn_slot, &pair[1], None, &left);
                    let again = left.lock().unwrap().clone();
                    assert_eq!(self.boots::<SECTOR, WORD>(&again), Ok(after.clone()));
                }
            }
            slot = whole;
        }
        println!("{old} old, {new} new, {torn} torn");
        [old, new, torn]
    }
}

#[test]
fn heads_in_sectors_of_4_kib() {
    let case = Case {
        slot_len: 32 * 1024,
        files: vec![
            small_classifier(3),
            small_classifier(5),
            small_classifier(4),
        ],
        tears: false,
    };
    let [old, new, _] = case.survives::<4096, 1>();
    assert!(old > 300 && new > 0, "{old} {new}");
}

#[test]
fn whole_models_in_sectors_of_4_kib() {
    let case = Case {
        slot_len: 32 * 1024,
        files: vec![small_classifier(3), classifier(9, 4), small_classifier(4)],
        tears: false,
    };
    let [old, new, _] = case.survives::<4096, 4>();
    assert!(old > 300 && new > 0, "{old} {new}");
}

/// As in an STM32H743, whose flash is written 32 bytes at a time.
#[test]
fn heads_and_whole_models_in_sectors_of_128_kib() {
    let case = Case {
        slot_len: 5 * 128 * 1024,
        files: vec![small_classifier(3), small_classifier(5), classifier(9, 4)],
        tears: false,
    };
    let [old, new, _] = case.survives::<{ 128 * 1024 }, 32>();
    assert!(old > 300 && new > 0, "{old} {new}");
}

#[test]
fn a_slot_with_room_for_one_model_is_torn_by_name_or_has_one() {
    let case = Case {
        slot_len: 12 * 1024,
        files: vec![small_classifier(3), classifier(9, 4), small_classifier(4)],
        tears: true,
    };
    let [old, new, torn] = case.survives::<4096, 4>();
    assert!(old > 0 && new > 0 && torn > 100, "{old} {new} {torn}");
}
