//! The prediction of one photo, from which every figure of an evaluation comes.

use posy_nn::run;
use posy_shared::engine::EngineError;
use posy_shared::model::Model;
use posy_shared::ranking::{Ranking, Score};
use posy_shared::softmax::{Beta, Softmax};

use crate::train::metrics::argmax;
use posy_nn::graph::head::softmax;

/// Prediction of the model, as written to its file, for one photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Index of the photo among the prepared ones.
    pub photo: usize,
    /// Its label.
    pub truth: usize,
    /// True if it is a photo of `_unknown`, of none of the named labels.
    pub other: bool,
    /// The label of the greatest logit.
    pub likeliest: usize,
    /// True if the model answers `unknown`.
    pub unknown: bool,
    /// Calibrated scores `[K]`, `0..=1`.
    pub scores: Vec<f32>,
    /// Score of the likeliest label without the temperature, `0..=1`.
    pub plain_score: f32,
    /// Label of the float network's greatest logit, if it ran.
    pub float_answer: Option<usize>,
    /// Its scores `[K]`.
    pub float_scores: Option<Vec<f32>>,
}

impl Prediction {
    /// Runs the last layer of `model` on the int8 features of a photo; `plain` is the scale of its
    /// softmax without the temperature. `float_logits` are those of the float network, `[K]`.
    ///
    /// # Errors
    /// Returns an error if the features do not fit the model.
    pub fn of(
        model: &Model<'_>,
        plain: Beta,
        (photo, truth): (usize, usize),
        features: &[i8],
        float_logits: Option<&[f32]>,
    ) -> Result<Self, EngineError> {
        let outputs = run::head(model, features)?;
        let logits = &outputs[..model.logit_len()];
        let likeliest = argmax(logits);
        let score = |softmax: &Softmax, logit| Score::from_fine(softmax.fine(logit)).to_f32();
        let softmax_of = |beta| Softmax::new(beta, logits);
        let calibrated = softmax_of(model.verdict().beta);
        Ok(Prediction {
            photo,
            truth,
            other: truth >= model.label_len(),
            likeliest,
            unknown: Ranking::<1>::new(model, &outputs).is_unknown(),
            scores: logits
                .iter()
                .map(|&logit| score(&calibrated, logit))
                .collect(),
            plain_score: score(&softmax_of(plain), logits[likeliest]),
            float_answer: float_logits.map(argmax),
            float_scores: float_logits.map(softmax),
        })
    }

    /// Softmax of `logits`, `[K]`, of a float network that only the laptop runs; `beta` is the
    /// factor of the logits.
    pub fn of_float((photo, truth): (usize, usize), logits: &[f32], beta: f32) -> Self {
        let likeliest = argmax(logits);
        let scaled: Vec<f32> = logits.iter().map(|logit| beta * logit).collect();
        Prediction {
            photo,
            truth,
            other: false,
            likeliest,
            unknown: false,
            scores: softmax(&scaled),
            plain_score: softmax(logits).get(likeliest).copied().unwrap_or(0.0),
            float_answer: None,
            float_scores: None,
        }
    }

    /// The label that the photo counts for: the likeliest, whether the model then answers `unknown`
    /// or not. A photo of `_unknown` that is answered `unknown` counts for `_unknown`.
    pub fn answer(&self) -> usize {
        match self.unknown && self.other {
            true => self.truth,
            false => self.likeliest,
        }
    }

    /// True if that is its own label.
    pub fn is_right(&self) -> bool {
        self.answer() == self.truth
    }

    /// Score of the likeliest label, `0..=1`.
    pub fn score(&self) -> f64 {
        self.score_of(self.likeliest)
    }

    /// Score of a label, `0..=1`.
    pub fn score_of(&self, label: usize) -> f64 {
        self.scores.get(label).copied().map_or(0.0, f64::from)
    }

    /// Correctness of the float and of the int8 network, if both ran.
    pub fn pair(&self) -> Option<(bool, bool)> {
        Some((self.float_answer? == self.truth, self.is_right()))
    }
}
