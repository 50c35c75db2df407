//! Workarounds of the boards' programs for faults of chips, where that is a function that runs anywhere.

use std::collections::BTreeMap;

#[path = "../../boards/stm32h7/src/axi.rs"]
mod axi;

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
