//! Label noise: photos that look as if they belonged to another label.
//!
//! Every photo is scored by a fit that has not seen it ([`kernel_regression`](super::kernel_regression)). Its scores sum to
//! about one, and its own label should have the greatest. The more another label's score exceeds
//! it, the more suspect the photo. A photo that resembles nothing has low scores for every label,
//! and so is less suspect than one that plainly shows another label; a head's probabilities would
//! not distinguish the two.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::kernel_regression::left_out_scores;
use crate::features::progress::Progress;
use crate::train::{Features, HeadError};

/// Photos that a label needs to take part.
pub const FEWEST: usize = 10;
/// Score difference from which on a photo is suspect.
const SUSPECT: f32 = 0.25;
/// Maximum number of photos in one fit: the work grows with the cube of their number. A larger data
/// set is divided into groups.
const MOST: usize = 2048;

/// Progress steps per photo.
const PART: usize = 8;

/// Maximum number of progress steps that [`suspects`] takes for `photos` photos.
pub(super) const fn steps(photos: usize) -> usize {
    PART * photos
}

/// A photo that looks as if it belonged to another label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspect {
    /// Index of the photo.
    pub photo: usize,
    /// The label that it looks like.
    pub looks_like: usize,
    /// Leave-one-out score of that label, about `0..=1`.
    pub score: f32,
    /// Leave-one-out score of the photo's own label.
    pub own_score: f32,
}

impl Suspect {
    /// The other label's score less the own label's.
    pub fn excess(&self) -> f32 {
        self.score - self.own_score
    }
}

/// The suspects among `photos`, most suspect first. `views` are several feature sets of the same
/// photos, which are used together. `None` if fewer than two labels have ten photos.
///
/// # Errors
/// Returns an error if features are damaged.
pub fn suspects(
    views: &[&Features],
    photos: &[usize],
    progress: &dyn Progress,
) -> Result<Option<Vec<Suspect>>, HeadError> {
    let Some(features) = views.first() else {
        return Ok(None);
    };
    let label = |photo: usize| features.labels()[photo];
    let end = photos.iter().map(|&photo| label(photo) + 1).max();
    let mut counts = vec![0; end.unwrap_or(0)];
    photos.iter().for_each(|&photo| counts[label(photo)] += 1);
    if counts.iter().filter(|&&count| count >= FEWEST).count() < 2 {
        return Ok(None);
    }
    let photos: Vec<(usize, usize)> = photos
        .iter()
        .map(|&photo| (photo, label(photo)))
        .filter(|&(_, label)| counts[label] >= FEWEST)
        .collect();
    let mut found = Vec::new();
    for group in groups(&photos) {
        let (members, own): (Vec<usize>, Vec<usize>) = group.into_iter().unzip();
        // With many labels, a group may hold few photos of one.
        let mut labels = own.clone();
        labels.dedup();
        let place = |label: usize| labels.partition_point(|&other| other < label);
        let places: Vec<usize> = own.into_iter().map(place).collect();
        let selected = views.iter().map(|view| {
            let values = view.select(&members).values().to_vec();
            Features::new(view.width(), values, places.clone())
        });
        let selected: Vec<Features> = selected.collect::<Result<_, _>>()?;
        let scores = left_out_scores(&selected, labels.len());
        progress.advance(PART * members.len());
        let rows = members
            .iter()
            .zip(places)
            .zip(scores.chunks_exact(labels.len()));
        found.extend(rows.filter_map(|((&photo, own), scores)| {
            let other = (0..labels.len())
                .filter(|&label| label != own)
                .max_by(|&one, &other| scores[one].total_cmp(&scores[other]))?;
            let suspect = Suspect {
                photo,
                looks_like: labels[other],
                score: scores[other],
                own_score: scores[own],
            };
            (suspect.excess() >= SUSPECT).then_some(suspect)
        }));
    }
    found.sort_by(|one, other| other.excess().total_cmp(&one.excess()));
    Ok(Some(found))
}

/// Divides `photos` (index and label) into groups of at most [`MOST`], each label evenly.
fn groups(photos: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    let count = photos.len().div_ceil(MOST).max(1);
    let mut order = photos.to_vec();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(0));
    order.sort_by_key(|&(_, label)| label);
    let mut groups = vec![Vec::new(); count];
    for (number, photo) in order.into_iter().enumerate() {
        groups[number % count].push(photo);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::progress::Silent;

    /// Photos around three corners of a triangle; 7 and 50 lie in a corner that is not their
    /// label's.
    fn corners(each: usize) -> Features {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut noise = || rand::Rng::random_range(&mut random, -0.5..0.5f32);
        let corners = [[4.0, 0.0], [0.0, 4.0], [-4.0, -4.0], [9.0, 9.0]];
        let count = 3 * each + 3;
        let labels: Vec<usize> = (0..count).map(|photo| photo / each).collect();
        let values = (0..count).flat_map(|photo| {
            let corner = match photo {
                7 => 1,
                50 => 2,
                _ => labels[photo],
            };
            corners[corner].map(|place| place + noise())
        });
        Features::new(2, values.collect(), labels.clone()).unwrap()
    }

    #[test]
    fn moved_photos_are_found_and_small_labels_are_left_out() {
        for each in [40, 800] {
            let features = corners(each);
            let all: Vec<usize> = (0..features.len()).collect();
            let found = suspects(&[&features], &all, &Silent).unwrap().unwrap();
            let mut pairs: Vec<_> = found.iter().map(|s| (s.photo, s.looks_like)).collect();
            pairs.sort_unstable();
            // With 800 photos a label, photo 50 has label 0, as photo 7 has.
            assert_eq!(pairs, [(7, 1), (50, 2)], "{each}");
            assert!(found.iter().all(|suspect| suspect.excess() > 0.5));
        }
        // A single label with enough photos is not enough.
        let features = corners(40);
        let first: Vec<usize> = (0..49).collect();
        assert_eq!(suspects(&[&features], &first, &Silent).unwrap(), None);
    }

    #[test]
    fn groups_have_every_label_and_every_photo() {
        let photos: Vec<(usize, usize)> = (0..5000).map(|photo| (photo, photo % 7)).collect();
        let groups = groups(&photos);
        assert_eq!(groups.len(), 3);
        for group in &groups {
            assert!(group.len() <= MOST);
            for label in 0..7 {
                let count = group.iter().filter(|(_, other)| *other == label).count();
                assert!(count.abs_diff(5000 / 21) <= 1);
            }
        }
        let mut all: Vec<_> = groups.concat();
        all.sort_unstable();
        assert_eq!(all, photos);
    }
}
