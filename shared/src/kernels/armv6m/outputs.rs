//! From a sum to an output number in Armv6-M instructions, which have neither a long product nor
//! saturation.
//!
//! The doubling high product rounds half up: it is `floor((sum * mantissa + 2^30) / 2^31)`. With
//! both factors cut into a high part and a signed low part of 16 bits, four products make it. The
//! parts below 2^16 only count by their floor, and an `ASRS` leaves the last bit that it shifts
//! out in the carry, which `ADCS` adds: that is the rounding. In the same way the shift right
//! rounds half up, which is gemmlowp's half away from zero but for negative ties; these are moved
//! by adding the sign, unless everything negative is clamped anyway.
//!
//! Where zero is the least output, most sums can do with one product. There both roundings are one,
//! since floors nest: for a positive sum and a shift right by `e > 0` the output is
//! `floor((sum * mantissa + 2^30 + 2^(30+e)) / 2^(31+e))`; without a shift the last summand is not
//! there. With `sum = s * 2^p + d` and `mantissa = f * 2^g + l`, where `p` and `g` are the parts of
//! `9 + e` beyond 15 and up to it, that is `s * f + c`, divided by `2^22`: `c` stands for the powers
//! of two, and what the two rests add is below `f + s + 1 < 2^17`. So `s * f + c` decides it, unless
//! the bits 21 to 17 are all set: that, and an `s` of more than `g` bits, is left to the exact road.
//! The same goes for a sum of zero: `c` alone decides it, and rounds to zero.
//!
//! Where sums come negated, since activations are, so is the mantissa: the product is the same.
//!
//! Bounds: sums are within 2^30 ([`narrow`](crate::kernels::OutputStage::narrow)), mantissas
//! below 2^31. The high parts are within 2^14 and 2^15, the low parts within 2^15; the two middle
//! products are within 2^29 and 2^30, and their sum with what is left of the low one has 32 bits.

use crate::kernels::params::{I32s, OutputStage, PerChannel};

/// What one channel's outputs are made with. The assembly reads it; offsets are in its text.
///
/// Where zero is the least output, `base`, `round`, `factor` and `coarse` are for the short road;
/// else they are what the exact one takes: zero point, low part, high part and shift.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Outputs {
    /// 0: what the shifted sum is below. Or the zero point and 128, so that outputs are `0..=255`.
    base: u32,
    /// 4: where the next output goes.
    pub output: *mut i8,
    /// 8: what is added to the product.
    round: i32,
    /// 12: 2^27, which overflows with five set bits on top.
    undecided: u32,
    /// 16: the highest bits of the mantissa.
    factor: i32,
    /// 20: bits that the sum is shifted to the right before that.
    coarse: u32,
    /// 24: bytes from an output to the next.
    pub step: usize,
    /// 28: the mantissa, negated where sums are.
    mantissa: i32,
    /// 32: bits to shift to the right.
    shift: u32,
}

/// Bits of the sum that the short road takes of a shift, besides it.
const SUM_BITS: u32 = 9;
/// Bits of the sum that it takes at most.
const MOST_BITS: u32 = 15;

impl Outputs {
    /// Of no channel yet.
    pub const fn new(step: usize) -> Self {
        Outputs {
            base: 0,
            output: core::ptr::null_mut(),
            round: 0,
            undecided: 1 << 27,
            factor: 0,
            coarse: 0,
            step,
            mantissa: 0,
            shift: 0,
        }
    }

    /// For `channel` of a layer; `negated` where its sums are, `away` as of the stage.
    ///
    /// # Safety
    /// The layer [suits](crate::kernels::stage::suits), and has the channel.
    #[inline(always)]
    pub unsafe fn set(
        &mut self,
        stage: &OutputStage<'_>,
        channel: usize,
        negated: bool,
        away: bool,
        output: *mut i8,
    ) {
        let PerChannel {
            multiplier, shift, ..
        } = stage.channels;
        // SAFETY: as the caller says.
        let (mantissa, shift) = unsafe {
            let shift = shift.as_ptr().add(channel).read();
            (entry(multiplier, channel), u32::from(shift.unsigned_abs()))
        };
        let signed = if negated { -mantissa } else { mantissa };
        (self.output, self.mantissa, self.shift) = (output, signed, shift);
        if away {
            let low = i32::from(signed as i16);
            // Rounded half up, as the low part is signed.
            let high = ((signed >> 15) + 1) >> 1;
            self.base = (i32::from(stage.zero_point) + 128) as u32;
            (self.factor, self.coarse, self.round) = (high, shift, low);
            return;
        }
        let all = SUM_BITS + shift;
        (self.base, self.factor, self.coarse) = if all < MOST_BITS {
            (1 << all, mantissa >> all, 0)
        } else {
            (1 << MOST_BITS, mantissa >> MOST_BITS, all - MOST_BITS)
        };
        // Of 2^30; and of 2^(30 + shift), where there is a second rounding. And the zero point.
        let first = ((1 << 30) >> all.min(31)) - (128 << 22);
        self.round = if shift > 0 { first + (1 << 21) } else { first };
    }
}

/// Entry `index` of a table, in one load.
///
/// # Safety
/// The table lies at a word, and has the entry.
pub(super) unsafe fn entry(table: I32s<'_>, index: usize) -> i32 {
    // SAFETY: as the caller says.
    unsafe { table.as_ptr().add(index).read() }
}

/// Assembly that turns the sum in r2 into an output in the low byte of r3. r0 base, r10 round, r5
/// 2^27, r6 factor, r7 coarse, of [`Outputs`], which lie where the word at sp points to; r2 to r4 are
/// spent, and r5 where ties matter. `plain` or `negated`, as sums are.
macro_rules! output {
    (down $sign:tt) => { concat!(
        $crate::kernels::armv6m::outputs::output!(@positive $sign),
        "bmi 8f\n",
        "lsrs r3, r7\n",
        "cmp r3, r0\n",
        "bhs 7f\n",
        "muls r3, r6, r3\n",
        "add r3, r10\n",
        // The bits below 22; with the five upper ones all set, 2^27 more has a carry.
        "lsls r4, r3, #10\n",
        "cmn r4, r5\n",
        "bcs 7f\n",
        "asrs r3, r3, #22\n",
        "6:\n",
        "cmp r3, #127\n",
        "ble 9f\n",
        "movs r3, #127\n",
        "b 9f\n",
        // The exact road.
        "7:\n",
        "ldr r7, [sp]\n",
        "ldr r6, [r7, #28]\n",
        "ldr r7, [r7, #32]\n",
        "sxth r3, r6\n",
        "mov r4, r3\n",
        // Rounded half up, as the low part is signed.
        "asrs r6, r6, #15\n",
        "adds r6, r6, #1\n",
        "asrs r6, r6, #1\n",
        $crate::kernels::armv6m::outputs::output!(@product ""),
        // A shift by nothing leaves the carry, which this clears, as it is.
        "cmn r7, r7\n",
        "asrs r3, r7\n",
        "movs r4, #0\n",
        "adcs r3, r4\n",
        "subs r3, r3, #128\n",
        "ldr r7, [sp]\n",
        "ldr r5, [r7, #12]\n",
        "ldr r6, [r7, #16]\n",
        "ldr r7, [r7, #20]\n",
        "b 6b\n",
        // What sums that are not positive give: -128.
        "8:\n",
        "movs r3, #128\n",
        "9:\n",
    ) };
    (away $sign:tt) => { concat!(
        "mov r3, r10\n",
        $crate::kernels::armv6m::outputs::output!(@product "mov r4, r10\n"),
        // Negative ties are moved.
        "asrs r4, r3, #31\n",
        "adds r3, r3, r4\n",
        "asrs r3, r7\n",
        "adcs r3, r0\n",
        "cmp r3, #255\n",
        "bls 9f\n",
        "asrs r3, r3, #31\n",
        "mvns r3, r3\n",
        "9:\n",
        "subs r3, r3, #128\n",
    ) };
    (@positive plain) => { "movs r3, r2\n" };
    (@positive negated) => { "rsbs r3, r2, #0\n" };
    // The doubling high product of r2, the mantissa's high part in r6 and its low part in r3; `low`
    // brings that to r4. To r3.
    (@product $low:literal) => { concat!(
        "sxth r5, r2\n",
        "subs r2, r2, r5\n",
        "asrs r2, r2, #16\n",
        "muls r3, r5, r3\n",
        "asrs r3, r3, #16\n",
        "muls r5, r6, r5\n",
        "adds r3, r3, r5\n",
        $low,
        "muls r4, r2, r4\n",
        "adds r3, r3, r4\n",
        "muls r2, r6, r2\n",
        "lsls r2, r2, #1\n",
        "asrs r3, r3, #15\n",
        "adcs r3, r2\n",
    ) };
}
pub(super) use output;
