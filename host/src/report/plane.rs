//! Photos laid out in a plane: the two directions in which their features vary most (principal
//! component analysis).
//!
//! The directions come by orthogonal iteration (Golub and Van Loan, "Matrix Computations",
//! section 8.2.4) on a few vectors more than are wanted, which makes it quick (Halko, Martinsson
//! and Tropp, SIAM Review 53, 2011). Sums are in f64 and in a fixed order, and each direction points
//! where its greatest part is positive: the same photos lie in the same places every time.

use crate::train::Features;

/// Directions that are wanted, and those that are iterated.
const WANTED: usize = 2;
const ITERATED: usize = 6;
/// Iterations at most.
const MOST_ROUNDS: usize = 80;
/// Change of the wanted variances, as a part of them, below which iteration ends.
const SETTLED: f64 = 1e-10;

/// Places of photos in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// A place for each photo, in the order in which they were given.
    pub places: Vec<[f64; 2]>,
    /// Share of the features' variance that the plane shows, `0..=1`.
    pub shown: f64,
}

/// The plane of the photos `photos` of `features`; none where they do not differ.
pub fn plane(features: &Features, photos: &[usize]) -> Option<Plane> {
    let width = features.width();
    let rows = photos.iter().map(|&photo| features.row(photo));
    let mut centred: Vec<f64> = Vec::with_capacity(photos.len() * width);
    rows.for_each(|row| centred.extend(row.iter().map(|&value| f64::from(value))));
    let mut mean = vec![0.0; width];
    for row in centred.chunks_exact(width.max(1)) {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum /= photos.len() as f64);
    for row in centred.chunks_exact_mut(width.max(1)) {
        row.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
    }
    let whole: f64 = centred.iter().map(|x| x * x).sum();
    if !whole.is_finite() || whole <= 0.0 {
        return None;
    }
    let directions = directions(&centred, width);
    let mut shown = 0.0;
    let places = centred.chunks_exact(width).map(|row| {
        let mut place = [0.0; WANTED];
        for (at, direction) in place.iter_mut().zip(&directions) {
            *at = dot(row, direction);
            shown += *at * *at;
        }
        place
    });
    let places = places.collect();
    Some(Plane {
        places,
        shown: shown / whole,
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<4>();
    let (b, b_rest) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

/// Adds `factor` times `of` to `to`.
fn add(to: &mut [f64], factor: f64, of: &[f64]) {
    to.iter_mut().zip(of).for_each(|(to, x)| *to += factor * x);
}

/// Directions in which the rows vary, greatest first, of length 1, or zero where there are no more.
fn directions(rows: &[f64], width: usize) -> Vec<Vec<f64>> {
    // The first are rows themselves: they have parts in every direction that counts.
    let count = rows.len() / width;
    let start = |index: usize| {
        let row = index * count / ITERATED;
        rows.chunks_exact(width).nth(row).unwrap_or(&[]).to_vec()
    };
    let mut vectors: Vec<Vec<f64>> = (0..ITERATED).map(start).collect();
    orthonormalise(&mut vectors);
    let mut before = 0.0;
    for _ in 0..MOST_ROUNDS {
        let mut next = vec![vec![0.0; width]; ITERATED];
        for row in rows.chunks_exact(width) {
            for (next, vector) in next.iter_mut().zip(&vectors) {
                add(next, dot(row, vector), row);
            }
        }
        let lengths = next.iter().zip(&vectors);
        let variance: f64 = lengths
            .take(WANTED)
            .map(|(next, vector)| dot(next, vector))
            .sum();
        // Greatest first, so that the wanted ones are not kept from it by their order.
        next.sort_by(|a, b| dot(b, b).total_cmp(&dot(a, a)));
        vectors = next;
        orthonormalise(&mut vectors);
        if (variance - before).abs() <= SETTLED * variance {
            break;
        }
        before = variance;
    }
    for vector in &mut vectors {
        let greatest = vector
            .iter()
            .fold(0.0f64, |top, &x| if x.abs() > top.abs() { x } else { top });
        if greatest < 0.0 {
            vector.iter_mut().for_each(|x| *x = -*x);
        }
    }
    vectors
}

/// Makes vectors orthogonal, each to those before it, and of length 1 (modified Gram-Schmidt, done
/// twice); one that is none of its own becomes zero.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for index in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(index);
        let Some(vector) = rest.first_mut() else {
            return;
        };
        let length = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let part = dot(vector, other);
                add(vector, -part, other);
            }
        }
        let left = dot(vector, vector).sqrt();
        let factor = match left > 1e-9 * length {
            true => left.recip(),
            false => 0.0,
        };
        vector.iter_mut().for_each(|x| *x *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(width: usize, values: Vec<f32>) -> Features {
        let labels = vec![0; values.len() / width];
        Features::new(width, values, labels).unwrap()
    }

    /// Values that look random and never change.
    fn noise(count: usize) -> impl Iterator<Item = f32> {
        let mut state = 7u32;
        (0..count).map(move |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        })
    }

    #[test]
    fn places_are_those_of_the_greatest_variance() {
        // Along (3, 4) / 5 far, along (-4, 3) / 5 a little, in the third direction hardly.
        let mut values = Vec::new();
        for (index, noise) in noise(60).enumerate() {
            let along = index as f32 - 29.5;
            let across = if index % 2 == 0 { 3.0 } else { -3.0 };
            values.extend([
                10.0 + (3.0 * along - 4.0 * across) / 5.0,
                (4.0 * along + 3.0 * across) / 5.0,
                0.01 * noise,
            ]);
        }
        let features = features(3, values);
        let all: Vec<usize> = (0..60).collect();
        let plane = plane(&features, &all).unwrap();
        assert!(plane.shown > 0.9999, "{}", plane.shown);
        for (index, place) in plane.places.iter().enumerate() {
            let along = index as f64 - 29.5;
            // Alternating signs are not quite without a part along the first direction.
            assert!((place[0] - along).abs() < 0.5, "{index}: {place:?}");
            assert!((place[1].abs() - 3.0).abs() < 0.5, "{index}: {place:?}");
        }
        assert_eq!(plane, super::plane(&features, &all).unwrap());
    }

    /// Oracle: scikit-learn 1.7.2, `PCA(2)`, on the same numbers; signs as here.
    #[test]
    fn places_are_those_of_scikit_learn() {
        let values = noise(40 * 5).enumerate();
        let values = values.map(|(at, value)| value * (at % 5 + 1) as f32);
        let features = features(5, values.collect());
        let all: Vec<usize> = (0..40).collect();
        let plane = plane(&features, &all).unwrap();
        assert!(
            (plane.shown - 0.814_301_957_794_625_9).abs() < 1e-6,
            "{}",
            plane.shown
        );
        let expected = [[-2.843_566_18, 0.403_291_76], [2.987_506_48, -0.488_596_5]];
        for (place, expected) in plane.places.iter().zip(expected) {
            for (found, expected) in place.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-3, "{place:?} {expected:?}");
            }
        }
    }

    #[test]
    fn photos_that_do_not_differ_have_no_plane() {
        let same = features(4, vec![2.5; 40]);
        assert_eq!(plane(&same, &[0, 3, 9]), None);
        assert_eq!(plane(&same, &[]), None);
        assert_eq!(plane(&same, &[1]), None);
        // Two photos lie on a line.
        let line = features(2, vec![0.0, 0.0, 6.0, 8.0]);
        let found = plane(&line, &[0, 1]).unwrap();
        assert!((found.shown - 1.0).abs() < 1e-12);
        assert_eq!(found.places, [[-5.0, 0.0], [5.0, 0.0]]);
    }
}
