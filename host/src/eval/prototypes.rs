//! Fits the prototypes of out-of-distribution detection: a board compares a picture's features with
//! them.

use posy_shared::familiarity::{Familiarity, MAX_FEATURES};
use rayon::prelude::*;

use super::spherical_kmeans::{centres, normalise};

/// Maximum number of prototypes per label, given enough photos. 16 detect some 3 in 100 more
/// pictures of other flowers than 4 do (MobileNet v1 0.25_128 and 0.75_192); the photos themselves,
/// hundreds for a label, would detect another 1 to 2 in 100.
const MOST_OF_A_LABEL: usize = 16;
/// Minimum number of photos per prototype.
const PHOTOS_EACH: usize = 4;
/// Maximum number of prototypes over all labels, though each label has at least one.
const MOST: usize = 96;
/// Standard deviation of a feature after scaling, in steps.
const STEPS: f64 = 32.0;
/// Share of the mean deviation that is added to each deviation, so that scaling does not inflate
/// nearly constant features.
const LEAST_DEVIATION: f64 = 0.05;

/// Fitted prototypes, in the form that [`Familiarity`] borrows; D features, M prototypes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prototypes {
    /// Means of the features, `[D]`. A constant feature equals its mean, and so contributes
    /// nothing.
    pub centre: Vec<i8>,
    /// Scale of each feature, `[D]`, in 256ths.
    pub scale: Vec<u16>,
    /// Prototypes, `[M, D]`.
    pub prototypes: Vec<i8>,
    /// See [`Familiarity::multiplier`].
    pub multiplier: u32,
}

impl Prototypes {
    /// Fits prototypes to the int8 features of photos; photos with a label of `known` or above are
    /// ignored. `None` without photos, or with more features than a board compares.
    pub fn fit(rows: &[&[i8]], labels: &[usize], known: usize) -> Option<Self> {
        let of_known = |label: usize| label < known;
        let used: Vec<(&[i8], usize)> = rows
            .iter()
            .copied()
            .zip(labels.iter().copied())
            .filter(|(_, label)| of_known(*label))
            .collect();
        let width = used.first()?.0.len();
        if !(1..=MAX_FEATURES).contains(&width) {
            return None;
        }
        let (centre, scale) = spread(&used, width);
        let directions: Vec<Vec<f32>> = used
            .iter()
            .map(|(row, _)| direction(row, &centre, &scale))
            .collect();
        let mut of_labels: Vec<Vec<&[f32]>> = vec![Vec::new(); known];
        for (direction, (_, label)) in directions.iter().zip(&used) {
            of_labels[*label].push(direction);
        }
        let most = (MOST / known.max(1)).clamp(1, MOST_OF_A_LABEL);
        let of_label = |own: &Vec<&[f32]>| {
            let count = (own.len() / PHOTOS_EACH).clamp(1, most);
            centres(own, count)
        };
        let found: Vec<Vec<f32>> = of_labels.par_iter().flat_map_iter(of_label).collect();
        let greatest = found
            .iter()
            .flatten()
            .fold(0.0f32, |top, x| top.max(x.abs()));
        if greatest == 0.0 || found.len() > usize::from(u16::MAX) {
            return None;
        }
        let length = f64::from(127.0 / greatest);
        Some(Prototypes {
            centre,
            scale,
            prototypes: found
                .iter()
                .flatten()
                .map(|&x| (f64::from(x) * length).round_ties_even() as i8)
                .collect(),
            multiplier: (256.0 * 65536.0 / length).round() as u32,
        })
    }

    /// Prototype similarity of a photo's features, as the board computes it.
    pub fn familiarity_of(&self, features: &[i8]) -> i8 {
        let scale: Vec<u8> = self.scale.iter().flat_map(|s| s.to_le_bytes()).collect();
        let tables = Familiarity {
            centre: &self.centre,
            scale: &scale,
            prototypes: &self.prototypes,
            multiplier: self.multiplier,
        };
        tables.of(features)
    }
}

/// Mean (to the nearest step) and scale of each feature.
fn spread(used: &[(&[i8], usize)], width: usize) -> (Vec<i8>, Vec<u16>) {
    let count = used.len() as f64;
    let mut sums = vec![(0_i64, 0_i64); width];
    for (row, _) in used {
        for ((sum, squares), &value) in sums.iter_mut().zip(*row) {
            *sum += i64::from(value);
            *squares += i64::from(value) * i64::from(value);
        }
    }
    let mean = |sum: i64| sum as f64 / count;
    let deviations: Vec<f64> = sums
        .iter()
        .map(|&(sum, squares)| (mean(squares) - mean(sum).powi(2)).max(0.0).sqrt())
        .collect();
    let least = LEAST_DEVIATION * deviations.iter().sum::<f64>() / width as f64;
    let centre = sums.iter().map(|&(sum, _)| mean(sum).round() as i8);
    let scale = deviations.iter().map(|deviation| {
        let factor = 256.0 * STEPS / (deviation + least);
        factor.min(f64::from(u16::MAX)) as u16
    });
    (centre.collect(), scale.collect())
}

/// Unit vector from the centre to a photo's features.
fn direction(row: &[i8], centre: &[i8], scale: &[u16]) -> Vec<f32> {
    let mut direction: Vec<f32> = row
        .iter()
        .zip(centre)
        .zip(scale)
        .map(|((&x, &c), &s)| (f32::from(x) - f32::from(c)) * f32::from(s))
        .collect();
    normalise(&mut direction);
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Photos of two labels along two axes of six features, one of which is constant.
    fn photos() -> (Vec<Vec<i8>>, Vec<usize>) {
        let photo = |label: usize, step: i8| {
            let mut row = vec![step % 3, 7, -step % 5, 2, 0, step % 2];
            row[2 * label] += 60 + step;
            row[3] = 9;
            row
        };
        let labels: Vec<usize> = (0..40).map(|index| index % 2).collect();
        let rows = (0..40).map(|index| photo(index % 2, index as i8 / 2));
        (rows.collect(), labels)
    }

    #[test]
    fn photos_of_the_labels_are_familiar_and_others_are_not() {
        let (rows, labels) = photos();
        let rows: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
        let tables = Prototypes::fit(&rows, &labels, 2).unwrap();
        let least = rows.iter().map(|row| tables.familiarity_of(row)).min();
        assert!(least.unwrap() > 60, "{least:?}");
        let other = tables.familiarity_of(&[0, 7, 0, 9, 90, 0]);
        assert!(other < 0, "{other}");
        // The constant feature contributes nothing at its usual value.
        assert_eq!(tables.centre[3], 9);
    }

    #[test]
    fn photos_of_none_of_the_labels_make_no_prototypes() {
        let (mut rows, mut labels) = photos();
        let before = {
            let rows: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
            Prototypes::fit(&rows, &labels, 2).unwrap()
        };
        rows.push(vec![-99; 6]);
        labels.push(2);
        let rows: Vec<&[i8]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(Prototypes::fit(&rows, &labels, 2).unwrap(), before);
        assert_eq!(Prototypes::fit(&[], &[], 2), None);
    }

    #[test]
    fn equal_photos_have_no_directions() {
        let rows = [&[1_i8, 2, 3][..]; 30];
        let labels: Vec<usize> = (0..30).map(|index| index % 2).collect();
        assert_eq!(Prototypes::fit(&rows, &labels, 2), None);
    }
}
