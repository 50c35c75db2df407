//! Program images carried in posy, so that a board can be written without Rust: one for each of
//! [`BOARDS`](super::BOARDS), built by the task `board-images` of `posy-tests`.

use std::io::{self, Read};

use flate2::read::GzDecoder;

use super::boards::Board;
use super::uf2::Segment;

/// Maximum size of a program, bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Value of erased flash.
const ERASED: u8 = 0xFF;

/// A board's carried program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// The board's name.
    pub board: &'static str,
    /// Its flash contents from [`Board::flash_start`] on, in gzip's format.
    packed: &'static [u8],
    /// Origin, a line each: version of the compiler, SHA-256 of the lock file, of the sources, and of the
    /// flash contents.
    pub record: &'static str,
}

macro_rules! images {
    ($($name:literal),* $(,)?) => {
        /// The carried programs, in the order of [`BOARDS`](super::BOARDS).
        pub const IMAGES: &[Image] = &[$(Image {
            board: $name,
            packed: include_bytes!(concat!("../../assets/boards/", $name, ".bin.gz")),
            record: include_str!(concat!("../../assets/boards/", $name, ".txt")),
        }),*];
    };
}

images![
    "rp-pico",
    "rp-pico2",
    "nucleo-h743zi",
    "nrf52840-dk",
    "weact-h743vi",
    "nano-33-ble",
    "xiao-nrf52840",
    "feather-nrf52840",
];

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Image").field(&self.board).finish()
    }
}

impl Image {
    /// The image of `board`; `None` for a board that is not in [`BOARDS`](super::BOARDS).
    pub fn of(board: &Board) -> Option<&'static Image> {
        IMAGES.iter().find(|image| image.board == board.name)
    }

    /// The flash contents.
    ///
    /// # Errors
    /// An error of the decoder; a test decodes every image.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        GzDecoder::new(self.packed)
            .take(MAX_BYTES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Version of the compiler that built it.
    pub fn compiler(&self) -> &'static str {
        let mut lines = self.record.lines();
        lines
            .find_map(|line| line.strip_prefix("rustc: "))
            .unwrap_or_default()
    }
}

/// One run of bytes that has `segments`, sorted by address, with erased flash between them; `None` for no
/// segments.
pub fn joined(segments: &[Segment]) -> Option<Segment> {
    let first = segments.first()?;
    let mut bytes = Vec::new();
    for segment in segments {
        let at = segment.address.saturating_sub(first.address) as usize;
        bytes.truncate(at);
        bytes.resize(at, ERASED);
        bytes.extend(&segment.bytes);
    }
    Some(Segment {
        address: first.address,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;
    use crate::units::hex;
    use sha2::{Digest, Sha256};

    /// Every board has its image, which is as its record says, begins with a stack and a start in the
    /// board's memory, and leaves the model's slot alone.
    #[test]
    fn every_board_has_a_sound_image() {
        let names: Vec<_> = IMAGES.iter().map(|image| image.board).collect();
        assert_eq!(names, BOARDS.map(|board| board.name));
        for board in &BOARDS {
            let image = Image::of(board).unwrap();
            let bytes = image.bytes().unwrap();
            assert!(
                bytes.len() <= board.program_bytes as usize,
                "{}",
                board.name
            );
            let sum = hex(&Sha256::digest(&bytes));
            assert!(image.record.ends_with(&format!("image: {sum}\n")));
            assert!(image.compiler().starts_with("rustc 1."), "{}", image.record);
            // The Pico's boot stage comes first.
            let vectors = if board.name == "rp-pico" { 256 } else { 0 };
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let (stack, start) = (word(vectors), word(vectors + 4));
            assert_eq!(stack >> 28, 2, "{}: {stack:#x}", board.name);
            let program = board.flash_start..board.slot_start();
            assert!(program.contains(&start) && start % 2 == 1, "{start:#x}");
        }
    }

    #[test]
    fn gaps_are_erased_flash() {
        let segment = |address, bytes: &[u8]| Segment {
            address,
            bytes: bytes.to_vec(),
        };
        assert_eq!(joined(&[]), None);
        let both = joined(&[segment(8, &[1, 2]), segment(12, &[3])]).unwrap();
        assert_eq!(both, segment(8, &[1, 2, 0xFF, 0xFF, 3]));
    }
}
