//! Forward and backward passes of a segment for some photos.

use rayon::prelude::*;

use super::depthwise::{self, Slopes};
use super::fake_quantise::{Arithmetic, round_weights};
use super::gemm::{Extents, Left, Right, add_product};
use super::segment::{Kind, Layer, Segment};

/// Parameters as a forward pass reads them.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// All parameters; weights are rounded unless the arithmetic is in floating point.
    values: Vec<f32>,
    arithmetic: Option<Arithmetic>,
}

impl Weights {
    /// Takes over the parameters `values`.
    pub fn set(&mut self, segment: &Segment, values: &[f32], arithmetic: Arithmetic) {
        self.arithmetic = Some(arithmetic);
        self.values.clear();
        self.values.extend(values);
        // The head is rounded by what its features are, after training.
        let rounded = segment.layers.iter().filter(|layer| layer.grid.is_some());
        if arithmetic == Arithmetic::Quantised {
            rounded.for_each(|layer| round_layer(layer, &mut self.values[layer.weights.clone()]));
        }
    }

    fn arithmetic(&self) -> Arithmetic {
        self.arithmetic.unwrap_or(Arithmetic::Float)
    }
}

/// Rounds a layer's weights.
fn round_layer(layer: &Layer, values: &mut [f32]) {
    match layer.kind {
        Kind::Pointwise => {
            let rows = values.par_chunks_exact_mut(layer.inputs).with_min_len(64);
            rows.for_each(round_weights);
        }
        Kind::Depthwise(_) => {
            let mut channel = [0.0; 9];
            for output in 0..layer.outputs {
                for (tap, weight) in channel.iter_mut().enumerate() {
                    *weight = values[tap * layer.outputs + output];
                }
                round_weights(&mut channel);
                for (tap, weight) in channel.iter().enumerate() {
                    values[tap * layer.outputs + output] = *weight;
                }
            }
        }
        Kind::Add(_) | Kind::Pool => {}
    }
}

/// Buffers of a pass.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// The segment's input, `[P, H, W, C]` in real values, P photos.
    pub input: Vec<f32>,
    /// Output of each layer, `[P, H, W, C]`; the last are the logits `[P, K]`.
    outputs: Vec<Vec<f32>>,
    /// Gradients by the outputs.
    slopes: Vec<Vec<f32>>,
    /// Gradients by the parameters, summed over photos.
    pub gradient: Vec<f32>,
}

impl Workspace {
    /// Runs `photos` photos, whose maps are in `input`. Returns the logits, `[P, K]`.
    pub fn forward(&mut self, segment: &Segment, weights: &Weights, photos: usize) -> &[f32] {
        self.outputs.resize(segment.layers.len(), Vec::new());
        for (index, layer) in segment.layers.iter().enumerate() {
            let (before, rest) = self.outputs.split_at_mut(index);
            let output = &mut rest[0];
            let input = before.last().unwrap_or(&self.input);
            output.resize(photos * layer.output_len(), 0.0);
            let bias = &weights.values[layer.bias.clone()];
            match layer.kind {
                Kind::Pointwise => {
                    for pixel in output.chunks_exact_mut(layer.outputs) {
                        pixel.copy_from_slice(bias);
                    }
                    let extents = Extents {
                        rows: photos * layer.pixels,
                        depth: layer.inputs,
                        columns: layer.outputs,
                    };
                    let right = Right::Columns(&weights.values[layer.weights.clone()]);
                    add_product(Left::Rows(input), right, output, extents);
                }
                Kind::Depthwise(window) => {
                    let weights = &weights.values[layer.weights.clone()];
                    let maps = output.chunks_exact_mut(layer.output_len());
                    let inputs = input.chunks_exact(layer.input_pixels * layer.inputs);
                    for (output, input) in maps.zip(inputs) {
                        depthwise::forward(window, input, weights, bias, output);
                    }
                }
                Kind::Add(skip) => {
                    let other = skip.map_or(&self.input, |skip| &before[skip]);
                    for ((sum, a), b) in output.iter_mut().zip(input).zip(other) {
                        *sum = a + b;
                    }
                }
                Kind::Pool => {
                    output.fill(0.0);
                    let share = 1.0 / layer.input_pixels as f32;
                    let maps = input.chunks_exact(layer.input_pixels * layer.inputs);
                    for (output, map) in output.chunks_exact_mut(layer.outputs).zip(maps) {
                        for pixel in map.chunks_exact(layer.outputs) {
                            output.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
                        }
                        output.iter_mut().for_each(|sum| *sum *= share);
                    }
                }
            }
            if let Some(grid) = layer.grid {
                grid.apply(output, weights.arithmetic());
            }
        }
        self.logits()
    }

    /// Logits of the last forward pass, `[P, K]`.
    pub fn logits(&self) -> &[f32] {
        self.outputs.last().map_or(&[], Vec::as_slice)
    }

    /// Input of a layer in the last forward pass, `[P, H, W, C]`.
    pub fn input_of(&self, layer: usize) -> &[f32] {
        match layer.checked_sub(1) {
            Some(before) => &self.outputs[before],
            None => &self.input,
        }
    }

    /// Features of the last forward pass, `[P, D]`.
    pub fn features(&self) -> &[f32] {
        match self.outputs.as_slice() {
            [.., features, _] => features,
            _ => &self.input,
        }
    }

    /// Computes `gradient` from the gradient by the logits, `[P, K]`, of the photos of the last
    /// forward pass.
    pub fn backward(&mut self, segment: &Segment, weights: &Weights, by_logits: &[f32]) {
        self.gradient.clear();
        self.gradient.resize(weights.values.len(), 0.0);
        self.slopes.resize(segment.layers.len(), Vec::new());
        for (slopes, output) in self.slopes.iter_mut().zip(&self.outputs) {
            slopes.clear();
            slopes.resize(output.len(), 0.0);
        }
        if let Some(last) = self.slopes.last_mut() {
            last.copy_from_slice(by_logits);
        }
        for (index, layer) in segment.layers.iter().enumerate().rev() {
            let (earlier, rest) = self.slopes.split_at_mut(index);
            let slope = &mut rest[0];
            // A mean is within its range, though it may be rounded to the end.
            if let Some(grid) = layer.grid.filter(|_| layer.kind != Kind::Pool) {
                grid.stop_clamped(&self.outputs[index], slope, weights.arithmetic());
            }
            let input = match index {
                0 => &self.input,
                _ => &self.outputs[index - 1],
            };
            let own = &weights.values[layer.weights.clone()];
            let (by_weights, by_bias) = self.gradient
                [layer.weights.start..layer.bias.end.max(layer.weights.start)]
                .split_at_mut(layer.weights.len());
            match layer.kind {
                Kind::Pointwise => {
                    let pixels = slope.len() / layer.outputs;
                    for pixel in slope.chunks_exact(layer.outputs) {
                        by_bias.iter_mut().zip(pixel).for_each(|(sum, s)| *sum += s);
                    }
                    let extents = Extents {
                        rows: layer.outputs,
                        depth: pixels,
                        columns: layer.inputs,
                    };
                    let right = Right::Rows(input);
                    add_product(Left::Columns(slope), right, by_weights, extents);
                    if let Some(by_input) = earlier.last_mut() {
                        let extents = Extents {
                            rows: pixels,
                            depth: layer.outputs,
                            columns: layer.inputs,
                        };
                        let right = Right::Rows(own);
                        add_product(Left::Rows(slope), right, by_input, extents);
                    }
                }
                Kind::Depthwise(window) => {
                    let size = layer.input_pixels * layer.inputs;
                    let maps = slope.chunks_exact(layer.output_len());
                    let mut by_inputs = earlier.last_mut().map(|all| all.chunks_exact_mut(size));
                    for (slope, input) in maps.zip(input.chunks_exact(size)) {
                        let slopes = Slopes {
                            weights: &mut *by_weights,
                            bias: &mut *by_bias,
                            input: by_inputs.as_mut().and_then(Iterator::next),
                        };
                        depthwise::backward(window, input, own, slope, slopes);
                    }
                }
                Kind::Add(skip) => {
                    let targets = [index.checked_sub(1), skip];
                    for target in targets.into_iter().flatten() {
                        let sums = earlier[target].iter_mut().zip(slope.iter());
                        sums.for_each(|(sum, s)| *sum += s);
                    }
                }
                Kind::Pool => {
                    let Some(by_input) = earlier.last_mut() else {
                        continue;
                    };
                    let share = 1.0 / layer.input_pixels as f32;
                    let maps = by_input.chunks_exact_mut(layer.input_pixels * layer.inputs);
                    for (map, slope) in maps.zip(slope.chunks_exact(layer.outputs)) {
                        for pixel in map.chunks_exact_mut(layer.outputs) {
                            let sums = pixel.iter_mut().zip(slope);
                            sums.for_each(|(sum, s)| *sum += share * s);
                        }
                    }
                }
            }
        }
    }
}
