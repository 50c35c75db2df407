//! The same seeded cases for every variant, on a laptop, in an emulator and on a board.
//!
//! Sizes run through everything up to 9 and then around multiples of 8 and 16, so that each tile
//! edge is met below, at and above. No allocation: the buffers are on the stack (about 12 KB).

mod bench;
mod cases;

use super::Kernels;
use bench::{Bench, MAX_ROW, MAX_WEIGHTS};
use cases::{elementwise, pointwise, windows};

/// A case in which a variant differs from the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which kernel.
    pub kernel: &'static str,
    /// Pixels in the input row.
    pub width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// First differing position in the output row.
    pub position: usize,
    /// What the reference gives.
    pub expected: i8,
    /// What the variant gives.
    pub actual: i8,
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{}: width {}, {} to {} channels: number {} is {} where the reference gives {}",
            self.kernel,
            self.width,
            self.input_channels,
            self.output_channels,
            self.position,
            self.actual,
            self.expected
        )
    }
}

impl core::error::Error for Mismatch {}

/// Pixels and channels around tile edges; pairs over the buffers' sizes are passed over.
const SIZES: [usize; 19] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33,
];

/// Holds `kernels` to the reference and gives the number of cases.
///
/// # Errors
/// The first case in which they differ.
pub fn check(kernels: &impl Kernels) -> Result<usize, Mismatch> {
    let mut bench = Bench::new();
    let mut cases = 0;
    for width in SIZES {
        for channels in SIZES {
            if width * channels > MAX_ROW {
                continue;
            }
            for variety in 0..8 {
                cases += windows(kernels, &mut bench, width, channels, variety)?;
            }
            for outputs in [1, 2, 3, 4, 5, 8, 17, 40] {
                if channels * outputs <= MAX_WEIGHTS && width * outputs <= MAX_ROW {
                    cases += pointwise(kernels, &mut bench, width, channels, outputs)?;
                }
            }
            cases += elementwise(kernels, &mut bench, width, channels)?;
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{PointwiseParams, WindowParams, scalar::Scalar};

    #[test]
    fn the_reference_conforms_to_itself() {
        assert!(check(&Scalar).is_ok_and(|cases| cases > 8_000));
    }

    /// A fault at one place of one kernel, as a wrong tile edge would make.
    struct Broken(&'static str);

    impl Kernels for Broken {
        fn depthwise3x3(
            &self,
            params: &WindowParams<'_>,
            rows: [Option<&[i8]>; 3],
            output: &mut [i8],
        ) {
            Scalar.depthwise3x3(params, rows, output);
            if self.0 == "depthwise3x3" && params.stride == 2 && params.output_width > 16 {
                output[0] ^= 1;
            }
        }

        fn pointwise(&self, params: &PointwiseParams<'_>, input: &[i8], output: &mut [i8]) {
            Scalar.pointwise(params, input, output);
            if self.0 == "pointwise" && params.width == 17 && params.output_channels == 5 {
                output[output.len() - 1] ^= 1;
            }
        }

        fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
            Scalar.pool_finish(sums, count, clamp, output);
            // Rounding down in place of to nearest.
            if self.0 == "pool" {
                for (out, sum) in output.iter_mut().zip(sums.as_chunks::<4>().0) {
                    let sum = i32::from_le_bytes(sum.map(|byte| byte as u8));
                    *out = (sum / count).clamp(clamp.0.into(), clamp.1.into()) as i8;
                }
            }
        }
    }

    #[test]
    fn a_broken_variant_is_caught_by_name() {
        for kernel in ["depthwise3x3", "pointwise", "pool"] {
            let found = check(&Broken(kernel)).expect_err(kernel);
            assert_eq!(found.kernel, kernel);
        }
        assert!(check(&Broken("nothing")).is_ok());
    }
}
