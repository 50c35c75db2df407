//! Measuring many heads on the same photos.

use ndarray::Array2;
use posy_nn::graph::head::Head;
use rayon::prelude::*;

use crate::train::Features;
use crate::train::metrics::{accuracy, cross_entropy};

/// Photos that are multiplied at once.
const ROWS: usize = 256;

/// Features `[N, D]` and labels `[N]`.
pub(super) struct Photos(Features);

/// Logits and measurements of a head on photos.
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
        Photos(features.clone())
    }

    /// Takes a copy of at most `most` photos of `features`, evenly spread.
    pub(super) fn some(features: &Features, most: usize) -> Self {
        let step = features.len().div_ceil(most).max(1);
        let photos: Vec<usize> = (0..features.len()).step_by(step).collect();
        Photos(features.select(&photos))
    }

    /// Products that one measurement of a head takes.
    pub(super) fn products(&self, labels: usize) -> u64 {
        self.0.values().len() as u64 * labels as u64
    }

    /// Measures `head` on the photos `batch`, or on all; none where there are none.
    pub(super) fn measure(&self, head: &Head, batch: Option<&[usize]>) -> Option<Measured> {
        let width = self.0.width();
        if head.width() != width {
            return None;
        }
        let weights = head.weights.iter().map(|&weight| f64::from(weight));
        let weights = Array2::from_shape_vec((head.labels(), width), weights.collect()).ok()?;
        let selected = batch.map(|batch| self.0.select(batch));
        let features = selected.as_ref().unwrap_or(&self.0);
        let rows = features.values().par_chunks(ROWS * width);
        let logits = rows.map(|rows| {
            let values = rows.iter().map(|&value| f64::from(value)).collect();
            let rows = Array2::from_shape_vec((rows.len() / width, width), values).ok()?;
            let products = rows.dot(&weights.t());
            let sums = products.iter().zip(head.bias.iter().cycle());
            let logits = sums.map(|(&sum, &bias)| (sum + f64::from(bias)) as f32);
            Some(logits.collect::<Vec<f32>>())
        });
        let logits: Vec<f32> = logits.collect::<Option<Vec<_>>>()?.concat();
        let labels = features.labels();
        Some(Measured {
            accuracy: accuracy(&logits, labels)?,
            cross_entropy: cross_entropy(&logits, labels)?,
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
        assert_eq!(all.logits, features.logits(&head));
        let batch = [3, 3, 0];
        let some = photos.measure(&head, Some(&batch)).unwrap();
        let picked = features.select(&batch);
        assert_eq!(some.logits, picked.logits(&head));
        let expected = cross_entropy(&some.logits, picked.labels()).unwrap();
        assert_eq!(some.cross_entropy, expected);
        let none = Features::new(3, vec![], vec![]).unwrap();
        assert!(Photos::new(&none).measure(&head, None).is_none());
    }
}
