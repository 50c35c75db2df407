//! Calibration: ranges and means of a float network's activations on real photos.

use rayon::prelude::*;

use super::from_ranges::QuantiseError;
use crate::graph::network::{FloatNetwork, Quantisation};
use crate::runtime::float::{FloatError, FloatRunner};

/// Ranges and means of activations over the calibration photos.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeObserver {
    /// Minimum and maximum per layer and channel.
    pub channels: Vec<Vec<(f32, f32)>>,
    /// Mean per layer and channel.
    pub means: Vec<Vec<f64>>,
    /// Mean per channel of the network's input.
    pub input_means: Vec<f64>,
}

impl RangeObserver {
    /// Runs `photos`, each `[H, W, C]` in the network's input quantisation, on all cores.
    ///
    /// # Errors
    /// If there are no photos, or one does not fit the network.
    pub fn of(network: &FloatNetwork, photos: &[Vec<i8>]) -> Result<Self, QuantiseError> {
        if photos.is_empty() {
            return Err(QuantiseError::NoPhotos);
        }
        let runner = FloatRunner::of_every_layer(network)?;
        type Seen = (Vec<Vec<(f32, f32)>>, Vec<Vec<f64>>);
        let extremes = |photo: &Vec<i8>| -> Result<Seen, FloatError> {
            let layers = runner.run(photo)?;
            let widths = network
                .layers
                .iter()
                .map(|l| usize::from(l.common.output.channels));
            let layers = layers.iter().zip(widths);
            Ok(layers
                .map(|(values, width)| (by_channel(values, width), means(values, width)))
                .unzip())
        };
        let each: Vec<_> = photos.par_iter().map(extremes).collect::<Result<_, _>>()?;
        let (each, means_of_each): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        let input_width = network
            .layers
            .first()
            .map_or(0, |l| usize::from(l.common.input.channels));
        let inputs = photos.iter().map(|photo| {
            let Quantisation { scale, zero_point } = network.input;
            let real = |q: &i8| scale * (i32::from(*q) - zero_point) as f32;
            means(&photo.iter().map(real).collect::<Vec<f32>>(), input_width)
        });
        // Independent of threads: merging extremes is associative, and means are summed in the
        // order of the photos.
        let all = |layer: usize| each.iter().map(move |photo| &photo[layer]);
        let layers = 0..network.layers.len();
        Ok(Self {
            channels: layers
                .clone()
                .map(|layer| {
                    let merge = |mut sum: Vec<(f32, f32)>, photo: &Vec<(f32, f32)>| {
                        sum.iter_mut()
                            .zip(photo)
                            .for_each(|(s, p)| *s = union(*s, *p));
                        sum
                    };
                    all(layer).skip(1).fold(each[0][layer].clone(), merge)
                })
                .collect(),
            means: layers
                .clone()
                .map(|layer| mean_of(means_of_each.iter().map(|photo| &photo[layer])))
                .collect(),
            input_means: mean_of(inputs.collect::<Vec<_>>().iter()),
        })
    }

    /// Minimum and maximum per layer.
    pub fn ranges(&self) -> Vec<(f32, f32)> {
        let whole = |channels: &Vec<(f32, f32)>| channels.iter().copied().fold(NOTHING, union);
        self.channels.iter().map(whole).collect()
    }
}

/// The empty range.
const NOTHING: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

fn union(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Minimum and maximum per channel of a map, `[pixels, width]`.
fn by_channel(values: &[f32], width: usize) -> Vec<(f32, f32)> {
    let mut extremes = vec![NOTHING; width];
    for pixel in values.chunks_exact(width.max(1)) {
        extremes
            .iter_mut()
            .zip(pixel)
            .for_each(|(e, v)| *e = union(*e, (*v, *v)));
    }
    extremes
}

/// Mean per channel of a map, `[pixels, width]`.
fn means(values: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for pixel in values.chunks_exact(width.max(1)) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += f64::from(*value);
        }
    }
    let pixels = (values.len() / width.max(1)).max(1) as f64;
    sums.iter_mut().for_each(|sum| *sum /= pixels);
    sums
}

/// Element-wise mean of vectors of one length.
fn mean_of<'v>(vectors: impl Iterator<Item = &'v Vec<f64>>) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    let mut count = 0.0;
    for vector in vectors {
        sums.resize(vector.len(), 0.0);
        sums.iter_mut().zip(vector).for_each(|(sum, v)| *sum += v);
        count += 1.0;
    }
    sums.iter_mut().for_each(|sum| *sum /= count);
    sums
}
