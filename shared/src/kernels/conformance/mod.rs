//! Conformance cases: the same seeded cases for every variant, on a laptop, in an emulator and on a
//! board.
//!
//! Sizes run through everything up to 9 and then around multiples of 8 and 16, so that each tile edge
//! is tested below, at and above. No allocation: the buffers are on the stack (about 45 KB).

mod bench;
mod cases;

use super::{Kernels, Packed};
use bench::{Bench, MAX_ROW, MAX_WEIGHTS};
use cases::{dense, elementwise, pointwise, windows};

/// Case in which a variant differs from the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Pixels in the input row.
    pub width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// First differing position in the output row.
    pub position: usize,
    /// Value of the reference.
    pub expected: i8,
    /// Value of the variant.
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

/// Pixels and channels around tile edges; pairs that exceed the buffers are skipped. Miri, about a
/// thousand times slower, takes a few from below to above the widest vectors.
const SIZES: &[usize] = match cfg!(miri) {
    true => &[1, 7, 17],
    false => &[
        1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33,
    ],
};

/// Channels around the edges of wide vectors, beyond [`SIZES`].
const MANY_CHANNELS: &[usize] = match cfg!(miri) {
    true => &[65],
    false => &[47, 48, 63, 64, 65, 80, 96, 128, 129],
};

/// Pixels and channels of rows so wide that vectors process them in several segments.
const WIDE: &[[usize; 2]] = match cfg!(miri) {
    true => &[],
    false => &[
        [34, 29],
        [27, 31],
        [29, 31],
        [57, 16],
        [59, 16],
        [64, 16],
        [96, 1],
        [97, 1],
        [161, 1],
        [95, 4],
        [97, 4],
        [97, 8],
        [113, 8],
        [115, 8],
        [127, 3],
        [129, 3],
        [131, 3],
        [385, 1],
        [897, 1],
        [1024, 1],
    ],
};

/// Lengths of vectors that a dense layer reads, beyond [`SIZES`].
const LONG_SIZES: &[usize] = match cfg!(miri) {
    true => &[65],
    false => &[63, 64, 65, 127, 129, 255, 257, 1023, 1024],
};

/// Compares `kernels` with the reference and returns the number of cases.
///
/// # Errors
/// The first case in which they differ.
pub fn check(kernels: &mut impl Kernels) -> Result<usize, Mismatch> {
    let mut bench = Bench::new();
    let mut cases = 0;
    for &width in SIZES {
        for &channels in SIZES {
            if width * channels > MAX_ROW {
                continue;
            }
            for variety in 0..16 {
                cases += windows(kernels, &mut bench, width, channels, variety)?;
            }
            for outputs in [1, 2, 3, 4, 5, 8, 17, 40] {
                if Packed::len(outputs, channels) <= MAX_WEIGHTS && width * outputs <= MAX_ROW {
                    cases += pointwise(kernels, &mut bench, width, channels, outputs)?;
                }
            }
            cases += elementwise(kernels, &mut bench, width, channels)?;
        }
    }
    for &[width, channels] in WIDE {
        for variety in 0..16 {
            cases += windows(kernels, &mut bench, width, channels, variety)?;
        }
    }
    for &channels in MANY_CHANNELS {
        for width in [1, 2, 3, 5, 7, 8, 14, 15] {
            if width * channels > MAX_ROW {
                continue;
            }
            for variety in 0..16 {
                cases += windows(kernels, &mut bench, width, channels, variety)?;
            }
            for (inputs, outputs) in [(channels, 16), (16, channels), (8, channels), (channels, 5)]
            {
                let row = width * inputs.max(outputs);
                if Packed::len(outputs, inputs) <= MAX_WEIGHTS && row <= MAX_ROW {
                    cases += pointwise(kernels, &mut bench, width, inputs, outputs)?;
                }
            }
            cases += elementwise(kernels, &mut bench, width, channels)?;
        }
    }
    for &inputs in SIZES.iter().chain(LONG_SIZES) {
        for outputs in [1, 2, 3, 4, 5, 8, 17, 40] {
            if Packed::len(outputs, inputs) <= MAX_WEIGHTS {
                cases += dense(kernels, &mut bench, inputs, outputs)?;
            }
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod faults_tests;
#[cfg(test)]
mod tests;
