//! Scores of labels: a softmax over all logits, or a logistic function of each.

use crate::softmax::Softmax;

/// Table of logistic scores: 256 little-endian u16 in 1/65536, for the logits -128 to 127.
///
/// A table, because TFLite's reference kernel makes one too, in floating point; a board only looks up.
#[derive(Clone, Copy, Debug)]
pub struct LogisticScores<'a>(&'a [[u8; 2]; SCORES]);

/// Number of logits.
const SCORES: usize = 256;

impl<'a> LogisticScores<'a> {
    /// Entries of a table.
    pub const LEN: usize = SCORES;

    /// Views `2 * LEN` bytes as a table; `None` for another number of bytes.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.as_chunks().0.try_into().ok().map(LogisticScores)
    }

    /// Score of a logit.
    pub fn fine(self, logit: i8) -> u32 {
        // Flipping the top bit counts from -128.
        let entry = self.0[usize::from(logit.cast_unsigned() ^ 0x80)];
        u16::from_le_bytes(entry).into()
    }
}

/// Scores of the labels of one picture.
#[derive(Clone, Copy, Debug)]
pub enum Scores<'a> {
    /// Scores that add up to one.
    Softmax(Softmax),
    /// Scores that do not exclude one another.
    Logistic(LogisticScores<'a>),
}

impl Scores<'_> {
    /// Score of a logit in units of 1/65536, `0..=65536`.
    pub fn fine(&self, logit: i8) -> u32 {
        match self {
            Scores::Softmax(softmax) => softmax.fine(logit),
            Scores::Logistic(table) => table.fine(logit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_table_counts_from_the_least_logit() {
        let bytes: Vec<u8> = (0..256_u16)
            .flat_map(|entry| (257 * entry).to_le_bytes())
            .collect();
        let table = LogisticScores::new(&bytes).unwrap();
        for (logit, score) in [(-128, 0), (-127, 257), (0, 128 * 257), (127, 65_535)] {
            assert_eq!(table.fine(logit), score, "{logit}");
        }
        assert!(LogisticScores::new(&bytes[1..]).is_none());
    }
}
