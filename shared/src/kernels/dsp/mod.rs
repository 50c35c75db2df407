//! Armv7E-M and Armv8-M with the DSP extension (Cortex-M4, M7, M33): two products an instruction.
//!
//! Compiled with the feature `dsp`, for boards that have it; needs the floating-point unit, whose
//! registers hold what the others have no room for.

mod block;
mod depthwise;

use super::Kernels;
use core::mem::MaybeUninit;

use super::packed::Packed;
use super::params::{
    ConvParams, DenseParams, DepthwiseParams, Layout, OutputStage, PointwiseParams, WindowParams,
};
use super::scalar::Scalar;

use block::{Job, block};

/// Kernels for a core with the DSP extension.
#[derive(Clone, Copy, Debug)]
pub struct Dsp(());

/// Pixels that are computed together.
const PIXELS: usize = 4;
/// Terms of a block of packed weights.
const TERMS: usize = 4;
/// Most terms of a sum: of 16-bit activations and 8-bit weights, doubled, it still has 31 bits.
const MAX_TERMS: usize = 8192;

impl Dsp {
    /// # Safety
    /// The core that runs this has the DSP extension and a floating-point unit that is switched on.
    pub const unsafe fn new() -> Self {
        Dsp(())
    }
}

/// Writes four activations as two words: their doubled distances from the zero point, in the
/// pairs (0, 2) and (1, 3).
fn widen(numbers: [i8; TERMS], zero_point: i8) -> [u32; 2] {
    let wide = numbers.map(|number| 2 * (i16::from(number) - i16::from(zero_point)));
    let pair = |low: i16, high: i16| u32::from(low as u16) | u32::from(high as u16) << 16;
    [pair(wide[0], wide[2]), pair(wide[1], wide[3])]
}

/// The negated zero point in both halves of a word.
fn twice(zero_point: i8) -> u32 {
    u32::from(-i16::from(zero_point) as u16) * 0x1_0001
}

/// Assembly that widens four activations in `word` to their place at `to`, and goes on to the next.
macro_rules! widen_word {
    () => {
        "sxtab16 {even}, {negative}, {word}
        sxtab16 {odd}, {negative}, {word}, ror #8
        sadd16 {even}, {even}, {even}
        sadd16 {odd}, {odd}, {odd}
        str {even}, [{to}]
        str {odd}, [{to}, {step}]
        add {to}, {to}, {step}, lsl #1"
    };
}

/// A pixel among those that are computed together.
#[derive(Clone, Copy)]
struct Pixel {
    index: usize,
    of: usize,
}

/// Widens the activations of one pixel into its words of `scratch`.
fn widen_pixel(input: &[i8], zero_point: i8, place: Pixel, scratch: &mut [u32]) {
    let Pixel {
        index: pixel,
        of: pixels,
    } = place;
    let (blocks, rest) = input.as_chunks::<TERMS>();
    let whole = blocks.len();
    if let (Some(first), true) = (blocks.first(), scratch.len() >= 2 * whole * pixels) {
        // SAFETY: `whole` blocks of four bytes are read from the first on; the words written are
        // `pixel + n * pixels` for `n` below `2 * whole`, all in scratch as `pixel < pixels`.
        unsafe {
            let to = scratch.as_mut_ptr().add(pixel);
            core::arch::asm!(
                "2:",
                "ldr {word}, [{from}], #4",
                widen_word!(),
                "subs {count}, {count}, #1",
                "bne 2b",
                word = out(reg) _,
                even = out(reg) _,
                odd = out(reg) _,
                negative = in(reg) twice(zero_point),
                step = in(reg) 4 * pixels,
                from = inout(reg) first.as_ptr() => _,
                to = inout(reg) to => _,
                count = inout(reg) whole => _,
                options(nostack),
            );
        }
    }
    if !rest.is_empty() {
        let mut numbers = [zero_point; TERMS];
        for (number, &value) in numbers.iter_mut().zip(rest) {
            *number = value;
        }
        let [even, odd] = widen(numbers, zero_point);
        let places = scratch.iter_mut().skip(pixel + 2 * whole * pixels);
        for (place, word) in places.step_by(pixels).zip([even, odd]) {
            *place = word;
        }
    }
}

/// Whether the assembly's road from sums to outputs is right for a layer.
fn suits(stage: &OutputStage<'_>) -> bool {
    stage.narrow && (!away(stage) || stage.channels.shift.iter().all(|&shift| shift < 0))
}

/// Whether negative ties matter: where zero is the least output they do not.
const fn away(stage: &OutputStage<'_>) -> bool {
    stage.zero_point != i8::MIN
}

/// A layer with packed weights, and where its outputs go.
struct Sums<'a> {
    weights: Packed<'a>,
    output: &'a OutputStage<'a>,
    outputs: usize,
    layout: Layout,
    width: usize,
}

impl Sums<'_> {
    /// Whether the assembly may compute it.
    fn suits(&self, scratch: &[u32], output: &[i8]) -> bool {
        let channels = &self.output.channels;
        let terms = self.weights.terms();
        suits(self.output)
            && terms <= MAX_TERMS
            && scratch.len() >= scratch_len(terms)
            && self.weights.has(self.outputs)
            && output.len() >= self.outputs * self.width
            && channels.shift.len() >= self.outputs
            && [channels.bias, channels.multiplier]
                .iter()
                .all(|table| table.len() >= self.outputs && table.as_ptr().is_aligned())
    }

    /// Computes `pixels` pixels from column `x` on, whose activations are in `scratch`.
    fn compute(&self, x: usize, pixels: usize, scratch: &mut [u32], output: &mut [i8]) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let words = terms / 2 * pixels;
        let (x_step, c_step) = self.layout.steps(self.width, self.outputs);
        let planar = self.layout == Layout::Planar;
        let pairs = self.outputs / 2;
        let OutputStage {
            channels,
            zero_point,
            ..
        } = *self.output;
        if pairs > 0 {
            let bytes = self.weights.bytes();
            // SAFETY: `suits` has found weights, tables and output to hold all channels, tables
            // aligned; the activations are the first `words` words of scratch.
            unsafe {
                let mut job = Job {
                    activations: scratch.as_ptr(),
                    weights: bytes.as_ptr(),
                    bias: channels.bias.as_ptr(),
                    multiplier: channels.multiplier.as_ptr(),
                    shift: channels.shift.as_ptr(),
                    zero_point: zero_point.into(),
                    output: output.as_mut_ptr().add(x * x_step),
                    step: if planar { c_step } else { x_step },
                    activations_end: scratch.as_ptr().add(words),
                    weights_end: bytes.as_ptr().add(pairs * 2 * terms),
                    rest: (terms / TERMS + 3) % 4,
                };
                block(pixels, planar, away(self.output))(&raw mut job);
            }
        }
        if self.outputs % 2 == 1 {
            let channel = self.outputs - 1;
            for pixel in 0..pixels {
                let sum = last_sum(self.weights, channel, pixel, pixels, scratch);
                output[(x + pixel) * x_step + channel * c_step] = self.output.apply(channel, sum);
            }
        }
    }
}

/// The sum of the last channel where channels are odd in number.
fn last_sum(
    weights: Packed<'_>,
    channel: usize,
    pixel: usize,
    pixels: usize,
    words: &[u32],
) -> i32 {
    let mut sum = 0;
    for (term, weight) in weights.of(channel).enumerate() {
        let word = words[(term / TERMS * 2 + term % 2) * pixels + pixel];
        let half = if term % TERMS < 2 {
            word as i16
        } else {
            (word >> 16) as i16
        };
        sum += i32::from(half / 2) * i32::from(weight);
    }
    sum
}

/// Clamps what the assembly has clamped to int8 only.
fn clamp(stage: &OutputStage<'_>, output: &mut [i8]) {
    if (stage.min, stage.max) != (i8::MIN, i8::MAX) {
        for number in output {
            *number = (*number).clamp(stage.min, stage.max);
        }
    }
}

/// Words of scratch for sums over `terms` terms.
pub const fn scratch_len(terms: usize) -> usize {
    terms.next_multiple_of(TERMS) / 2 * PIXELS
}

/// How many pixels to compute together where `left` are left: fours, but threes rather than a last
/// one or two.
const fn next_pixels(left: usize) -> usize {
    match left {
        5 | 6 | 9 => 3,
        1..=3 => left,
        _ => 4,
    }
}

/// Terms of the largest 3 x 3 convolution that is gathered: of eight channels.
const MAX_WINDOW: usize = 72;

/// Gathers the numbers under the window at output column `x`: `[3, 3, I]`, zero points where there
/// are none.
fn gather(params: &ConvParams<'_>, rows: [Option<&[i8]>; 3], x: usize, window: &mut [i8]) {
    let inputs = params.input_channels;
    let taps = window.chunks_exact_mut(3 * inputs);
    for (row, taps) in rows.into_iter().zip(taps) {
        let whole = row
            .filter(|_| x * params.stride >= params.pad_left)
            .and_then(|row| {
                row.get((x * params.stride - params.pad_left) * inputs..)?
                    .get(..taps.len())
            });
        if let Some(numbers) = whole {
            taps.copy_from_slice(numbers);
            continue;
        }
        for (kx, tap) in taps.chunks_exact_mut(inputs).enumerate() {
            let column = (x * params.stride + kx).checked_sub(params.pad_left);
            let pixel = column.and_then(|column| row?.get(column * inputs..)?.get(..inputs));
            match pixel {
                Some(pixel) => tap.copy_from_slice(pixel),
                None => tap.fill(params.input_zero_point),
            }
        }
    }
}

/// Words of a window of three channels.
const RGB_WORDS: usize = 14;

/// Widens the whole window of a picture's three channels at output column `x`; false where it
/// reaches beyond the picture or has other channels.
fn widen_rgb(
    params: &ConvParams<'_>,
    rows: [Option<&[i8]>; 3],
    x: usize,
    place: Pixel,
    scratch: &mut [u32],
) -> bool {
    let Some(start) = (3 * x * params.stride).checked_sub(3 * params.pad_left) else {
        return false;
    };
    let part = |row: Option<&[i8]>| Some(row?.get(start..start + 9)?.as_ptr());
    let [Some(top), Some(middle), Some(bottom)] = rows.map(part) else {
        return false;
    };
    if params.input_channels != 3 || scratch.len() < RGB_WORDS * place.of {
        return false;
    }
    let zero_point = params.input_zero_point;
    // SAFETY: nine bytes are read from each of the three rows; the words written are
    // `index + n * of` for `n` below 14, all in scratch as `index < of`.
    unsafe {
        core::arch::asm!(
            "ldr {word}, [{top}]",
            widen_word!(),
            "ldr {word}, [{top}, #4]",
            widen_word!(),
            "ldrb {word}, [{top}, #8]",
            "ldr {even}, [{middle}]",
            "orr {word}, {word}, {even}, lsl #8",
            widen_word!(),
            "ldr {word}, [{middle}, #3]",
            widen_word!(),
            "ldrh {word}, [{middle}, #7]",
            "ldrh {even}, [{bottom}]",
            "orr {word}, {word}, {even}, lsl #16",
            widen_word!(),
            "ldr {word}, [{bottom}, #2]",
            widen_word!(),
            // The last word ends with a zero point.
            "ldr {word}, [{bottom}, #5]",
            "orr {word}, {last}, {word}, lsr #8",
            widen_word!(),
            word = out(reg) _,
            even = out(reg) _,
            odd = out(reg) _,
            top = in(reg) top,
            middle = in(reg) middle,
            bottom = in(reg) bottom,
            last = in(reg) u32::from(zero_point as u8) << 24,
            negative = in(reg) twice(zero_point),
            step = in(reg) 4 * place.of,
            to = inout(reg) scratch.as_mut_ptr().add(place.index) => _,
            options(nostack),
        );
    }
    true
}

/// Bytes of a row with its margins.
const MAX_COPY: usize = 352;

/// Computes a depthwise row by the assembly; false where that does not suit.
fn by_rows(params: &DepthwiseParams<'_>, rows: [Option<&[i8]>; 3], output: &mut [i8]) -> bool {
    let WindowParams {
        input_width,
        output_width,
        stride,
        pad_left,
        output_channels,
        ..
    } = *params;
    let stage = &params.output;
    let channels = &stage.channels;
    // The windows of all outputs, rounded up to four, and the words that are read of the last.
    let windows_len = output_width.next_multiple_of(4) * stride + 8;
    let copy_len = windows_len.max(pad_left + input_width);
    let suits = suits(stage)
        && params.input_layout == Layout::Planar
        && (1..=2).contains(&stride)
        && input_width >= 4
        && copy_len <= MAX_COPY
        && params.input_channels == output_channels
        && params.weights.len() >= 9 * output_channels
        && rows
            .iter()
            .flatten()
            .all(|row| row.len() >= input_width * output_channels)
        && output.len() >= output_width * output_channels
        && channels.shift.len() >= output_channels
        && [channels.bias, channels.multiplier]
            .iter()
            .all(|table| table.len() >= output_channels && table.as_ptr().is_aligned());
    if !suits {
        return false;
    }
    let mut copies = [[const { MaybeUninit::uninit() }; MAX_COPY]; 3];
    for (copy, row) in copies.iter_mut().zip(rows) {
        // All of a row that is not there; else the margins, between which rows are copied.
        let numbers = if row.is_some() {
            pad_left..pad_left + input_width
        } else {
            0..0
        };
        copy[..numbers.start].fill(MaybeUninit::new(params.input_zero_point));
        copy[numbers.end..copy_len].fill(MaybeUninit::new(params.input_zero_point));
    }
    let (x_step, c_step) = params.output_layout.steps(output_width, output_channels);
    let copies = copies.each_mut().map(|copy| copy.as_mut_ptr().cast::<i8>());
    let mut job = depthwise::Job {
        rows: rows.map(|row| row.map_or(core::ptr::null(), <[i8]>::as_ptr)),
        // Within the copy, which is longer than the padding.
        copies: copies.map(|copy| copy.wrapping_add(pad_left)),
        windows: copies.map(|copy| copy.cast_const()),
        words: input_width / 4,
        rest: input_width % 4,
        weights: params.weights.as_ptr(),
        bias: channels.bias.as_ptr(),
        multiplier: channels.multiplier.as_ptr(),
        shift: channels.shift.as_ptr(),
        zero_point: stage.zero_point.into(),
        output: output.as_mut_ptr(),
        c_step,
        x_step,
        width: output_width,
        negative: twice(params.input_zero_point),
        channels: output_channels,
    };
    // SAFETY: the checks above are what the function wants.
    unsafe { depthwise::depthwise(stride, away(stage))(&raw mut job) };
    clamp(stage, output);
    true
}

impl Kernels for Dsp {
    fn scratch_len(&self, terms: usize) -> usize {
        scratch_len(terms)
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.output_width,
        };
        let terms = params.weights.terms();
        let mut window = [0; MAX_WINDOW];
        let (Some(window), true) = (window.get_mut(..terms), sums.suits(scratch, output)) else {
            return Scalar.conv3x3(params, rows, scratch, output);
        };
        let mut x = 0;
        while x < params.output_width {
            let pixels = next_pixels(params.output_width - x);
            for pixel in 0..pixels {
                let place = Pixel {
                    index: pixel,
                    of: pixels,
                };
                if !widen_rgb(params, rows, x + pixel, place, scratch) {
                    gather(params, rows, x + pixel, window);
                    widen_pixel(window, params.input_zero_point, place, scratch);
                }
            }
            sums.compute(x, pixels, scratch, output);
            x += pixels;
        }
        clamp(&params.output, output);
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        if !by_rows(params, rows, output) {
            Scalar.depthwise3x3(params, rows, output);
        }
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.width,
        };
        if !sums.suits(scratch, output) {
            return Scalar.pointwise(params, input, scratch, output);
        }
        let (inputs, zero_point) = (params.input_channels, params.input_zero_point);
        let mut x = 0;
        while x < params.width {
            let pixels = next_pixels(params.width - x);
            let numbers = input[x * inputs..].chunks_exact(inputs).take(pixels);
            for (pixel, numbers) in numbers.enumerate() {
                widen_pixel(
                    numbers,
                    zero_point,
                    Pixel {
                        index: pixel,
                        of: pixels,
                    },
                    scratch,
                );
            }
            sums.compute(x, pixels, scratch, output);
            x += pixels;
        }
        clamp(&params.output, output);
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: output.len(),
            layout: Layout::Planar,
            width: 1,
        };
        if !sums.suits(scratch, output) {
            return Scalar.dense(params, input, scratch, output);
        }
        widen_pixel(
            input,
            params.input_zero_point,
            Pixel { index: 0, of: 1 },
            scratch,
        );
        sums.compute(0, 1, scratch, output);
        clamp(&params.output, output);
    }
}
