//! Inner loops of layers with packed weights, in assembly: all pairs of output channels, and for each
//! pair three or four pixels at a time until the row is done.
//!
//! Activations lie in scratch as int16, twice their distance from the zero point, in blocks of three or
//! four pixels, and in each block word by word in the order of the [packed](crate::kernels::Packed)
//! weights: for each four terms the pairs (0, 2) of all pixels, then the pairs (1, 3). The weights of
//! two channels are widened into scratch as well, once for all pixels. `SMLAD` multiplies pair with
//! pair, two products an instruction: four pixels and two channels take 11 instructions for 16
//! products, three take 8 for 12.
//!
//! Because activations are doubled, sums are, and the high word of a product with the multiplier,
//! rounded, is gemmlowp's doubling high product. `SMMLAR` computes it and adds the zero point and one
//! half, both shifted left by the amount that `ASR` then shifts right: division by a power of two,
//! rounded half up. That is gemmlowp's rounding, half away from zero, except for negative ties;
//! `ADD x, x, x, ASR #31` corrects those, and is omitted if all negative outputs are clamped anyway.
//! The summand is twice the zero point plus one, shifted and halved; this holds for a shift by zero
//! too.
//!
//! Products are within 2^30, and shifts of [narrow](crate::kernels::OutputStage::narrow) stages keep
//! the summand within 2^30 as well.

/// Input of the computation of rows. The assembly advances the pointers; its text uses the offsets.
#[repr(C)]
pub(super) struct Job {
    /// Offset 0: packed weights.
    pub weights: *const i8,
    /// Offset 4: widened weights of a pair: a word for each term.
    pub wide: *mut u32,
    /// Offset 8: terms, in whole fours.
    pub terms: usize,
    /// Offset 12: biases, one of each channel.
    pub bias: *const i32,
    /// Offset 16: multipliers, one of each channel.
    pub multiplier: *const i32,
    /// Offset 20: shifts, one of each channel, none positive; none zero if negative ties matter.
    pub shift: *const i8,
    /// Offset 24: blocks of activations, fours before threes.
    pub activations: *const u32,
    /// Offset 28: first pixel of channel 0.
    pub output: *mut i8,
    /// Offset 32: bytes from a channel to the next (planar), or from a pixel to the next (interleaved).
    pub step: usize,
    /// Offset 36: bytes from a pair of channels to the next.
    pub pair_step: usize,
    /// Offset 40: end of the blocks of four pixels.
    pub fours_end: *const u32,
    /// Offset 44: end of the blocks of three pixels, which follow.
    pub threes_end: *const u32,
    /// Offset 48: pairs of channels.
    pub pairs: usize,
    /// Offset 52: twice the zero point of the output, plus one.
    pub twice_zero_point: i32,
    /// Offset 56: blocks of four terms beyond the first, modulo four: the remainder after whole
    /// iterations of the loop.
    pub rest: usize,
}

/// Text of one function. s0: end of the wide weights; s1, s2: entry of a block of four and of three
/// pixels into its loop; s3: the job; s4, s5: bias of both channels; s6, s7: multiplier of the first
/// and the summand of its products; s13, s14: of the second; s8, s9: shifts of both; s10: the output,
/// s11: step; s12: wide weights; s15: end of the activations of blocks of a size. In a loop: r0
/// activations, r1 weights, r4 and r5 those of both channels.
macro_rules! many {
    ($name:ident, $rounding:tt, $store:tt) => {
        /// Computes pixels of all pairs of channels; see the module.
        ///
        /// # Safety
        /// Every field of the job must be as documented: weights, tables and output for all pairs;
        /// `terms` wide words; activations of all blocks; at least one pair and one block; pointers to
        /// words aligned, weights too.
        #[inline(never)]
        pub(super) unsafe fn $name(job: *mut Job) {
            // SAFETY: the caller guarantees all reads and writes. r6 and r7, which the compiler
            // reserves, are saved on the stack; all other registers are declared.
            unsafe {
                core::arch::asm!(
                // ADR counts from a whole word, so the section must be aligned to one.
                ".p2align 2",
                "push {{r6, r7}}",
                "vmov s3, r0",
                "ldrd r1, r2, [r0, #4]",
                "vmov s12, r1",
                "add r1, r1, r2, lsl #2",
                "vmov s0, r1",
                "ldr r1, [r0, #56]",
                "mov r2, #88",
                "adr.w r3, 24f",
                "mls r3, r1, r2, r3",
                "vmov s1, r3",
                "mov r2, #64",
                "adr.w r3, 34f",
                "mls r3, r1, r2, r3",
                "vmov s2, r3",
                "ldr r1, [r0, #32]",
                "vmov s11, r1",
                // A pair of channels: its weights, widened.
                "2:",
                "ldrd r1, r2, [r0]",
                "ldr r3, [r0, #8]",
                "12:",
                "ldrd r4, r6, [r1], #8",
                "sxtb16 r5, r4, ror #8",
                "sxtb16 r4, r4",
                "sxtb16 r7, r6, ror #8",
                "sxtb16 r6, r6",
                "stmia r2!, {{r4, r5, r6, r7}}",
                "subs r3, r3, #4",
                "bne 12b",
                "str r1, [r0]",
                // Its tables.
                "ldrd r1, r2, [r0, #12]",
                "ldrd r4, r5, [r1], #8",
                "ldrd r6, r7, [r2], #8",
                "strd r1, r2, [r0, #12]",
                "add r4, r4, r4",
                "add r5, r5, r5",
                "vmov s4, s5, r4, r5",
                "ldr r1, [r0, #20]",
                "ldrsb r4, [r1], #1",
                "ldrsb r5, [r1], #1",
                "str r1, [r0, #20]",
                "rsb r4, r4, #0",
                "rsb r5, r5, #0",
                "vmov s8, s9, r4, r5",
                "ldr r2, [r0, #52]",
                "lsl r3, r2, r4",
                "lsl r2, r2, r5",
                "asr r3, r3, #1",
                "asr r2, r2, #1",
                "vmov s6, s7, r6, r3",
                "vmov s13, s14, r7, r2",
                "ldr r1, [r0, #28]",
                "vmov s10, r1",
                "ldr r2, [r0, #36]",
                "add r1, r1, r2",
                "str r1, [r0, #28]",
                "ldr r2, [r0, #40]",
                "ldr r0, [r0, #24]",
                "cmp r0, r2",
                "beq 31f",
                "vmov s15, r2",
                // Four pixels.
                "21:",
                "vmov r9, lr, s4, s5",
                "vmov r1, s12",
                many!(@four "r9" "r9" "lr" "lr" "r9" "r9" "lr" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                "vmov r2, s1",
                "mov pc, r2",
                "23:",
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                many!(@four "r6" "r7" "r10" "r11" "r8" "r9" "r12" "lr"),
                "24:",
                "vmov r2, s0",
                "cmp r1, r2",
                "bne 23b",
                many!(@outputs $rounding ("r6" "r7" "r8" "r9") ("r10" "r11" "r12" "lr")),
                many!(@store $store ("r6" "r7" "r8" "r9") ("r10" "r11" "r12" "lr")),
                "vmov r2, s15",
                "cmp r0, r2",
                "bne 21b",
                // Three pixels.
                "31:",
                "vmov r1, s3",
                "ldr r2, [r1, #44]",
                "cmp r0, r2",
                "beq 41f",
                "vmov s15, r2",
                "32:",
                "vmov r8, r11, s4, s5",
                "vmov r1, s12",
                many!(@three "r8" "r8" "r8" "r11" "r11" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                "vmov r2, s2",
                "mov pc, r2",
                "33:",
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                many!(@three "r6" "r7" "r8" "r9" "r10" "r11"),
                "34:",
                "vmov r2, s0",
                "cmp r1, r2",
                "bne 33b",
                many!(@outputs $rounding ("r6" "r7" "r8") ("r9" "r10" "r11")),
                many!(@store $store ("r6" "r7" "r8") ("r9" "r10" "r11")),
                "vmov r2, s15",
                "cmp r0, r2",
                "bne 32b",
                "41:",
                "vmov r0, s3",
                "ldr r1, [r0, #48]",
                "subs r1, r1, #1",
                "str r1, [r0, #48]",
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
                out("s3") _,
                out("s4") _,
                out("s5") _,
                out("s6") _,
                out("s7") _,
                out("s8") _,
                out("s9") _,
                out("s10") _,
                out("s11") _,
                out("s12") _,
                out("s13") _,
                out("s14") _,
                out("s15") _,
            )
            }
        }
    };
    // Two terms of four pixels and both channels, 44 bytes; the operands name the accumulators' start
    // values.
    (@four $a0:literal $a1:literal $b0:literal $b1:literal $a2:literal $a3:literal $b2:literal
        $b3:literal) => { concat!(
        "ldrd r4, r5, [r1], #8\n",
        "ldrd r2, r3, [r0], #8\n",
        "smlad r6, r2, r4, ", $a0, "\n",
        "smlad r7, r3, r4, ", $a1, "\n",
        "smlad r10, r2, r5, ", $b0, "\n",
        "smlad r11, r3, r5, ", $b1, "\n",
        "ldrd r2, r3, [r0], #8\n",
        "smlad r8, r2, r4, ", $a2, "\n",
        "smlad r9, r3, r4, ", $a3, "\n",
        "smlad r12, r2, r5, ", $b2, "\n",
        "smlad lr, r3, r5, ", $b3, "\n",
    ) };
    // Two terms of three pixels and both channels, 32 bytes.
    (@three $a0:literal $a1:literal $a2:literal $b0:literal $b1:literal $b2:literal) => { concat!(
        "ldrd r4, r5, [r1], #8\n",
        "ldmia r0!, {{r2, r3, r12}}\n",
        "smlad r6, r2, r4, ", $a0, "\n",
        "smlad r7, r3, r4, ", $a1, "\n",
        "smlad r8, r12, r4, ", $a2, "\n",
        "smlad r9, r2, r5, ", $b0, "\n",
        "smlad r10, r3, r5, ", $b1, "\n",
        "smlad r11, r12, r5, ", $b2, "\n",
    ) };
    // Requantisation of the sums.
    (@outputs $rounding:tt $a:tt $b:tt) => { concat!(
        "vmov r2, r3, s6, s7\n",
        "vmov r4, r5, s8, s9\n",
        many!(@channel $rounding "r4" $a),
        "vmov r2, r3, s13, s14\n",
        many!(@channel $rounding "r5" $b),
        "vmov r2, r3, s10, s11\n",
    ) };
    (@channel down $shift:literal ($($sum:literal)*)) => { concat!($(
        "smmlar ", $sum, ", ", $sum, ", r2, r3\n",
        "asr ", $sum, ", ", $sum, ", ", $shift, "\n",
        "ssat ", $sum, ", #8, ", $sum, "\n",
    )*) };
    (@channel away $shift:literal ($($sum:literal)*)) => { concat!($(
        "smmulr ", $sum, ", ", $sum, ", r2\n",
        "add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",
        "add ", $sum, ", ", $sum, ", r3\n",
        "asr ", $sum, ", ", $sum, ", ", $shift, "\n",
        "ssat ", $sum, ", #8, ", $sum, "\n",
    )*) };
    (@store planar ($($a:literal)*) ($($b:literal)*)) => { concat!(
        "add r3, r2, r3\n",
        $("strb ", $a, ", [r2], #1\n",)*
        "vmov s10, r2\n",
        $("strb ", $b, ", [r3], #1\n",)*
    ) };
    (@store interleaved ($a0:literal $a1:literal $a2:literal $($a3:literal)?)
        ($b0:literal $b1:literal $b2:literal $($b3:literal)?)) => { concat!(
        "strb ", $a0, ", [r2]\n", "strb ", $b0, ", [r2, #1]\n", "add r2, r2, r3\n",
        "strb ", $a1, ", [r2]\n", "strb ", $b1, ", [r2, #1]\n", "add r2, r2, r3\n",
        "strb ", $a2, ", [r2]\n", "strb ", $b2, ", [r2, #1]\n", "add r2, r2, r3\n",
        $("strb ", $a3, ", [r2]\n", "strb ", $b3, ", [r2, #1]\n", "add r2, r2, r3\n",)?
        "vmov s10, r2\n",
    ) };
}

many!(down_planar, down, planar);
many!(away_planar, away, planar);
many!(down_interleaved, down, interleaved);
many!(away_interleaved, away, interleaved);

/// The assembly function for a layout of the output; `away` if negative ties must round away from zero.
pub(super) fn many(planar: bool, away: bool) -> unsafe fn(*mut Job) {
    match (planar, away) {
        (true, false) => down_planar,
        (true, true) => away_planar,
        (false, false) => down_interleaved,
        (false, true) => away_interleaved,
    }
}
