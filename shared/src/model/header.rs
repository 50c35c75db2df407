//! The header: everything about a model but its weights.

use serde::{Deserialize, Serialize};

#[cfg(feature = "alloc")]
use super::layer::Layer;
use crate::preprocess::{Crop, Filter};
use crate::softmax::Beta;

/// Most labels of a model: as many as the [softmax](crate::softmax) can sum.
pub const MAX_LABELS: usize = crate::softmax::MAX_LOGITS;

/// What the rows pushed into the engine are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputContract {
    /// Which part of a picture is looked at.
    pub crop: Crop,
    /// How it is brought to the input's size.
    pub filter: Filter,
    /// Offset of three tables of 256 int8, for red, green and blue; none
    /// where the input is the pixel less 128.
    pub table: Option<u32>,
}

/// How logits become an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Scale of the logits, as the softmax wants it.
    pub beta: Beta,
    /// Scores below this, in 1/65536, are reported as unknown; 0 for never.
    pub unknown_below: u32,
    /// Whether a logit of "none of these" follows those of the labels. It has a part in the scores,
    /// and no name: where it is the greatest, the answer is unknown.
    pub unknown_logit: bool,
    /// What a picture must be like to be believed; none where any is.
    pub acceptance: Option<Acceptance>,
}

/// How like the training photos a picture must be to be given a label. The last of the model's
/// outputs is then its [familiarity](crate::familiarity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Offset of the tables: for D features and M prototypes D centres (int8),
    /// D scales (u16, little-endian), M x D prototypes (int8).
    pub table: u32,
    /// Number of prototypes, M.
    pub prototypes: u16,
    /// Brings the cosine to int8; see [`Familiarity`](crate::familiarity::Familiarity).
    pub multiplier: u32,
    /// Weight of the greatest logit of a label.
    pub logit_weight: u16,
    /// Weight of the familiarity.
    pub familiarity_weight: u16,
    /// A weighted sum below this is reported as unknown.
    pub accepted_from: i32,
}

impl Acceptance {
    /// Whether a picture is given a label, whose logit is the greatest.
    pub fn accepts(&self, logit: i8, familiarity: i8) -> bool {
        let sum = i32::from(logit) * i32::from(self.logit_weight)
            + i32::from(familiarity) * i32::from(self.familiarity_weight);
        sum >= self.accepted_from
    }
}

/// Where a model comes from. For people and reports; running does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance<'a> {
    /// Name of the backbone's architecture.
    pub architecture: &'a str,
    /// SHA-256 of the backbone's file.
    pub backbone_sha256: [u8; 32],
    /// Version of posy that wrote the file.
    pub posy_version: &'a str,
    /// The split that the accuracies were measured on.
    pub split: SplitFacts<'a>,
    /// Test accuracy of the float network with a float head, `0.0..=1.0`, where measured.
    pub float_accuracy: Option<f32>,
    /// Test accuracy of this integer network, `0.0..=1.0`, where measured.
    pub int8_accuracy: Option<f32>,
}

/// How photos were divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts<'a> {
    /// Name of the rule.
    pub rule: &'a str,
    /// Seed of the rule.
    pub seed: u64,
    /// Photos that the head was trained on.
    pub training: u32,
    /// Photos that settings were chosen on.
    pub validation: u32,
    /// Photos that the accuracies were measured on.
    pub testing: u32,
}

/// An input whose answer is known, to find out whether a board computes as the laptop did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden<'a> {
    /// Seed of [`GoldenRows`].
    pub seed: u32,
    /// The logits, one byte each (two's complement).
    pub logits: &'a [u8],
}

/// The rows of the golden input: Marsaglia's xorshift32 (13, 17, 5), one step per number, of
/// which the high byte is taken.
#[derive(Clone, Copy, Debug)]
pub struct GoldenRows(u32);

impl GoldenRows {
    /// Rows from `seed`; zero, which xorshift cannot leave, stands for one.
    pub const fn new(seed: u32) -> Self {
        GoldenRows(if seed == 0 { 1 } else { seed })
    }

    /// Fills the next row.
    pub fn fill(&mut self, row: &mut [i8]) {
        for number in row {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            *number = (self.0 >> 24) as i8;
        }
    }
}

/// The header as it is written, in this order (postcard 1); it is read field by field in
/// `read.rs`.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Header<'a> {
    pub input: InputContract,
    pub layers: &'a [Layer],
    pub cuts: &'a [u8],
    pub arena_len: u32,
    /// Labels in the order of the logits, each ended by a line feed; empty for a model whose
    /// output is features.
    pub labels: &'a str,
    pub verdict: Verdict,
    pub provenance: Provenance<'a>,
    pub golden: Golden<'a>,
}
