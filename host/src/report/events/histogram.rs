//! Values to a histogram.

use super::proto;

/// Buckets of equal width from the least to the greatest value: as many as TensorBoard draws.
const BUCKETS: usize = 30;

/// The histogram of the finite ones of `values`. Where all are equal, one bucket holds them.
pub(super) fn histogram(values: impl Iterator<Item = f64> + Clone) -> proto::Histogram {
    let values = values.filter(|value| value.is_finite());
    let mut found = proto::Histogram {
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        ..Default::default()
    };
    for value in values.clone() {
        found.min = found.min.min(value);
        found.max = found.max.max(value);
        found.num += 1.0;
        found.sum += value;
        found.sum_squares += value * value;
    }
    if found.num == 0.0 {
        return proto::Histogram::default();
    }
    let width = (found.max - found.min) / BUCKETS as f64;
    if !(width > 0.0 && width.is_finite()) {
        // The limit is above every value: a bucket's upper limit does not belong to it.
        found.bucket_limit = vec![found.max.next_up()];
        found.bucket = vec![found.num];
        return found;
    }
    found.bucket = vec![0.0; BUCKETS];
    for value in values {
        let bucket = ((value - found.min) / width) as usize;
        found.bucket[bucket.min(BUCKETS - 1)] += 1.0;
    }
    found.bucket_limit = (1..=BUCKETS)
        .map(|bucket| match bucket {
            BUCKETS => found.max.next_up(),
            _ => found.min + width * bucket as f64,
        })
        .collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_in_one_bucket() {
        let values = [-1.0, 0.0, 0.5, 2.0, 2.0, f64::NAN, f64::INFINITY];
        let found = histogram(values.into_iter());
        assert_eq!((found.min, found.max, found.num), (-1.0, 2.0, 5.0));
        assert_eq!((found.sum, found.sum_squares), (3.5, 9.25));
        assert_eq!(found.bucket.iter().sum::<f64>(), 5.0);
        assert_eq!((found.bucket[0], found.bucket[BUCKETS - 1]), (1.0, 2.0));
        assert!(found.bucket_limit.is_sorted_by(|a, b| a < b));
        assert!(found.bucket_limit[BUCKETS - 1] > 2.0);
    }

    #[test]
    fn equal_values_and_none() {
        let found = histogram([0.25; 4].into_iter());
        assert_eq!(found.bucket, [4.0]);
        assert!(found.bucket_limit[0] > 0.25);
        assert_eq!(histogram([f64::NAN].into_iter()).num, 0.0);
    }
}
