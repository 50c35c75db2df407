//! The inner loop of depthwise layers, in assembly: one channel, two outputs at a time.
//!
//! A word holds two activations, `a0 + a1 * 2^16`: a column of the left half of the row, and one of the right half.
//! So every word serves all three taps under which it comes. Columns lie side by side, three words
//! each, one of each row: a window is nine words. They are multiplied and added as in
//! `blocks.rs`; with no weight of -128 two products always fit a lane.

use super::outputs::{Outputs, output};

/// Terms of a window.
pub(super) const TAPS: usize = 9;

/// What a channel is computed from; offsets are in the assembly's text.
#[repr(C)]
pub(super) struct Job {
    /// 0: to outputs, of the left half.
    pub outputs: Outputs,
    /// 24: columns of three words.
    pub columns: *const u32,
    /// 28: what sums begin with.
    pub bias: i32,
    /// 32: outputs in a half.
    pub count: usize,
    /// 36: bytes from the end of a window back to the beginning of the next.
    pub back: usize,
    /// 40: bytes from an output of the left half to that of the right.
    pub apart: usize,
    /// 44: weights, column by column; none is -128.
    pub weights: [i32; TAPS],
}

/// The text of one function. r0 columns, r1 weights, r2 to r5 two of each, r6 the sum of upper lanes, r8
/// that of both, then the second sum; r10 low part, r11 step, r12 from half to half. The job is
/// on the stack.
macro_rules! depthwise {
    ($name:ident, $rounding:tt) => {
        /// Computes a row of a channel; see the module.
        ///
        /// # Safety
        /// All of the job must be as its fields say: columns for `count` windows, at least one;
        /// room for the outputs of both halves.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(job: *mut Job) {
            core::arch::naked_asm!(
                "push {{r4, r5, r6, r7, lr}}",
                "mov r4, r8",
                "mov r5, r10",
                "mov r6, r11",
                "push {{r0, r4, r5, r6}}",
                "ldr r1, [r0, #16]",
                "mov r10, r1",
                "ldr r1, [r0, #20]",
                "mov r11, r1",
                "ldr r1, [r0, #40]",
                "mov r12, r1",
                "2:",
                "ldr r1, [sp]",
                "ldr r0, [r1, #24]",
                "ldr r6, [r1, #28]",
                "adds r1, r1, #44",
                "lsls r2, r6, #16",
                "adds r2, r2, r6",
                "mov r8, r2",
                ".rept 4",
                "ldmia r1!, {{r2, r3}}",
                "ldmia r0!, {{r4, r5}}",
                "muls r4, r2, r4",
                "muls r5, r3, r5",
                "adds r4, r4, r5",
                "add r8, r4",
                "asrs r4, r4, #16",
                "adcs r6, r4",
                ".endr",
                "ldr r2, [r1]",
                "ldmia r0!, {{r4}}",
                "muls r4, r2, r4",
                "add r8, r4",
                "asrs r4, r4, #16",
                "adcs r6, r4",
                "mov r2, r8",
                "lsls r3, r6, #16",
                "subs r2, r2, r3",
                "mov r8, r6",
                "ldr r3, [sp]",
                "ldr r4, [r3, #36]",
                "subs r0, r0, r4",
                "str r0, [r3, #24]",
                "ldmia r3!, {{r0, r1, r6, r7}}",
                output!($rounding "ble"),
                "strb r3, [r1]",
                "mov r2, r8",
                output!($rounding "ble"),
                "mov r4, r12",
                "strb r3, [r1, r4]",
                "add r1, r11",
                "ldr r0, [sp]",
                "str r1, [r0, #4]",
                "ldr r2, [r0, #32]",
                "subs r2, r2, #1",
                "str r2, [r0, #32]",
                "bne 2b",
                "pop {{r0, r4, r5, r6}}",
                "mov r8, r4",
                "mov r10, r5",
                "mov r11, r6",
                "pop {{r4, r5, r6, r7, pc}}",
            )
        }
    };
}

depthwise!(depthwise_down, down);
depthwise!(depthwise_away, away);

/// The function for a layer; `away` where negative ties matter.
pub(super) fn depthwise(away: bool) -> unsafe extern "C" fn(*mut Job) {
    if away { depthwise_away } else { depthwise_down }
}

/// Widens the numbers of two stretches of a row, `count` of them, at least one, to the lanes of every third
/// word from `to` on.
///
/// # Safety
/// `count` bytes can be read from `left` and from `right` on, and as many third words written.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_columns(
    left: *const i8,
    right: *const i8,
    count: usize,
    to: *mut u32,
) {
    core::arch::naked_asm!(
        "push {{r4, r5, r6, lr}}",
        "movs r4, #0",
        "lsrs r2, r2, #1",
        "bcc 3f",
        "ldrsb r5, [r0, r4]",
        "ldrsb r6, [r1, r4]",
        "lsls r6, r6, #16",
        "adds r5, r5, r6",
        "stmia r3!, {{r5}}",
        "adds r3, r3, #8",
        "adds r4, r4, #1",
        "3:",
        "lsls r2, r2, #1",
        "beq 4f",
        "adds r2, r2, r4",
        "2:",
        "ldrsb r5, [r0, r4]",
        "ldrsb r6, [r1, r4]",
        "lsls r6, r6, #16",
        "adds r5, r5, r6",
        "str r5, [r3]",
        "adds r4, r4, #1",
        "ldrsb r5, [r0, r4]",
        "ldrsb r6, [r1, r4]",
        "lsls r6, r6, #16",
        "adds r5, r5, r6",
        "str r5, [r3, #12]",
        "adds r3, r3, #24",
        "adds r4, r4, #1",
        "cmp r4, r2",
        "bne 2b",
        "4:",
        "pop {{r4, r5, r6, pc}}",
    )
}

/// Widens the weights of a channel to `to`, column by column, and gives their sum; `i32::MIN` where
/// one of them is -128.
///
/// # Safety
/// None beyond what the references say.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_taps(taps: &[i8; TAPS], to: &mut [i32; TAPS]) -> i32 {
    core::arch::naked_asm!(
        "movs r2, #0",
        // Row by row of each column.
        ".irp tap, 0, 3, 6, 1, 4, 7, 2, 5, 8",
        "movs r3, #\\tap",
        "ldrsb r3, [r0, r3]",
        "stmia r1!, {{r3}}",
        "adds r2, r2, r3",
        "adds r3, r3, #128",
        "beq 2f",
        ".endr",
        "movs r0, r2",
        "bx lr",
        "2:",
        "movs r0, #1",
        "lsls r0, r0, #31",
        "bx lr",
    )
}
