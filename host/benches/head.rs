//! Training time of the last layer on synthetic features, as many as the flower photos have: 3,670
//! photos, 1,024 features, 5 labels.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use posy::train::logistic::{self, Strength};
use posy::train::{Features, sgd};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Synthetic correlated features: 24 latent variables, of which the label shifts five, under a
/// fixed random mixture, clamped at zero, plus noise.
fn made_up(photos: usize, width: usize, labels: usize, seed: u64) -> Features {
    let mut mixture_rng = ChaCha8Rng::seed_from_u64(1);
    let causes = 24;
    let mixture: Vec<f32> = (0..causes * width)
        .map(|_| mixture_rng.random_range(-1.0..1.0))
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(photos * width);
    let truths: Vec<usize> = (0..photos).map(|photo| photo % labels).collect();
    for &truth in &truths {
        let cause: Vec<f32> = (0..causes)
            .map(|at| rng.random_range(-1.0..1.0) + f32::from(u8::from(at % labels == truth)) * 0.4)
            .collect();
        for feature in 0..width {
            let mixed: f32 = (0..causes)
                .map(|at| cause[at] * mixture[at * width + feature])
                .sum();
            values.push(mixed.max(0.0) + rng.random_range(0.0..1.0));
        }
    }
    Features::new(width, values, truths).expect("as many values as photos x width")
}

fn training(bench: &mut Criterion) {
    let training = made_up(2934, 1024, 5, 2);
    let validation = made_up(368, 1024, 5, 3);
    let mut group = bench.benchmark_group("head");
    group.sample_size(10);
    group.bench_function("logistic, one strength", |bench| {
        bench.iter(|| {
            logistic::train(black_box(&training), &validation, 5, Strength::Fixed(0.01))
                .expect("trainable")
        });
    });
    group.bench_function("logistic, strength chosen", |bench| {
        bench.iter(|| {
            logistic::train(black_box(&training), &validation, 5, Strength::default())
                .expect("trainable")
        });
    });
    group.bench_function("gradient descent, 4000 steps", |bench| {
        let options = sgd::Options::default();
        bench.iter(|| {
            sgd::train(black_box(&training), &validation, 5, &options, |_| {}).expect("trainable")
        });
    });
    group.finish();
}

criterion_group!(benches, training);
criterion_main!(benches);
