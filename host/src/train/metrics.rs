//! Classification metrics: accuracy and cross entropy.

use rayon::prelude::*;

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

/// Natural logarithm of the sum of exponentials.
pub fn log_sum_exp(row: &[f32]) -> f64 {
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
}
