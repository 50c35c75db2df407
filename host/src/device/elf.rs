//! A board's program as an ELF file: its flash contents and their addresses.

use object::LittleEndian;
use object::elf::{EM_ARM, FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use super::boards::Board;
use super::uf2::Segment;

/// Errors of a board's program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Not a program for such a chip.
    #[error(
        "not an ELF program for a 32-bit ARM chip; give the file that cargo built for {target}"
    )]
    Kind {
        /// Rust target of the board's programs.
        target: &'static str,
    },
    /// Truncated or contradictory.
    #[error("the ELF file is damaged: {0}; build it again")]
    Damaged(String),
    /// The program has no contents for flash.
    #[error("the program has nothing that goes into flash; build it with the board's memory.x")]
    Empty,
    /// The program does not fit the board's flash for programs.
    #[error(
        "the program has {len} bytes at {address:#010x}, and {board} has its programs from \
         {start:#010x} to {end:#010x}; give a program that was built for {board}"
    )]
    Place {
        /// Address of the program.
        address: u32,
        /// Length of the program, bytes.
        len: usize,
        /// The board.
        board: &'static str,
        /// First address for programs.
        start: u32,
        /// First address after the program area.
        end: u32,
    },
}

/// Flash contents of the program `elf` on `board`: its loadable segments at their load addresses
/// (for the initial values of variables not the addresses where they run), sorted by address.
///
/// # Errors
/// [`ElfError`]: no ARM program, damaged, or not for this board's memory.
pub fn segments(elf: &[u8], board: &Board) -> Result<Vec<Segment>, ElfError> {
    let damaged = |error: object::Error| ElfError::Damaged(error.to_string());
    let kind = ElfError::Kind {
        target: board.target,
    };
    let Ok(header) = FileHeader32::<LittleEndian>::parse(elf) else {
        return Err(kind);
    };
    let endian = header.endian().map_err(damaged)?;
    if header.e_machine(endian) != EM_ARM {
        return Err(kind);
    }
    let mut segments = Vec::new();
    for segment in header.program_headers(endian, elf).map_err(damaged)? {
        if segment.p_type(endian) != PT_LOAD || segment.p_filesz(endian) == 0 {
            continue;
        }
        let segment_offset = segment.p_offset(endian);
        let Ok(bytes) = segment.data(endian, elf) else {
            return Err(ElfError::Damaged("a segment lies outside of it".to_owned()));
        };
        let segment = Segment {
            address: segment.p_paddr(endian),
            bytes: bytes.to_vec(),
        };
        segments.extend(in_flash(segment, segment_offset == 0, board)?);
    }
    segments.sort_by_key(|segment| segment.address);
    match segments.is_empty() {
        true => Err(ElfError::Empty),
        false => Ok(segments),
    }
}

/// The part of a segment that lies in flash. A linker may place the file's own headers before the
/// first section, below flash: the segment that begins at the start of the file loses that part.
fn in_flash(
    mut segment: Segment,
    has_headers: bool,
    board: &Board,
) -> Result<Option<Segment>, ElfError> {
    let (start, end) = (board.flash_start, board.slot_start());
    let Segment { address, bytes } = &mut segment;
    let len = bytes.len();
    if has_headers && *address < start {
        let below = (start - *address) as usize;
        bytes.drain(..below.min(len));
        *address = start;
        if bytes.is_empty() {
            return Ok(None);
        }
    }
    if *address < start || u64::from(*address) + bytes.len() as u64 > end.into() {
        return Err(ElfError::Place {
            address: *address,
            len,
            board: board.name,
            start,
            end,
        });
    }
    Ok(Some(segment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;

    const PICO: &Board = &BOARDS[0];

    /// An ELF file by the tables of the System V ABI: header, program headers, bytes. Segments have
    /// type, physical address and bytes; their virtual addresses differ.
    fn elf(machine: u16, segments: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut file = b"\x7FELF\x01\x01\x01".to_vec();
        file.resize(16, 0);
        for half in [2, machine] {
            file.extend(half.to_le_bytes());
        }
        // Version, entry, program headers, section headers, flags.
        for word in [1_u32, 0x1000_0101, 52, 0, 0x0500_0200] {
            file.extend(word.to_le_bytes());
        }
        for half in [52, 32, segments.len() as u16, 40, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut offset = 52 + 32 * segments.len() as u32;
        for (kind, address, bytes) in segments {
            let len = bytes.len() as u32;
            for word in [*kind, offset, 0x2000_0000, *address, len, len + 64, 6, 4] {
                file.extend(word.to_le_bytes());
            }
            offset += len;
        }
        for (_, _, bytes) in segments {
            file.extend(*bytes);
        }
        file
    }

    #[test]
    fn loadable_segments_lie_where_they_are_stored() {
        let (code, values, note): (&[u8], &[u8], &[u8]) = (&[1, 2, 3, 4], &[5, 6], &[7, 7]);
        let file = elf(
            EM_ARM,
            &[
                (PT_LOAD, 0x1000_2000, values),
                (4, 0x1000_3000, note),
                (PT_LOAD, 0x1000_0000, code),
                // Zeros of variables take no flash.
                (PT_LOAD, 0x2000_0000, &[]),
            ],
        );
        let found = segments(&file, PICO).unwrap();
        let found: Vec<_> = found.iter().map(|s| (s.address, &s.bytes[..])).collect();
        assert_eq!(found, [(0x1000_0000, code), (0x1000_2000, values)]);
    }

    #[test]
    fn what_is_not_for_the_board_is_refused() {
        let place = |address, len| {
            let bytes = vec![0; len];
            let file = elf(EM_ARM, &[(PT_LOAD, address, &bytes)]);
            segments(&file, PICO)
        };
        assert!(place(0x1000_0000, 176 * 1024).is_ok());
        for (address, len) in [
            (0x1002_BFFF, 2),
            (0x0800_0000, 4),
            (0x0FFF_FFFF, 4),
            (0x2000_0000, 4),
            (0xFFFF_FFFF, 1),
            (0, 4),
        ] {
            let error = place(address, len).unwrap_err();
            assert!(
                matches!(error, ElfError::Place { .. }),
                "{address:#x}: {error}"
            );
        }
        let x86 = elf(62, &[(PT_LOAD, 0x1000_0000, &[1])]);
        for file in [&b""[..], b"\x7FELF", b"UF2\nsomething else", &x86] {
            let error = segments(file, PICO).unwrap_err();
            assert!(matches!(error, ElfError::Kind { .. }), "{error}");
        }
        assert_eq!(segments(&elf(EM_ARM, &[]), PICO), Err(ElfError::Empty));
    }

    #[test]
    fn headers_below_flash_are_left_out() {
        let code = [9; 40];
        let mut file = elf(EM_ARM, &[(PT_LOAD, 0x1000_0000 - 84, &code)]);
        // The segment from the start of the file.
        file[52 + 4..52 + 8].copy_from_slice(&0_u32.to_le_bytes());
        file[52 + 16..52 + 20].copy_from_slice(&(84_u32 + 40).to_le_bytes());
        let found = segments(&file, PICO).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].address, &found[0].bytes[..]),
            (0x1000_0000, &code[..])
        );
        file[52 + 16..52 + 20].copy_from_slice(&84_u32.to_le_bytes());
        assert_eq!(segments(&file, PICO), Err(ElfError::Empty));
    }

    /// Truncation anywhere, or any changed byte, gives an answer or an error, and nothing outside
    /// of the program's flash.
    #[test]
    fn damage_is_survived() {
        let whole = elf(EM_ARM, &[(PT_LOAD, 0x1000_0000, &[1, 2, 3, 4])]);
        for len in 0..whole.len() {
            assert!(segments(&whole[..len], PICO).is_err(), "{len}");
        }
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut file = whole.clone();
                file[at] ^= flip;
                for segment in segments(&file, PICO).unwrap_or_default() {
                    let end = segment.address as usize + segment.bytes.len();
                    assert!(segment.address >= PICO.flash_start);
                    assert!(end <= PICO.slot_start() as usize);
                }
            }
        }
    }
}
