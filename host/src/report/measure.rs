//! Measuring many heads on the same photos.

use ndarray::{Array2, Axis};

use crate::head::metrics::{accuracy, cross_entropy};
use crate::head::{Features, Head};

/// Features `[N, D]` and labels `[N]`, kept as fast multiplication likes them.
pub(super) struct Photos {
    values: Array2<f64>,
    labels: Vec<usize>,
}

/// What a head makes of photos.
pub(super) struct Measured {
    /// Share that is right, `0..=1`.
    pub(super) accuracy: f64,
    /// Mean cross entropy, nats.
    pub(super) cross_entropy: f64,
    /// Row-major `[N, K]`.
    pub(super) logits: Vec<f32>,
}

impl Photos {
    /// Takes a copy of `features`.
    pub(super) fn new(features: &Features) -> Self {
        let shape = (features.len(), features.width());
        let values = features.values().iter().map(|&value| f64::from(value));
        Photos {
            // The shape is that of `Features`, so there are as many values.
            values: Array2::from_shape_vec(shape, values.collect()).unwrap_or_default(),
            labels: features.labels().to_vec(),
        }
    }

    /// Measures `head` on the photos `batch`, or on all; none where there are none.
    pub(super) fn measure(&self, head: &Head, batch: Option<&[usize]>) -> Option<Measured> {
        let width = self.values.ncols();
        if head.width() != width || width == 0 {
            return None;
        }
        let weights = head.weights.iter().map(|&weight| f64::from(weight));
        let weights = Array2::from_shape_vec((head.labels(), width), weights.collect()).ok()?;
        let (products, labels) = match batch {
            None => (self.values.dot(&weights.t()), self.labels.clone()),
            Some(batch) => (
                self.values.select(Axis(0), batch).dot(&weights.t()),
                batch.iter().map(|&photo| self.labels[photo]).collect(),
            ),
        };
        let rows = products.rows().into_iter();
        let logits: Vec<f32> = rows
            .flat_map(|row| {
                let sums = row.iter().zip(&head.bias);
                let sums = sums.map(|(&sum, &bias)| (sum + f64::from(bias)) as f32);
                sums.collect::<Vec<f32>>()
            })
            .collect();
        Some(Measured {
            accuracy: accuracy(&logits, &labels)?,
            cross_entropy: cross_entropy(&logits, &labels)?,
            logits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_as_the_head_itself_does() {
        let values = (0..30).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
        let features = Features::new(3, values, (0..10).map(|i| i % 2).collect()).unwrap();
        let head = Head {
            weights: vec![0.5, -0.25, 1.0, 0.0, 0.75, -1.5],
            bias: vec![0.1, -0.2],
        };
        let photos = Photos::new(&features);
        let all = photos.measure(&head, None).unwrap();
        assert_eq!(all.logits, head.logits_of(&features));
        let batch = [3, 3, 0];
        let some = photos.measure(&head, Some(&batch)).unwrap();
        let picked = features.select(&batch);
        assert_eq!(some.logits, head.logits_of(&picked));
        let expected = cross_entropy(&some.logits, picked.labels()).unwrap();
        assert_eq!(some.cross_entropy, expected);
        let none = Features::new(3, vec![], vec![]).unwrap();
        assert!(Photos::new(&none).measure(&head, None).is_none());
    }
}
