//! Approximate nearest neighbours: a forest of random projection trees finds points that are near
//! each other without comparing all pairs.
//!
//! A tree splits the points by a random hyperplane that lies halfway between two of them, then
//! splits each half again, until a bucket is small (Dasgupta and Freund, "Random projection trees
//! and low dimensional manifolds", 2008). A split seldom separates neighbours, and another tree
//! keeps together those that one tree separates. Only points of one bucket are compared, so the
//! work grows as `n log n`.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::kernel_regression::dot;

/// Trees in the forest.
pub(super) const TREES: usize = 24;
/// Maximum number of points in a bucket.
const BUCKET: usize = 64;
/// Dimensions of a sketch.
const SKETCH: usize = 64;

/// Points of one space, `[N, D]`.
pub(super) struct Points {
    width: usize,
    values: Vec<f32>,
}

impl Points {
    /// Points of `width` dimensions each, in row-major order.
    pub(super) const fn new(width: usize, values: Vec<f32>) -> Self {
        Points { width, values }
    }

    /// Sketches of rows of `width` values, each row multiplied by its factor. A sketch sums values
    /// with random signs, which preserves distances to within about a tenth (Achlioptas,
    /// "Database-friendly random projections", 2003).
    pub(super) fn sketch(rows: &[f32], width: usize, factors: &[f32]) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let signs: Vec<f32> = (0..SKETCH * width)
            .map(|_| if random.random() { 1.0 } else { -1.0 })
            .collect();
        let scale = 1.0 / (SKETCH as f32).sqrt();
        let mut values = vec![0.0; factors.len() * SKETCH];
        values
            .par_chunks_exact_mut(SKETCH)
            .zip(rows.par_chunks_exact(width.max(1)))
            .zip(factors)
            .for_each(|((sketch, row), factor)| {
                for (value, signs) in sketch.iter_mut().zip(signs.chunks_exact(width)) {
                    *value = scale * factor * dot(row, signs);
                }
            });
        Points::new(SKETCH, values)
    }

    /// The coordinates of a point.
    pub(super) fn row(&self, point: u32) -> &[f32] {
        &self.values[point as usize * self.width..][..self.width]
    }
}

/// Calls `visit` with every bucket of [`TREES`] trees over the points `members`, on all threads.
pub(super) fn buckets(points: &Points, members: &[u32], visit: &(dyn Fn(&[u32]) + Sync)) {
    (0..TREES as u64).into_par_iter().for_each(|tree| {
        let mut random = ChaCha8Rng::seed_from_u64(tree);
        let mut order = members.to_vec();
        // Equal points are split at random, differently in each tree.
        order.shuffle(&mut random);
        halve(points, &mut order, &mut random, visit);
    });
}

fn halve(points: &Points, members: &mut [u32], random: &mut ChaCha8Rng, visit: &dyn Fn(&[u32])) {
    if members.len() <= BUCKET {
        return visit(members);
    }
    let mut drawn = || points.row(members[random.random_range(0..members.len())]);
    let (one, other) = (drawn(), drawn());
    let direction: Vec<f32> = one.iter().zip(other).map(|(a, b)| a - b).collect();
    let mut places: Vec<(f32, u32)> = members
        .iter()
        .map(|&point| (dot(&direction, points.row(point)), point))
        .collect();
    let middle = places.len() / 2;
    places.select_nth_unstable_by(middle, |(one, _), (other, _)| one.total_cmp(other));
    for (member, (_, point)) in members.iter_mut().zip(&places) {
        *member = *point;
    }
    drop(places);
    let (low, high) = members.split_at_mut(middle);
    halve(points, low, random, visit);
    halve(points, high, random, visit);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn points(count: usize) -> Points {
        let mut random = ChaCha8Rng::seed_from_u64(9);
        let values = (0..count * 8).map(|_| random.random_range(-1.0..1.0f32));
        Points::new(8, values.collect())
    }

    #[test]
    fn every_tree_has_every_point_once_in_small_buckets() {
        let points = points(1000);
        let members: Vec<u32> = (0..1000).filter(|point| point % 10 != 3).collect();
        let seen = Mutex::new(Vec::new());
        buckets(&points, &members, &|bucket| {
            assert!((BUCKET / 2..=BUCKET).contains(&bucket.len()));
            seen.lock().unwrap().extend_from_slice(bucket);
        });
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        let expected: Vec<u32> = members.iter().flat_map(|&point| [point; TREES]).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn equal_points_are_parted_otherwise_in_each_tree() {
        let points = Points::new(2, vec![0.5; 2 * 200]);
        let members: Vec<u32> = (0..200).collect();
        let together = Mutex::new(std::collections::BTreeSet::new());
        buckets(&points, &members, &|bucket| {
            if bucket.contains(&0) {
                together.lock().unwrap().extend(bucket.to_vec());
            }
        });
        assert!(together.into_inner().unwrap().len() > 190);
    }

    #[test]
    fn sketches_keep_distances() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let rows: Vec<f32> = (0..40 * 300)
            .map(|_| random.random_range(-1.0..1.0))
            .collect();
        let sketches = Points::sketch(&rows, 300, &[0.5; 40]);
        let distance = |a: &[f32], b: &[f32]| {
            let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f32>().sqrt()
        };
        for point in 1..40usize {
            let real = 0.5 * distance(&rows[..300], &rows[point * 300..][..300]);
            let found = distance(sketches.row(0), sketches.row(point as u32));
            assert!((found / real - 1.0).abs() < 0.4, "{found} {real}");
        }
    }
}
