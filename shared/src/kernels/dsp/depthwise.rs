//! The 3 x 3 depthwise convolution of planar rows, four outputs of a channel at a time.
//!
//! The three rows of a channel are copied between margins of zero points, so that no window is a
//! special case. A word of four neighbours `x0..=x3` widens to the pairs (x0, x2) and (x1, x3): the
//! outer taps of two windows. The middle tap is another half of a pair. Weights are doubled instead of
//! activations; requantisation is otherwise that of `many.rs`.

/// Input of the assembly, which advances it from channel to channel; its text uses the offsets.
#[repr(C)]
pub(super) struct Job {
    /// Offset 0: the three rows of the current channel; null for a row of padding.
    pub rows: [*const i8; 3],
    /// Offset 12: destinations of their copies.
    pub copies: [*mut i8; 3],
    /// Offset 24: start of the first window in each copy.
    pub windows: [*const i8; 3],
    /// Offset 36: whole words in a row.
    pub words: usize,
    /// Offset 40: bytes of a row beyond them.
    pub rest: usize,
    /// Offset 44: weights, nine of each channel.
    pub weights: *const i8,
    /// Offset 48: biases, one of each channel.
    pub bias: *const i32,
    /// Offset 52: multipliers, one of each channel.
    pub multiplier: *const i32,
    /// Offset 56: shifts, one of each channel, none positive; none zero if negative ties matter.
    pub shift: *const i8,
    /// Offset 60: twice the zero point of the output, plus one.
    pub twice_zero_point: i32,
    /// Offset 64: first output of the channel.
    pub output: *mut i8,
    /// Offset 68: bytes from a channel's output to the next channel's.
    pub c_step: usize,
    /// Offset 72: bytes from an output to the next.
    pub x_step: usize,
    /// Offset 76: outputs of a channel.
    pub width: usize,
    /// Offset 80: the negated zero point of the input, in both halves.
    pub negative: u32,
    /// Offset 84: channels to compute.
    pub channels: usize,
}

/// Registers in a block: r0, r1, lr the windows of three rows; r12 the negated zero point; r6 to r9
/// sums; r4, r5 the taps of a row. s3 the job, s4 bias. On the stack, from the top: multiplier, shift,
/// step, outputs left, output, the summand of the channel's products, and at 24 the taps.
macro_rules! depthwise {
    ($name:ident, $rounding:tt, first $first:tt, row $row:tt) => {
        /// Computes one output row of all channels.
        ///
        /// # Safety
        /// Every field of the job must be as documented: rows of `4 * words + rest` bytes for each
        /// channel, at least one byte; copies as long, in buffers that the windows of all outputs,
        /// rounded up to four, lie in; weights, tables and output for all channels.
        #[inline(never)]
        pub(super) unsafe fn $name(job: *mut Job) {
            // SAFETY: the caller guarantees all reads and writes. r6 and r7, which the compiler
            // reserves, are saved on the stack; all other registers are declared.
            unsafe {
                core::arch::asm!(
                    "push {{r6, r7}}",
                    "sub sp, sp, #48",
                    "vmov s3, r0",
                    // A channel: its rows.
                    "2:",
                    depthwise!(@copy "0" "12" "1"),
                    depthwise!(@copy "4" "16" "2"),
                    depthwise!(@copy "8" "20" "3"),
                    // Its taps, doubled: (first, third) and second of each row.
                    "ldr r1, [r0, #44]",
                    depthwise!(@taps "0" "" "24"),
                    depthwise!(@taps "3" "" "32"),
                    // Its taps, doubled: (first, third) and second of each row.
                    depthwise!(@taps "5" "lsr r2, r2, #8\n" "40"),
                    "add r1, r1, #9",
                    "str r1, [r0, #44]",
                    // Word that ends with the ninth tap.
                    "ldr r1, [r0, #48]",
                    "ldr r2, [r1], #4",
                    "str r1, [r0, #48]",
                    "add r2, r2, r2",
                    "vmov s4, r2",
                    "ldr r1, [r0, #52]",
                    "ldr r2, [r1], #4",
                    "str r1, [r0, #52]",
                    "ldr r1, [r0, #56]",
                    "ldrsb r3, [r1], #1",
                    "str r1, [r0, #56]",
                    "rsb r3, r3, #0",
                    "strd r2, r3, [sp]",
                    "ldrd r2, r4, [r0, #60]",
                    "lsl r2, r2, r3",
                    "asr r2, r2, #1",
                    "strd r4, r2, [sp, #16]",
                    "ldr r1, [r0, #68]",
                    "add r4, r4, r1",
                    "str r4, [r0, #64]",
                    "ldrd r2, r3, [r0, #72]",
                    "strd r2, r3, [sp, #8]",
                    "ldr r12, [r0, #80]",
                    "ldr r1, [r0, #28]",
                    "ldr lr, [r0, #32]",
                    "ldr r0, [r0, #24]",
                    // Four outputs.
                    "3:",
                    "vmov r9, s4",
                    depthwise!(@text "r0" "24" $first),
                    depthwise!(@text "r1" "32" $row),
                    depthwise!(@text "lr" "40" $row),
                    "ldm sp, {{r2, r3, r4, r5, r10, r11}}",
                    depthwise!(@output $rounding "r6"),
                    depthwise!(@output $rounding "r7"),
                    depthwise!(@output $rounding "r8"),
                    depthwise!(@output $rounding "r9"),
                    "strb r6, [r10]",
                    "subs r5, r5, #4",
                    "blo 4f",
                    "strb r7, [r10, r4]",
                    "add r10, r10, r4, lsl #1",
                    "strb r8, [r10]",
                    "strb r9, [r10, r4]",
                    "add r10, r10, r4, lsl #1",
                    "strd r5, r10, [sp, #12]",
                    "bne 3b",
                    "b 5f",
                    // One to three outputs at the end of the row: r5 is their number minus four.
                    "4:",
                    "adds r5, r5, #3",
                    "beq 5f",
                    "strb r7, [r10, r4]",
                    "subs r5, r5, #1",
                    "beq 5f",
                    "strb r8, [r10, r4, lsl #1]",
                    "5:",
                    "vmov r0, s3",
                    "ldr r1, [r0, #84]",
                    "subs r1, r1, #1",
                    "str r1, [r0, #84]",
                    "bne 2b",
                    "add sp, sp, #48",
                    "pop {{r6, r7}}",
                    "b 10f",
                    depthwise!(@narrow "0" "1"),
                    depthwise!(@narrow "4" "2"),
                    depthwise!(@narrow "8" "3"),
                    "10:",
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
                    out("s3") _,
                    out("s4") _,
                )
            }
        }
    };
    // A row of `words` words and `rest` bytes: the last word overlaps the one before.
    (@copy $row:literal $copy:literal $place:literal) => { concat!(
        "ldr r1, [r0, #", $row, "]\n",
        "cmp r1, #0\n",
        "beq 7", $place, "f\n",
        "ldr r2, [r0, #", $copy, "]\n",
        "ldrd r3, r5, [r0, #36]\n",
        "lsrs r3, r3, #1\n",
        "beq 5", $place, "f\n",
        "bcc 8f\n",
        "ldr r4, [r1], #4\n",
        "str r4, [r2], #4\n",
        "8:\n",
        "ldr r4, [r1], #4\n",
        "ldr r6, [r1], #4\n",
        "subs r3, r3, #1\n",
        "str r4, [r2], #4\n",
        "str r6, [r2], #4\n",
        "bne 8b\n",
        "9", $place, ":\n",
        "cbz r5, 6f\n",
        "add r1, r1, r5\n",
        "add r2, r2, r5\n",
        "ldr r4, [r1, #-4]\n",
        "str r4, [r2, #-4]\n",
        "6:\n",
        "str r1, [r0, #", $row, "]\n",
        "7", $place, ":\n",
    ) };
    // Out of line: a row of less than two words, one word and then its bytes as above, or bytes alone.
    (@narrow $row:literal $place:literal) => { concat!(
        "5", $place, ":\n",
        "bcs 6f\n",
        "8:\n",
        "ldrb r4, [r1], #1\n",
        "strb r4, [r2], #1\n",
        "subs r5, r5, #1\n",
        "bne 8b\n",
        "str r1, [r0, #", $row, "]\n",
        "b 7", $place, "b\n",
        "6:\n",
        "ldr r4, [r1], #4\n",
        "str r4, [r2], #4\n",
        "b 9", $place, "b\n",
    ) };
    (@taps $weight:literal $shift:literal $place:literal) => { concat!(
        "ldr r2, [r1, #", $weight, "]\n",
        $shift,
        "sxtb16 r3, r2, ror #8\n",
        "sxtb16 r2, r2\n",
        "sadd16 r2, r2, r2\n",
        "sadd16 r3, r3, r3\n",
        "strd r2, r3, [sp, #", $place, "]\n",
    ) };
    (@text $window:literal $place:literal ($($line:literal)*)) => { concat!(
        "ldrd r4, r5, [sp, #", $place, "]\n",
        "ldr r10, [", $window, ", #2]\n",
        "ldr r2, [", $window, "], #4\n",
        $($line, "\n"),*
    ) };
    (@text $window:literal $place:literal ($($line:literal)*) again ($($again:literal)*)) => { concat!(
        "ldrd r4, r5, [sp, #", $place, "]\n",
        "ldr r10, [", $window, ", #2]\n",
        "ldr r2, [", $window, "], #4\n",
        $($line, "\n",)*
        "ldr r10, [", $window, ", #2]\n",
        "ldr r2, [", $window, "], #4\n",
        $($again, "\n"),*
    ) };
    (@text $window:literal $place:literal {$lines:tt again $again:tt}) => {
        depthwise!(@text $window $place $lines again $again)
    };
    (@output down $sum:literal) => { concat!(
        "smmlar ", $sum, ", ", $sum, ", r2, r11\n",
        "asr ", $sum, ", ", $sum, ", r3\n",
        "ssat ", $sum, ", #8, ", $sum, "\n",
    ) };
    (@output away $sum:literal) => { concat!(
        "smmulr ", $sum, ", ", $sum, ", r2\n",
        "add ", $sum, ", ", $sum, ", ", $sum, ", asr #31\n",
        "add ", $sum, ", ", $sum, ", r11\n",
        "asr ", $sum, ", ", $sum, ", r3\n",
        "ssat ", $sum, ", #8, ", $sum, "\n",
    ) };
}

macro_rules! strides {
    ($($rounding:tt: $one:ident $two:ident;)*) => { $(
        depthwise!($one, $rounding,
            first ("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2"
                "sxtab16 r11, r12, r10, ror #8" "sxtab16 r10, r12, r10"
                "smlad r6, r2, r4, r9" "smlad r7, r3, r4, r9"
                "smlad r8, r10, r4, r9" "smlad r9, r11, r4, r9"
                "smlabb r6, r3, r5, r6" "smlatb r7, r2, r5, r7"
                "smlatb r8, r3, r5, r8" "smlatb r9, r10, r5, r9"),
            row ("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2"
                "sxtab16 r11, r12, r10, ror #8" "sxtab16 r10, r12, r10"
                "smlad r6, r2, r4, r6" "smlad r7, r3, r4, r7"
                "smlad r8, r10, r4, r8" "smlad r9, r11, r4, r9"
                "smlabb r6, r3, r5, r6" "smlatb r7, r2, r5, r7"
                "smlatb r8, r3, r5, r8" "smlatb r9, r10, r5, r9"));
        depthwise!($two, $rounding,
            first {("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2" "sxtab16 r10, r12, r10"
                "smlad r6, r2, r4, r9" "smlad r7, r10, r4, r9"
                "smlabb r6, r3, r5, r6" "smlatb r7, r3, r5, r7")
                again ("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2" "sxtab16 r10, r12, r10"
                "smlad r8, r2, r4, r9" "smlad r9, r10, r4, r9"
                "smlabb r8, r3, r5, r8" "smlatb r9, r3, r5, r9")},
            row {("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2" "sxtab16 r10, r12, r10"
                "smlad r6, r2, r4, r6" "smlad r7, r10, r4, r7"
                "smlabb r6, r3, r5, r6" "smlatb r7, r3, r5, r7")
                again ("sxtab16 r3, r12, r2, ror #8" "sxtab16 r2, r12, r2" "sxtab16 r10, r12, r10"
                "smlad r8, r2, r4, r8" "smlad r9, r10, r4, r9"
                "smlabb r8, r3, r5, r8" "smlatb r9, r3, r5, r9")});
    )* };
}

strides! {
    down: one_down two_down;
    away: one_away two_away;
}

/// The assembly function for a stride of 1 or 2; `away` if negative ties must round away from zero.
pub(super) fn depthwise(stride: usize, away: bool) -> unsafe fn(*mut Job) {
    match (stride, away) {
        (1, false) => one_down,
        (1, true) => one_away,
        (_, false) => two_down,
        (_, true) => two_away,
    }
}
