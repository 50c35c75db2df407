//! What is computed again and what is not.

use posy::features::cache::Cache;
use posy_tests::data;
use posy_tests::scratch::Scratch;
use serde_json::Value;

const PHOTOS: usize = 25;

/// Retrains; computed, from the cache.
fn counts(scratch: &Scratch) -> (u64, u64) {
    let json: Value = scratch.retrain("flowers", &["--json"]).succeeds().json();
    let count = |name: &str| json[name].as_u64().unwrap();
    (count("computed"), count("from_cache"))
}

#[test]
fn only_what_is_new_is_computed() {
    let Some(flowers) = data("only_what_is_new_is_computed", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], PHOTOS);
    let photos = PHOTOS as u64;
    assert_eq!(counts(&scratch), (2 * photos, 0));
    assert_eq!(counts(&scratch), (0, 2 * photos));

    // Another class.
    scratch.copy_photos(&flowers, "flowers", &["tulips"], PHOTOS);
    assert_eq!(counts(&scratch), (photos, 2 * photos));

    // A photo whose content is replaced under its name.
    let names = scratch.names("flowers/daisy");
    let others = std::fs::read_dir(flowers.join("sunflowers")).unwrap();
    let other = others.map(|entry| entry.unwrap().path()).min().unwrap();
    let bytes = std::fs::read(other).unwrap();
    scratch.write(format!("flowers/daisy/{}", names[7]), bytes);
    assert_eq!(counts(&scratch), (1, 3 * photos - 1));

    // A photo that moves is the same photo.
    let from = scratch.join(format!("flowers/daisy/{}", names[3]));
    std::fs::rename(from, scratch.join("flowers/daisy/renamed.jpg")).unwrap();
    assert_eq!(counts(&scratch), (0, 3 * photos));

    // Other preprocessing makes other features, and leaves the first ones in place.
    let centre = scratch.retrain("flowers", &["--json", "--crop", "centre"]);
    assert_eq!(centre.succeeds().json()["computed"], 3 * photos);
    assert_eq!(counts(&scratch), (0, 3 * photos));
}

#[test]
fn a_damaged_cache_is_moved_aside_and_named() {
    let Some(flowers) = data("a_damaged_cache_is_moved_aside", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 5);
    scratch.retrain("flowers", &[]).succeeds();
    let model = scratch.read("flowers.posy");
    assert_eq!(scratch.names("cache"), ["features.redb"]);

    let mut bytes = scratch.read("cache/features.redb");
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    scratch.write("cache/features.redb", &bytes);
    let outcome = scratch.retrain("flowers", &["--json"]).succeeds();
    let outcome = outcome.says(&["warning: feature cache", "features.redb.unusable"]);
    assert_eq!(outcome.json()["computed"], 10);
    assert_eq!(scratch.read("flowers.posy"), model);
    assert_eq!(
        scratch.names("cache"),
        ["features.redb", "features.redb.unusable"]
    );
}

#[test]
fn a_cache_that_cannot_be_used_is_named() {
    let Some(flowers) = data("a_cache_that_cannot_be_used_is_named", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 3);
    let open = Cache::open(&scratch.join("cache/features.redb")).unwrap();
    let text = "error: feature cache cache/features.redb is in use by another run of posy";
    scratch
        .retrain("flowers", &[])
        .fails(1, &[text, "wait until that has ended"]);
    drop(open);
    scratch.retrain("flowers", &[]).succeeds();

    std::fs::remove_dir_all(scratch.join("cache")).unwrap();
    scratch.write("cache", "a file in the folder's place");
    let text = "error: cannot open feature cache cache/features.redb";
    scratch
        .retrain("flowers", &[])
        .fails(1, &[text, "give another place"]);
}
