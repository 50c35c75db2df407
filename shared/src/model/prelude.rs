//! The prelude: where the two parts of a model lie, and the checksum of the first.
//!
//! A model has a head (prelude, header, the last layer, prototypes) and a backbone (everything
//! else). Both lie where the prelude says, so that a slot in flash can hold a new head for a
//! backbone that stays where it is; see [`slot`](super::slot).

use super::read::ReadError;

/// The first four bytes.
pub const MAGIC: [u8; 4] = *b"POSY";

/// The version that this code writes, and the only one that it reads.
pub const FORMAT_VERSION: u16 = 6;

/// Bytes of the prelude.
pub const PRELUDE_LEN: usize = 32;

/// A head begins and ends at multiples of this in its file: the smallest sector of the boards'
/// flash.
pub const HEAD_ALIGN: usize = 4096;

/// CRC-32 of ISO-HDLC (as in zip and PNG), with the small table.
pub static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Bytes of the prelude that the checksum covers: all but the checksum itself.
const COVERED: usize = PRELUDE_LEN - 4;

/// The prelude of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// 0 in a file; in a slot the greatest one runs.
    pub generation: u32,
    /// In a slot, the checksum of the file that lay at its start when this head was pushed; see
    /// [`slot`](super::slot). 0 in a file.
    pub base: u32,
    /// Bytes of the head, prelude included; a multiple of [`HEAD_ALIGN`].
    pub head_len: u32,
    /// Offset of the backbone from the start of the file or the slot.
    pub backbone_offset: u32,
    /// Bytes of the backbone.
    pub backbone_len: u32,
    /// CRC-32 of the head without this field.
    pub crc: u32,
}

/// A little-endian u32.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_le_bytes)
}

impl Prelude {
    /// Reads the prelude that `bytes` begin with. Nothing behind it is looked at.
    ///
    /// # Errors
    /// [`ReadError::Empty`], [`ReadError::Magic`], [`ReadError::Version`] or [`ReadError::Header`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let start = bytes.get(..MAGIC.len()).unwrap_or(bytes);
        if start.is_empty() || start.iter().all(|&byte| byte == 0xFF) {
            return Err(ReadError::Empty);
        }
        if start != MAGIC {
            return Err(ReadError::Magic);
        }
        let field = |at| u32_at(bytes, at).ok_or(ReadError::Header);
        let version = field(4)?;
        let found = version as u16;
        if found != FORMAT_VERSION {
            return Err(ReadError::Version { found });
        }
        let prelude = Prelude {
            generation: field(8)?,
            base: field(12)?,
            head_len: field(16)?,
            backbone_offset: field(20)?,
            backbone_len: field(24)?,
            crc: field(28)?,
        };
        let len = prelude.head_len as usize;
        if version >> 16 != 0 || len < HEAD_ALIGN || !len.is_multiple_of(HEAD_ALIGN) {
            return Err(ReadError::Header);
        }
        Ok(prelude)
    }

    /// The bytes of the prelude.
    pub fn to_bytes(&self) -> [u8; PRELUDE_LEN] {
        let mut bytes = [0; PRELUDE_LEN];
        let fields = [
            u32::from_le_bytes(MAGIC),
            FORMAT_VERSION.into(),
            self.generation,
            self.base,
            self.head_len,
            self.backbone_offset,
            self.backbone_len,
            self.crc,
        ];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// This prelude with the checksum of a head whose bytes behind the prelude are `contents`.
    #[must_use]
    pub fn sealed(self, contents: &[u8]) -> Self {
        let crc = head_crc(&self.to_bytes(), contents);
        Prelude { crc, ..self }
    }

    /// Bytes of a file with this head and backbone; `None` where 32 bits do not count them.
    pub(super) fn file_len(&self) -> Option<usize> {
        let len = self.head_len.checked_add(self.backbone_len)?;
        usize::try_from(len).ok()
    }
}

/// The checksum of a head: of its prelude, the checksum left out, and its contents.
pub(super) fn head_crc(prelude: &[u8; PRELUDE_LEN], contents: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&prelude[..COVERED]);
    digest.update(contents);
    digest.finalize()
}
