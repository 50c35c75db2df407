//! Area averaging: the mean of the source area that each output pixel covers.
//!
//! Horizontally, a source pixel is `out` units wide and an output pixel `in` units, so every overlap is
//! a whole number of units and the sum of `value * overlap` is exact; divided by `in` it is rounded
//! (half up) to 8 fractional bits. Vertically likewise: those means times the overlaps are summed, and
//! `sum / (in * 256)` is rounded half up to a byte. A result thus differs from the exact mean's
//! rounding only where the exact mean lies within 1/512 of a half; a flat picture is unchanged.
//!
//! Bounds, with source sides of at most 65,535: horizontally, the sum is at most `255 * 65,535`, and
//! 256 times that plus half the divisor 4,278,157,567; vertically, the sum is at most
//! `65,280 * 65,535`, and with half the divisor 4,286,513,280. All are below 2^32.

use super::Size;
use super::preprocessor::Output;
use super::reciprocal::Reciprocal;

/// Area averaging, row by row.
#[derive(Debug)]
pub(super) struct Area {
    source: Size,
    output: Size,
    divide_across: Reciprocal,
    divide_down: Reciprocal,
    /// Units of height still missing from the next output row.
    lacking: u32,
    /// SIMD implementation with the same results, if the processor has one.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    pub(super) fast: Option<super::simd::Fast>,
}

/// Vertical accumulation step.
enum Step<'s> {
    /// Adds the row's means times this overlap to the sums.
    Add(&'s mut [[u32; 3]], u32),
    /// The sums of an output row are complete.
    Finish(&'s [[u32; 3]]),
}

impl Area {
    pub(super) fn new(source: Size, output: Size) -> Area {
        Area {
            source,
            output,
            divide_across: Reciprocal::new(u32::from(source.width)),
            divide_down: Reciprocal::new(u32::from(source.height) * 256),
            lacking: u32::from(source.height),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            fast: super::simd::Fast::area(source, output),
        }
    }

    /// Takes the next source row. `means` is a buffer for one row of the output's width; `sums`, of the
    /// same width, is carried from row to row and starts as zeros. `output` gets each finished row's
    /// pixels.
    pub(super) fn push(
        &mut self,
        pixels: &[[u8; 3]],
        means: &mut [[u32; 3]],
        sums: &mut [[u32; 3]],
        output: &mut Output<impl FnMut(&[i8])>,
    ) {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if let Some(mut fast) = self.fast.take() {
            fast.average_across(pixels, self.divide_across, means);
            let divide = self.divide_down;
            self.down(sums, |step| match step {
                Step::Add(sums, overlap) => fast.add(sums, overlap, means),
                Step::Finish(sums) => output.row(fast.divide(sums, divide)),
            });
            self.fast = Some(fast);
            return;
        }
        self.average_across(pixels, means);
        let divide = self.divide_down;
        self.down(sums, |step| match step {
            Step::Add(sums, overlap) => {
                for (sum, mean) in sums.as_flattened_mut().iter_mut().zip(means.as_flattened()) {
                    *sum += overlap * mean;
                }
            }
            Step::Finish(sums) => {
                output.row(sums.iter().map(|sum| sum.map(|s| divide.round(s) as u8)));
            }
        });
    }

    /// Distributes one source row vertically over the output rows that it overlaps.
    fn down(&mut self, sums: &mut [[u32; 3]], mut take: impl FnMut(Step<'_>)) {
        let mut unused = u32::from(self.output.height);
        while unused > 0 {
            let overlap = unused.min(self.lacking);
            take(Step::Add(sums, overlap));
            unused -= overlap;
            self.lacking -= overlap;
            if self.lacking == 0 {
                take(Step::Finish(sums));
                sums.fill([0; 3]);
                self.lacking = u32::from(self.source.height);
            }
        }
    }

    /// The horizontal means of one source row, in 8 fractional bits.
    fn average_across(&self, pixels: &[[u8; 3]], means: &mut [[u32; 3]]) {
        let pixel_units = u32::from(self.output.width);
        let mut pixels = pixels.iter();
        // The source pixel that the last output pixel covered in part, and how much of it is left.
        let mut current = [0u32; 3];
        let mut unused = 0;
        for mean in means.iter_mut() {
            let mut lacking = u32::from(self.source.width);
            let overlap = unused.min(lacking);
            let mut sum = current.map(|value| overlap * value);
            unused -= overlap;
            lacking -= overlap;
            // Source pixels covered whole are added first and weighted together.
            let mut whole = [0u32; 3];
            while lacking >= pixel_units {
                let Some(pixel) = pixels.next() else { break };
                for (whole, &value) in whole.iter_mut().zip(pixel) {
                    *whole += u32::from(value);
                }
                lacking -= pixel_units;
            }
            if lacking > 0
                && let Some(pixel) = pixels.next()
            {
                current = pixel.map(u32::from);
                unused = pixel_units - lacking;
                for (sum, value) in sum.iter_mut().zip(current) {
                    *sum += lacking * value;
                }
            }
            for ((mean, sum), whole) in mean.iter_mut().zip(sum).zip(whole) {
                *mean = (sum + pixel_units * whole) << 8;
            }
        }
        // A separate loop: a laptop's compiler vectorises the divisions.
        for mean in means.as_flattened_mut() {
            *mean = self.divide_across.round(*mean);
        }
    }
}
