use super::super::observer::Unmetered;
use super::*;

const WIDTH: usize = 4;
const OUTPUTS: usize = 5;

fn layer() -> Layer {
    Layer {
        weights: (0..OUTPUTS * WIDTH)
            .map(|i| ((i * 29) % 41) as f32 * 0.02 - 0.4)
            .collect(),
        bias: vec![0.3, -0.2, 0.5, 0.1, -0.4],
        clamp: (0.0, 6.0),
    }
}

fn head() -> Head {
    Head {
        weights: (0..3 * OUTPUTS)
            .map(|i| ((i * 17) % 23) as f32 * 0.05 - 0.55)
            .collect(),
        bias: vec![0.1, -0.1, 0.05],
    }
}

/// 6 photos of 3 pixels.
fn values(variants: usize) -> Vec<Vec<u8>> {
    let number = |i: usize| (((i * 37 + 11 * (i / 4)) % 200) as i32 - 128) as u8;
    (0..6)
        .map(|photo| {
            let map = (photo * 12..(photo + 1) * 12).map(number);
            (0..variants).flat_map(|_| map.clone()).collect()
        })
        .collect()
}

fn maps(values: &[Vec<u8>], variants: usize) -> Maps<'_> {
    Maps {
        values,
        variants,
        pixels: 3,
        channels: WIDTH,
        quantisation: Quantisation {
            scale: 0.05,
            zero_point: -128,
        },
    }
}

fn options() -> Options {
    Options {
        epochs: 8,
        batch: 6,
        layer_rate: 0.01,
        head_rate: 0.02,
        anchor: 0.01,
        penalty: 0.02,
        pixels: usize::MAX,
        dropout: 0.0,
        seed: 0,
    }
}

const LABELS: [usize; 6] = [0, 1, 2, 0, 1, 2];
const ALL: [usize; 6] = [0, 1, 2, 3, 4, 5];

/// Oracle: JAX 0.10.2's gradients and optax 0.2.8's `scale_by_adam`, the same rates, 8 steps of all
/// photos; half of the layer's outputs are clamped.
#[test]
fn steps_are_those_of_jax_and_optax() {
    let values = values(2);
    let maps = maps(&values, 2);
    let (layer, head) = train(
        &maps,
        &ALL,
        &LABELS,
        &layer(),
        &head(),
        &options(),
        &Unmetered,
    )
    .unwrap();
    #[rustfmt::skip]
    let expected = [
        -0.4, 0.18, -0.06, -0.3, 0.249109, 0.012574, -0.226349, 0.357499, 0.183818, -0.05592,
        -0.384581, 0.199686, 0.03434, -0.20533, 0.373084, 0.13886, -0.14, -0.38, 0.2, -0.04,
    ];
    assert_close(&layer.weights, &expected);
    assert_close(&layer.bias, &[0.3, -0.221215, 0.53726, 0.128241, -0.4]);
    #[rustfmt::skip]
    let expected = [
        -0.460353, 0.2533, -0.008852, -0.361677, 0.460353, 0.161001, -0.138366, -0.439235,
        0.57193, 0.111405, -0.014942, -0.327559, 0.527869, 0.198869, -0.06227,
    ];
    assert_close(&head.weights, &expected);
    assert_close(&head.bias, &[0.06563, -0.189387, 0.124162]);
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 2e-5, "{found} {expected}");
    }
}

#[test]
fn same_bits_whatever_the_number_of_threads() {
    let values = values(3);
    let maps = maps(&values, 3);
    let options = Options {
        batch: 4,
        dropout: 0.3,
        ..options()
    };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let train = || {
            train(
                &maps,
                &ALL,
                &LABELS,
                &layer(),
                &head(),
                &options,
                &Unmetered,
            )
            .unwrap()
        };
        pool.build().unwrap().install(train)
    };
    assert_eq!(with(1), with(3));
}

/// If all pixels are alike, the drawn subset makes no difference.
#[test]
fn pixels_that_are_drawn_stand_for_all() {
    let same: Vec<Vec<u8>> = values(1).iter().map(|map| map[..WIDTH].repeat(3)).collect();
    let train = |values: &[Vec<u8>], pixels| {
        let options = Options {
            pixels,
            ..options()
        };
        train(
            &maps(values, 1),
            &ALL,
            &LABELS,
            &layer(),
            &head(),
            &options,
            &Unmetered,
        )
        .unwrap()
    };
    let (all, some) = (train(&same, usize::MAX), train(&same, 2));
    // The order of batches differs, but each has all photos.
    for (found, expected) in some.0.weights.iter().zip(&all.0.weights) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
    let values = values(1);
    assert_ne!(train(&values, 2), train(&values, 3));
    assert_eq!(train(&values, 3), train(&values, usize::MAX));
}

#[test]
fn options_out_of_range_and_divergence_are_refused() {
    let values = values(1);
    let train = |options| {
        train(
            &maps(&values, 1),
            &ALL,
            &LABELS,
            &layer(),
            &head(),
            &options,
            &Unmetered,
        )
    };
    for wrong in [0.0, -1.0, f64::NAN, 1e30] {
        let options = Options {
            layer_rate: wrong,
            ..options()
        };
        assert!(matches!(train(options), Err(HeadError::Option { .. })));
    }
    let options = Options {
        layer_rate: 1.0,
        head_rate: 1e39,
        ..options()
    };
    assert!(matches!(train(options), Err(HeadError::Diverged { .. })));
}
