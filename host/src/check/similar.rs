//! Pairs of photos that show the same picture.
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

use rayon::prelude::*;

use super::loo::dot;
use super::look::{BLANK, Look, PIXELS, SIDE};
use crate::head::Features;

/// Two photos that show the same picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Indices of the photos, the lesser first.
    pub photos: [usize; 2],
    /// Correlation of the small pictures, `-1..=1`; none where features alone were compared.
    pub correlation: Option<f32>,
    /// Cosine of the features, `-1..=1`.
    pub cosine: f32,
    /// Whether one is the other turned or mirrored.
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

/// Rows of length one. (Not less their mean: the mean of a few photos says more of those photos
/// than of pictures.)
fn directions(features: &Features) -> Vec<Vec<f32>> {
    features
        .rows()
        .map(|(row, _)| {
            let length = dot(row, row).sqrt().max(f32::MIN_POSITIVE);
            row.iter().map(|value| value / length).collect()
        })
        .collect()
}

fn is_same(correlation: f32, cosine: f32) -> bool {
    let mut steps = SAME.iter();
    steps.any(|&(picture, features)| correlation >= picture && cosine >= features)
}

/// Pairs of photos that show the same picture, in the order of their photos. `looks[i]` and row `i`
/// of `features` are of one photo; a photo without a look is in no pair.
pub fn pairs(looks: &[Option<Look>], features: &Features) -> Vec<Pair> {
    let directions = directions(features);
    let upright: Vec<Option<Views>> = looks
        .par_iter()
        .map(|look| Views::upright(look.as_ref()?))
        .collect();
    let find = |first: usize, look: &Look| -> Vec<Pair> {
        let positions = Views::all(look);
        let later = upright.iter().enumerate().skip(first + 1);
        later
            .filter_map(|(second, other)| {
                let other = other.as_ref()?;
                let (correlation, turned) = positions
                    .iter()
                    .filter(|(_, views)| dot(&views.coarse, &other.coarse) >= COARSE)
                    .map(|(turned, views)| (dot(&views.fine, &other.fine), *turned))
                    .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
                let cosine = dot(&directions[first], &directions[second]);
                is_same(correlation, cosine).then_some(Pair {
                    photos: [first, second],
                    correlation: Some(correlation),
                    cosine,
                    turned,
                })
            })
            .collect()
    };
    let count = looks.len().min(directions.len());
    let found = looks[..count].par_iter().enumerate();
    found
        .flat_map_iter(|(first, look)| look.as_ref().map_or(Vec::new(), |look| find(first, look)))
        .collect()
}

/// Pairs whose features alone tell that they show the same picture: most copies, but not those that
/// are mirrored or much smaller.
pub fn pairs_by_features(features: &Features) -> Vec<Pair> {
    let directions = directions(features);
    let find = |first: usize| {
        let directions = &directions;
        (first + 1..directions.len()).filter_map(move |second| {
            let cosine = dot(&directions[first], &directions[second]);
            (cosine >= SAME_FEATURES_ALONE).then_some(Pair {
                photos: [first, second],
                correlation: None,
                cosine,
                turned: false,
            })
        })
    };
    let firsts = (0..directions.len()).into_par_iter();
    firsts.flat_map_iter(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photos::Format;
    use crate::photos::facts::Facts;

    fn look(picture: [u8; PIXELS]) -> Option<Look> {
        Some(Look {
            facts: Facts {
                format: Format::Jpeg,
                width: 320,
                height: 240,
                turned: false,
                inks: false,
                deep: false,
                grey: false,
                animated: false,
            },
            colourless: false,
            picture,
        })
    }

    fn scene(y: usize, x: usize) -> u8 {
        (y * 5 + x * x / 10 + (y / 7 * 11 + x / 5 * 23) % 60) as u8
    }

    fn picture(f: impl Fn(usize, usize) -> u8) -> [u8; PIXELS] {
        std::array::from_fn(|at| f(at / SIDE, at % SIDE))
    }

    #[test]
    fn turned_copies_are_found_and_flat_pictures_are_not_compared() {
        const END: usize = SIDE - 1;
        let looks = [
            look(picture(scene)),
            look(picture(|y, x| scene(y, END - x))),
            look(picture(|y, x| scene(x, END - y))),
            look(picture(|y, x| 255 - scene(y, x))),
            look([7; PIXELS]),
            look([7; PIXELS]),
            None,
        ];
        let features = Features::new(2, [1.0, 0.5].repeat(7), vec![0; 7]).unwrap();
        let found = pairs(&looks, &features);
        let photos: Vec<[usize; 2]> = found.iter().map(|pair| pair.photos).collect();
        assert_eq!(photos, [[0, 1], [0, 2], [1, 2]]);
        assert!(found.iter().all(|pair| pair.turned));

        // Features of other things: not the same, whatever the small pictures say.
        let other = Features::new(2, vec![1.0, 0.0, 0.0, 1.0], vec![0; 2]).unwrap();
        assert_eq!(pairs(&[looks[0].clone(), looks[0].clone()], &other), []);
    }

    #[test]
    fn features_alone_find_what_is_all_but_equal() {
        let features = Features::new(2, vec![1.0, 0.0, 2.0, 0.1, 0.0, 1.0], vec![0; 3]).unwrap();
        let found = pairs_by_features(&features);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].photos, [0, 1]);
    }
}
