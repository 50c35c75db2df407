//! Intel HEX, a text format for flash contents that programmers take (Intel's *Hexadecimal Object File
//! Format Specification*, revision A): extended linear addresses, data, end of file.

use super::uf2::Segment;

/// Bytes of a record of data.
const LINE_BYTES: usize = 16;

/// Types of records.
const DATA: u8 = 0;
const END: u8 = 1;
const UPPER_ADDRESS: u8 = 4;

/// The file of `segments`, in their order.
pub fn file(segments: &[Segment]) -> Vec<u8> {
    let mut text = String::new();
    // Zero until a record says otherwise.
    let mut upper = 0;
    for segment in segments {
        let mut address = segment.address;
        let mut rest = &segment.bytes[..];
        while !rest.is_empty() {
            if address >> 16 != upper {
                upper = address >> 16;
                let [high, low, ..] = address.to_be_bytes();
                record(&mut text, 0, UPPER_ADDRESS, &[high, low]);
            }
            // A record crosses neither its line nor 64 KiB.
            let room = LINE_BYTES - address as usize % LINE_BYTES;
            let (line, behind) = rest.split_at(room.min(rest.len()));
            record(&mut text, address as u16, DATA, line);
            address = address.wrapping_add(line.len() as u32);
            rest = behind;
        }
    }
    record(&mut text, 0, END, &[]);
    text.into_bytes()
}

/// Appends a record: length, address, type, bytes, and what makes the sum of all of them 0.
fn record(text: &mut String, address: u16, kind: u8, bytes: &[u8]) {
    let [high, low] = address.to_be_bytes();
    let head = [bytes.len() as u8, high, low, kind];
    let all = || head.iter().chain(bytes);
    let sum = all().fold(0_u8, |sum, &byte| sum.wrapping_add(byte));
    text.push(':');
    for byte in all().chain(&[sum.wrapping_neg()]) {
        text.push_str(&format!("{byte:02X}"));
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::hex;
    use sha2::{Digest, Sha256};

    fn segment(address: u32, bytes: Vec<u8>) -> Segment {
        Segment { address, bytes }
    }

    /// The specification's own examples of an extended linear address and of the end, and a data record
    /// whose sum is worked out by hand.
    #[test]
    fn records_are_as_specified() {
        let file = file(&[segment(0xFFFF_0010, vec![0x02, 0x33, 0x7A])]);
        let text = String::from_utf8(file).unwrap();
        assert_eq!(text, ":02000004FFFFFC\n:0300100002337A3E\n:00000001FF\n");
    }

    /// Digest of the file that the Python package intelhex 2.3.0 writes of the same bytes
    /// (`IntelHex().puts(address, bytes)`, `write_hex_file(..., eolstyle="native")` on Linux).
    #[test]
    fn files_are_those_of_another_writer() {
        let pattern = |len: usize| (0..len).map(|at| (at * 37 + at / 11) as u8).collect();
        let segments = [
            segment(0x0800_0000, pattern(5000)),
            segment(0x0801_FFF8, pattern(70_001)),
        ];
        let found = hex(&Sha256::digest(file(&segments)));
        assert_eq!(
            found,
            "9eaf23fffa2901afed7c21ec33f763d5f12b735c4f20bad5a6594bf09f26b60f"
        );
    }
}
