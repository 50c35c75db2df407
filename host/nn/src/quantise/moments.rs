//! Second moments of the inputs of each layer, and histograms of its outputs, over photos.

use posy_shared::model::Op;
use rayon::prelude::*;

use super::ranges::Histogram;
use crate::graph::network::{Common, FloatNetwork, Quantisation};
use crate::runtime::float::{FloatError, FloatRunner};

/// Windows sampled per layer and photo, spread evenly over its map; 128 photos then give four times
/// as many as the widest layer has weights per channel.
const WINDOWS: usize = 32;
/// Number of photos whose maps are in memory at once.
const TOGETHER: usize = 8;

/// Inputs of a layer up to which its moments are kept, `[n, n]` numbers, and its weights rounded together.
const MOST_INPUTS: usize = 1280;

/// Second moments: sums over windows of products of the inputs of one output channel's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Number of weights per channel, n.
    pub side: usize,
    /// Upper triangles (with diagonal) of `[n, n]` matrices: one per channel of a depthwise layer,
    /// else one for all channels. Empty for layers without weights.
    pub sums: Vec<f32>,
}

impl Moments {
    fn none(common: &Common) -> Self {
        let inputs = usize::from(common.input.channels);
        let (side, count) = match common.op {
            Op::Conv3x3 => (9 * inputs, 1),
            Op::Depthwise3x3 => (9, inputs),
            // A classifier that reads a whole map has too many weights to round them together.
            Op::Pointwise | Op::Dense if inputs > MOST_INPUTS => (0, 0),
            Op::Pointwise | Op::Dense => (inputs, 1),
            Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => (0, 0),
        };
        Moments {
            side,
            sums: vec![0.0; side * side * count],
        }
    }

    /// Moments of every layer of `network` over `photos`, each `[H, W, C]` in the network's input
    /// quantisation, and histograms of its outputs within `ranges`. The result does not depend on
    /// the number of threads.
    ///
    /// # Errors
    /// If a photo does not fit the network.
    pub fn of(
        network: &FloatNetwork,
        ranges: &[(f32, f32)],
        photos: &[Vec<i8>],
    ) -> Result<Vec<(Self, Histogram)>, FloatError> {
        let runner = FloatRunner::of_every_layer(network)?;
        let commons: Vec<&Common> = network.layers.iter().map(|layer| &layer.common).collect();
        let mut seen: Vec<(Moments, Histogram)> = commons
            .iter()
            .zip(ranges)
            .map(|(common, range)| (Moments::none(common), Histogram::new(*range)))
            .collect();
        let Quantisation { scale, zero_point } = network.input;
        let real = |q: &i8| scale * (i32::from(*q) - zero_point) as f32;
        for (chunk, some) in photos.chunks(TOGETHER).enumerate() {
            let maps = |photo: &Vec<i8>| {
                let mut maps = vec![photo.iter().map(real).collect()];
                maps.extend(runner.run(photo)?);
                Ok::<Vec<Vec<f32>>, FloatError>(maps)
            };
            let maps: Vec<Vec<Vec<f32>>> = some.par_iter().map(maps).collect::<Result<_, _>>()?;
            seen.par_iter_mut()
                .enumerate()
                .for_each(|(layer, (moments, histogram))| {
                    for (place, maps) in maps.iter().enumerate() {
                        // A layer reads the output of the layer before.
                        moments.add(commons[layer], &maps[layer], chunk * TOGETHER + place);
                        histogram.add(&maps[layer + 1]);
                    }
                });
        }
        Ok(seen)
    }

    /// Adds windows of the layer's input map `[H, W, C]`; `number` determines where the first one
    /// lies.
    fn add(&mut self, common: &Common, map: &[f32], number: usize) {
        if self.sums.is_empty() {
            return;
        }
        let (height, width) = (
            usize::from(common.output.height),
            usize::from(common.output.width),
        );
        let windows = height * width;
        let step = windows.div_ceil(WINDOWS).max(1);
        // A step of one row would sample a single column.
        let step = if step > 1 && step.is_multiple_of(width) {
            step + 1
        } else {
            step
        };
        let mut window = vec![0.0; self.sums.len() / self.side];
        for place in (number % step..windows).step_by(step) {
            read(common, map, [place / width, place % width], &mut window);
            for (sums, window) in self
                .sums
                .chunks_exact_mut(self.side * self.side)
                .zip(window.chunks_exact(self.side))
            {
                for (row, &a) in window.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                    let sums = &mut sums[row * self.side + row..][..self.side - row];
                    for (sum, b) in sums.iter_mut().zip(&window[row..]) {
                        *sum += a * b;
                    }
                }
            }
        }
    }
}

/// Inputs of the weights for the output pixel `at`, row and column, in the weights' order (im2col);
/// for a depthwise layer nine numbers per channel.
fn read(common: &Common, map: &[f32], at: [usize; 2], window: &mut [f32]) {
    let inputs = usize::from(common.input.channels);
    let (height, width) = (
        usize::from(common.input.height),
        usize::from(common.input.width),
    );
    if !common.op.is_window() {
        let pixel = (at[0] * width + at[1]) * inputs;
        window.copy_from_slice(&map[pixel..][..inputs]);
        return;
    }
    let depthwise = common.op == Op::Depthwise3x3;
    for tap in 0..9 {
        let [row, column] = [
            (at[0], tap / 3, common.padding.top),
            (at[1], tap % 3, common.padding.left),
        ]
        .map(|(at, tap, before)| {
            (at * usize::from(common.stride) + tap).wrapping_sub(usize::from(before))
        });
        let inside = row < height && column < width;
        for input in 0..inputs {
            let place = if depthwise {
                input * 9 + tap
            } else {
                tap * inputs + input
            };
            window[place] = match inside {
                true => map[(row * width + column) * inputs + input],
                false => 0.0,
            };
        }
    }
}
