//! ELF files of 32-bit boards, and UF2 files as a Pico takes them.

/// Bytes of a program and where in memory they lie.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where it is when the board is off: flash for all that is not zero.
    pub load_address: u32,
    /// Where it is when the program runs.
    pub address: u32,
    /// Bytes of memory that it takes.
    pub memory_len: u32,
    /// The bytes; those after them are zero.
    pub bytes: Vec<u8>,
}

/// The segments that an ELF file has loaded, by its program headers.
pub fn segments(elf: &[u8]) -> Vec<Segment> {
    const LOAD: u32 = 1;
    const PROGRAM_HEADER_LEN: usize = 32;
    let word = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().expect("four bytes"));
    assert_eq!(
        elf[..6],
        *b"\x7FELF\x01\x01",
        "a little-endian ELF of 32 bits"
    );
    let headers = word(28) as usize;
    let count = usize::from(elf[44]) | usize::from(elf[45]) << 8;
    (0..count)
        .map(|index| headers + index * PROGRAM_HEADER_LEN)
        .filter(|&header| word(header) == LOAD)
        .map(|header| {
            let field = |index: usize| word(header + 4 * index);
            let start = field(1) as usize;
            Segment {
                address: field(2),
                load_address: field(3),
                memory_len: field(5),
                bytes: elf[start..start + field(4) as usize].to_vec(),
            }
        })
        .collect()
}

/// A UF2 file for the RP2040 of bytes at addresses; between them, within a page, erased flash.
pub fn write<'b>(parts: impl IntoIterator<Item = (u32, &'b [u8])>) -> Vec<u8> {
    const PAGE: u32 = 256;
    let mut pages = std::collections::BTreeMap::new();
    for (address, bytes) in parts {
        for (address, &byte) in (address..).zip(bytes) {
            let page = pages.entry(address / PAGE).or_insert([0xFF; PAGE as usize]);
            page[(address % PAGE) as usize] = byte;
        }
    }
    let count = pages.len() as u32;
    let block = |(index, (page, payload)): (u32, (u32, [u8; PAGE as usize]))| {
        // Two magic numbers, the flag for a family, address, length, number, count, the RP2040.
        let words = [
            0x0A32_4655,
            0x9E5D_5157,
            0x2000,
            page * PAGE,
            PAGE,
            index,
            count,
            0xE48B_FF56,
        ];
        let mut block: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        block.extend(payload);
        block.resize(512 - 4, 0);
        block.extend(0x0AB1_6F30_u32.to_le_bytes());
        block
    };
    (0..).zip(pages).flat_map(block).collect()
}
