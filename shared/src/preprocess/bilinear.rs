//! TensorFlow 1's bilinear sampling (`resize_bilinear`, `align_corners=False`,
//! `half_pixel_centers=False`), in exact fractions.
//!
//! Output pixel `i` of `out` lies at position `i * in / out` of the source: integer part `k`, fraction
//! `f / out`. Its value is `((out - f) * source[k] + f * source[k + 1]) / out`, with the neighbour
//! clamped at the edge. It is sampled horizontally first, then vertically, divided once at the end and
//! rounded half up.
//!
//! Bounds, with output sides of at most 1024: a horizontally sampled row is at most `255 * 2^10`, a sum
//! of two rows at most `255 * 2^20`, and adding half the divisor stays below 2^28.

use super::Size;
use super::preprocessor::Output;
use super::reciprocal::Reciprocal;

/// A position in the source, `whole + fraction / denominator`, that advances by `in / out` a step.
#[derive(Clone, Copy, Debug)]
struct Place {
    whole: u32,
    fraction: u32,
    step_whole: u32,
    step_fraction: u32,
    denominator: u32,
}

impl Place {
    fn start(source: u16, output: u16) -> Place {
        let denominator = u32::from(output.max(1));
        Place {
            whole: 0,
            fraction: 0,
            step_whole: u32::from(source) / denominator,
            step_fraction: u32::from(source) % denominator,
            denominator,
        }
    }

    fn step(&mut self) {
        self.whole += self.step_whole;
        self.fraction += self.step_fraction;
        if self.fraction >= self.denominator {
            self.fraction -= self.denominator;
            self.whole += 1;
        }
    }
}

/// Bilinear sampling, row by row.
///
/// Source row `y` is kept, sampled horizontally, in slot `y % 2`: an output row reads two neighbouring
/// rows, and is computed as soon as the lower one has arrived.
#[derive(Debug)]
pub(super) struct Bilinear {
    first_column: Place,
    /// Position of the next output row.
    row: Place,
    rows_left: u16,
    last_source_row: u32,
    area: Reciprocal,
    /// SIMD implementation with the same results, if the processor has one.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    pub(super) fast: Option<super::simd::Fast>,
}

impl Bilinear {
    pub(super) fn new(source: Size, output: Size) -> Bilinear {
        Bilinear {
            first_column: Place::start(source.width, output.width),
            row: Place::start(source.height, output.height),
            rows_left: output.height,
            last_source_row: u32::from(source.height).saturating_sub(1),
            area: Reciprocal::new(u32::from(output.width) * u32::from(output.height)),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            fast: super::simd::Fast::bilinear(source, output),
        }
    }

    fn lower_row(&self) -> u32 {
        (self.row.whole + 1).min(self.last_source_row)
    }

    /// Returns true if the next output row reads source row `y`.
    pub(super) fn wants(&self, y: u16) -> bool {
        let y = u32::from(y);
        self.rows_left > 0 && (y == self.row.whole || y == self.lower_row())
    }

    /// Takes source row `y`, which must be the one after the row before, and which the filter needs.
    /// `slots` are two rows of the output's width; `output` gets each finished row's pixels.
    pub(super) fn push(
        &mut self,
        y: u16,
        pixels: &[[u8; 3]],
        slots: [&mut [[u32; 3]]; 2],
        output: &mut Output<impl FnMut(&[i8])>,
    ) {
        let [even, odd] = slots;
        self.sample_across(
            pixels,
            if y.is_multiple_of(2) {
                &mut *even
            } else {
                &mut *odd
            },
        );
        while self.rows_left > 0 && self.lower_row() == u32::from(y) {
            let slot = |y: u32| if y.is_multiple_of(2) { &*even } else { &*odd };
            let upper = slot(self.row.whole);
            let lower = slot(self.lower_row());
            let lower_weight = self.row.fraction;
            let upper_weight = self.row.denominator - lower_weight;
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            if let Some(fast) = &mut self.fast {
                let weights = [upper_weight, lower_weight];
                output.row(fast.mix([upper, lower], weights, self.area));
                self.row.step();
                self.rows_left -= 1;
                continue;
            }
            output.row(upper.iter().zip(lower).map(|(upper, lower)| {
                [0, 1, 2].map(|c| {
                    self.area
                        .round(upper_weight * upper[c] + lower_weight * lower[c])
                        as u8
                })
            }));
            self.row.step();
            self.rows_left -= 1;
        }
    }

    /// Samples one source row horizontally: each value is `out` times the interpolation of two pixels.
    fn sample_across(&mut self, pixels: &[[u8; 3]], sampled: &mut [[u32; 3]]) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if let Some(fast) = &mut self.fast {
            return fast.sum_across(pixels, sampled);
        }
        let mut column = self.first_column;
        let last = pixels.len().saturating_sub(1);
        for sample in sampled {
            let left = pixels[column.whole as usize];
            let right = pixels[(column.whole as usize + 1).min(last)];
            let right_weight = column.fraction;
            let left_weight = column.denominator - right_weight;
            *sample = [0, 1, 2]
                .map(|c| left_weight * u32::from(left[c]) + right_weight * u32::from(right[c]));
            column.step();
        }
    }
}
