//! A slot in flash: which of the heads in it runs, and where another one finds room.
//!
//! A slot begins as a file does: head, backbone, erased flash. A push writes a new head, and a new
//! backbone where that is another, at sectors that the running model does not use, and the head's
//! prelude last of all. A prelude whose head has the right checksum counts, and of those that count the
//! one of the greatest generation runs: so the last small write is what replaces the model, and
//! before it the old one is untouched.
//!
//! A file written over the start of the slot by a programmer has generation 0. It must not lose to
//! heads that were pushed before: so a pushed head names by checksum the file that it was pushed
//! beside ([`Prelude::base`]), and counts only while that lies there.

use super::prelude::{HEAD_ALIGN, PRELUDE_LEN, Prelude, head_crc};
use super::read::ReadError;

/// A head in a slot, its checksum right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Offset in the slot.
    pub at: u32,
    /// Its first bytes.
    pub prelude: Prelude,
}

impl Head {
    /// The head that begins at `at`, if there is one whose checksum is right and whose parts lie in
    /// the slot, apart.
    fn read(slot: &[u8], at: usize) -> Option<Head> {
        let bytes = slot.get(at..)?;
        let prelude = Prelude::parse(bytes).ok()?;
        let head = Head {
            at: u32::try_from(at).ok()?,
            prelude,
        };
        let first: &[u8; PRELUDE_LEN] = bytes.first_chunk()?;
        let contents = bytes.get(PRELUDE_LEN..prelude.head_len as usize)?;
        let is_right = head.fits(slot.len()) && head_crc(first, contents) == prelude.crc;
        is_right.then_some(head)
    }

    /// True if head and backbone lie in a slot of `len` bytes without touching one another.
    pub(super) fn fits(&self, len: usize) -> bool {
        let [head, backbone] = self.parts();
        let apart = head.1 <= backbone.0 || backbone.1 <= head.0 || backbone.0 == backbone.1;
        apart && head.1.max(backbone.1) <= len as u64
    }

    /// Start and end of head and backbone in the slot.
    fn parts(&self) -> [(u64, u64); 2] {
        let part = |start: u32, len: u32| (start.into(), u64::from(start) + u64::from(len));
        let Prelude {
            head_len,
            backbone_offset,
            backbone_len,
            ..
        } = self.prelude;
        [part(self.at, head_len), part(backbone_offset, backbone_len)]
    }

    /// True if any of `len` bytes from `start` on belongs to this head or its backbone.
    pub fn touches(&self, start: u32, len: u32) -> bool {
        let (start, end) = (u64::from(start), u64::from(start) + u64::from(len));
        let parts = self.parts();
        parts.iter().any(|part| start < part.1 && part.0 < end)
    }
}

/// Every head in a slot whose checksum is right, by rising address.
pub fn heads(slot: &[u8]) -> impl Iterator<Item = Head> {
    let places = (0..slot.len()).step_by(HEAD_ALIGN);
    places.filter_map(|at| Head::read(slot, at))
}

/// The checksum of the file at the start of a slot, which pushed heads name; 0 where no file, or a
/// pushed head, lies there.
pub fn base(slot: &[u8]) -> u32 {
    let first = Head::read(slot, 0).filter(|head| head.prelude.generation == 0);
    first.map_or(0, |head| head.prelude.crc)
}

/// The head that runs.
pub fn newest(slot: &[u8]) -> Option<Head> {
    let base = base(slot);
    let counts = |head: &Head| base == 0 || head.at == 0 || head.prelude.base == base;
    let heads = heads(slot).filter(counts);
    heads.max_by_key(|head| head.prelude.generation)
}

/// The generation of the next head: greater than that of every other, whether it counts or not.
/// `None` after 2^32 - 1.
pub fn next_generation(slot: &[u8]) -> Option<u32> {
    let greatest = heads(slot).map(|head| head.prelude.generation).max();
    greatest.unwrap_or(0).checked_add(1)
}

/// Reason for which a slot has no head that runs, from its first bytes, or what is left elsewhere in it.
pub(super) fn absence(slot: &[u8]) -> ReadError {
    match Prelude::parse(slot) {
        Ok(prelude) => {
            let Some(file_len) = prelude.file_len().filter(|&len| len <= slot.len()) else {
                return ReadError::Length {
                    expected: prelude.file_len().unwrap_or(usize::MAX),
                    found: slot.len(),
                };
            };
            let contents = slot.get(PRELUDE_LEN..prelude.head_len as usize);
            match (slot.first_chunk(), contents) {
                (Some(first), Some(contents)) if file_len > 0 => ReadError::Checksum {
                    expected: prelude.crc,
                    found: head_crc(first, contents),
                },
                _ => ReadError::Header,
            }
        }
        Err(ReadError::Empty) => {
            let mut sectors = slot.chunks(HEAD_ALIGN);
            let is_written = |sector: &[u8]| sector.iter().any(|&byte| byte != 0xFF);
            match sectors.any(is_written) {
                true => ReadError::Torn,
                false => ReadError::Empty,
            }
        }
        Err(error) => error,
    }
}

/// Room in the slot for the parts of a model that is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of the head, at a sector.
    pub head: u32,
    /// Offset of the backbone; at a sector, unless it stays where it is.
    pub backbone: u32,
    /// True if the running model must be cleared first, since both do not fit.
    pub clears: bool,
}

/// Room for a model in a slot of `slot_len` bytes with sectors of `sector` bytes beside the head
/// `running`: its backbone is `backbone_len` bytes long, and stays where it is if it is `same` as the
/// running one. Where there is no room beside the running model, it has to go. `None` where the
/// model is too long for the slot, or `sector` is 0.
pub fn place(
    slot_len: u32,
    sector: u32,
    running: Option<&Head>,
    head_len: u32,
    backbone_len: u32,
    same: bool,
) -> Option<Place> {
    if sector == 0 {
        return None;
    }
    let find = |busy: &dyn Fn(u32, u32) -> bool, len: u32| {
        let len = round_up(len, sector)?;
        let last = slot_len.checked_sub(len)?;
        (0..=last)
            .step_by(sector as usize)
            .find(|&start| !busy(start, len))
    };
    let beside = |running: &Head| {
        let head = find(&|start, len| running.touches(start, len), head_len)?;
        let head_end = head.checked_add(round_up(head_len, sector)?)?;
        let busy = |start: u32, len: u32| {
            let over_head = start < head_end && head < start.saturating_add(len);
            over_head || running.touches(start, len)
        };
        Some(Place {
            head,
            backbone: match same {
                true => running.prelude.backbone_offset,
                false => find(&busy, backbone_len)?,
            },
            clears: false,
        })
    };
    running.and_then(beside).or_else(|| {
        let backbone = round_up(head_len, sector)?;
        let end = backbone.checked_add(backbone_len)?;
        (end <= slot_len).then_some(Place {
            head: 0,
            backbone,
            clears: running.is_some(),
        })
    })
}

/// The next multiple of `step`, which is not 0.
fn round_up(len: u32, step: u32) -> Option<u32> {
    len.checked_next_multiple_of(step)
}
