//! Near-duplicate search: photos that show the same picture.
//!
//! Each pair of photos has two measures. One is the correlation of their thumbnails
//! ([`Look::picture`]), the greatest over the eight rotations and reflections of a square. The
//! other is the cosine similarity of their features. Both measures on photos of flowers (MobileNet
//! v1 0.50_224; 1,229 photos, 754,606 pairs, and altered copies of ten of them):
//!
//! | pairs | correlation | cosine |
//! |---|---|---|
//! | copies: compressed strongly, halved, enlarged, mirrored, all of it | 0.993 to 1.000 | 0.87 to 0.998 |
//! | two shots of one scene, moments apart | 0.954, 0.992, 0.998 | 0.97, 0.98, 0.82 |
//! | the most similar of other photos, by correlation | 0.965 | 0.55 |
//! | the most similar of other photos, by cosine | 0.71 | 0.954 |
//!
//! The thumbnails alone would confuse plain pictures of similar things on white ground, the
//! features alone two daisies in one light; together they confuse neither.
//!
//! Groups are connected components (single linkage). The [`forest`](super::forest)s over features
//! and over thumbnails choose the pairs that are compared.

use rayon::prelude::*;

use super::appearance::{BLANK, Look, PIXELS, SIDE};
use super::components::Components;
use super::forest::{Points, TREES, buckets};
use super::kernel_regression::dot;
use crate::features::progress::Progress;
use crate::train::Features;

/// A group of near-duplicates.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Indices of the photos, rising, two or more.
    pub photos: Vec<usize>,
    /// The least cosine similarity between the features of the first photo and another, `-1..=1`.
    pub cosine: f32,
    /// True if a photo of the group is rotated or mirrored against the first.
    pub turned: bool,
}

/// Thresholds (correlation, cosine) from which on two photos are near-duplicates. Any two photos of
/// flowers reach the first cosine: it serves copies that are rotated or have lost detail, whose
/// features differ. The last pair serves shots that are moments apart.
const SAME: [(f32, f32); 3] = [(0.99, 0.5), (0.98, 0.7), (0.9, 0.93)];
/// Cosine similarity from which on features alone decide.
const SAME_FEATURES_ALONE: f32 = 0.97;
/// Width of the coarser thumbnails that are compared first, and the correlation that they need.
const COARSE_SIDE: usize = 8;
const COARSE: f32 = 0.85;
/// Number of following photos, in the order of their names, that each photo is compared with in any
/// case: photos taken one after another are neighbours there.
const NEXT: usize = 8;
/// Frequencies that [`frequencies`] keeps in each direction.
const FREQUENCIES: usize = 8;
/// Greatest rounding error of a squared distance between two [`frequencies`].
const ROUNDING: f32 = 1e-3;

/// Values less their mean, scaled to unit length; `None` if they hardly differ.
fn normalised(values: impl Iterator<Item = f32>) -> Option<Vec<f32>> {
    let mut values: Vec<f32> = values.collect();
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    let length = dot(&values, &values).sqrt();
    let deviation = length / (values.len().max(1) as f32).sqrt();
    values.iter_mut().for_each(|value| *value /= length);
    (f64::from(deviation) >= BLANK).then_some(values)
}

/// A thumbnail at the two sizes that are compared.
struct Views {
    fine: Vec<f32>,
    coarse: Vec<f32>,
}

impl Views {
    /// The views of `picture`, `[SIDE, SIDE]`; `from` maps each position to the pixel to take.
    fn new(picture: &[u8; PIXELS], from: impl Fn(usize, usize) -> (usize, usize)) -> Option<Self> {
        let at = |y: usize, x: usize| {
            let (y, x) = from(y, x);
            f32::from(picture[y * SIDE + x])
        };
        let fine = normalised((0..PIXELS).map(|index| at(index / SIDE, index % SIDE)))?;
        const STEP: usize = SIDE / COARSE_SIDE;
        let coarse = normalised((0..COARSE_SIDE * COARSE_SIDE).map(|index| {
            let (top, left) = (index / COARSE_SIDE * STEP, index % COARSE_SIDE * STEP);
            let pixels = (0..STEP * STEP).map(|inner| at(top + inner / STEP, left + inner % STEP));
            pixels.sum::<f32>() / (STEP * STEP) as f32
        }))?;
        Some(Views { fine, coarse })
    }

    fn upright(look: &Look) -> Option<Self> {
        Views::new(&look.picture, |y, x| (y, x))
    }

    /// The views in all eight orientations, each with true if it is not the photo's own.
    fn all(look: &Look) -> Vec<(bool, Self)> {
        const END: usize = SIDE - 1;
        type Position = fn(usize, usize) -> (usize, usize);
        let positions: [Position; 8] = [
            |y, x| (y, x),
            |y, x| (y, END - x),
            |y, x| (END - y, END - x),
            |y, x| (END - y, x),
            |y, x| (x, y),
            |y, x| (x, END - y),
            |y, x| (END - x, y),
            |y, x| (END - x, END - y),
        ];
        let views = positions.into_iter().enumerate();
        views
            .filter_map(|(index, from)| Some((index > 0, Views::new(&look.picture, from)?)))
            .collect()
    }
}

/// Strengths of a thumbnail's low frequencies, invariant under rotation and reflection: magnitudes
/// of its cosine transform (DCT-II, orthonormal); of each two that transposition exchanges, the
/// greater comes first. Two thumbnails are no farther apart here than in any orientation, since
/// none of these steps increases a distance.
fn frequencies(picture: &[f32]) -> Vec<f32> {
    let wave = |frequency: usize, place: usize| {
        let turns = (2 * place + 1) as f64 * frequency as f64 / (4 * SIDE) as f64;
        let scale = if frequency == 0 { 1.0 } else { 2.0 } / SIDE as f64;
        (scale.sqrt() * (std::f64::consts::TAU * turns).cos()) as f32
    };
    let waves: Vec<f32> = (0..FREQUENCIES * SIDE)
        .map(|at| wave(at / SIDE, at % SIDE))
        .collect();
    let waves: Vec<&[f32]> = waves.chunks_exact(SIDE).collect();
    // By row and frequency, then by both frequencies.
    let rows: Vec<Vec<f32>> = waves
        .iter()
        .map(|wave| {
            picture
                .chunks_exact(SIDE)
                .map(|row| dot(row, wave))
                .collect()
        })
        .collect();
    let strength = |u: usize, v: usize| dot(&rows[u], waves[v]).abs();
    let mut found = Vec::with_capacity(FREQUENCIES * FREQUENCIES - 1);
    for u in 0..FREQUENCIES {
        // Leaves out the mean, which is zero.
        if u > 0 {
            found.push(strength(u, u));
        }
        for v in u + 1..FREQUENCIES {
            let (one, other) = (strength(u, v), strength(v, u));
            found.extend([one.max(other), one.min(other)]);
        }
    }
    found
}

/// Photos, and the data for comparing them.
struct Photos<'a> {
    features: &'a Features,
    /// Factors that scale each photo's features to unit length. The mean is not subtracted: the
    /// mean of a few photos describes those photos more than it describes pictures.
    scales: Vec<f32>,
}

impl<'a> Photos<'a> {
    fn new(features: &'a Features) -> Self {
        let scale = |(row, _): (&[f32], usize)| 1.0 / dot(row, row).sqrt().max(f32::MIN_POSITIVE);
        Photos {
            features,
            scales: features.rows().map(scale).collect(),
        }
    }

    fn cosine(&self, one: usize, other: usize) -> f32 {
        let product = dot(self.features.row(one), self.features.row(other));
        // This order gives the same bits for (one, other) and (other, one).
        product * (self.scales[one] * self.scales[other])
    }

    fn sketches(&self) -> Points {
        let features = self.features;
        Points::sketch(features.values(), features.width(), &self.scales)
    }
}

/// Thumbnails, and the index that finds similar ones.
struct Pictures<'a> {
    looks: &'a [Option<Look>],
    /// [`frequencies`] of each, `[N, FREQUENCIES^2 - 1]`; zeros where there is no thumbnail.
    frequencies: Points,
    /// Photos that have a thumbnail.
    seen: Vec<u32>,
}

impl<'a> Pictures<'a> {
    const WIDTH: usize = FREQUENCIES * FREQUENCIES - 1;

    fn new(looks: &'a [Option<Look>]) -> Self {
        let found: Vec<Option<Vec<f32>>> = looks
            .par_iter()
            .map(|look| Some(frequencies(&Views::upright(look.as_ref()?)?.fine)))
            .collect();
        let seen = (0..looks.len() as u32).filter(|&photo| found[photo as usize].is_some());
        let seen = seen.collect();
        let zeros = vec![0.0; Self::WIDTH];
        let rows = found.iter().map(|row| row.as_ref().unwrap_or(&zeros));
        let values = rows.flatten().copied().collect();
        Pictures {
            looks,
            frequencies: Points::new(Self::WIDTH, values),
            seen,
        }
    }

    /// Returns false if the frequencies rule out a correlation of at least `least`.
    fn may_correlate(&self, one: usize, other: usize, least: f32) -> bool {
        let [one, other] = [one, other].map(|photo| self.frequencies.row(photo as u32));
        let squares = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
        squares.sum::<f32>() <= 2.0 * (1.0 - least) + ROUNDING
    }

    /// The greatest correlation with `other` over the orientations of a photo, and true if that
    /// orientation is not the photo's own.
    fn correlation(positions: &[(bool, Views)], other: &Views) -> Option<(f32, bool)> {
        positions
            .iter()
            .filter(|(_, views)| dot(&views.coarse, &other.coarse) >= COARSE)
            .map(|(turned, views)| (dot(&views.fine, &other.fine), *turned))
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
    }

    fn positions(&self, photo: usize) -> Vec<(bool, Views)> {
        self.looks[photo].as_ref().map_or(Vec::new(), Views::all)
    }

    fn upright(&self, photo: usize) -> Option<Views> {
        Views::upright(self.looks[photo].as_ref()?)
    }
}

/// The correlation that thumbnails need at this cosine similarity for the photos to be
/// near-duplicates; `None` if no correlation suffices.
fn least_correlation(cosine: f32) -> Option<f32> {
    let steps = SAME.iter().filter(|(_, features)| cosine >= *features);
    steps.map(|&(picture, _)| picture).min_by(f32::total_cmp)
}

/// Joins the near-duplicates within `bucket`. `same` is called with a photo and the candidates that
/// are not yet joined to it.
fn join_same(
    bucket: &[u32],
    components: &Components,
    same: impl Fn(u32, &mut dyn Iterator<Item = u32>),
) {
    for (place, &one) in bucket.iter().enumerate() {
        let others = bucket[place + 1..].iter().copied();
        same(
            one,
            &mut others.filter(|&other| !components.joined(one, other)),
        );
    }
}

/// Groups of near-duplicates: calls `join` for buckets of neighbours in each of `spaces`.
fn grouped(
    count: usize,
    spaces: &[(&Points, &[u32])],
    progress: &dyn Progress,
    components: &Components,
    join: &(dyn Fn(&[u32]) + Sync),
) -> Vec<Vec<usize>> {
    // Overlapping runs, so that each photo meets its followers.
    let photos: Vec<u32> = (0..count as u32).collect();
    let starts = (0..count).into_par_iter().step_by(NEXT);
    starts.for_each(|from| join(&photos[from..(from + 2 * NEXT).min(count)]));
    for (points, members) in spaces {
        buckets(points, members, &|bucket| {
            join(bucket);
            progress.advance(bucket.len());
        });
    }
    components.of_several()
}

/// Number of progress steps that [`groups`] and [`groups_by_features`] take for `photos` photos.
pub(super) const fn steps(photos: usize, looked_at: bool) -> usize {
    let spaces = if looked_at { 2 } else { 1 };
    spaces * TREES * photos
}

/// Groups of near-duplicates, sorted by their first photos. `looks[i]` and row `i` of `features`
/// belong to one photo; a photo without a look is in no group.
pub fn groups(looks: &[Option<Look>], features: &Features, progress: &dyn Progress) -> Vec<Group> {
    let looks = &looks[..looks.len().min(features.len())];
    let photos = Photos::new(features);
    let pictures = Pictures::new(looks);
    let components = Components::new(looks.len());
    let join = |bucket: &[u32]| {
        join_same(bucket, &components, |one, others| {
            let first = one as usize;
            let mut positions = None;
            for second in others {
                let other = second as usize;
                if !pictures.may_correlate(first, other, SAME[2].0) {
                    continue;
                }
                let cosine = photos.cosine(first, other);
                let Some(least) = least_correlation(cosine) else {
                    continue;
                };
                if !pictures.may_correlate(first, other, least) {
                    continue;
                }
                let Some(upright) = pictures.upright(other) else {
                    continue;
                };
                let positions = positions.get_or_insert_with(|| pictures.positions(first));
                let found = Pictures::correlation(positions, &upright);
                if found.is_some_and(|(correlation, _)| correlation >= least) {
                    components.join(one, second);
                }
            }
        });
    };
    let (sketches, seen) = (photos.sketches(), &*pictures.seen);
    let spaces = [(&pictures.frequencies, seen), (&sketches, seen)];
    let found = grouped(looks.len(), &spaces, progress, &components, &join);
    let described = found.into_par_iter().map(|members| {
        let positions = pictures.positions(members[0]);
        let turned = members[1..].iter().any(|&other| {
            let upright = pictures.upright(other);
            let found = upright.and_then(|upright| Pictures::correlation(&positions, &upright));
            found.is_some_and(|(_, turned)| turned)
        });
        described_by(&photos, members, turned)
    });
    described.collect()
}

/// Groups of near-duplicates by features alone: most copies, but not mirrored or much smaller ones.
pub fn groups_by_features(features: &Features, progress: &dyn Progress) -> Vec<Group> {
    let photos = Photos::new(features);
    let components = Components::new(features.len());
    let join = |bucket: &[u32]| {
        join_same(bucket, &components, |one, others| {
            for other in others {
                if photos.cosine(one as usize, other as usize) >= SAME_FEATURES_ALONE {
                    components.join(one, other);
                }
            }
        });
    };
    let all: Vec<u32> = (0..features.len() as u32).collect();
    let spaces = [(&photos.sketches(), &*all)];
    let found = grouped(features.len(), &spaces, progress, &components, &join);
    let found = found.into_iter();
    found
        .map(|members| described_by(&photos, members, false))
        .collect()
}

fn described_by(photos: &Photos<'_>, members: Vec<usize>, turned: bool) -> Group {
    let others = members[1..].iter();
    let cosines = others.map(|&other| photos.cosine(members[0], other));
    Group {
        cosine: cosines.fold(1.0, f32::min),
        photos: members,
        turned,
    }
}

#[cfg(test)]
#[path = "near_duplicates_tests.rs"]
mod tests;
