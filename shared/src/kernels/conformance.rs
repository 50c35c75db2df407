//! The same seeded cases for every variant, on a laptop, in an emulator and on a board.
//!
//! Sizes run through everything up to 9 and then around multiples of 8 and 16, so that each tile
//! edge is met below, at and above. No allocation: the buffers are on the stack (about 12 KB).

use super::scalar::Scalar;
use super::{
    AddParams, DenseParams, I32s, Kernels, Layout, OutputStage, PerChannel, PointwiseParams,
    WindowParams, requant::Multiplier,
};

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

const MAX_ROW: usize = 1024;
const MAX_WEIGHTS: usize = 2304;
const MAX_CHANNELS: usize = 40;

/// Pixels and channels around tile edges; pairs over the buffers' sizes are passed over.
const SIZES: [usize; 19] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 31, 32, 33,
];

/// Marsaglia's xorshift32 ("Xorshift RNGs", 2003), the triple 13, 17, 5.
struct Seeded(u32);

impl Seeded {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// The high byte; one in eight is an extreme, where saturation hides.
    fn number(&mut self) -> i8 {
        let bits = self.next();
        match bits & 15 {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => (bits >> 24) as i8,
        }
    }

    fn fill(&mut self, numbers: &mut [i8]) {
        for number in numbers {
            *number = self.number();
        }
    }
}

/// The buffers of a case.
struct Bench {
    rows: [[i8; MAX_ROW]; 3],
    weights: [i8; MAX_WEIGHTS],
    bias: [u8; MAX_CHANNELS * 4],
    multiplier: [u8; MAX_CHANNELS * 4],
    shift: [i8; MAX_CHANNELS],
    expected: [i8; MAX_ROW],
    actual: [i8; MAX_ROW],
    seeded: Seeded,
}

impl Bench {
    /// New numbers everywhere. Left shifts appear as well as right ones, small enough that no sum
    /// of `terms` products overflows.
    fn refill(&mut self, terms: usize) {
        for row in &mut self.rows {
            self.seeded.fill(row);
        }
        self.seeded.fill(&mut self.weights);
        let bits = 16 + usize::BITS - terms.leading_zeros();
        for channel in 0..MAX_CHANNELS {
            let bias = self.seeded.next() as i32 >> 14;
            let mantissa = (self.seeded.next() >> 2) | 1 << 30;
            self.bias[channel * 4..][..4].copy_from_slice(&bias.to_le_bytes());
            self.multiplier[channel * 4..][..4].copy_from_slice(&mantissa.to_le_bytes());
            // Mostly what brings the sum back to a byte, sometimes no shift, sometimes to the left.
            self.shift[channel] = match self.seeded.next() & 7 {
                0 => 0,
                1 => 2,
                _ => -((bits as i8 - 8) + (self.seeded.next() & 3) as i8 - 2).max(0),
            };
        }
    }

    /// The three kinds of clamp that networks have.
    fn clamp(&mut self) -> (i8, i8, i8) {
        match self.seeded.next() % 3 {
            0 => (-128, -128, 127),
            1 => (-5, -5, 101),
            _ => (17, -128, 127),
        }
    }

    fn compare(&self, length: usize, case: Mismatch) -> Result<(), Mismatch> {
        let pairs = self.expected[..length].iter().zip(&self.actual[..length]);
        match pairs
            .enumerate()
            .find(|(_, (expected, actual))| expected != actual)
        {
            None => Ok(()),
            Some((position, (&expected, &actual))) => Err(Mismatch {
                position,
                expected,
                actual,
                ..case
            }),
        }
    }
}

fn case(kernel: &'static str, width: usize, inputs: usize, outputs: usize) -> Mismatch {
    Mismatch {
        kernel,
        width,
        input_channels: inputs,
        output_channels: outputs,
        position: 0,
        expected: 0,
        actual: 0,
    }
}

/// Holds `kernels` to the reference and gives the number of cases.
///
/// # Errors
/// The first case in which they differ.
pub fn check(kernels: &impl Kernels) -> Result<usize, Mismatch> {
    let mut bench = Bench {
        rows: [[0; MAX_ROW]; 3],
        weights: [0; MAX_WEIGHTS],
        bias: [0; MAX_CHANNELS * 4],
        multiplier: [0; MAX_CHANNELS * 4],
        shift: [0; MAX_CHANNELS],
        expected: [0; MAX_ROW],
        actual: [0; MAX_ROW],
        seeded: Seeded(0x9E37_79B9),
    };
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

/// Both 3 x 3 kernels; the bits of `variety` choose stride, padding and layouts.
fn windows(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
    variety: usize,
) -> Result<usize, Mismatch> {
    let stride = 1 + variety % 2;
    let pad_left = (variety / 2) % 2;
    // As many outputs as start in the map, the last of them reaching into the right padding.
    let output_width = (width + pad_left).div_ceil(stride).min(width);
    let layout = |planar| match planar {
        true => Layout::Planar,
        false => Layout::Interleaved,
    };
    bench.refill(9 * channels);
    let (zero_point, min, max) = bench.clamp();
    let input_zero_point = bench.seeded.number();
    let missing = bench.seeded.next() as usize % 4;
    let [top, middle, bottom] = &bench.rows;
    let mut rows = [top, middle, bottom].map(|row| Some(&row[..width * channels]));
    if missing != 1 && missing < 3 {
        rows[missing] = None;
    }
    let mut params = WindowParams {
        weights: &bench.weights,
        input_width: width,
        input_channels: channels,
        output_width,
        output_channels: channels,
        stride,
        pad_left,
        input_zero_point,
        input_layout: layout(variety & 4 != 0),
        output_layout: layout(variety & 2 != 0),
        output: OutputStage {
            channels: PerChannel {
                bias: I32s::new(&bench.bias),
                multiplier: I32s::new(&bench.multiplier),
                shift: &bench.shift,
            },
            zero_point,
            min,
            max,
        },
    };
    let length = output_width * channels;
    Scalar.depthwise3x3(&params, rows, &mut bench.expected[..length]);
    kernels.depthwise3x3(&params, rows, &mut bench.actual[..length]);
    bench.compare(length, case("depthwise3x3", width, channels, channels))?;

    // The first convolution has few input channels and the output's count is its own.
    let outputs = (MAX_WEIGHTS / (9 * channels)).min(MAX_ROW / output_width);
    let outputs = outputs.min(if variety & 1 == 0 { 8 } else { 5 });
    if outputs == 0 {
        return Ok(1);
    }
    params.output_channels = outputs;
    params.input_layout = Layout::Interleaved;
    let length = output_width * outputs;
    Scalar.conv3x3(&params, rows, &mut bench.expected[..length]);
    kernels.conv3x3(&params, rows, &mut bench.actual[..length]);
    bench.compare(length, case("conv3x3", width, channels, outputs))?;
    Ok(2)
}

fn pointwise(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    inputs: usize,
    outputs: usize,
) -> Result<usize, Mismatch> {
    bench.refill(inputs);
    let (zero_point, min, max) = bench.clamp();
    let input_zero_point = bench.seeded.number();
    let planar = bench.seeded.next() & 1 == 0;
    let output = OutputStage {
        channels: PerChannel {
            bias: I32s::new(&bench.bias),
            multiplier: I32s::new(&bench.multiplier),
            shift: &bench.shift,
        },
        zero_point,
        min,
        max,
    };
    let weights = &bench.weights[..inputs * outputs];
    let params = PointwiseParams {
        weights,
        width,
        input_channels: inputs,
        output_channels: outputs,
        input_zero_point,
        output_layout: if planar {
            Layout::Planar
        } else {
            Layout::Interleaved
        },
        output,
    };
    let row = &bench.rows[0][..width * inputs];
    let length = width * outputs;
    Scalar.pointwise(&params, row, &mut bench.expected[..length]);
    kernels.pointwise(&params, row, &mut bench.actual[..length]);
    bench.compare(length, case("pointwise", width, inputs, outputs))?;

    let params = DenseParams {
        weights,
        input_zero_point,
        output,
    };
    let vector = &bench.rows[0][..inputs];
    Scalar.dense(&params, vector, &mut bench.expected[..outputs]);
    kernels.dense(&params, vector, &mut bench.actual[..outputs]);
    bench.compare(outputs, case("dense", 1, inputs, outputs))?;
    Ok(2)
}

fn elementwise(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
) -> Result<usize, Mismatch> {
    bench.refill(1);
    let (zero_point, min, max) = bench.clamp();
    let mut multiplier = |most: u32| Multiplier {
        mantissa: (bench.seeded.next() >> 2 | 1 << 30) as i32,
        shift: -((bench.seeded.next() % most) as i8),
    };
    let params = AddParams {
        a: multiplier(4),
        b: multiplier(4),
        output: multiplier(24),
        a_zero_point: bench.seeded.number(),
        b_zero_point: bench.seeded.number(),
        zero_point,
        min,
        max,
    };
    let length = width * channels;
    let [a, b, _] = &bench.rows;
    Scalar.add(
        &params,
        &a[..length],
        &b[..length],
        &mut bench.expected[..length],
    );
    kernels.add(
        &params,
        &a[..length],
        &b[..length],
        &mut bench.actual[..length],
    );
    bench.compare(length, case("add", width, channels, channels))?;

    let mut sums = [[0_i8; MAX_CHANNELS * 4]; 2];
    let [expected, actual] = &mut sums;
    for row in &bench.rows {
        Scalar.pool_row(&row[..length], &mut expected[..channels * 4]);
        kernels.pool_row(&row[..length], &mut actual[..channels * 4]);
    }
    let count = 3 * width as i32;
    Scalar.pool_finish(
        &expected[..channels * 4],
        count,
        (min, max),
        &mut bench.expected[..channels],
    );
    kernels.pool_finish(
        &actual[..channels * 4],
        count,
        (min, max),
        &mut bench.actual[..channels],
    );
    bench.compare(channels, case("pool", width, channels, channels))?;
    Ok(2)
}

#[cfg(test)]
mod tests {
    use super::*;

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
