//! Photos that show the same picture.
//!
//! Two measures are taken of each pair: the correlation of their small pictures
//! ([`Look::picture`]), the greatest over the eight ways of turning and mirroring a square; and
//! the cosine of their features. What each says of photos of flowers (MobileNet v1 0.50_224; 1,229
//! photos, 754,606 pairs, and altered copies of ten of them):
//!
//! | pairs | correlation | cosine |
//! |---|---|---|
//! | copies: compressed strongly, halved, enlarged, mirrored, all of it | 0.993 to 1.000 | 0.87 to 0.998 |
//! | two shots of one scene, moments apart | 0.954, 0.992, 0.998 | 0.97, 0.98, 0.82 |
//! | the most similar of other photos, by correlation | 0.965 | 0.55 |
//! | the most similar of other photos, by cosine | 0.71 | 0.954 |
//!
//! The small pictures alone would take plain pictures of like things on white ground for the same,
//! the features alone two daisies in one light; together they do not.
//!
//! Photos that are the same as another by way of others are one group (single linkage). Which photos
//! are compared at all, the [`forest`](super::forest)s of their features and of their small pictures say.

use rayon::prelude::*;

use super::components::Components;
use super::forest::{Points, TREES, buckets};
use super::loo::dot;
use super::look::{BLANK, Look, PIXELS, SIDE};
use crate::features::progress::Progress;
use crate::head::Features;

/// Photos that show the same picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Indices of the photos, rising, two or more.
    pub photos: Vec<usize>,
    /// The least cosine of features of the first photo and another, `-1..=1`.
    pub cosine: f32,
    /// Whether one of the others is the first turned or mirrored.
    pub turned: bool,
}

/// Pairs of correlation and cosine from which on two photos show the same picture. The cosine of the
/// first is that of any two photos of flowers: it is for copies that are turned or have lost their
/// detail, whose features differ. The last is for shots that are moments apart.
const SAME: [(f32, f32); 3] = [(0.99, 0.5), (0.98, 0.7), (0.9, 0.93)];
/// Cosine at which features alone tell the same picture.
const SAME_FEATURES_ALONE: f32 = 0.97;
/// Width of the still smaller pictures that are compared first, and the correlation that they need.
const COARSE_SIDE: usize = 8;
const COARSE: f32 = 0.85;
/// Photos that each photo is compared with in any case: those that follow it by name, as photos taken
/// one after another do.
const NEXT: usize = 8;
/// Frequencies in each direction that [`frequencies`] has.
const FREQUENCIES: usize = 8;
/// What rounding may add to a squared distance of [`frequencies`].
const ROUNDING: f32 = 1e-3;

/// Values less their mean, of length one; none of values that hardly differ.
fn normalised(values: impl Iterator<Item = f32>) -> Option<Vec<f32>> {
    let mut values: Vec<f32> = values.collect();
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    values.iter_mut().for_each(|value| *value -= mean);
    let length = dot(&values, &values).sqrt();
    let deviation = length / (values.len().max(1) as f32).sqrt();
    values.iter_mut().for_each(|value| *value /= length);
    (f64::from(deviation) >= BLANK).then_some(values)
}

/// A small picture in the sizes that are compared.
struct Views {
    fine: Vec<f32>,
    coarse: Vec<f32>,
}

impl Views {
    /// Of `picture`, `[SIDE, SIDE]`, with the pixel for each place found by `from`.
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

    /// In all eight positions, and whether each is another than the photo's own.
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

/// How strong the low frequencies of a small picture are, in numbers that are the same however it is
/// turned or mirrored: of its cosine transform (DCT-II, orthonormal) the magnitudes, of each two that
/// a change of rows and columns exchanges the greater first. Two pictures are no farther apart here than in
/// any of their positions, since each of these steps brings no two points farther from each other.
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
        // The mean, which is zero, is left out.
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

/// Photos, and what they are compared by.
struct Photos<'a> {
    features: &'a Features,
    /// What brings a photo's features to length one. (Not less their mean: the mean of a few photos says
    /// more of those photos than of pictures.)
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
        // The same bits whichever is named first.
        product * (self.scales[one] * self.scales[other])
    }

    fn sketches(&self) -> Points {
        let features = self.features;
        Points::sketch(features.values(), features.width(), &self.scales)
    }
}

/// Small pictures and what finds those that are alike.
struct Pictures<'a> {
    looks: &'a [Option<Look>],
    /// [`frequencies`] of each, `[N, FREQUENCIES^2 - 1]`; zeros where there is no picture.
    frequencies: Points,
    /// Photos that have a picture.
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

    /// Whether two photos may correlate as much, by their frequencies.
    fn may_correlate(&self, one: usize, other: usize, least: f32) -> bool {
        let [one, other] = [one, other].map(|photo| self.frequencies.row(photo as u32));
        let squares = one.iter().zip(other).map(|(a, b)| (a - b) * (a - b));
        squares.sum::<f32>() <= 2.0 * (1.0 - least) + ROUNDING
    }

    /// The greatest correlation of a photo in any position with another, and whether that is another
    /// position than its own.
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

/// The correlation that small pictures of photos with this cosine need, to be the same.
fn least_correlation(cosine: f32) -> Option<f32> {
    let steps = SAME.iter().filter(|(_, features)| cosine >= *features);
    steps.map(|&(picture, _)| picture).min_by(f32::total_cmp)
}

/// Joins those of the photos `bucket` that are the same. `same` is given a photo and all that may
/// be the same and are not joined to it yet.
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

/// The groups that `join` makes of buckets of photos that are near each other in one of `spaces`.
fn grouped(
    count: usize,
    spaces: &[(&Points, &[u32])],
    progress: &dyn Progress,
    components: &Components,
    join: &(dyn Fn(&[u32]) + Sync),
) -> Vec<Vec<usize>> {
    // Runs that overlap, so that each photo meets those that follow it.
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

/// Steps of progress that [`groups`] and [`groups_by_features`] take for so many photos.
pub(super) const fn steps(photos: usize, looked_at: bool) -> usize {
    let spaces = if looked_at { 2 } else { 1 };
    spaces * TREES * photos
}

/// Groups of photos that show the same picture, in the order of their first photos. `looks[i]` and row
/// `i` of `features` are of one photo; a photo without a look is in no group.
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

/// Groups of photos whose features alone tell that they show the same picture: most copies, but not
/// those that are mirrored or much smaller.
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
#[path = "similar_tests.rs"]
mod tests;
