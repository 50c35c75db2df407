//! Inner loop of layers with packed weights for rows of one or two pixels, in assembly: weights are
//! widened as they are read, since no other pixel needs them. Otherwise it is that of `many.rs`.

/// Input of a block. The assembly advances the pointers; its text uses the offsets.
#[repr(C)]
pub(super) struct Job {
    /// Offset 0: words of activations, `[terms / 2, P]`.
    pub activations: *const u32,
    /// Offset 4: packed weights.
    pub weights: *const i8,
    /// Offset 8: biases, one of each channel.
    pub bias: *const i32,
    /// Offset 12: multipliers, one of each channel.
    pub multiplier: *const i32,
    /// Offset 16: shifts, one of each channel, none positive; none zero if negative ties matter.
    pub shift: *const i8,
    /// Offset 20: zero point of the output.
    pub zero_point: i32,
    /// Offset 24: first pixel of channel 0.
    pub output: *mut i8,
    /// Offset 28: bytes from a channel to the next (planar), or from a pixel to the next (interleaved).
    pub step: usize,
    /// Offset 32: end of the activations.
    pub activations_end: *const u32,
    /// Offset 36: end of the weights of the pairs to compute.
    pub weights_end: *const i8,
    /// Offset 40: blocks of four terms beyond the first, modulo four: the remainder after whole
    /// iterations of the loop.
    pub rest: usize,
}

/// Text of one function, `size` the bytes of two steps. Registers: r0 activations, r1 weights, r4 and
/// r5 the weights of the two channels, the others as the lists say; s0 holds the end of the
/// activations, s1 the address in the loop where a pair begins, s2 the job.
macro_rules! block {
    ($name:ident, size $size:literal, first $first:tt, step $step:tt, sums $sums0:tt, $sums1:tt, bias $b0:literal $b1:literal,
     rounding $rounding:tt, store $store:tt) => {
        /// Computes a block; see the module.
        ///
        /// # Safety
        /// Every field of the job must be as documented: the activations `[terms / 2, P]` words, terms
        /// in whole blocks of four; weights, tables and output for all channels up to the end of the
        /// weights; pointers to words aligned.
        #[inline(never)]
        pub(super) unsafe fn $name(job: *mut Job) {
            // SAFETY: the caller guarantees all reads and writes. r6 and r7, which the compiler
            // reserves, are saved on the stack; all other registers are declared.
            unsafe {
                core::arch::asm!(
                // ADR counts from a whole word, so the section must be aligned to one.
                ".p2align 2",
                "push {{r6, r7}}",
                "vmov s2, r0",
                "ldr r2, [r0, #32]",
                "vmov s0, r2",
                "ldr r2, [r0, #40]",
                concat!("mov r4, #", $size),
                "adr.w r3, 4f",
                "mls r3, r2, r4, r3",
                "vmov s1, r3",
                "ldr r1, [r0, #4]",
                // A pair of channels.
                "2:",
                "ldr r2, [r0, #8]",
                concat!("ldrd ", $b0, ", ", $b1, ", [r2], #8"),
                "str r2, [r0, #8]",
                "ldr r0, [r0]",
                concat!("add ", $b0, ", ", $b0, ", ", $b0),
                concat!("add ", $b1, ", ", $b1, ", ", $b1),
                block!(@text $first),
                block!(@text $step),
                "vmov r2, s1",
                "mov pc, r2",
                // Four blocks of four terms.
                "3:",
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                block!(@text $step),
                "4:",
                "vmov r2, s0",
                "cmp r0, r2",
                "bne 3b",
                // Requantisation of the sums.
                "vmov r0, s2",
                "ldr r4, [r0, #12]",
                "ldrd r2, r3, [r4], #8",
                "str r4, [r0, #12]",
                "ldr r5, [r0, #16]",
                "ldrsb r4, [r5], #1",
                "str r5, [r0, #16]",
                "rsb r4, r4, #0",
                "cmn r4, #0",
                "ldr r5, [r0, #20]",
                block!(@outputs $rounding "r2" $sums0),
                "ldr r2, [r0, #16]",
                "ldrsb r4, [r2], #1",
                "str r2, [r0, #16]",
                "rsb r4, r4, #0",
                "cmn r4, #0",
                block!(@outputs $rounding "r3" $sums1),
                "ldrd r2, r3, [r0, #24]",
                block!(@store $store $sums0 $sums1),
                "str r2, [r0, #24]",
                "ldr r2, [r0, #36]",
                "cmp r1, r2",
                "bne 2b",
                "pop {{r6, r7}}",
                inout("r0") job => _,
                out("r1") _,
                out("r2") _,
                out("r3") _,
                out("r4") _,
                out("r5") _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                out("lr") _,
                out("s0") _,
                out("s1") _,
                out("s2") _,
            )
            }
        }
    };
    (@text ($($line:literal)*)) => { concat!($($line, "\n"),*) };
    (@outputs down $multiplier:literal ($($sum:literal)*)) => {
        concat!($(
            "smmulr ", $sum, ", ", $sum, ", ", $multiplier, "\n",
            "asrs ", $sum, ", ", $sum, ", r4\n",
            "adc ", $sum, ", ", $sum, ", r5\n",
            "ssat ", $sum, ", #8, ", $sum, "\n",
        )*)
    };
    (@outputs away $multiplier:literal ($($sum:literal)*)) => {
        concat!($(
            "smmulr ", $sum, ", ", $sum, ", ", $multiplier, "\n",
            "add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",
            "asrs ", $sum, ", ", $sum, ", r4\n",
            "adc ", $sum, ", ", $sum, ", r5\n",
            "ssat ", $sum, ", #8, ", $sum, "\n",
        )*)
    };
    (@store planar ($a0:literal $a1:literal) ($b0:literal $b1:literal)) => { concat!(
        "strb ", $a0, ", [r2]\n", "strb ", $a1, ", [r2, #1]\n",
        "add r2, r2, r3\n",
        "strb ", $b0, ", [r2]\n", "strb ", $b1, ", [r2, #1]\n",
        "add r2, r2, r3\n",
    ) };
    (@store planar ($a0:literal) ($b0:literal)) => { concat!(
        "strb ", $a0, ", [r2]\n", "strb ", $b0, ", [r2, r3]\n",
        "add r2, r2, r3, lsl #1\n",
    ) };
    (@store interleaved ($($a:literal)*) ($($b:literal)*)) => { concat!(
        "add r4, r2, #2\n",
        $(
            "strb ", $a, ", [r2]\n", "strb ", $b, ", [r2, #1]\n",
            "add r2, r2, r3\n",
        )*
        "mov r2, r4\n",
    ) };
}

macro_rules! blocks {
    ($($rounding:tt $store:tt: $two:ident $one:ident;)*) => { $(
        block!($two, size "64",
            first ("ldr r4, [r1], #4" "ldrd r2, r3, [r0], #8" "sxtb16 r5, r4, ror #8" "sxtb16 r4, r4"
                "smlad r6, r2, r4, r7" "smlad r7, r3, r4, r7"
                "smlad r8, r2, r5, r9" "smlad r9, r3, r5, r9"),
            step ("ldr r4, [r1], #4" "ldrd r2, r3, [r0], #8" "sxtb16 r5, r4, ror #8" "sxtb16 r4, r4"
                "smlad r6, r2, r4, r6" "smlad r7, r3, r4, r7"
                "smlad r8, r2, r5, r8" "smlad r9, r3, r5, r9"),
            sums ("r6" "r7"), ("r8" "r9"), bias "r7" "r9",
            rounding $rounding, store $store);
        block!($one, size "48",
            first ("ldr r4, [r1], #4" "ldr r2, [r0], #4" "sxtb16 r5, r4, ror #8" "sxtb16 r4, r4"
                "smlad r6, r2, r4, r6" "smlad r7, r2, r5, r7"),
            step ("ldr r4, [r1], #4" "ldr r2, [r0], #4" "sxtb16 r5, r4, ror #8" "sxtb16 r4, r4"
                "smlad r6, r2, r4, r6" "smlad r7, r2, r5, r7"),
            sums ("r6"), ("r7"), bias "r6" "r7",
            rounding $rounding, store $store);
    )* };
}

blocks! {
    down planar: two_down_planar one_down_planar;
    away planar: two_away_planar one_away_planar;
    down interleaved: two_down_interleaved one_down_interleaved;
    away interleaved: two_away_interleaved one_away_interleaved;
}

/// The assembly function for one or two pixels; `away` if negative ties must round away from zero.
pub(super) fn few(pixels: usize, planar: bool, away: bool) -> unsafe fn(*mut Job) {
    match (pixels, planar, away) {
        (1, true, false) => one_down_planar,
        (1, true, true) => one_away_planar,
        (1, false, false) => one_down_interleaved,
        (1, false, true) => one_away_interleaved,
        (_, true, false) => two_down_planar,
        (_, true, true) => two_away_planar,
        (_, false, false) => two_down_interleaved,
        (_, false, true) => two_away_interleaved,
    }
}
