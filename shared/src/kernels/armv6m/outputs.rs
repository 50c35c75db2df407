//! Requantisation of a sum in Armv6-M instructions, which have neither a long product nor saturation.
//!
//! The doubling high product rounds half up: it is `floor((sum * mantissa + 2^30) / 2^31)`. With both
//! factors split into a high part and a signed low part of 16 bits, it takes four products. The parts
//! below 2^16 only count by their floor. An `ASRS` leaves the last bit that it shifts out in the carry,
//! and adding it with `ADCS` rounds. The right shift rounds half up in the same way, which is
//! gemmlowp's half away from zero except for negative ties. Those are corrected by adding the sign,
//! unless all negative outputs are clamped anyway.
//!
//! Where zero is the least output, a single product is enough for most sums. Both roundings then merge,
//! since floors nest: for a positive sum and a right shift by `e > 0` the output is
//! `floor((sum * mantissa + 2^30 + 2^(30+e)) / 2^(31+e))`; without a shift the last summand is absent.
//! With `sum = s * 2^p + d` and `mantissa = f * 2^g + l`, where `g` is the smaller of `9 + e` and 15
//! and `p` is the rest of `9 + e`, the output is `s * f + c`, divided by `2^22`: `c` stands for the
//! powers of two, and the two remainders add less than `f + s + 1 < 2^17`. So `s * f + c` determines
//! the output, unless the bits 21 to 17 are all set. That case, and an `s` of more than `g` bits, take
//! the exact path. A sum of zero takes the short path too: `c` alone determines the output, and rounds
//! to zero.
//!
//! Sums are negated where activations are. The mantissa is then negated as well, so the product is the
//! same.
//!
//! Bounds: sums are within 2^30 ([`narrow`](crate::kernels::OutputStage::narrow)), mantissas below
//! 2^31. The high parts are within 2^14 and 2^15, the low parts within 2^15; the two middle products
//! are within 2^29 and 2^30, and their sum with the rest of the low one has 32 bits.

use crate::kernels::params::{I32s, OutputStage, PerChannel};

/// Requantisation constants of one channel. The assembly reads them; its text uses the offsets.
///
/// If zero is the least output, `base`, `round`, `factor` and `coarse` are for the short path;
/// otherwise they hold the exact path's zero point, low part, high part and shift.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Outputs {
    /// Offset 0: exclusive bound of shifted sums that take the short path. On the exact path the zero
    /// point plus 128, so that outputs are `0..=255`.
    base: u32,
    /// Offset 4: address of the next output.
    pub output: *mut i8,
    /// Offset 8: rounding constant, added to the product.
    round: i32,
    /// Offset 12: 2^27, which overflows when the five top bits are set.
    undecided: u32,
    /// Offset 16: the highest bits of the mantissa.
    factor: i32,
    /// Offset 20: bits by which the sum is shifted right before that.
    coarse: u32,
    /// Offset 24: bytes from an output to the next.
    pub step: usize,
    /// Offset 28: the mantissa, negated if sums are.
    mantissa: i32,
    /// Offset 32: bits of the right shift.
    shift: u32,
}

/// Bits that the short path drops from the factors, besides the stage's shift. The product loses the
/// other 22 of 31.
const SUM_BITS: u32 = 9;
/// Largest number of bits of a shifted sum on the short path, and of bits dropped from the mantissa.
const MOST_BITS: u32 = 15;

impl Outputs {
    /// Creates constants with no channel set.
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

    /// Sets the constants for `channel` of a layer; `negated` if its sums are negated, `away` as the
    /// stage requires.
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
        // SAFETY: the caller guarantees it.
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
        // The rounding terms 2^30 and, if there is a second rounding, 2^(30 + shift); and the zero
        // point.
        let first = ((1 << 30) >> all.min(31)) - (128 << 22);
        self.round = if shift > 0 { first + (1 << 21) } else { first };
    }
}

/// Reads entry `index` of a table in one load.
///
/// # Safety
/// The table is word-aligned, and has the entry.
pub(super) unsafe fn entry(table: I32s<'_>, index: usize) -> i32 {
    // SAFETY: the caller guarantees it.
    unsafe { table.as_ptr().add(index).read() }
}

/// Assembly that turns the sum in r2 into an output in the low byte of r3. r0 base, r10 round, r5 2^27,
/// r6 factor, r7 coarse, of [`Outputs`], whose address is in the word at sp; r2 to r4 are clobbered,
/// and r5 if ties matter. `plain` or `negated` like the sums.
macro_rules! output {
    (down $sign:tt) => { concat!(
        $crate::kernels::armv6m::outputs::output!(@positive $sign),
        "bmi 8f\n",
        "lsrs r3, r7\n",
        "cmp r3, r0\n",
        "bhs 7f\n",
        "muls r3, r6, r3\n",
        "add r3, r10\n",
        // The bits below 22; if the five upper ones are all set, adding 2^27 sets the carry.
        "lsls r4, r3, #10\n",
        "cmn r4, r5\n",
        "bcs 7f\n",
        "asrs r3, r3, #22\n",
        "6:\n",
        "cmp r3, #127\n",
        "ble 9f\n",
        "movs r3, #127\n",
        "b 9f\n",
        // The exact path.
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
        // A shift by zero leaves the carry unchanged; `CMN` clears it first.
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
        // Output of negative sums: -128.
        "8:\n",
        "movs r3, #128\n",
        "9:\n",
    ) };
    (away $sign:tt) => { concat!(
        "mov r3, r10\n",
        $crate::kernels::armv6m::outputs::output!(@product "mov r4, r10\n"),
        // Negative ties are corrected.
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
    // Doubling high product of r2, with the mantissa's high part in r6 and its low part in r3; `low`
    // copies the low part to r4. Result in r3.
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
