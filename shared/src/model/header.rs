//! The header: everything in a model file but its weights.

use serde::{Deserialize, Serialize};

#[cfg(feature = "alloc")]
use super::layer::Layer;
use crate::preprocess::{Crop, Filter};
use crate::softmax::Beta;

/// Largest number of labels of a model, which the [softmax](crate::softmax) limits.
pub const MAX_LABELS: usize = crate::softmax::MAX_LOGITS;

/// Preprocessing that turns a picture into the rows that the engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputContract {
    /// Part of a picture that is used.
    pub crop: Crop,
    /// Resampling filter that brings it to the input's size.
    pub filter: Filter,
    /// Offset of a table of 256 int8 for each input channel: red, green and blue, or grey; `None` if
    /// the input is the pixel minus 128.
    pub table: Option<u32>,
}

/// Decision rule from logits to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Scale of the logits, in the form that the softmax takes.
    pub beta: Beta,
    /// Score threshold in 1/65536: a picture whose best score is below it is reported as unknown; 0 for
    /// never.
    pub unknown_below: u32,
    /// Offset in the weight block of 256 u16, the logistic score of each logit from -128 to 127 in
    /// 1/65536; `None` for the softmax. Logistic scores do not exclude one another, and do not add up to
    /// one.
    pub logistic: Option<u32>,
    /// True if a logit of "none of these" follows those of the labels. It takes part in the softmax but
    /// has no name: if it is the greatest, the answer is unknown.
    pub unknown_logit: bool,
    /// Out-of-distribution test of the picture; `None` accepts every picture.
    pub acceptance: Option<Acceptance>,
}

/// Out-of-distribution threshold: a picture unlike the training photos is given no label. The last of
/// the model's outputs is then its [familiarity](crate::familiarity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Offset of the tables: for D features and M prototypes D centres (int8),
    /// D scales (u16, little-endian), M x D prototypes (int8).
    pub table: u32,
    /// Number of prototypes, M.
    pub prototypes: u16,
    /// Multiplier from the cosine to int8; see [`Familiarity`](crate::familiarity::Familiarity).
    pub multiplier: u32,
    /// Weight of the greatest logit of a label.
    pub logit_weight: u16,
    /// Weight of the familiarity.
    pub familiarity_weight: u16,
    /// Threshold: a picture whose weighted sum is below it is reported as unknown.
    pub accepted_from: i32,
}

impl Acceptance {
    /// Returns true if the picture is accepted; `logit` is the greatest logit of a label.
    pub fn accepts(&self, logit: i8, familiarity: i8) -> bool {
        let sum = i32::from(logit) * i32::from(self.logit_weight)
            + i32::from(familiarity) * i32::from(self.familiarity_weight);
        sum >= self.accepted_from
    }
}

/// Origin of a model, for people and reports; running does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance<'a> {
    /// Name of the backbone's architecture.
    pub architecture: &'a str,
    /// SHA-256 of the backbone's file.
    pub backbone_sha256: [u8; 32],
    /// Version of posy that wrote the file.
    pub posy_version: &'a str,
    /// Split that the accuracies were measured on.
    pub split: SplitFacts<'a>,
    /// Test accuracy of the float network with a float head, `0.0..=1.0`, if measured.
    pub float_accuracy: Option<f32>,
    /// Test accuracy of this integer network, `0.0..=1.0`, if measured.
    pub int8_accuracy: Option<f32>,
}

/// Split of the photos into training, validation and test sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts<'a> {
    /// Name of the rule.
    pub rule: &'a str,
    /// Seed of the rule.
    pub seed: u64,
    /// Number of training photos.
    pub training: u32,
    /// Number of validation photos, on which settings were chosen.
    pub validation: u32,
    /// Number of test photos, on which the accuracies were measured.
    pub testing: u32,
}

/// An input with a known output, which shows that a board computes as the laptop did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden<'a> {
    /// Seed of [`GoldenRows`].
    pub seed: u32,
    /// The logits, one byte each (two's complement).
    pub logits: &'a [u8],
}

/// Rows of the golden input: the high byte of each step of Marsaglia's xorshift32 (13, 17, 5), one step
/// per value.
#[derive(Clone, Copy, Debug)]
pub struct GoldenRows(u32);

impl GoldenRows {
    /// Starts from `seed`; zero, which xorshift cannot leave, is replaced by one.
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

/// The header in the order of its fields in the file (postcard 1); `read.rs` reads it field by field.
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
