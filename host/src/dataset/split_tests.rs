use proptest::prelude::*;

use super::*;
use crate::dataset::Format;

/// A data set of numbered photos.
pub(crate) fn dataset(labels: &[(&str, usize)]) -> Dataset {
    let names = labels.iter().flat_map(|(label, count)| {
        (0..*count).map(move |number| (*label, format!("{number}.jpg")))
    });
    named(&names.collect::<Vec<_>>())
}

/// A data set of named photos, label by label.
pub(crate) fn named(photos: &[(&str, String)]) -> Dataset {
    let mut labels: Vec<String> = Vec::new();
    let mut list = Vec::new();
    for (label, name) in photos {
        if labels.last().is_none_or(|last| last != label) {
            labels.push((*label).to_owned());
        }
        let relative = format!("{label}/{name}");
        list.push(Photo {
            path: format!("/somewhere/{relative}").into(),
            relative,
            label: labels.len() - 1,
            format: Format::Jpeg,
        });
    }
    Dataset {
        root: "/somewhere".into(),
        labels,
        photos: list,
        skipped: Vec::new(),
        warnings: Vec::new(),
    }
}

fn stable(dataset: &Dataset, seed: u64) -> Vec<Bucket> {
    split(dataset, &Rule::Stable { seed }, Percentages::default()).buckets
}

fn count(buckets: &[Bucket], bucket: Bucket) -> usize {
    buckets.iter().filter(|b| **b == bucket).count()
}

/// Python 3.11: the lines of `retrain.py` (googlecodelabs/tensorflow-for-poets-2, scripts) with
/// `hashlib`, `os.path.join(image_dir, relative)` as the path.
#[test]
fn codelab_is_retrain_py() {
    let cases = [
        (
            "tf_files/flower_photos",
            "daisy/21652746_cc379e0eea_m.jpg",
            51.669209090390865,
        ),
        (
            "tf_files/flower_photos",
            "roses/2414954629_3708a1a04d.jpg",
            38.20482371900099,
        ),
        (
            "tf_files/flower_photos/",
            "daisy/100080576_f52e8ee070_n.jpg",
            64.70230642484357,
        ),
        ("/home/anna/Fotos", "蒲公英/照片 1.JPG", 29.174326577591348),
        ("./flowers", "ورد/٣.jpeg", 87.99865534900617),
        (
            "flower_photos",
            "tulips/bed7_nohash_1.jpg",
            69.1395988251239,
        ),
        (
            "flower_photos",
            "tulips/bed7_nohash_22.jpg",
            69.1395988251239,
        ),
        ("my_nohash_photos", "tulips/a.jpg", 17.74435280072952),
        ("", "tulips/a.jpg", 44.64057568192911),
    ];
    for (image_dir, relative, expected) in cases {
        assert_eq!(
            codelab_percentage(image_dir, relative),
            expected,
            "{relative}"
        );
    }

    let dataset = dataset(&[("daisy", 5000)]);
    let rule = Rule::Codelab {
        image_dir: "tf_files/flower_photos".into(),
    };
    for (validation, testing, expected) in [
        (10, 10, [4012, 501, 487]),
        (0, 50, [2525, 0, 2475]),
        (33, 20, [2354, 1619, 1027]),
    ] {
        let percentages = Percentages::new(validation, testing).unwrap();
        let split = split(&dataset, &rule, percentages);
        let counts = [Bucket::Training, Bucket::Validation, Bucket::Testing]
            .map(|bucket| split.photos(bucket).count());
        assert_eq!(counts, expected);
    }
}

/// Python 3.11, `hashlib` and `struct`: the same formula over
/// `(struct.pack("<Q", seed) if seed else b"") + group.encode()`.
#[test]
fn stable_percentages_are_as_documented() {
    let cases = [
        (0, "daisy/21652746_cc379e0eea_m.jpg", 86.64239933075308),
        (1, "daisy/21652746_cc379e0eea_m.jpg", 11.631310072774514),
        (u64::MAX, "雏菊/a.jpg", 21.897493465971152),
        (0, "a_nohash_b/c", 82.03806267707095),
        (5, "roses/bed_nohash_3.jpg", 23.822933612934747),
    ];
    for (seed, relative, expected) in cases {
        assert_eq!(
            stable_percentage(seed, group_name(relative)),
            expected,
            "{relative}"
        );
    }
}

#[test]
fn the_place_of_the_data_set_does_not_matter() {
    let here = dataset(&[("daisy", 50), ("Daisy", 50), ("雏菊", 50)]);
    let mut there = here.clone();
    there.root = "/elsewhere".into();
    for photo in &mut there.photos {
        photo.path = format!("/elsewhere/{}", photo.relative).into();
    }
    assert_eq!(stable(&here, 0), stable(&there, 0));
    // Labels that differ only by case are two labels.
    let buckets = stable(&here, 0);
    assert_ne!(buckets[..50], buckets[50..100]);
}

#[test]
fn seeds_give_other_splits_of_the_same_shares() {
    let dataset = dataset(&[("daisy", 2000), ("roses", 2000)]);
    let first = stable(&dataset, 0);
    for seed in 1..4 {
        let other = stable(&dataset, seed);
        assert_eq!(other, stable(&dataset, seed));
        let moved = first.iter().zip(&other).filter(|(a, b)| a != b).count();
        // Independent splits of 80/10/10 differ on 34% of the photos.
        assert!((1200..1520).contains(&moved), "{moved}");
        for bucket in [Bucket::Validation, Bucket::Testing] {
            assert!((320..480).contains(&count(&other, bucket)));
        }
    }
}

#[test]
fn groups_stay_together() {
    let mut photos = Vec::new();
    for label in ["daisy", "tricky_nohash_label"] {
        for plant in 0..60 {
            for view in 0..5 {
                photos.push((label, format!("bed/plant{plant}_nohash_{view}.jpg")));
            }
        }
    }
    let dataset = named(&photos);
    for seed in 0..20 {
        let buckets = stable(&dataset, seed);
        for group in buckets.chunks(5) {
            assert!(group.iter().all(|bucket| *bucket == group[0]));
        }
        // A label's own name does not make all its photos one group.
        for label in buckets.chunks(300) {
            assert!(count(label, Bucket::Testing) < 150);
            assert!(count(label, Bucket::Testing) > 0);
        }
    }
}

#[test]
fn three_photos_fill_three_buckets() {
    let dataset = dataset(&[("a", 3), ("b", 3), ("ورد", 3), ("d", 4)]);
    for seed in 0..200 {
        let buckets = stable(&dataset, seed);
        for label in 0..4 {
            let of_label = dataset.photos.iter().zip(&buckets);
            let of_label: Vec<_> = of_label.filter(|(p, _)| p.label == label).collect();
            for bucket in [Bucket::Training, Bucket::Validation, Bucket::Testing] {
                assert!(
                    of_label.iter().any(|(_, b)| **b == bucket),
                    "{seed} {label} {bucket:?}"
                );
            }
        }
    }
}

#[test]
fn fewer_photos_train() {
    let dataset = dataset(&[("one", 1), ("two", 2)]);
    for seed in 0..200 {
        let buckets = stable(&dataset, seed);
        assert_eq!(buckets[0], Bucket::Training);
        assert!(buckets[1..].contains(&Bucket::Training));
    }
}

#[test]
fn a_share_of_nothing_gets_nothing() {
    let dataset = dataset(&[("daisy", 6)]);
    for seed in 0..50 {
        let percentages = Percentages::new(0, 20).unwrap();
        let split = split(&dataset, &Rule::Stable { seed }, percentages);
        assert_eq!(split.photos(Bucket::Validation).count(), 0);
        assert!(split.photos(Bucket::Testing).count() > 0);
    }
}

/// The groups that move are those nearest to the empty bucket, and no others.
#[test]
fn the_nearest_moves() {
    let fill = |places: &[f64]| {
        let percentages = Percentages::default();
        let mut groups: Vec<Group> = places
            .iter()
            .map(|&percentage| Group {
                name: "x",
                percentage,
                bucket: percentages.bucket(percentage),
            })
            .collect();
        fill_empty_buckets(&mut groups, percentages);
        groups.iter().map(|group| group.bucket).collect::<Vec<_>>()
    };
    use Bucket::{Testing as S, Training as T, Validation as V};
    assert_eq!(fill(&[50.0, 21.0, 30.0]), [T, S, V]);
    assert_eq!(fill(&[5.0, 15.0, 19.0]), [V, S, T]);
    assert_eq!(fill(&[5.0, 9.0, 50.0]), [V, S, T]);
    assert_eq!(fill(&[1.0, 2.0, 3.0]), [V, S, T]);
    assert_eq!(fill(&[5.0, 15.0, 50.0, 60.0]), [V, S, T, T]);
    assert_eq!(fill(&[12.0, 50.0, 60.0]), [S, V, T]);
    assert_eq!(fill(&[]), []);
}

/// Adding photos one by one moves others only where an empty bucket had been filled: the group that
/// filled it moves back, and a nearer one may replace it, for each of two buckets.
#[test]
fn adding_photos_moves_few() {
    let mut moved = 0;
    for seed in 0..30 {
        let mut before: Vec<Bucket> = Vec::new();
        for photos in 3..60 {
            let after = stable(&dataset(&[("daisy", photos)]), seed);
            let step = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            assert!(step <= 4, "seed {seed}, photo {photos}: {step} moved");
            if count(&before, Bucket::Validation) > 1 && count(&before, Bucket::Testing) > 1 {
                assert_eq!(step, 0, "seed {seed}, photo {photos}");
            }
            moved += step;
            before = after;
        }
    }
    println!("{moved} moves in 30 growing labels");
    assert!(moved <= 30 * 6, "{moved} moves in 30 growing labels");
}

#[test]
fn percentages_are_checked() {
    for (validation, testing, valid) in [
        (0, 0, true),
        (10, 10, true),
        (99, 0, true),
        (49, 50, true),
        (50, 50, false),
        (100, 0, false),
        (255, 255, false),
    ] {
        assert_eq!(Percentages::new(validation, testing).is_ok(), valid);
    }
    let message = Percentages::new(60, 40).unwrap_err().to_string();
    assert!(
        message.contains("validation 60% and testing 40%"),
        "{message}"
    );
}

proptest! {
    #[test]
    fn nobody_is_left_out(
        counts in prop::collection::vec(0..12usize, 1..5), seed: u64,
        validation in 0..50u8, testing in 0..50u8,
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let labels: Vec<_> = names.into_iter().zip(counts).filter(|(_, n)| *n > 0).collect();
        let dataset = dataset(&labels);
        let percentages = Percentages::new(validation, testing).unwrap();
        let buckets = split(&dataset, &Rule::Stable { seed }, percentages).buckets;
        prop_assert_eq!(buckets.len(), dataset.photos.len());
        for (label, (_, photos)) in labels.iter().enumerate() {
            let of_label: Vec<Bucket> = dataset.photos.iter().zip(&buckets)
                .filter(|(photo, _)| photo.label == label).map(|(_, b)| *b).collect();
            prop_assert!(of_label.contains(&Bucket::Training));
            if *photos >= 3 {
                prop_assert_eq!(of_label.contains(&Bucket::Validation), validation > 0);
                prop_assert_eq!(of_label.contains(&Bucket::Testing), testing > 0);
            }
        }
    }
}
