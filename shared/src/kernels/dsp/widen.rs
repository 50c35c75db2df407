//! Widens activations into scratch: int16, twice their distance from the zero point, word by word in
//! the order of the [packed](crate::kernels::Packed) weights.

use crate::kernels::params::ConvParams;
use crate::kernels::window::gather;

use super::TERMS;

/// Widens four activations to two words: their doubled distances from the zero point, in the pairs (0,
/// 2) and (1, 3).
fn widen(numbers: [i8; TERMS], zero_point: i8) -> [u32; 2] {
    let wide = numbers.map(|number| 2 * (i16::from(number) - i16::from(zero_point)));
    let pair = |low: i16, high: i16| u32::from(low as u16) | u32::from(high as u16) << 16;
    [pair(wide[0], wide[2]), pair(wide[1], wide[3])]
}

/// The negated zero point in both halves of a word.
pub(super) fn twice(zero_point: i8) -> u32 {
    u32::from(-i16::from(zero_point) as u16) * 0x1_0001
}

/// Assembly that widens four activations in `word` to their position at `to`, and advances to the next.
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

/// Assembly that widens four values of a window in `word` to the words `even` and `odd` of its pixel,
/// `step` bytes apart.
macro_rules! rgb_word {
    ($even:literal $odd:literal) => {
        concat!(
            "sxtab16 {even}, {negative}, {word}\n",
            "sxtab16 {word}, {negative}, {word}, ror #8\n",
            "sadd16 {even}, {even}, {even}\n",
            "sadd16 {word}, {word}, {word}\n",
            "str {even}, [{to}, #{step} * ",
            $even,
            "]\nstr {word}, [{to}, #{step} * ",
            $odd,
            "]",
        )
    };
}

/// Position of a pixel among those that are computed together.
#[derive(Clone, Copy)]
struct Pixel {
    /// Index of the pixel.
    index: usize,
    /// Number of pixels.
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

/// Assembly that doubles the widened values of two pixels, and writes them.
macro_rules! widen_two {
    ($lsr:literal, $even:literal, $odd:literal) => {
        concat!(
            $lsr,
            "sxtab16 {e0}, {negative}, {w0}\n",
            "sxtab16 {e1}, {negative}, {w1}\n",
            "sxtab16 {w0}, {negative}, {w0}, ror #8\n",
            "sxtab16 {w1}, {negative}, {w1}, ror #8\n",
            "sadd16 {e0}, {e0}, {e0}\n",
            "sadd16 {e1}, {e1}, {e1}\n",
            "sadd16 {w0}, {w0}, {w0}\n",
            "sadd16 {w1}, {w1}, {w1}\n",
            "strd {w0}, {w1}, ",
            $odd,
            "\nstrd {e0}, {e1}, ",
            $even,
        )
    };
}

/// Assembly that widens the next four activations of four pixels, or of three.
macro_rules! widen_block {
    (4, $lsr:literal) => {
        concat!(
            "ldr {w1}, [{q}, {inputs}]\n",
            "ldr {w0}, [{q}], #4\n",
            widen_two!($lsr, "[{to}, #8]\n", "[{to}, #24]"),
            "ldr {w1}, [{p}, {inputs}]\n",
            "ldr {w0}, [{p}], #4\n",
            widen_two!($lsr, "[{to}], #32", "[{to}, #16]"),
        )
    };
    (3, "") => {
        concat!(widen_block!(@third), widen_block!(@two ""))
    };
    (3, $lsr:literal) => {
        concat!(
            widen_block!(@third "lsr {w0}, {w0}, {shift}\norr {w0}, {w0}, {count}\n"),
            widen_block!(@two $lsr),
        )
    };
    (@third $($lsr:literal)?) => {
        concat!(
            "ldr {w0}, [{q}], #4\n",
            $($lsr,)?
            "sxtab16 {e0}, {negative}, {w0}\n",
            "sxtab16 {w0}, {negative}, {w0}, ror #8\n",
            "sadd16 {e0}, {e0}, {e0}\n",
            "sadd16 {w0}, {w0}, {w0}\n",
            "str {e0}, [{to}, #8]\n",
            "str {w0}, [{to}, #20]\n",
        )
    };
    (@two $lsr:literal) => {
        concat!(
            "ldr {w1}, [{p}, {inputs}]\n",
            "ldr {w0}, [{p}], #4\n",
            widen_two!($lsr, "[{to}], #24", "[{to}, #12]"),
        )
    };
}

/// A function that widens blocks of pixels, each of `inputs` values, at least four. The last values of
/// a pixel that make no whole word are read as the end of a word, and are followed by zero points.
macro_rules! widen_pixels {
    ($name:ident, $pixels:tt) => {
        fn $name(input: &[i8], inputs: usize, zero_point: i8, scratch: &mut [u32]) -> bool {
            let words = $pixels * inputs.next_multiple_of(TERMS) / 2;
            if inputs < TERMS {
                return false;
            }
            let shift = 8 * (inputs.next_multiple_of(TERMS) - inputs) as u32;
            let fill = u32::from_le_bytes([zero_point as u8; 4]).unbounded_shl(32 - shift);
            let (negative, whole) = (twice(zero_point), inputs / TERMS);
            let pixels = input.chunks_exact($pixels * inputs);
            for (pixels, words) in pixels.zip(scratch.chunks_exact_mut(words)) {
            // SAFETY: all pixels are read from their first value to their last, in words that end there
            // at the latest; each whole or partial block of four terms writes two words for each pixel,
            // which `words` has.
            unsafe {
                core::arch::asm!(
                    "2:",
                    widen_block!($pixels, ""),
                    "subs {count}, {count}, #1",
                    "bne 2b",
                    "cmp {shift}, #0",
                    "beq 3f",
                    "uxtb {count}, {shift}",
                    "sub {p}, {p}, {count}, lsr #3",
                    "sub {q}, {q}, {count}, lsr #3",
                    "bic {count}, {shift}, #255",
                    widen_block!(
                        $pixels,
                        "lsr {w0}, {w0}, {shift}\nlsr {w1}, {w1}, {shift}\norr {w0}, {w0}, {count}\norr {w1}, {w1}, {count}\n"
                    ),
                    "3:",
                    w0 = out(reg) _,
                    w1 = out(reg) _,
                    e0 = out(reg) _,
                    e1 = out(reg) _,
                    p = inout(reg) pixels.as_ptr() => _,
                    q = inout(reg) pixels.as_ptr().add(2 * inputs) => _,
                    inputs = in(reg) inputs,
                    to = inout(reg) words.as_mut_ptr() => _,
                    negative = in(reg) negative,
                    count = inout(reg) whole => _,
                    // The shift is in the lowest byte, from which the instruction reads it and which is
                    // zero in the fill.
                    shift = in(reg) shift | fill,
                    options(nostack),
                );
            }
            }
            true
        }
    };
}

widen_pixels!(four_pixels, 4);
widen_pixels!(three_pixels, 3);

/// Widens the activations of blocks of `of` pixels, each of `inputs` values, into their words: all of
/// `scratch`.
pub(super) fn widen_pixels(
    input: &[i8],
    inputs: usize,
    zero_point: i8,
    of: usize,
    scratch: &mut [u32],
) {
    let done = match of {
        4 => four_pixels(input, inputs, zero_point, scratch),
        3 => three_pixels(input, inputs, zero_point, scratch),
        _ => false,
    };
    if done {
        return;
    }
    let words = of * inputs.next_multiple_of(TERMS) / 2;
    let blocks = input.chunks(of * inputs);
    for (block, words) in blocks.zip(scratch.chunks_exact_mut(words)) {
        for (index, pixel) in block.chunks_exact(inputs).enumerate() {
            widen_pixel(pixel, zero_point, Pixel { index, of }, words);
        }
    }
}

/// Words of a window of three channels.
const RGB_WORDS: usize = 14;

/// Widens whole windows of a picture's three channels from output column `x` on: of `count` pixels, the
/// one at `index` and those after it, of each block of `OF` in `scratch`. Returns false if a window
/// reaches beyond the picture to a side, or all of it is above or below, or there are other channels.
fn widen_rgb<const OF: usize>(
    params: &ConvParams<'_>,
    rows: [Option<&[i8]>; 3],
    x: usize,
    (index, count): (usize, usize),
    scratch: &mut [u32],
) -> bool {
    let Some(start) = (3 * x * params.stride).checked_sub(3 * params.pad_left) else {
        return false;
    };
    let step = 3 * params.stride;
    let pixels = scratch.len() / (RGB_WORDS * OF) * count;
    if pixels == 0 || index + count > OF {
        return false;
    }
    let len = step * (pixels - 1) + 9;
    // Above and below the picture there are only zero points, the same for each window.
    let padding = [params.input_zero_point; 9];
    let part = |row: Option<&[i8]>| match row {
        Some(row) => Some((row.get(start..start + len)?.as_ptr(), step)),
        None => Some((padding.as_ptr(), 0)),
    };
    let [
        Some((mut top, top_step)),
        Some((mut middle, middle_step)),
        Some((mut bottom, bottom_step)),
    ] = rows.map(part)
    else {
        return false;
    };
    if middle_step == 0 || params.input_channels != 3 {
        return false;
    }
    let last = u32::from(params.input_zero_point as u8) << 24;
    let negative = twice(params.input_zero_point);
    for words in scratch.chunks_exact_mut(RGB_WORDS * OF) {
        // SAFETY: nine bytes are read from each of the three rows, `count` times in each block, its
        // step apart: `len` in all; the words written are `n * OF` and `index + i` further for `n` below 14
        // and `i` below `count`, all of the block as `index + count <= OF`.
        unsafe {
            core::arch::asm!(
                "2:",
                "ldr {word}, [{top}]",
                rgb_word!("0" "1"),
                "ldr {word}, [{top}, #4]",
                rgb_word!("2" "3"),
                "ldrb {word}, [{top}, #8]",
                "ldr {even}, [{middle}]",
                "orr {word}, {word}, {even}, lsl #8",
                rgb_word!("4" "5"),
                "ldr {word}, [{middle}, #3]",
                rgb_word!("6" "7"),
                "ldrh {word}, [{middle}, #7]",
                "ldrh {even}, [{bottom}]",
                "orr {word}, {word}, {even}, lsl #16",
                rgb_word!("8" "9"),
                "ldr {word}, [{bottom}, #2]",
                rgb_word!("10" "11"),
                // The last word ends with a zero point.
                "ldr {word}, [{bottom}, #5]",
                "orr {word}, {last}, {word}, lsr #8",
                rgb_word!("12" "13"),
                "add {top}, {top}, {top_step}",
                "add {middle}, {middle}, {middle_step}",
                "add {bottom}, {bottom}, {bottom_step}",
                "add {to}, {to}, #4",
                "subs {count}, {count}, #1",
                "bne 2b",
                word = out(reg) _,
                even = out(reg) _,
                top = inout(reg) top,
                middle = inout(reg) middle,
                bottom = inout(reg) bottom,
                last = in(reg) last,
                negative = in(reg) negative,
                to = inout(reg) words.as_mut_ptr().add(index) => _,
                top_step = in(reg) top_step,
                middle_step = in(reg) middle_step,
                bottom_step = in(reg) bottom_step,
                count = inout(reg) count => _,
                step = const 4 * OF,
                options(nostack),
            );
        }
    }
    true
}

/// Widens the windows of blocks of `of` pixels from output column `x` on into their words: all of
/// `scratch`. `window` is a buffer for one window.
pub(super) fn widen_windows(
    params: &ConvParams<'_>,
    rows: [Option<&[i8]>; 3],
    (x, of): (usize, usize),
    window: &mut [i8],
    scratch: &mut [u32],
) {
    let rgb = match of {
        4 => widen_rgb::<4>,
        3 => widen_rgb::<3>,
        2 => widen_rgb::<2>,
        _ => widen_rgb::<1>,
    };
    let words = of * params.weights.terms().next_multiple_of(TERMS) / 2;
    let blocks = scratch.len() / words;
    // The first block and the last may meet an edge.
    let (first, others) = scratch.split_at_mut(words.min(scratch.len()));
    let inner = blocks.saturating_sub(2);
    let (inside, last) = others.split_at_mut(inner * words);
    for (block, part) in [(0, first), (1, inside), (inner + 1, last)] {
        let x = x + block * of;
        if rgb(params, rows, x, (0, of), part) {
            continue;
        }
        for (block, words) in part.chunks_exact_mut(words).enumerate() {
            for index in 0..of {
                let x = x + block * of + index;
                if !rgb(params, rows, x, (index, 1), words) {
                    gather(params, rows, x, window);
                    let place = Pixel { index, of };
                    widen_pixel(window, params.input_zero_point, place, words);
                }
            }
        }
    }
}
