//! AdamW: Adam with decoupled weight decay, here towards the pre-trained parameters.
//!
//! Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization". A parameter is its
//! pre-trained value plus its unit times a number that begins at zero; that number is what is
//! stepped and decays. So one learning rate suits layers whose batch norms are folded, with weights
//! of very different sizes, and decay draws to the pre-trained network (L2-SP: Li, Grandvalet and
//! Davoine 2018).

use rayon::prelude::*;

use super::segment::Parameters;

const BETA: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;
/// Parameters in one unit of parallel work.
const CHUNK: usize = 1 << 13;

/// Parameters in training, with Adam's two moments of each.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// The parameters.
    pub values: Vec<f32>,
    /// Moving average of the gradient.
    pub first: Vec<f32>,
    /// Moving average of its square.
    pub second: Vec<f32>,
    /// Steps taken.
    pub steps: u32,
}

impl AdamW {
    /// The optimiser before its first step.
    pub fn new(values: &[f32]) -> Self {
        AdamW {
            values: values.to_vec(),
            first: vec![0.0; values.len()],
            second: vec![0.0; values.len()],
            steps: 0,
        }
    }

    /// Takes a step by the sum of `gradients`, in their order.
    pub fn step(&mut self, start: &Parameters, gradients: &[&[f32]], rate: f64, decay: f64) {
        self.steps += 1;
        let corrections = [BETA.0, BETA.1]
            .map(|beta| power(f64::from(beta), self.steps))
            .map(|p| 1.0 - p);
        let pace = Pace {
            rate: (rate / corrections[0]) as f32,
            correction: (1.0 / corrections[1]) as f32,
            decay: (rate * decay) as f32,
        };
        self.values
            .par_chunks_mut(CHUNK)
            .zip(self.first.par_chunks_mut(CHUNK))
            .zip(self.second.par_chunks_mut(CHUNK))
            .enumerate()
            .for_each(|(chunk, ((values, first), second))| {
                let from = chunk * CHUNK;
                let mut slopes = [0.0; CHUNK];
                let slopes = &mut slopes[..values.len()];
                let [start, units] =
                    [&start.values, &start.units].map(|of| &of[from..][..values.len()]);
                for gradient in gradients {
                    let gradient = &gradient[from..][..slopes.len()];
                    slopes
                        .iter_mut()
                        .zip(gradient)
                        .for_each(|(sum, g)| *sum += g);
                }
                pace.step((values, first, second), slopes, start, units);
            });
    }
}

/// `base` to the power of a whole number, the same on any platform.
fn power(base: f64, exponent: u32) -> f64 {
    (0..32).rev().fold(1.0, |power: f64, bit| {
        let square = power * power;
        match exponent >> bit & 1 {
            1 => square * base,
            _ => square,
        }
    })
}

/// Constants of a step.
#[derive(Clone, Copy)]
struct Pace {
    rate: f32,
    correction: f32,
    decay: f32,
}

impl Pace {
    fn step(
        self,
        (values, first, second): (&mut [f32], &mut [f32], &mut [f32]),
        slopes: &[f32],
        start: &[f32],
        units: &[f32],
    ) {
        let len = values.len();
        let (first, second) = (&mut first[..len], &mut second[..len]);
        let (slopes, start, units) = (&slopes[..len], &start[..len], &units[..len]);
        for at in 0..len {
            let slope = slopes[at] * units[at];
            first[at] = BETA.0 * first[at] + (1.0 - BETA.0) * slope;
            second[at] = BETA.1 * second[at] + (1.0 - BETA.1) * slope * slope;
            let deviation = (second[at] * self.correction).sqrt() + EPSILON;
            let step = self.rate * first[at] / deviation * units[at];
            values[at] -= step + self.decay * (values[at] - start[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adam's first step is the learning rate along the sign of the gradient, whatever its size.
    #[test]
    fn the_first_step_is_the_rate_in_each_parameters_unit() {
        let start = Parameters {
            values: vec![1.0, -2.0, 0.5],
            units: vec![2.0, 0.5, 1.0],
        };
        let mut adam = AdamW::new(&start.values);
        adam.step(&start, &[&[3.0, 0.0, 0.1], &[0.0, -1.0, 0.2]], 0.01, 0.1);
        for (found, expected) in adam.values.iter().zip([0.98, -1.995, 0.49]) {
            assert!((found - expected).abs() < 1e-5, "{:?}", adam.values);
        }
        // Without a gradient the momentum goes on, and decay draws back.
        let mut still = AdamW {
            values: vec![2.0, -2.0, 0.5],
            ..AdamW::new(&start.values)
        };
        still.step(&start, &[&[0.0; 3]], 0.1, 0.5);
        assert_eq!(still.values, [1.95, -2.0, 0.5]);
    }

    #[test]
    fn powers_are_products() {
        assert_eq!(power(0.5, 0), 1.0);
        assert_eq!(power(0.5, 10), 2f64.powi(-10));
        assert!((power(0.999, 1234) - 0.999f64.powi(1234)).abs() < 1e-12);
    }
}
