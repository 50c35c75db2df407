//! Kernels with one fault each, typical of optimised variants: the cases must catch every one of them.

use alloc::vec;
use alloc::vec::Vec;

use super::check;
use crate::kernels::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Kernels, Layout, OutputStage,
    PointwiseParams, WindowParams, requant, requant::Multiplier, scalar::Scalar,
};

/// Fault of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// No fault.
    None,
    /// The last term of a sum is dropped if the number of terms is no multiple of four.
    LastTerm,
    /// A weight of -128 is read as -127.
    LeastWeight,
    /// A value minus its zero point is kept in 8 bits.
    EightBits,
    /// Two products are added in 16 bits that saturate, as x86's `pmaddubsw` does.
    SaturatingPairs,
    /// Sums start from old contents of the scratch.
    StaleScratch,
    /// Padding is the value 0, not the zero point.
    PaddingOfZeros,
    /// The column after the last is read as the last.
    RightEdge,
    /// The padding to the left is one column too narrow.
    LeftEdge,
    /// A row of padding is the row of the map beside it.
    RowBeside,
    /// A stride above two is treated as two.
    LongStride,
    /// The first and last rows of the window are swapped.
    UpsideDown,
    /// The high product is rounded down.
    ProductDown,
    /// Ties of the right shift are rounded up.
    TiesUp,
    /// High product and shift are rounded together.
    OneRounding,
    /// A layer that rounds once rounds twice.
    TwoRoundings,
    /// Left shifts are ignored.
    NoLeftShift,
    /// An odd channel has the multiplier of the even channel before it.
    NeighbourMultiplier,
    /// Every channel has the bias of the first one.
    FirstBias,
    /// The lower clamp is missing.
    NoLowerClamp,
    /// The upper clamp is missing.
    NoUpperClamp,
    /// The clamps are applied before the zero point is added.
    ClampFirst,
    /// A value beyond int8 is truncated before it is clamped.
    Cut,
    /// The last pixel of an odd number of pixels is not computed.
    LastPixel,
    /// Beyond eight channels, those after the last multiple of eight are not computed.
    LastChannels,
    /// Rows are always written interleaved.
    AlwaysInterleaved,
    /// Zero points of the operands are swapped.
    ExchangedZeroPoints,
    /// Values after the last multiple of 16 are not computed.
    Tail,
    /// Sums have 16 bits.
    SumsOf16Bits,
    /// Means are rounded towards zero.
    MeanTowardsZero,
    /// Ties of means are rounded up.
    MeanTiesUp,
}

use Fault::*;

const STAGE: [Fault; 10] = [
    ProductDown,
    TiesUp,
    OneRounding,
    NoLeftShift,
    NeighbourMultiplier,
    FirstBias,
    NoLowerClamp,
    NoUpperClamp,
    ClampFirst,
    Cut,
];
const SUMS: [Fault; 6] = [
    LeastWeight,
    EightBits,
    SaturatingPairs,
    LastChannels,
    LastTerm,
    StaleScratch,
];
const WINDOWS: [Fault; 8] = [
    PaddingOfZeros,
    RightEdge,
    LeftEdge,
    RowBeside,
    LongStride,
    UpsideDown,
    LastPixel,
    AlwaysInterleaved,
];

/// Faults that apply to each kernel.
fn faults(kernel: &str) -> Vec<Fault> {
    match kernel {
        "conv3x3" => [&STAGE[..], &SUMS, &WINDOWS].concat(),
        // The depthwise kernel gets no scratch.
        "depthwise3x3" => [&STAGE[..], &SUMS[..5], &WINDOWS].concat(),
        "pointwise" => {
            let own = [TwoRoundings, LastPixel, AlwaysInterleaved];
            [&STAGE[..], &SUMS, &own].concat()
        }
        "dense" => [&STAGE[..], &SUMS, &[TwoRoundings]].concat(),
        "add" => vec![
            ProductDown,
            TiesUp,
            OneRounding,
            NoLowerClamp,
            NoUpperClamp,
            ClampFirst,
            Cut,
            ExchangedZeroPoints,
            Tail,
        ],
        _ => vec![
            MeanTowardsZero,
            MeanTiesUp,
            SumsOf16Bits,
            NoLowerClamp,
            NoUpperClamp,
            LastPixel,
            LastChannels,
        ],
    }
}

/// Kernels of which one has a fault; it is computed from its definition, product by product. The others
/// are the reference.
struct Faulty {
    kernel: &'static str,
    fault: Fault,
}

/// A value with its zero point still in it, and its weight.
type Term = (i8, i8);

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn sum(&self, terms: &[Term], zero_point: i8) -> i32 {
        let terms = match self.is(LastTerm) && !terms.len().is_multiple_of(4) {
            true => &terms[..terms.len() - 1],
            false => terms,
        };
        if self.is(SaturatingPairs) {
            let unsigned = |(number, weight): Term| (i32::from(number) + 128) * i32::from(weight);
            let pair = |pair: &[Term]| pair.iter().copied().map(unsigned).sum::<i32>();
            let pairs = terms.chunks(2).map(pair);
            let sum: i32 = pairs.map(|sum| sum.clamp(-32_768, 32_767)).sum();
            let weights: i32 = terms.iter().map(|term| i32::from(term.1)).sum();
            return sum - (128 + i32::from(zero_point)) * weights;
        }
        let product = |&(number, weight): &Term| {
            let weight = match self.is(LeastWeight) {
                true => weight.max(-127),
                false => weight,
            };
            let number = match self.is(EightBits) {
                true => number.wrapping_sub(zero_point).into(),
                false => i32::from(number) - i32::from(zero_point),
            };
            number * i32::from(weight)
        };
        terms.iter().map(product).sum()
    }

    fn rescale(&self, x: i32, scale: Multiplier) -> i32 {
        let (left, right) = (scale.shift.max(0), (-scale.shift).max(0));
        let left = if self.is(NoLeftShift) { 0 } else { left };
        let product = i64::from(x.wrapping_shl(left as u32)) * i64::from(scale.mantissa);
        match self.fault {
            OneRounding => ((product + (1 << (30 + right))) >> (31 + right)) as i32,
            TiesUp => {
                let high = (product + (1 << 30)) >> 31;
                ((high + ((1 << right) >> 1)) >> right) as i32
            }
            ProductDown => {
                requant::shift_right_rounding((product >> 31) as i32, right.unsigned_abs().into())
            }
            NoLeftShift => requant::rescale(
                x,
                Multiplier {
                    shift: -right,
                    ..scale
                },
            ),
            _ => requant::rescale(x, scale),
        }
    }

    fn place(&self, scaled: i32, zero_point: i8, min: i8, max: i8) -> i8 {
        let (least, most) = (i32::from(min), i32::from(max));
        let zero_point = i32::from(zero_point);
        let moved = scaled.saturating_add(zero_point);
        let number = match self.fault {
            NoLowerClamp => moved.clamp(-128, most.max(-128)),
            NoUpperClamp => moved.clamp(least.min(127), 127),
            ClampFirst => (scaled.clamp(least, most) + zero_point).clamp(-128, 127),
            Cut => i32::from(moved as i8).clamp(least, most),
            _ => moved.clamp(least, most),
        };
        number as i8
    }

    fn stage(&self, output: &OutputStage<'_>, channel: usize, sum: i32) -> i8 {
        let channels = &output.channels;
        let bias = if self.is(FirstBias) { 0 } else { channel };
        let multiplier = match self.is(NeighbourMultiplier) {
            true => channel & !1,
            false => channel,
        };
        let scale = Multiplier {
            mantissa: channels.multiplier.at(multiplier),
            shift: channels.shift[channel],
        };
        let sum = sum + channels.bias.at(bias);
        let scaled = match output.single_rounding && !self.is(TwoRoundings) {
            true => requant::rescale_once(sum, scale),
            false => self.rescale(sum, scale),
        };
        self.place(scaled, output.zero_point, output.min, output.max)
    }

    /// Computes a row of outputs from the terms of each.
    fn row<const N: usize>(
        &self,
        (stage, zero_point): (&OutputStage<'_>, i8),
        (width, layout): (usize, Layout),
        scratch: [&[u32]; N],
        output: &mut [i8],
        terms: impl Fn(usize, usize) -> Vec<Term>,
    ) {
        let channels = stage.channels.shift.len();
        let layout = match self.is(AlwaysInterleaved) {
            true => Layout::Interleaved,
            false => layout,
        };
        let (x_step, c_step) = layout.steps(width, channels);
        let stale = match (self.fault, scratch.first()) {
            (StaleScratch, Some(&scratch)) => scratch.first().map_or(0, |word| *word as i32 >> 8),
            _ => 0,
        };
        for x in 0..width {
            for channel in 0..channels {
                let last_pixel = width % 2 == 1 && x == width - 1;
                let last_channels = channels > 8 && channel >= channels / 8 * 8;
                let left_out = self.is(LastPixel) && last_pixel;
                if left_out || self.is(LastChannels) && last_channels {
                    continue;
                }
                let sum = self.sum(&terms(x, channel), zero_point) + stale;
                output[x * x_step + channel * c_step] = self.stage(stage, channel, sum);
            }
        }
    }

    /// Values of a window at output column `x`: of a pixel `channels` from `channel` on.
    fn window<W>(
        &self,
        params: &WindowParams<'_, W>,
        rows: [Option<&[i8]>; 3],
        x: usize,
        (channel, channels): (usize, usize),
    ) -> Vec<i8> {
        let (x_step, c_step) = params
            .input_layout
            .steps(params.input_width, params.input_channels);
        let stride = match self.is(LongStride) {
            true => params.stride.min(2),
            false => params.stride,
        };
        let pad_left = params.pad_left - usize::from(self.is(LeftEdge) && params.pad_left > 0);
        let padding = match self.is(PaddingOfZeros) {
            true => 0,
            false => params.input_zero_point,
        };
        let order = match self.is(UpsideDown) {
            true => [2, 1, 0],
            false => [0, 1, 2],
        };
        let mut numbers = Vec::new();
        for ky in order {
            let row = match self.is(RowBeside) {
                true => rows[ky].or(rows[1]),
                false => rows[ky],
            };
            for kx in 0..3 {
                let column = (x * stride + kx).checked_sub(pad_left);
                let column = match self.is(RightEdge) && column == Some(params.input_width) {
                    true => Some(params.input_width - 1),
                    false => column.filter(|column| *column < params.input_width),
                };
                numbers.extend(
                    (channel..channel + channels).map(|channel| match (row, column) {
                        (Some(row), Some(column)) => row[column * x_step + channel * c_step],
                        _ => padding,
                    }),
                );
            }
        }
        numbers
    }
}

impl Kernels for Faulty {
    fn scratch_len(&self, _: usize, _: usize) -> usize {
        1
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        if self.kernel != "conv3x3" {
            return Scalar.conv3x3(params, rows, scratch, output);
        }
        let stage = (&params.output, params.input_zero_point);
        let place = (params.output_width, params.output_layout);
        self.row(stage, place, [scratch], output, |x, channel| {
            let numbers = self.window(params, rows, x, (0, params.input_channels));
            numbers
                .into_iter()
                .zip(params.weights.of(channel))
                .collect()
        });
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        if self.kernel != "depthwise3x3" {
            return Scalar.depthwise3x3(params, rows, output);
        }
        let stage = (&params.output, params.input_zero_point);
        let place = (params.output_width, params.output_layout);
        self.row(stage, place, [], output, |x, channel| {
            let numbers = self.window(params, rows, x, (channel, 1));
            let taps = params.weights[channel * 9..][..9].iter().copied();
            numbers.into_iter().zip(taps).collect()
        });
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        if self.kernel != "pointwise" {
            return Scalar.pointwise(params, input, scratch, output);
        }
        let stage = (&params.output, params.input_zero_point);
        let place = (params.width, params.output_layout);
        self.row(stage, place, [scratch], output, |x, channel| {
            let pixel = &input[x * params.input_channels..][..params.input_channels];
            pixel
                .iter()
                .copied()
                .zip(params.weights.of(channel))
                .collect()
        });
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        if self.kernel != "dense" {
            return Scalar.dense(params, input, scratch, output);
        }
        let stage = (&params.output, params.input_zero_point);
        let place = (1, Layout::Interleaved);
        self.row(stage, place, [scratch], output, |_, channel| {
            input
                .iter()
                .copied()
                .zip(params.weights.of(channel))
                .collect()
        });
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        if self.kernel != "add" {
            return Scalar.add(params, a, b, output);
        }
        let zero_points = match self.is(ExchangedZeroPoints) {
            true => [params.b_zero_point, params.a_zero_point],
            false => [params.a_zero_point, params.b_zero_point],
        };
        let raise = |number: i8, zero_point: i8, scale| {
            self.rescale((i32::from(number) - i32::from(zero_point)) << 20, scale)
        };
        let count = match self.is(Tail) {
            true => output.len() / 16 * 16,
            false => output.len(),
        };
        for ((out, &a), &b) in output[..count].iter_mut().zip(a).zip(b) {
            let sum = raise(a, zero_points[0], params.a) + raise(b, zero_points[1], params.b);
            let scaled = self.rescale(sum, params.output);
            *out = self.place(scaled, params.zero_point, params.min, params.max);
        }
    }

    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        if self.kernel != "pool" {
            return Scalar.pool_row(row, sums);
        }
        let (sums, _) = sums.as_chunks_mut::<4>();
        let channels = sums.len();
        let width = row.len() / channels;
        let pixels = match self.is(LastPixel) {
            true => width / 2 * 2,
            false => width,
        };
        for pixel in row.chunks_exact(channels).take(pixels) {
            for (channel, (sum, &number)) in sums.iter_mut().zip(pixel).enumerate() {
                if self.is(LastChannels) && channels > 8 && channel >= channels / 8 * 8 {
                    continue;
                }
                let total = i32::from_le_bytes(sum.map(|byte| byte as u8)) + i32::from(number);
                let total = match self.is(SumsOf16Bits) {
                    true => i32::from(total as i16),
                    false => total,
                };
                *sum = total.to_le_bytes().map(|byte| byte as i8);
            }
        }
    }

    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        if self.kernel != "pool" {
            return Scalar.pool_finish(sums, count, clamp, output);
        }
        for (out, sum) in output.iter_mut().zip(sums.as_chunks::<4>().0) {
            let sum = i32::from_le_bytes(sum.map(|byte| byte as u8));
            let mean = match self.fault {
                MeanTowardsZero => sum / count,
                MeanTiesUp => (sum + count / 2).div_euclid(count),
                _ if sum > 0 => (sum + count / 2) / count,
                _ => (sum - count / 2) / count,
            };
            *out = self.place(mean, 0, clamp.0, clamp.1);
        }
    }
}

const KERNELS: [&str; 6] = [
    "conv3x3",
    "depthwise3x3",
    "pointwise",
    "dense",
    "add",
    "pool",
];

#[test]
#[cfg_attr(miri, ignore = "plain code, many times over")]
fn every_fault_of_every_kernel_is_caught_by_name() {
    let mut missed = Vec::new();
    for kernel in KERNELS {
        for fault in faults(kernel) {
            match check(&mut Faulty { kernel, fault }) {
                Ok(_) => missed.push((kernel, fault)),
                Err(found) => assert_eq!(found.kernel, kernel, "{fault:?}: {found}"),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Otherwise the cases would catch errors of these kernels rather than the faults planted in them.
#[test]
#[cfg_attr(miri, ignore = "plain code, many times over")]
fn the_kernels_are_right_but_for_their_faults() {
    for kernel in KERNELS {
        let fault = None;
        if let Err(found) = check(&mut Faulty { kernel, fault }) {
            panic!("{found}");
        }
    }
}
