//! How good a head is: accuracy, cross entropy, confusion, precision and recall.

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
    let sum: f64 = logits
        .chunks_exact(count.max(1))
        .zip(labels)
        .map(|(row, &label)| log_sum_exp(row) - f64::from(row[label]))
        .sum();
    Some(sum / labels.len() as f64)
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

/// What was said of the photos of each label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    labels: usize,
    /// Row-major `[K, K]`: truth by prediction.
    counts: Vec<usize>,
}

impl Confusion {
    /// Counts predictions among `labels` labels (K). `pairs` are (truth, prediction), each
    /// below K; pairs that are not are left out.
    pub fn from_pairs(labels: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![0; labels * labels];
        for (truth, predicted) in pairs {
            if truth < labels && predicted < labels {
                counts[truth * labels + predicted] += 1;
            }
        }
        Self { labels, counts }
    }

    /// What `head` says of `features`.
    pub fn of(head: &Head, features: &Features) -> Self {
        Self::from_pairs(
            head.labels(),
            features
                .rows()
                .map(|(row, label)| (label, argmax(&head.logits(row)))),
        )
    }

    /// Number of labels, K.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Photos of label `truth` that were taken for `predicted`; both must be below K.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts[truth * self.labels + predicted]
    }

    /// Photos counted.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Photos given their own label.
    pub fn right(&self) -> usize {
        (0..self.labels).map(|label| self.count(label, label)).sum()
    }

    /// Share of photos given their own label, `0..=1`; `None` without photos.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.right(), self.total())
    }

    /// Of the photos taken for `label`, the share that are of it; `None` if there were none.
    pub fn precision(&self, label: usize) -> Option<f64> {
        let taken = (0..self.labels).map(|truth| self.count(truth, label)).sum();
        ratio(self.count(label, label), taken)
    }

    /// Of the photos of `label`, the share that were taken for it; `None` if there were none.
    pub fn recall(&self, label: usize) -> Option<f64> {
        let own = (0..self.labels).map(|said| self.count(label, said)).sum();
        ratio(self.count(label, label), own)
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
