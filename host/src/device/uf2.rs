//! UF2 files for boards with a drive: [Microsoft's specification] of the blocks.
//!
//! Every flash sector that is touched is written whole, and the rest is filled as erased flash. The
//! boot ROM of the RP2040 counts blocks to know when to erase: 16 blocks in a row must lie in one
//! sector, or parts of sectors are lost (RP2040 data sheet, erratum RP2040-E14).
//!
//! [Microsoft's specification]: https://github.com/microsoft/uf2

use std::collections::BTreeMap;

/// Size of a block, bytes.
pub const BLOCK_BYTES: usize = 512;

/// Bytes of flash contents in a block: one page.
pub const PAYLOAD_BYTES: usize = 256;

/// Size of a flash sector, the unit of erasing, bytes (RP2040 data sheet section 2.8.3, RP2350 data
/// sheet section 5.5).
pub const SECTOR_BYTES: usize = 4096;

const MAGIC_START: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const MAGIC_END: u32 = 0x0AB1_6F30;

/// Flag: the last field before the payload is a family ID.
const FAMILY_PRESENT: u32 = 0x2000;

/// Value of erased flash.
const ERASED: u8 = 0xFF;

/// Family ID of a kind of chips, which reject blocks of another.
pub type Family = u32;

/// Bytes and their address in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte.
    pub address: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The UF2 file of `segments`, in order of their addresses, for chips of `family`. Where segments
/// overlap, the later one counts; bytes beyond the last address are dropped.
pub fn file(segments: &[Segment], family: Family) -> Vec<u8> {
    let sectors = sectors(segments);
    let count = sectors.len() * (SECTOR_BYTES / PAYLOAD_BYTES);
    let mut file = Vec::with_capacity(count * BLOCK_BYTES);
    let mut number = 0;
    for (sector, bytes) in &sectors {
        let addresses = (*sector..).step_by(PAYLOAD_BYTES);
        for (address, payload) in addresses.zip(bytes.chunks_exact(PAYLOAD_BYTES)) {
            let header = [
                MAGIC_START[0],
                MAGIC_START[1],
                FAMILY_PRESENT,
                address,
                PAYLOAD_BYTES as u32,
                number,
                count as u32,
                family,
            ];
            let end = file.len() + BLOCK_BYTES - 4;
            file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
            file.extend(payload);
            file.resize(end, 0);
            file.extend(MAGIC_END.to_le_bytes());
            number += 1;
        }
    }
    file
}

/// The sectors that `segments` touch, by address.
fn sectors(segments: &[Segment]) -> BTreeMap<u32, [u8; SECTOR_BYTES]> {
    let mut sectors = BTreeMap::new();
    for segment in segments {
        let mut address = segment.address;
        let mut rest = &segment.bytes[..];
        while !rest.is_empty() {
            let at = address as usize % SECTOR_BYTES;
            let start = address - at as u32;
            let (here, behind) = rest.split_at(rest.len().min(SECTOR_BYTES - at));
            let sector = sectors.entry(start).or_insert([ERASED; SECTOR_BYTES]);
            sector[at..at + here.len()].copy_from_slice(here);
            let Some(next) = start.checked_add(SECTOR_BYTES as u32) else {
                break;
            };
            (address, rest) = (next, behind);
        }
    }
    sectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::hex;
    use sha2::{Digest, Sha256};

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 37 + at / 11) as u8).collect()
    }

    fn segment(address: u32, bytes: Vec<u8>) -> Segment {
        Segment { address, bytes }
    }

    fn word(block: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(block[at..at + 4].try_into().unwrap())
    }

    /// Digests of the files that the Python package uf2utils 0.9.8 writes of the same two segments,
    /// padded with 0xFF to whole sectors (`UF2File(board_family=...)`, `append_payload(...,
    /// block_payload_size=256)` for each, `to_file`).
    #[test]
    fn files_are_those_of_another_writer() {
        let recorded = [
            (
                0xE48B_FF56,
                "c75f10d8eadf6e0fc85d067591d427bb8677af57a46220226f03a0f44560fa9e",
            ),
            (
                0xE48B_FF59,
                "40e3148e783e4b5235689c5aa8c111aa04d48de23dd0bab6c1363c8dd84b245d",
            ),
        ];
        let segments = [
            segment(0x1000_0000, pattern(5000)),
            segment(0x1002_0000, pattern(3 * 4096 + 1)),
        ];
        for (family, digest) in recorded {
            let file = file(&segments, family);
            assert_eq!(file.len(), 49_152);
            let found = hex(&Sha256::digest(&file));
            assert_eq!(found, digest, "{family:#x}");
        }
    }

    /// Each field against the specification's table.
    #[test]
    fn blocks_are_as_specified() {
        // The end of one sector and the start of the next, and a later one, out of order.
        let segments = [
            segment(0x1002_0000, vec![3; 10]),
            segment(0x1000_0FFE, vec![1, 2, 3, 4]),
        ];
        let file = file(&segments, 0xE48B_FF56);
        let blocks: Vec<&[u8]> = file.chunks(BLOCK_BYTES).collect();
        assert_eq!(blocks.len(), 3 * 16);
        let mut memory = BTreeMap::new();
        for (number, block) in blocks.iter().enumerate() {
            assert_eq!(&block[..4], b"UF2\n");
            assert_eq!(word(block, 4), 0x9E5D_5157);
            assert_eq!(word(block, 8), 0x2000);
            assert_eq!(word(block, 16), 256);
            assert_eq!(word(block, 20), number as u32);
            assert_eq!(word(block, 24), 48);
            assert_eq!(word(block, 28), 0xE48B_FF56);
            assert!(block[32 + 256..508].iter().all(|byte| *byte == 0));
            assert_eq!(word(block, 508), 0x0AB1_6F30);
            // Erratum E14: sixteen blocks in a row lie in one sector.
            let sector = [0x1000_0000, 0x1000_1000, 0x1002_0000][number / 16];
            assert_eq!(word(block, 12), sector + 256 * (number % 16) as u32);
            for (at, byte) in block[32..32 + 256].iter().enumerate() {
                memory.insert(word(block, 12) + at as u32, *byte);
            }
        }
        for (address, byte) in memory {
            let expected = match address {
                0x1000_0FFE..=0x1000_1001 => (address - 0x1000_0FFD) as u8,
                0x1002_0000..=0x1002_0009 => 3,
                _ => 0xFF,
            };
            assert_eq!(byte, expected, "{address:#x}");
        }
    }

    #[test]
    fn nothing_and_the_last_address() {
        assert!(file(&[], 1).is_empty());
        let last = file(&[segment(0xFFFF_FFFF, vec![7, 8, 9])], 1);
        assert_eq!(last.len(), 16 * BLOCK_BYTES);
        assert_eq!(word(&last[15 * BLOCK_BYTES..], 12), 0xFFFF_FF00);
        assert_eq!(last[15 * BLOCK_BYTES + 32 + 255], 7);
    }
}
