//! Early chips' AXI bus, which may corrupt what is read from AXI SRAM while others use the bus (ST's errata
//! sheet ES0392, 2.2.9, "Reading from AXI SRAM may lead to data read corruption"): the network lies there.

/// Address of DBGMCU_IDCODE, whose upper half is the chip's revision (reference manual RM0433, 60.5.8).
pub const ID_CODE: usize = 0x5C00_1000;
/// Address of AXI_TARG7_FN_MOD, of the port to AXI SRAM, and what limits it to one read at a time.
pub const READ_ISSUING: usize = 0x5100_8108;
const ONE_AT_A_TIME: u32 = 1;
/// Revisions from X, 0x2001, on are without the fault; Y, 0x1003, has it.
const MENDED: u32 = 0x2000;

/// Words at addresses.
pub trait Registers {
    /// The word at `address`.
    fn read(&self, address: usize) -> u32;
    /// Writes the word at `address`.
    fn write(&mut self, address: usize, word: u32);
}

/// Has a chip of an early revision read AXI SRAM slowly enough; leaves others alone.
pub fn mend(registers: &mut impl Registers) {
    let revision = registers.read(ID_CODE) >> 16;
    if revision < MENDED {
        registers.write(READ_ISSUING, ONE_AT_A_TIME);
    }
}
