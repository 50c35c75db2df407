//! Widening activations into scratch: int16, twice their distance from the zero point, word by word as
//! the [packed](crate::kernels::Packed) weights want them.

use crate::kernels::params::ConvParams;

use super::TERMS;

/// Writes four activations as two words: their doubled distances from the zero point, in the
/// pairs (0, 2) and (1, 3).
pub(super) fn widen(numbers: [i8; TERMS], zero_point: i8) -> [u32; 2] {
    let wide = numbers.map(|number| 2 * (i16::from(number) - i16::from(zero_point)));
    let pair = |low: i16, high: i16| u32::from(low as u16) | u32::from(high as u16) << 16;
    [pair(wide[0], wide[2]), pair(wide[1], wide[3])]
}

/// The negated zero point in both halves of a word.
pub(super) fn twice(zero_point: i8) -> u32 {
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
pub(super) struct Pixel {
    /// Which one.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

/// Widens the activations of one pixel into its words of `scratch`.
pub(super) fn widen_pixel(input: &[i8], zero_point: i8, place: Pixel, scratch: &mut [u32]) {
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

/// Words of a window of three channels.
const RGB_WORDS: usize = 14;

/// Widens the whole window of a picture's three channels at output column `x`; false where it
/// reaches beyond the picture or has other channels.
pub(super) fn widen_rgb(
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
