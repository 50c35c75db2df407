//! Classification metrics: accuracy, cross entropy, confusion matrix, precision and recall.

use std::collections::BTreeMap;

use posy_nn::graph::head::Head;
use rayon::prelude::*;

use super::Features;

/// Share of photos whose highest logit is their label's, `0..=1`; `None` without photos. `logits`
/// is row-major `[N, K]` with N = `labels.len()`. Ties go to the first label.
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
    // Summed in order, whatever the number of threads.
    Some(losses.iter().sum::<f64>() / labels.len() as f64)
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let top = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = row.iter().map(|&z| (f64::from(z) - top).exp()).sum();
    top + sum.ln()
}

/// Index of the greatest value; ties go to the first.
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

/// Confusion matrix, stored sparsely: with many labels most cells are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// Number of photos by (truth, prediction).
    counts: BTreeMap<(usize, usize), usize>,
    /// Number of photos of each label, `[K]`.
    of: Vec<usize>,
    /// Number of predictions of each label, `[K]`.
    taken: Vec<usize>,
}

impl Confusion {
    /// Counts (truth, prediction) pairs among `labels` labels (K). Pairs with an index of K or
    /// above are ignored.
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

    /// Confusion matrix of `head` on `features`.
    pub fn of(head: &Head, features: &Features) -> Self {
        let logits = features.logits(&head);
        let said = predictions(&logits, features.len());
        let truth = features.labels().iter().copied();
        Self::from_pairs(head.labels(), truth.zip(said))
    }

    /// Number of labels, K.
    pub fn labels(&self) -> usize {
        self.of.len()
    }

    /// Number of photos of label `truth` that were predicted as `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(&(truth, predicted)).copied().unwrap_or(0)
    }

    /// Non-empty cells in order: truth, prediction, number of photos.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let counts = self.counts.iter();
        counts.map(|(&(truth, predicted), &photos)| (truth, predicted, photos))
    }

    /// Number of photos of label `truth`, which must be below K.
    pub fn photos_of(&self, truth: usize) -> usize {
        self.of[truth]
    }

    /// Number of photos predicted as `predicted`, which must be below K.
    pub fn taken_for(&self, predicted: usize) -> usize {
        self.taken[predicted]
    }

    /// Number of photos.
    pub fn total(&self) -> usize {
        self.of.iter().sum()
    }

    /// Number of correct predictions.
    pub fn right(&self) -> usize {
        let labels = 0..self.labels();
        labels.map(|label| self.count(label, label)).sum()
    }

    /// Accuracy, `0..=1`; `None` without photos.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right(), self.total())
    }

    /// Precision of `label`: the share of its predictions that are correct; `None` if it was never
    /// predicted.
    pub fn precision(&self, label: usize) -> Option<f64> {
        ratio(self.count(label, label), self.taken_for(label))
    }

    /// Recall of `label`: the share of its photos that were predicted correctly; `None` if it has
    /// none.
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
