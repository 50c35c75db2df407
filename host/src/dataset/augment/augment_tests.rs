use super::*;

/// 60 x 40 pixels: red encodes the column, green the row.
fn ramp() -> Rgb {
    let pixels = (0..40u8).flat_map(|y| (0..60u8).map(move |x| (x, y)));
    Rgb {
        width: 60,
        height: 40,
        data: pixels.flat_map(|(x, y)| [4 * x, 4 * y, 0]).collect(),
    }
}

const NOTHING: Recipe = Recipe {
    count: 64,
    flip_left_right: false,
    random_crop: 0,
    random_scale: 0,
    random_brightness: 0,
    random_aspect: 0,
    random_colour: 0,
    camera: false,
};

#[test]
fn a_recipe_of_nothing_changes_nothing() {
    let variants = NOTHING.variants(&ramp(), &[7; 32]);
    assert_eq!(variants.len(), 64);
    assert!(variants.iter().all(|variant| *variant == ramp()));
}

#[test]
fn variants_depend_on_content_recipe_and_number_alone() {
    let recipe = Recipe {
        camera: true,
        ..Recipe::default()
    };
    let once = recipe.variants(&ramp(), &[1; 32]);
    assert_eq!(recipe.variants(&ramp(), &[1; 32]), once);
    assert_ne!(recipe.variants(&ramp(), &[2; 32]), once);
    assert_ne!(once[0], once[2]);
    let more = Recipe { count: 2, ..recipe };
    assert_ne!(more.to_string(), recipe.to_string());
}

#[test]
fn half_are_mirrored() {
    let recipe = Recipe {
        flip_left_right: true,
        ..NOTHING
    };
    let variants = recipe.variants(&ramp(), &[7; 32]);
    let mirrored = variants.iter().filter(|variant| variant.data[0] == 4 * 59);
    assert_eq!(mirrored.count(), 32);
}

/// Sides by `retrain.py`'s formula: crop alone has one size at any place, scale a range of sizes.
#[test]
fn windows_have_the_sides_of_retrain_py() {
    let cropped = Recipe {
        random_crop: 25,
        ..NOTHING
    };
    let variants = cropped.variants(&ramp(), &[7; 32]);
    assert!(variants.iter().all(|v| (v.width, v.height) == (48, 32)));
    let corners = |v: &Rgb| (v.data[0] / 4, v.data[1] / 4);
    assert!(
        variants
            .iter()
            .any(|v| corners(v) == (0, 0) || corners(v).0 < 3)
    );
    assert!(variants.iter().any(|v| corners(v).0 > 9));
    assert!(
        variants
            .iter()
            .all(|v| corners(v).0 <= 12 && corners(v).1 <= 8)
    );
    let scaled = Recipe {
        random_scale: 50,
        ..NOTHING
    };
    let widths: Vec<u16> = scaled
        .variants(&ramp(), &[7; 32])
        .iter()
        .map(|v| v.width)
        .collect();
    assert!(
        widths.iter().all(|width| (40..=60).contains(width)),
        "{widths:?}"
    );
    assert!(widths.iter().any(|width| *width < 44) && widths.iter().any(|width| *width > 56));
}

#[test]
fn brightness_stays_in_its_range() {
    let recipe = Recipe {
        random_brightness: 20,
        ..NOTHING
    };
    let grey = Rgb {
        data: vec![100; 60 * 40 * 3],
        ..ramp()
    };
    let values: Vec<u8> = recipe
        .variants(&grey, &[7; 32])
        .iter()
        .map(|v| v.data[0])
        .collect();
    assert!(
        values.iter().all(|value| (80..=120).contains(value)),
        "{values:?}"
    );
    assert!(values.iter().any(|value| *value < 88) && values.iter().any(|value| *value > 112));
}
