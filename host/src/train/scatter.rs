//! Scatter matrix of features: their covariance about the means, times the number of photos.

use rayon::prelude::*;

use super::Features;

/// Maximum number of photos in the sums; a larger set is sampled at even intervals. Three times as
/// many photos as features estimate a matrix of 1,280 features well.
const PHOTOS: usize = 4096;
/// Rows of the matrix that are updated while a photo's features are in cache.
const ROWS: usize = 16;

/// Mean and scatter matrix of a set of photos.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Mean of each feature, `[D]`.
    pub mean: Vec<f64>,
    /// Sums of products of the deviations from the means, `[D, D]`; only the diagonal and the part
    /// above it are filled.
    pub sums: Vec<f32>,
}

impl Scatter {
    /// Mean and scatter matrix of `features`, the same whatever the number of threads.
    pub fn of(features: &Features) -> Self {
        let width = features.width();
        let mean = mean(features);
        let step = features.len().div_ceil(PHOTOS).max(1);
        let centred: Vec<f32> = (0..features.len())
            .step_by(step)
            .flat_map(|photo| {
                let row = features.row(photo).iter().zip(&mean);
                row.map(|(&x, mean)| (f64::from(x) - mean) as f32)
            })
            .collect();
        let mut sums = vec![0.0f32; width * width];
        let blocks = sums.par_chunks_mut(ROWS * width).enumerate();
        blocks.for_each(|(block, rows)| {
            for photo in centred.chunks_exact(width) {
                for (row, sums) in rows.chunks_exact_mut(width).enumerate() {
                    let first = block * ROWS + row;
                    let own = photo[first];
                    for (sum, other) in sums[first..].iter_mut().zip(&photo[first..]) {
                        *sum += own * other;
                    }
                }
            }
        });
        Scatter { mean, sums }
    }
}

/// Mean of each feature, summed in order of the photos; zeros without photos.
fn mean(features: &Features) -> Vec<f64> {
    let mut sums = vec![0.0; features.width()];
    for (row, _) in features.rows() {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    let count = features.len().max(1) as f64;
    sums.iter().map(|sum| sum / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_summed_about_their_means() {
        let values = vec![1.0, 10.0, 5.0, 3.0, 14.0, 5.0, 2.0, 12.0, 5.0];
        let found = Scatter::of(&Features::new(3, values, vec![0; 3]).unwrap());
        assert_eq!(found.mean, [2.0, 12.0, 5.0]);
        assert_eq!(found.sums, [2.0, 4.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn threads_and_blocks_make_no_difference() {
        let width = 3 * ROWS + 5;
        let values: Vec<f32> = (0..20 * width)
            .map(|i| ((i * 7919) % 1013) as f32)
            .collect();
        let features = Features::new(width, values, vec![0; 20]).unwrap();
        let found = Scatter::of(&features);
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(one.install(|| Scatter::of(&features)), found);
        for (a, b) in [(0, 0), (3, 2 * ROWS), (width - 2, width - 1)] {
            let expected: f64 = features
                .rows()
                .map(|(row, _)| {
                    (f64::from(row[a]) - found.mean[a]) * (f64::from(row[b]) - found.mean[b])
                })
                .sum();
            let off = f64::from(found.sums[a * width + b]) - expected;
            assert!(off.abs() < 1e-5 * expected.abs().max(1e5), "{a} {b}: {off}");
        }
    }

    #[test]
    fn of_no_photo_there_is_no_scatter() {
        let none = Features::new(2, vec![], vec![]).unwrap();
        let found = Scatter::of(&none);
        assert_eq!((found.mean, found.sums), (vec![0.0; 2], vec![0.0; 4]));
    }
}
