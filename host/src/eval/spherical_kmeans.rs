//! Spherical k-means: clusters of directions.
//!
//! Dhillon and Modha, "Concept Decompositions for Large Sparse Text Data Using Clustering" (2001):
//! each vector belongs to the centre with the greatest cosine similarity; a centre is the sum of
//! its vectors, scaled to length 1. Initial centres are drawn by k-means++ (Arthur and
//! Vassilvitskii, 2007), with `1 - cosine` as the distance. The seed is fixed, so that the same
//! photos give the same model.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Maximum number of iterations.
const MOST_ROUNDS: usize = 20;

/// Scales a vector to length 1; a zero vector stays.
pub fn normalise(vector: &mut [f32]) {
    let squares: f32 = vector.iter().map(|x| x * x).sum();
    if squares > 0.0 {
        let factor = squares.sqrt().recip();
        vector.iter_mut().for_each(|x| *x *= factor);
    }
}

/// Dot product in eight partial sums, for SIMD.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Index of the centre nearest to `row`, and their cosine similarity.
fn nearest(centres: &[Vec<f32>], row: &[f32]) -> (usize, f32) {
    let cosines = centres.iter().map(|centre| dot(centre, row)).enumerate();
    cosines.fold((0, f32::NEG_INFINITY), |best, next| {
        if next.1 > best.1 { next } else { best }
    })
}

/// At most `count` centres of `rows`, vectors of length 1; fewer if rows are equal.
pub fn centres(rows: &[&[f32]], count: usize) -> Vec<Vec<f32>> {
    let mut random = ChaCha8Rng::seed_from_u64(rows.len() as u64);
    let mut centres: Vec<Vec<f32>> = Vec::new();
    let mut distances = vec![1.0f32; rows.len()];
    while centres.len() < count {
        let sum: f32 = distances.iter().sum();
        // A remaining distance that is mere rounding counts as zero.
        if sum.is_nan() || sum <= 1e-5 * rows.len() as f32 {
            break;
        }
        let mut rest = random.random::<f32>() * sum;
        let drawn = distances.iter().position(|distance| {
            rest -= distance;
            rest < 0.0
        });
        let centre = rows[drawn.unwrap_or(0)].to_vec();
        for (distance, row) in distances.iter_mut().zip(rows) {
            *distance = distance.min((1.0 - dot(&centre, row)).max(0.0));
        }
        centres.push(centre);
    }
    let mut belongs = vec![usize::MAX; rows.len()];
    for _ in 0..MOST_ROUNDS {
        let found: Vec<usize> = rows.iter().map(|row| nearest(&centres, row).0).collect();
        if found == belongs {
            break;
        }
        belongs = found;
        for (index, centre) in centres.iter_mut().enumerate() {
            let mut sum = vec![0.0; centre.len()];
            for (row, _) in rows.iter().zip(&belongs).filter(|(_, to)| **to == index) {
                sum.iter_mut().zip(*row).for_each(|(sum, x)| *sum += x);
            }
            if sum.iter().any(|&x| x != 0.0) {
                normalise(&mut sum);
                *centre = sum;
            }
        }
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_of_directions_are_found() {
        let mut rows = Vec::new();
        for axis in 0..3 {
            for step in 0..10 {
                let mut row = vec![0.02 * step as f32; 11];
                row[axis] = 1.0;
                row[9 - axis] = 0.03 * (step % 3) as f32;
                normalise(&mut row);
                rows.push(row);
            }
        }
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let found = centres(&rows, 3);
        assert_eq!(found.len(), 3);
        let mut axes: Vec<usize> = found
            .iter()
            .map(|c| crate::train::metrics::argmax(c))
            .collect();
        axes.sort_unstable();
        assert_eq!(axes, [0, 1, 2]);
        assert!(found.iter().all(|c| (dot(c, c) - 1.0).abs() < 1e-5));
        assert_eq!(centres(&rows, 3), found);
    }

    #[test]
    fn equal_rows_are_one_cluster() {
        let row = [0.6, 0.8];
        assert_eq!(centres(&[&row[..]; 5], 4).len(), 1);
        assert!(centres(&[], 4).is_empty());
    }
}
