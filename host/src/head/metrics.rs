//! How good a head is: accuracy, cross entropy, confusion, precision and recall.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Features, Head};

/// Share of photos whose highest logit is their label's, `0..=1`; `None` without photos.
/// `logits` is row-major `[N, K]` with N = `labels.len()`. Of equal logits the first wins.
pub fn accuracy(logits: &[f32], labels: &[usize]) -> Option<f64> {
    if labels.is_empty() {
        return None;
    }
    let right = predictions(logits, labels.len())
        .zip(labels)
        .filter(|(predicted, label)| predicted == *label)
        .count();
    Some(right as f64 / labels.len() as f64)
}

/// Mean over photos of `-ln softmax(logits)[label]`, in nats; `None` without photos. `logits` is
/// row-major `[N, K]`.
pub fn cross_entropy(logits: &[f32], labels: &[usize]) -> Option<f64> {
    if labels.is_empty() {
        return None;
    }
    let count = logits.len() / labels.len();
    let losses: Vec<f64> = logits
        .par_chunks_exact(count.max(1))
        .zip(labels)
        .with_min_len(64)
        .map(|(row, &label)| log_sum_exp(row) - f64::from(row[label]))
        .collect();
    // Added in order, whatever the number of threads.
    Some(losses.iter().sum::<f64>() / labels.len() as f64)
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = row.iter().map(|&z| (f64::from(z) - top).exp()).sum();
    top + sum.ln()
}

/// Index of the greatest value, the first of equals.
pub fn argmax<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

fn predictions(logits: &[f32], photos: usize) -> impl Iterator<Item = usize> {
    let count = (logits.len() / photos.max(1)).max(1);
    logits.chunks_exact(count).map(argmax)
}

/// What was said of the photos of each label. Of many labels most pairs have no photos, and take no
/// room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// Photos by truth and prediction.
    counts: BTreeMap<(usize, usize), usize>,
    /// Photos of each label, `[K]`.
    of: Vec<usize>,
    /// Photos taken for each label, `[K]`.
    taken: Vec<usize>,
}

impl Confusion {
    /// Counts predictions among `labels` labels (K). `pairs` are (truth, prediction), each
    /// below K; pairs that are not are left out.
    pub fn from_pairs(labels: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self {
            counts: BTreeMap::new(),
            of: vec![0; labels],
            taken: vec![0; labels],
        };
        for (truth, predicted) in pairs {
            if truth < labels && predicted < labels {
                *confusion.counts.entry((truth, predicted)).or_default() += 1;
                confusion.of[truth] += 1;
                confusion.taken[predicted] += 1;
            }
        }
        confusion
    }

    /// What `head` says of `features`.
    pub fn of(head: &Head, features: &Features) -> Self {
        let logits = head.logits_of(features);
        let said = predictions(&logits, features.len());
        let truth = features.labels().iter().copied();
        Self::from_pairs(head.labels(), truth.zip(said))
    }

    /// Number of labels, K.
    pub fn labels(&self) -> usize {
        self.of.len()
    }

    /// Photos of label `truth` that were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(&(truth, predicted)).copied().unwrap_or(0)
    }

    /// Truth, prediction and number of photos of each pair that has some, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let counts = self.counts.iter();
        counts.map(|(&(truth, predicted), &photos)| (truth, predicted, photos))
    }

    /// Photos of label `truth`, which must be below K.
    pub fn photos_of(&self, truth: usize) -> usize {
        self.of[truth]
    }

    /// Photos that were taken for `predicted`, which must be below K.
    pub fn taken_for(&self, predicted: usize) -> usize {
        self.taken[predicted]
    }

    /// Photos counted.
    pub fn total(&self) -> usize {
        self.of.iter().sum()
    }

    /// Photos given their own label.
    pub fn right(&self) -> usize {
        let labels = 0..self.labels();
        labels.map(|label| self.count(label, label)).sum()
    }

    /// Share of photos given their own label, `0..=1`; `None` without photos.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right(), self.total())
    }

    /// Of the photos taken for `label`, the share that are of it; `None` if there were none.
    pub fn precision(&self, label: usize) -> Option<f64> {
        ratio(self.count(label, label), self.taken_for(label))
    }

    /// Of the photos of `label`, the share that were taken for it; `None` if there were none.
    pub fn recall(&self, label: usize) -> Option<f64> {
        ratio(self.count(label, label), self.photos_of(label))
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_counts_highest_logits() {
        let logits = [1.0, 2.0, 3.0, 0.0, 5.0, 5.0];
        assert_eq!(accuracy(&logits, &[1, 0, 1]), Some(2.0 / 3.0));
        assert_eq!(accuracy(&[], &[]), None);
    }

    #[test]
    fn cross_entropy_of_known_probabilities() {
        // softmax([ln 3, 0]) = [3/4, 1/4].
        let logits = [3f32.ln(), 0.0, 3f32.ln(), 0.0];
        let expected = -(0.75f64.ln() + 0.25f64.ln()) / 2.0;
        let found = cross_entropy(&logits, &[0, 1]).unwrap();
        assert!((found - expected).abs() < 1e-7, "{found} {expected}");
    }

    #[test]
    fn confusion_gives_precision_and_recall() {
        let confusion =
            Confusion::from_pairs(3, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (2, 1), (9, 0)]);
        assert_eq!(confusion.total(), 6);
        assert_eq!(confusion.count(0, 1), 1);
        assert_eq!(confusion.accuracy(), Some(0.5));
        assert_eq!(confusion.precision(0), Some(2.0 / 3.0));
        assert_eq!(confusion.recall(0), Some(2.0 / 3.0));
        assert_eq!(confusion.precision(1), Some(1.0 / 3.0));
        assert_eq!(confusion.recall(2), Some(0.0));
        assert_eq!(confusion.precision(2), None);
    }
}
