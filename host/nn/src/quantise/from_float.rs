//! Post-training quantisation of a float network with photos.

use super::bias_correction::correct_biases;
use super::equalise::equalise;
use super::from_ranges::{QuantiseError, from_float};
use super::gptq::gptq_round;
use super::moments::Moments;
use super::observe::RangeObserver;
use super::ranges::Histogram;
use crate::graph::network::{FloatNetwork, IntNetwork};

/// Quantises a network with `photos`, each `[H, W, C]` in the network's input quantisation:
/// equalises channels, chooses activation ranges, rounds weights by GPTQ and corrects biases. The
/// same photos in the same order give the same network.
///
/// # Errors
/// [`QuantiseError`].
pub fn from_photos(
    network: &FloatNetwork,
    photos: &[Vec<i8>],
) -> Result<IntNetwork, QuantiseError> {
    let mut observed = RangeObserver::of(network, photos)?;
    let mut alike = network.clone();
    if equalise(&mut alike, &observed) > 0 {
        observed = RangeObserver::of(&alike, photos)?;
    }
    let seen = Moments::of(&alike, &observed.ranges(), photos)?;
    let (moments, histograms): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
    let ranges: Vec<_> = histograms.iter().map(Histogram::best_range).collect();
    let mut int = from_float(&alike, &ranges)?;
    gptq_round(&mut int, &alike, &moments);
    correct_biases(&mut int, &alike, &observed);
    Ok(int)
}
