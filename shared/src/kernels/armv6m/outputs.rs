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
//! Where sums come negated, since activations are, so is the mantissa: the product is the same.
//!
//! Bounds: sums are within 2^30 ([`narrow`](crate::kernels::OutputStage::narrow)), mantissas
//! below 2^31. The high parts are within 2^14 and 2^15, the low parts within 2^15; the two middle
//! products are within 2^29 and 2^30, and their sum with what is left of the low one has 32 bits.

use crate::kernels::params::{I32s, OutputStage, PerChannel};

/// What one channel's outputs are made with. The assembly reads it; `[zero_point, output, high,
/// shift, low, step]` in this order.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Outputs {
    /// 0: zero point of the output and 128, so that outputs are `0..=255`.
    pub zero_point: u32,
    /// 4: where the next output goes.
    pub output: *mut i8,
    /// 8: high part of the mantissa.
    pub high: i32,
    /// 12: bits to shift to the right.
    pub shift: u32,
    /// 16: low part of the mantissa.
    pub low: i32,
    /// 20: bytes from an output to the next.
    pub step: usize,
}

impl Outputs {
    /// Of no channel yet.
    pub fn new(stage: &OutputStage<'_>, step: usize) -> Self {
        Outputs {
            zero_point: (i32::from(stage.zero_point) + 128) as u32,
            output: core::ptr::null_mut(),
            high: 0,
            shift: 0,
            low: 0,
            step,
        }
    }

    /// For `channel` of a layer; `negated` where its sums are.
    ///
    /// # Safety
    /// The layer [suits](suits), and has the channel.
    #[inline(always)]
    pub unsafe fn set(
        &mut self,
        stage: &OutputStage<'_>,
        channel: usize,
        negated: bool,
        output: *mut i8,
    ) {
        let PerChannel {
            multiplier, shift, ..
        } = stage.channels;
        // SAFETY: as the caller says.
        let mantissa = unsafe { entry(multiplier, channel) };
        let mantissa = if negated { -mantissa } else { mantissa };
        self.output = output;
        self.low = i32::from(mantissa as i16);
        // Rounded half up, as the low part is signed.
        self.high = ((mantissa >> 15) + 1) >> 1;
        self.shift = shift[channel].unsigned_abs().into();
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

/// Assembly that turns the sum in r2 into an output in r3. r0 zero point, r6 high part, r7 shift,
/// r10 low part; r2 to r5 are spent. `none` branches where the sum is not positive: negated sums
/// are compared the other way round.
macro_rules! output {
    ($rounding:tt $none:literal) => { concat!(
        $crate::kernels::armv6m::outputs::output!(@none $rounding $none),
        "sxth r5, r2\n",
        "subs r2, r2, r5\n",
        "asrs r2, r2, #16\n",
        "mov r3, r10\n",
        "muls r3, r5, r3\n",
        "asrs r3, r3, #16\n",
        "muls r5, r6, r5\n",
        "adds r3, r3, r5\n",
        "mov r4, r10\n",
        "muls r4, r2, r4\n",
        "adds r3, r3, r4\n",
        "muls r2, r6, r2\n",
        "lsls r2, r2, #1\n",
        "asrs r3, r3, #15\n",
        "adcs r3, r2\n",
        $crate::kernels::armv6m::outputs::output!(@ties $rounding),
        "asrs r3, r7\n",
        "adcs r3, r0\n",
        "cmp r3, #255\n",
        "bls 9f\n",
        "asrs r3, r3, #31\n",
        "mvns r3, r3\n",
        "9:\n",
        "subs r3, r3, #128\n",
    ) };
    // Where zero is the least output, that is what sums that are not positive give.
    (@none down $none:literal) => { concat!("movs r3, #0\ncmp r2, r3\n", $none, " 9f\n") };
    (@none away $none:literal) => { "" };
    // Negative ties are moved.
    (@ties away) => { "asrs r4, r3, #31\nadds r3, r3, r4\n" };
    // A shift by nothing leaves the carry, which this clears, as it is.
    (@ties down) => { "cmn r7, r7\n" };
}
pub(super) use output;
