use std::io::Cursor;

use image::DynamicImage;
use image::imageops::FilterType;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::dataset::Format;
use crate::dataset::headers::Facts;
use crate::features::extract::Extractor;
use crate::features::extractors::IntExtractor;
use crate::features::progress::Silent;
use crate::features::testing::{data, smallest};
use crate::lint::appearance::LookExtractor;

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

/// Components over all pairs for which `same` is true.
fn exact(count: usize, same: impl Fn(usize, usize) -> bool + Sync) -> Vec<Vec<usize>> {
    let components = Components::new(count);
    (0..count).into_par_iter().for_each(|one| {
        for other in one + 1..count {
            if same(one, other) {
                components.join(one as u32, other as u32);
            }
        }
    });
    components.of_several()
}

/// The groups by an exhaustive search: all pairs in all orientations.
fn exact_groups(looks: &[Option<Look>], features: &Features) -> Vec<Vec<usize>> {
    let photos = Photos::new(features);
    let views = looks.par_iter();
    type Seen = (Vec<(bool, Views)>, Option<Views>);
    let views: Vec<Seen> = views
        .map(|look| match look {
            Some(look) => (Views::all(look), Views::upright(look)),
            None => (Vec::new(), None),
        })
        .collect();
    exact(looks.len(), |one, other| {
        let Some(upright) = &views[other].1 else {
            return false;
        };
        let found = Pictures::correlation(&views[one].0, upright);
        let cosine = photos.cosine(one, other);
        let mut steps = SAME.iter();
        found.is_some_and(|(correlation, _)| {
            steps.any(|&(picture, features)| correlation >= picture && cosine >= features)
        })
    })
}

fn members(groups: Vec<Group>) -> Vec<Vec<usize>> {
    groups.into_iter().map(|group| group.photos).collect()
}

#[test]
fn turned_copies_are_found_and_flat_pictures_are_not_compared() {
    const END: usize = SIDE - 1;
    let looks = [
        look(picture(scene)),
        look(picture(|y, x| 255 - scene(y, x))),
        look(picture(|y, x| scene(y, END - x))),
        look(picture(|y, x| scene(x, END - y))),
        look([7; PIXELS]),
        look([7; PIXELS]),
        None,
    ];
    let features = Features::new(2, [1.0, 0.5].repeat(7), vec![0; 7]).unwrap();
    let found = groups(&looks, &features, &Silent);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].photos, [0, 2, 3]);
    assert!(found[0].turned && found[0].cosine > 0.999);

    // Different features: no near-duplicates, whatever the thumbnails say.
    let other = Features::new(2, vec![1.0, 0.0, 0.0, 1.0], vec![0; 2]).unwrap();
    let twice = [looks[0].clone(), looks[0].clone()];
    assert_eq!(groups(&twice, &other, &Silent), []);
}

#[test]
fn features_alone_find_what_is_all_but_equal() {
    let features = Features::new(2, vec![1.0, 0.0, 2.0, 0.1, 0.0, 1.0], vec![0; 3]).unwrap();
    let found = groups_by_features(&features, &Silent);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].photos, [0, 1]);
    assert!(!found[0].turned && found[0].cosine < 1.0);
}

#[test]
fn frequencies_bring_no_two_pictures_farther_apart() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let looks: Vec<Look> = (0..40)
        .map(|_| {
            let (a, b, c): (u8, u8, u8) = random.random();
            let noise: u8 = random.random_range(1..60);
            let wave = |y: usize, x: usize| usize::from(a) * y + usize::from(b) * x * y / 9;
            let mut picture = picture(|y, x| (wave(y, x) / 40) as u8 ^ (c / 4));
            let mut add =
                |value: &mut u8| *value = value.wrapping_add(random.random_range(0..noise));
            picture.iter_mut().for_each(&mut add);
            look(picture).unwrap()
        })
        .collect();
    let distance = |a: &[f32], b: &[f32]| {
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f32>().sqrt()
    };
    for one in &looks {
        for other in &looks {
            let upright = Views::upright(other).unwrap().fine;
            let there = frequencies(&upright);
            for (_, position) in Views::all(one) {
                let bound = distance(&position.fine, &upright);
                let found = distance(&frequencies(&position.fine), &there);
                assert!(found <= bound + 1e-4, "{found} {bound}");
            }
        }
    }
}

/// Bursts, copies and slow drifts among many other photos of the same kind.
#[test]
fn groups_are_those_of_the_exact_search() {
    const WIDTH: usize = 96;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut rows: Vec<Vec<f32>> = Vec::new();
    // Kinds of photos that resemble each other, as those of one label do.
    let kinds: Vec<Vec<f32>> = (0..20)
        .map(|_| (0..WIDTH).map(|_| random.random::<f32>().powi(3)).collect())
        .collect();
    let mut near = |row: &[f32], noise: f32| -> Vec<f32> {
        let near = row
            .iter()
            .map(|x| x + noise * (random.random::<f32>() - 0.5));
        near.map(|x| x.max(0.0)).collect()
    };
    for photo in 0..2500 {
        rows.push(near(&kinds[photo % 20], 0.6));
    }
    for copy in 0..1000 {
        rows.push(near(&rows[copy * 2], 0.02 + 0.0003 * copy as f32));
    }
    for _ in 0..300 {
        rows.push(near(&rows[rows.len() - 1], 0.2));
    }
    for _ in 0..300 {
        rows.push(near(&rows[5], 0.05));
    }
    // Names carry no information about neighbours.
    let order = rand::seq::index::sample(&mut random, rows.len(), rows.len());
    let values = order.iter().flat_map(|photo| rows[photo].clone()).collect();
    let features = Features::new(WIDTH, values, vec![0; rows.len()]).unwrap();
    let photos = Photos::new(&features);
    let expected = exact(rows.len(), |one, other| {
        photos.cosine(one, other) >= SAME_FEATURES_ALONE
    });
    let sizes: Vec<usize> = expected.iter().map(Vec::len).collect();
    assert!(expected.len() > 600, "{sizes:?}");
    assert!(sizes.iter().any(|&size| size > 300), "{sizes:?}");
    assert_eq!(members(groups_by_features(&features, &Silent)), expected);
}

/// A photo, and an altered copy of it.
fn altered(bytes: &[u8], number: usize) -> Vec<u8> {
    let image = image::load_from_memory(bytes).unwrap();
    let scaled = |image: &DynamicImage, numerator: u32, denominator: u32| {
        let side = |side: u32| (side * numerator / denominator).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        image.resize_exact(width, height, FilterType::Triangle)
    };
    let (image, quality) = match number % 6 {
        0 => (image, 35),
        1 => (scaled(&image, 4, 5), 95),
        2 => (scaled(&image, 1, 2), 85),
        3 => (image.fliph(), 90),
        4 => (image.rotate90(), 80),
        _ => (scaled(&image.fliph(), 1, 2), 50),
    };
    let mut bytes = Cursor::new(Vec::new());
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    image.to_rgb8().write_with_encoder(encoder).unwrap();
    bytes.into_inner()
}

/// Photos of flowers and altered copies of them, by features and looks, and by features alone. All
/// photos and 1,000 copies in the full test run; every eighth otherwise.
#[test]
fn groups_of_flowers_are_those_of_the_exact_search() {
    let test = "groups_of_flowers_are_those_of_the_exact_search";
    let (Some(flowers), Some((backbone, bytes))) = (data(test, "flower_photos"), smallest(test))
    else {
        return;
    };
    let step = match std::env::var_os("POSY_TESTS_ALL") {
        Some(_) => 1,
        None => 8,
    };
    let mut paths: Vec<_> = walkdir::WalkDir::new(flowers)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    paths.sort();
    let photos: Vec<Vec<u8>> = paths
        .iter()
        .step_by(step)
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let extractor = IntExtractor::new(&bytes).unwrap();
    let copies = (1000 / step).min(photos.len());
    let seen: Vec<(Vec<u8>, Vec<u8>)> = (0..photos.len() + copies)
        .into_par_iter()
        .map(|number| {
            let bytes = match number.checked_sub(photos.len()) {
                None => photos[number].clone(),
                Some(copy) => altered(&photos[copy], copy),
            };
            let features = extractor.compute(&bytes).unwrap();
            (features, LookExtractor.compute(&bytes).unwrap())
        })
        .collect();
    let looks: Vec<Option<Look>> = seen
        .iter()
        .map(|(_, look)| Look::from_bytes(look))
        .collect();
    let values: Vec<i8> = seen
        .iter()
        .flat_map(|(row, _)| row)
        .map(|&x| x as i8)
        .collect();
    let width = seen[0].0.len();
    let features = Features::from_int8(width, &values, vec![0; seen.len()], backbone.features());
    let features = features.unwrap();

    let expected = exact_groups(&looks, &features);
    assert!(
        expected.len() * 10 > copies * 8,
        "{} {copies}",
        expected.len()
    );
    assert_eq!(members(groups(&looks, &features, &Silent)), expected);
    let photos = Photos::new(&features);
    let expected = exact(seen.len(), |one, other| {
        photos.cosine(one, other) >= SAME_FEATURES_ALONE
    });
    assert!(!expected.is_empty());
    assert_eq!(members(groups_by_features(&features, &Silent)), expected);
}
