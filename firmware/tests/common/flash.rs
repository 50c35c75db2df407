//! A flash chip: its rules, and power that fails in any of its operations.

use std::sync::{Arc, Mutex};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use posy_firmware::slot::SlotFlash;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Panic payload of a power cut.
pub struct PowerCut;

/// A chip with sectors of `SECTOR` bytes, written `WORD` bytes at a time, each word once between
/// erasures.
pub struct Chip<const SECTOR: usize, const WORD: usize> {
    bytes: Vec<u8>,
    /// Words that were written since they were erased.
    written: Vec<bool>,
    /// Operations so far: erasures and words.
    pub operations: usize,
    /// The operation in which power fails, and what it leaves is drawn from.
    cut: Option<(usize, ChaCha8Rng)>,
    /// Place where the bytes are left for whoever switches power on again.
    left: Arc<Mutex<Vec<u8>>>,
}

impl<const SECTOR: usize, const WORD: usize> Chip<SECTOR, WORD> {
    /// A chip with these bytes, erased behind them.
    pub fn new(bytes: &[u8], len: usize, left: &Arc<Mutex<Vec<u8>>>) -> Self {
        let mut bytes = bytes.to_vec();
        bytes.resize(len, 0xFF);
        let written = bytes.chunks(WORD).map(|word| word != [0xFF; WORD]);
        Chip {
            written: written.collect(),
            operations: 0,
            cut: None,
            left: left.clone(),
            bytes,
        }
    }

    /// Power fails in operation `at`, from 0.
    pub fn cut(mut self, at: usize, seed: u64) -> Self {
        self.cut = Some((at, ChaCha8Rng::seed_from_u64(seed)));
        self
    }

    /// Leaves the bytes for whoever comes next.
    pub fn leave(&self) {
        *self.left.lock().unwrap() = self.bytes.clone();
    }

    /// Counts an operation; if power fails in it, applies `damage` and unwinds with [`PowerCut`].
    fn step(&mut self, damage: impl FnOnce(&mut Vec<u8>, &mut ChaCha8Rng)) {
        let now = self.operations;
        self.operations += 1;
        if let Some((at, random)) = &mut self.cut
            && *at == now
        {
            damage(&mut self.bytes, random);
            self.leave();
            std::panic::resume_unwind(Box::new(PowerCut));
        }
    }
}

impl<const SECTOR: usize, const WORD: usize> SlotFlash for Chip<SECTOR, WORD> {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<const SECTOR: usize, const WORD: usize> ErrorType for Chip<SECTOR, WORD> {
    type Error = NorFlashErrorKind;
}

impl<const SECTOR: usize, const WORD: usize> ReadNorFlash for Chip<SECTOR, WORD> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const SECTOR: usize, const WORD: usize> NorFlash for Chip<SECTOR, WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let (from, to) = (from as usize, to as usize);
        assert!(from.is_multiple_of(SECTOR) && to.is_multiple_of(SECTOR) && from < to);
        for start in (from..to).step_by(SECTOR) {
            // Nothing, all, or some bits of some bytes have become ones.
            self.step(|bytes, random| {
                let sector = &mut bytes[start..start + SECTOR];
                match random.random_range(0..4) {
                    0 => {}
                    1 => sector.fill(0xFF),
                    _ => {
                        let share = random.random_range(0.0..1.0);
                        for byte in sector {
                            *byte |= match random.random_bool(share) {
                                true => 0xFF,
                                false => random.random(),
                            };
                        }
                    }
                }
            });
            self.bytes[start..start + SECTOR].fill(0xFF);
            self.written[start / WORD..(start + SECTOR) / WORD].fill(false);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD));
        for (index, word) in bytes.chunks(WORD).enumerate() {
            let start = offset + index * WORD;
            assert!(!self.written[start / WORD], "a word was written twice");
            // None, all or some of its bits have become zeros.
            self.step(|bytes, random| {
                let mask = match random.random_range(0..4) {
                    0 => Some(0xFF),
                    1 => Some(0),
                    _ => None,
                };
                for (place, &byte) in bytes[start..start + WORD].iter_mut().zip(word) {
                    *place &= byte | mask.unwrap_or_else(|| random.random::<u8>());
                }
            });
            self.bytes[start..start + WORD].copy_from_slice(word);
            self.written[start / WORD] = true;
        }
        Ok(())
    }
}
