//! Workarounds of the boards' programs for faults and peculiarities of chips, where that is a function that
//! runs anywhere.

use std::collections::BTreeMap;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use posy_firmware::slot::SlotError;
use posy_shared::model::Model;

#[path = "../../boards/stm32h7/src/axi.rs"]
mod axi;
#[path = "../../boards/rp/src/flash_speed.rs"]
mod flash_speed;
#[path = "../../boards/common/src/half_written.rs"]
mod half_written;
#[path = "../../boards/ports/src/serial_number.rs"]
mod serial_number;

use half_written::erase_unreadable;
use serial_number::SerialNumber;

use axi::{ID_CODE, READ_ISSUING, Registers, mend};

/// Registers that remember what was written.
struct Fake(BTreeMap<usize, u32>);

impl Registers for Fake {
    fn read(&self, address: usize) -> u32 {
        *self.0.get(&address).expect("a register that there is")
    }

    fn write(&mut self, address: usize, word: u32) {
        self.0.insert(address, word);
    }
}

/// Revisions Z, Y, X and V by ST's errata sheet ES0392, table 3; the fault is in all before X.
#[test]
fn early_h743_read_axi_sram_one_word_at_a_time() {
    for (revision, is_early) in [
        (0x1001, true),
        (0x1003, true),
        (0x2001, false),
        (0x2003, false),
    ] {
        let mut chip = Fake(BTreeMap::from([(ID_CODE, revision << 16 | 0x450)]));
        mend(&mut chip);
        let written = chip.0.get(&READ_ISSUING).copied();
        assert_eq!(written, is_early.then_some(1), "revision {revision:04x}");
        // The registers' addresses: DBGMCU and the AXI interconnect, reference manual RM0433.
        assert_eq!((ID_CODE, READ_ISSUING), (0x5C00_1000, 0x5100_8108));
    }
}

/// Digits of a chip's number, as they would be on USB.
fn serial_number(bytes: &[u8]) -> Option<String> {
    SerialNumber::new(bytes).map(|number| number.as_str().to_owned())
}

#[test]
fn two_boards_of_a_kind_are_told_apart_by_their_serial_numbers() {
    // A flash chip's or an nRF52840's 64 bits, an STM32's 96: one bit of difference, wherever it is.
    for len in [8, 12] {
        let chip: Vec<u8> = (1..=len).map(|byte| byte * 0x13).collect();
        let mut numbers: Vec<String> = vec![serial_number(&chip).unwrap()];
        for bit in 0..8 * usize::from(len) {
            let mut other = chip.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            numbers.push(serial_number(&other).unwrap());
        }
        // The same at each start.
        assert_eq!(numbers[0], serial_number(&chip).unwrap());
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 1 + 8 * usize::from(len));
        for number in numbers {
            assert_eq!(number.len(), 2 * usize::from(len));
            assert!(
                number
                    .bytes()
                    .all(|digit| b"0123456789ABCDEF".contains(&digit))
            );
        }
    }
    assert_eq!(serial_number(&[0x0F, 0xA0]).unwrap(), "0FA0");
    // Chips that do not answer must not all be one board.
    assert_eq!(serial_number(&[0xFF; 8]), None);
    assert_eq!(serial_number(&[0x00; 12]), None);
}

/// Flash with a checksum for each word of 32 bytes, in sectors of 1 KiB.
struct Checked {
    bytes: Vec<u8>,
    /// Offsets of words in whose writing power failed.
    torn: Vec<u32>,
}

impl Checked {
    const WORD: usize = 32;
    const SECTOR: usize = 1024;

    /// Everything that is there, as a core without a fault sees it.
    fn read_all(&self) -> &[u8] {
        assert!(self.torn.is_empty(), "a bus fault");
        &self.bytes
    }
}

impl ErrorType for Checked {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Checked {
    const READ_SIZE: usize = 1;

    fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        panic!("a bus fault may come of it");
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Checked {
    const WRITE_SIZE: usize = Self::WORD;
    const ERASE_SIZE: usize = Self::SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.bytes[from as usize..to as usize].fill(0xFF);
        self.torn.retain(|offset| !(from..to).contains(offset));
        Ok(())
    }

    fn write(&mut self, _: u32, _: &[u8]) -> Result<(), NorFlashErrorKind> {
        panic!("nothing is to be written");
    }
}

/// Power that failed in any word of a model on an STM32H743: the slot is read, and named where it is empty or
/// damaged; a model in other sectors is as it was.
#[test]
fn words_that_fault_when_they_are_read_become_the_slots_error() {
    let file = posy_tests::small_classifier(3);
    let file_len = file.len().next_multiple_of(Checked::SECTOR);
    let sectors = file_len / Checked::SECTOR;
    assert!(sectors > 2);
    let mut bytes = file.clone();
    bytes.resize(file_len + 2 * Checked::SECTOR, 0xFF);
    for at in (0..bytes.len()).step_by(Checked::WORD) {
        let mut flash = Checked {
            bytes: bytes.clone(),
            torn: vec![at as u32],
        };
        let torn = flash.torn.clone();
        let mut fed = 0;
        let erased = erase_unreadable(&mut flash, |offset| !torn.contains(&offset), || fed += 1);
        assert_eq!((erased, fed), (Ok(1), sectors + 2));
        let sector = at / Checked::SECTOR * Checked::SECTOR;
        let lost = bytes[sector..][..Checked::SECTOR]
            .iter()
            .any(|&byte| byte != 0xFF);
        let (before, rest) = flash.read_all().split_at(sector);
        assert!(before == &bytes[..sector], "{at}");
        assert!(
            rest[Checked::SECTOR..] == bytes[sector + Checked::SECTOR..],
            "{at}"
        );
        let read = Model::read_slot(flash.read_all())
            .map(drop)
            .map_err(SlotError::from);
        match read {
            Ok(()) => assert!(!lost, "{at}"),
            // What it says ends with what to do.
            Err(error) => {
                let said = error.to_string();
                assert!(lost, "{at}: {said}");
                assert!(
                    said.contains("posy flash") || said.contains("push"),
                    "{at}: {said}"
                );
            }
        }
    }
    // Nothing is erased where all can be read.
    let mut flash = Checked {
        bytes,
        torn: vec![],
    };
    assert_eq!(erase_unreadable(&mut flash, |_| true, || ()), Ok(0));
}

/// The flash controller of an RP2350 as its boot ROM leaves it (RP2350 data sheet, 12.14.6, M0_TIMING): divider
/// 3, delay 3, and settings of the chip select that stay.
#[test]
fn the_pico_2_reads_flash_at_half_its_clock_after_start_and_after_each_write() {
    for (left, expected) in [
        (0x6000_7303_u32, 0x6000_7202_u32),
        (0x6000_7202, 0x6000_7202),
        (0x4000_0004, 0x4000_0202),
        (0xFFFF_FFFF, 0xFFFF_FA02),
    ] {
        assert_eq!(flash_speed::hurried(left), expected, "{left:08x}");
    }
}
