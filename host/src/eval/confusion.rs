//! Confusion matrix, precision and recall.

use std::collections::BTreeMap;

use super::stats::Proportion;

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

    /// Photos that are predicted correctly.
    pub fn accuracy(&self) -> Proportion {
        Proportion::new(self.right(), self.total())
    }

    /// Precision of `label`: the predictions of it that are correct.
    pub fn precision(&self, label: usize) -> Proportion {
        Proportion::new(self.count(label, label), self.taken_for(label))
    }

    /// Recall of `label`: the photos of it that are predicted correctly.
    pub fn recall(&self, label: usize) -> Proportion {
        Proportion::new(self.count(label, label), self.photos_of(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_gives_precision_and_recall() {
        let confusion =
            Confusion::from_pairs(3, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (2, 1), (9, 0)]);
        assert_eq!(confusion.total(), 6);
        assert_eq!(confusion.count(0, 1), 1);
        assert_eq!(confusion.accuracy(), Proportion::new(3, 6));
        assert_eq!(confusion.precision(0), Proportion::new(2, 3));
        assert_eq!(confusion.recall(0), Proportion::new(2, 3));
        assert_eq!(confusion.precision(1), Proportion::new(1, 3));
        assert_eq!(confusion.recall(2), Proportion::new(0, 1));
        assert_eq!(confusion.precision(2), Proportion::new(0, 0));
    }
}
