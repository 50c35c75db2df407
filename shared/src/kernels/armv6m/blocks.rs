//! The inner loop of layers with packed weights, in assembly: one output channel, four pixels at a
//! time until a row is through.
//!
//! Armv6-M multiplies 32 bits by 32 to 32. A word of activations holds two pixels,
//! `-a0 - a1 * 2^16`: one `MULS` by a weight gives both products, each within 2^14. Two such words
//! are added: as no two weights that meet here are both -128 (`widen_weights` sees to it), each lane
//! is within 2^15 - 128 and still has 16 bits. The word is added to a first sum. `ASRS` by 16 gives
//! the upper lane, less one where the lower is negative; the sign of the lower is in the carry,
//! which `ADCS` adds to a second sum along with the upper lane. So that is exact, and the first less
//! the second's 2^16 is the sum of the lower lane. Two terms of four pixels take 15 instructions
//! for 8 products.

use super::outputs::{Outputs, output};

/// What a channel is computed from; offsets are in the assembly's text.
#[repr(C)]
pub(super) struct Job {
    /// 0: to outputs.
    pub outputs: Outputs,
    /// 24: blocks of activations: for each two terms of four pixels four words.
    pub activations: *const u32,
    /// 28: a word for each term.
    pub weights: *const i32,
    /// 32: their end.
    pub weights_end: *const i32,
    /// 36: what sums begin with, negated.
    pub bias: i32,
    /// 40: blocks of four pixels.
    pub blocks: usize,
    /// 44: how far before the end of the last but one the outputs of the last block begin.
    pub back: usize,
    /// 48: bytes of the loop that its first turn leaves out; see [`skip`].
    pub skip: usize,
}

/// Terms in a turn of the loop.
const UNROLLED: usize = 16;
/// Bytes of code for a term.
const TERM: usize = 15;

/// [`Job::skip`] for a number of terms, in whole fours.
pub(super) const fn skip(terms: usize) -> usize {
    terms.wrapping_neg() % UNROLLED * TERM
}

/// The text of one function. In the loop: r0 activations, r1 weights, r2 to r5 those of two terms,
/// r6 and r7 the sums of upper lanes, r8 and r9 of both lanes; r10 low part, r11 step, r12 the
/// weights' end. The job is on the stack.
macro_rules! blocks {
    ($name:ident, $rounding:tt) => {
        /// Computes all blocks of a channel; see the module.
        ///
        /// # Safety
        /// All of the job must be as its fields say: whole fours of terms, at least one, as many
        /// words of weights, and as many times two of activations for each block; room for the
        /// outputs; at least one block.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn $name(job: *mut Job) {
            core::arch::naked_asm!(
                "push {{r4, r5, r6, r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4, r5, r6, r7}}",
                "push {{r0}}",
                "ldr r1, [r0, #16]",
                "mov r10, r1",
                "ldr r1, [r0, #20]",
                "mov r11, r1",
                "ldr r1, [r0, #32]",
                "mov r12, r1",
                "2:",
                "ldr r6, [r0, #36]",
                "ldr r3, [r0, #48]",
                "ldr r1, [r0, #28]",
                "ldr r0, [r0, #24]",
                "lsls r2, r6, #16",
                "adds r2, r2, r6",
                "mov r8, r2",
                "mov r9, r2",
                "movs r7, r6",
                // To two instructions on and as many bytes more.
                "add pc, r3",
                "nop",
                "3:",
                blocks!(@four),
                blocks!(@four),
                blocks!(@four),
                blocks!(@four),
                "cmp r1, r12",
                "bne 3b",
                // The first of the four sums is left in r2.
                "mov r2, r8",
                "lsls r3, r6, #16",
                "subs r2, r2, r3",
                "mov r3, r9",
                "lsls r4, r7, #16",
                "subs r3, r3, r4",
                "mov r8, r6",
                "mov r9, r3",
                "mov lr, r7",
                "ldr r3, [sp]",
                "str r0, [r3, #24]",
                "ldmia r3!, {{r0, r1, r6, r7}}",
                output!($rounding "bge"),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, r8",
                output!($rounding "bge"),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, r9",
                output!($rounding "bge"),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, lr",
                output!($rounding "bge"),
                "strb r3, [r1]",
                "add r1, r11",
                "ldr r0, [sp]",
                "ldr r2, [r0, #40]",
                "subs r2, r2, #1",
                "beq 6f",
                "str r2, [r0, #40]",
                "cmp r2, #1",
                "beq 5f",
                "4:",
                "str r1, [r0, #4]",
                "b 2b",
                "5:",
                "ldr r2, [r0, #44]",
                "subs r1, r1, r2",
                "b 4b",
                "6:",
                "pop {{r0}}",
                "pop {{r4, r5, r6, r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4, r5, r6, r7, pc}}",
            )
        }
    };
    // Four terms, 60 bytes.
    (@four) => { concat!(blocks!(@two), blocks!(@two)) };
    (@two) => { concat!(
        "ldmia r1!, {{r2, r3}}\n",
        blocks!(@pixels "r6" "r8"),
        blocks!(@pixels "r7" "r9"),
    ) };
    (@pixels $upper:literal $both:literal) => { concat!(
        "ldmia r0!, {{r4, r5}}\n",
        "muls r4, r2, r4\n",
        "muls r5, r3, r5\n",
        "adds r4, r4, r5\n",
        "add ", $both, ", r4\n",
        "asrs r4, r4, #16\n",
        "adcs ", $upper, ", r4\n",
    ) };
}

blocks!(blocks_down, down);
blocks!(blocks_away, away);

/// The function for a layer; `away` where negative ties matter.
pub(super) fn blocks(away: bool) -> unsafe extern "C" fn(*mut Job) {
    if away { blocks_away } else { blocks_down }
}
