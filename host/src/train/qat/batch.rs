//! Batches: which views of which photos, and their mixture (mixup).
//!
//! Zhang, Cisse, Dauphin and Lopez-Paz 2018, "mixup: Beyond Empirical Risk Minimization"; here maps
//! before the first trained layer are mixed, as in manifold mixup (Verma et al. 2019).

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Maps;

/// One of the views of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Index of the photo.
    pub photo: usize,
    /// Number of the view; the photo as it is has 0.
    pub view: usize,
}

/// A mixture of two views.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// The views.
    pub views: [View; 2],
    /// Share of the first.
    pub share: f32,
}

/// The mixtures of an epoch, each photo once as the first view; what is drawn depends on `seed` and
/// `epoch` alone. `mixup` is the parameter of the beta distribution, 0 for none.
pub fn draw(
    maps: &Maps<'_>,
    training: &[usize],
    (seed, epoch): (u64, usize),
    mixup: f64,
) -> Vec<Mixture> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch as u64 + 1);
    let mut some = || {
        let mut order = training.to_vec();
        order.shuffle(&mut random);
        let view = |photo| View {
            photo,
            view: random.random_range(0..maps.views(photo)),
        };
        order.into_iter().map(view).collect::<Vec<_>>()
    };
    let (first, second) = (some(), some());
    let pairs = first.into_iter().zip(second);
    pairs
        .map(|(a, b)| Mixture {
            views: [a, b],
            share: match mixup > 0.0 {
                true => beta(mixup, &mut random) as f32,
                false => 1.0,
            },
        })
        .collect()
}

/// A number of the symmetric beta distribution, by Jöhnk's method.
fn beta(parameter: f64, random: &mut impl Rng) -> f64 {
    loop {
        let mut some = || random.random::<f64>().powf(1.0 / parameter);
        let (a, b) = (some(), some());
        if a + b > 0.0 && a + b <= 1.0 {
            return a / (a + b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beta_distribution_has_its_mean_and_variance() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for parameter in [0.2, 0.5] {
            let some: Vec<f64> = (0..20_000).map(|_| beta(parameter, &mut random)).collect();
            let mean = some.iter().sum::<f64>() / some.len() as f64;
            let squares: f64 = some.iter().map(|x| (x - 0.5).powi(2)).sum();
            let variance = 0.25 / (2.0 * parameter + 1.0);
            assert!((mean - 0.5).abs() < 0.01, "{mean}");
            assert!((squares / some.len() as f64 / variance - 1.0).abs() < 0.03);
        }
    }
}
