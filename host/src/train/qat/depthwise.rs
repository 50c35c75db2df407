//! 3 x 3 depthwise convolution of one photo's map in f32, forwards and backwards.
//!
//! Maps are `[H, W, C]`, weights `[9, C]`. Sums are in the order of taps, or of pixels for the
//! gradient of weights.

use posy_nn::graph::network::Common;

/// Shape of a depthwise layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the input.
    pub input: [usize; 2],
    /// Rows and columns of the output.
    pub output: [usize; 2],
    /// Stride in both directions.
    pub stride: usize,
    /// Padding above and to the left.
    pub before: [usize; 2],
    /// Channels, C.
    pub channels: usize,
}

impl Window {
    /// The window of a depthwise layer.
    pub fn of(common: &Common) -> Self {
        let [input, output] = [common.input, common.output]
            .map(|shape| [usize::from(shape.height), usize::from(shape.width)]);
        Window {
            input,
            output,
            stride: usize::from(common.stride),
            before: [common.padding.top.into(), common.padding.left.into()],
            channels: common.input.channels.into(),
        }
    }

    /// Taps of an output pixel that lie within the map: input pixel and number of the tap.
    fn taps(&self, pixel: usize) -> ([(usize, usize); 9], usize) {
        let [row, column] = [pixel / self.output[1], pixel % self.output[1]];
        let mut taps = [(0, 0); 9];
        let mut count = 0;
        for tap in 0..9 {
            let y = (row * self.stride + tap / 3).wrapping_sub(self.before[0]);
            let x = (column * self.stride + tap % 3).wrapping_sub(self.before[1]);
            if y < self.input[0] && x < self.input[1] {
                taps[count] = (y * self.input[1] + x, tap);
                count += 1;
            }
        }
        (taps, count)
    }

    /// Pixels of the output.
    #[cfg(test)]
    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }
}

/// Channels whose sums stay in registers.
const TOGETHER: usize = 16;

/// Writes `bias + weights * input` to `output`.
pub fn forward(window: Window, input: &[f32], weights: &[f32], bias: &[f32], output: &mut [f32]) {
    let channels = window.channels;
    let whole = channels - channels % TOGETHER;
    for (pixel, output) in output.chunks_exact_mut(channels).enumerate() {
        let (taps, count) = window.taps(pixel);
        let taps = &taps[..count];
        let (blocks, _) = output.as_chunks_mut::<TOGETHER>();
        for (block, output) in blocks.iter_mut().enumerate() {
            let at = block * TOGETHER;
            let mut sums = [0.0; TOGETHER];
            sums.copy_from_slice(&bias[at..][..TOGETHER]);
            for &(from, tap) in taps {
                let x = &input[from * channels + at..][..TOGETHER];
                let w = &weights[tap * channels + at..][..TOGETHER];
                for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(w) {
                    *sum += x * w;
                }
            }
            *output = sums;
        }
        for at in whole..channels {
            let products = taps
                .iter()
                .map(|&(from, tap)| input[from * channels + at] * weights[tap * channels + at]);
            output[at] = products.fold(bias[at], |sum, product| sum + product);
        }
    }
}

/// Gradients of a depthwise layer; each is added to.
#[derive(Debug)]
pub struct Slopes<'a> {
    /// By the weights, `[9, C]`.
    pub weights: &'a mut [f32],
    /// By the bias, `[C]`.
    pub bias: &'a mut [f32],
    /// By the input, `[H, W, C]`; `None` if it is not needed.
    pub input: Option<&'a mut [f32]>,
}

/// Adds the gradients for the gradient `output` by the output.
pub fn backward(
    window: Window,
    input: &[f32],
    weights: &[f32],
    output: &[f32],
    slopes: Slopes<'_>,
) {
    let channels = window.channels;
    let Slopes {
        weights: by_weights,
        bias: by_bias,
        input: mut by_input,
    } = slopes;
    for (pixel, slope) in output.chunks_exact(channels).enumerate() {
        by_bias.iter_mut().zip(slope).for_each(|(sum, s)| *sum += s);
        let (taps, count) = window.taps(pixel);
        for &(from, tap) in &taps[..count] {
            let x = &input[from * channels..][..channels];
            let sums = &mut by_weights[tap * channels..][..channels];
            for ((sum, &x), &s) in sums.iter_mut().zip(x).zip(slope) {
                *sum += s * x;
            }
            if let Some(by_input) = by_input.as_deref_mut() {
                let w = &weights[tap * channels..][..channels];
                let sums = &mut by_input[from * channels..][..channels];
                for ((sum, &w), &s) in sums.iter_mut().zip(w).zip(slope) {
                    *sum += s * w;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let number = |at: usize| ((at * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        (0..count).map(number).collect()
    }

    fn windows() -> Vec<Window> {
        let window = |side: usize, stride: usize, before: usize, channels: usize| Window {
            input: [side, side + 1],
            output: [side.div_ceil(stride), (side + 1).div_ceil(stride)],
            stride,
            before: [before; 2],
            channels,
        };
        vec![
            window(5, 1, 1, 16),
            window(6, 2, 0, 48),
            window(7, 2, 1, 5),
            window(1, 1, 1, 32),
        ]
    }

    /// Mean of the output weighted by `slope`, in f64, by the definition.
    fn weighed(window: Window, input: &[f32], weights: &[f32], bias: &[f32], slope: &[f32]) -> f64 {
        let c = window.channels;
        let mut sum = 0.0;
        for (at, &slope) in slope.iter().enumerate() {
            let (pixel, channel) = (at / c, at % c);
            let mut value = f64::from(bias[channel]);
            for tap in 0..9 {
                let y = (pixel / window.output[1] * window.stride + tap / 3) as i64
                    - window.before[0] as i64;
                let x = (pixel % window.output[1] * window.stride + tap % 3) as i64
                    - window.before[1] as i64;
                let inside = (0..window.input[0] as i64).contains(&y)
                    && (0..window.input[1] as i64).contains(&x);
                if inside {
                    let from = (y as usize * window.input[1] + x as usize) * c + channel;
                    value += f64::from(input[from]) * f64::from(weights[tap * c + channel]);
                }
            }
            sum += value * f64::from(slope);
        }
        sum
    }

    /// The layer is linear in each of its arguments, so differences are exact but for rounding.
    #[test]
    fn gradients_are_numeric_differences() {
        for window in windows() {
            let c = window.channels;
            let input = numbers(window.input[0] * window.input[1] * c, 1);
            let (weights, bias) = (numbers(9 * c, 2), numbers(c, 3));
            let slope = numbers(window.pixels() * c, 4);
            let mut output = vec![0.0; slope.len()];
            forward(window, &input, &weights, &bias, &mut output);
            let of = |i: &[f32], w: &[f32], b: &[f32]| weighed(window, i, w, b, &slope);
            let found: f64 = output
                .iter()
                .zip(&slope)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            assert!((found - of(&input, &weights, &bias)).abs() < 1e-4);
            let (mut by_weights, mut by_bias) = (vec![0.0; 9 * c], vec![0.0; c]);
            let mut by_input = vec![0.0; input.len()];
            backward(
                window,
                &input,
                &weights,
                &slope,
                Slopes {
                    weights: &mut by_weights,
                    bias: &mut by_bias,
                    input: Some(&mut by_input),
                },
            );
            let base = of(&input, &weights, &bias);
            let moved = |values: &[f32], at: usize| {
                let mut values = values.to_vec();
                values[at] += 1.0;
                values
            };
            for (at, &computed) in by_input.iter().enumerate() {
                let numeric = of(&moved(&input, at), &weights, &bias) - base;
                assert!((numeric - f64::from(computed)).abs() < 1e-4);
            }
            for (at, &computed) in by_weights.iter().enumerate() {
                let numeric = of(&input, &moved(&weights, at), &bias) - base;
                assert!((numeric - f64::from(computed)).abs() < 1e-4);
            }
            for (at, &computed) in by_bias.iter().enumerate() {
                let numeric = of(&input, &weights, &moved(&bias, at)) - base;
                assert!((numeric - f64::from(computed)).abs() < 1e-4);
            }
        }
    }
}
