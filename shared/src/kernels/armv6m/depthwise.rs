//! Inner loop of depthwise layers, in assembly: one channel, two outputs at a time.
//!
//! A word holds two activations, `a0 + a1 * 2^16`: a column of the left half of the row, and one of the
//! right half. Each word thus serves all three taps that read it. Columns lie side by side, three words
//! each, one of each row: a window is nine words. They are multiplied and added as in `blocks.rs`;
//! without a weight of -128 two products always fit a lane. In most channels all nine fit, because the
//! magnitudes of their weights add up to 255 at most: lanes are then unpacked once.

use super::blocks::Group;
use super::outputs::{Outputs, output};

/// Terms of a window.
pub(super) const TAPS: usize = 9;

/// Input of one channel's computation; the assembly's text uses the offsets.
#[repr(C)]
pub(super) struct Job {
    /// Offset 0: requantisation to outputs, those of the left half.
    pub outputs: Outputs,
    /// Offset 36: columns of three words.
    pub columns: *const u32,
    /// Offset 40: start value of the sums.
    pub bias: i32,
    /// Offset 44: end of the outputs of the left half.
    pub end: *const i8,
    /// Offset 48: bytes from the end of a window back to the beginning of the next.
    pub back: usize,
    /// Offset 52: bytes from an output of the left half to that of the right.
    pub apart: usize,
    /// Offset 56: weights, column by column; none is -128.
    pub weights: [i32; TAPS],
}

/// Text of one function; `$group` as [`Group`], nine or two. r0 columns, r1 weights, r2 to r5 two of
/// each, r6 the sum of upper lanes, r8 that of both, or r6 that of both; then r8 the second sum; r10
/// low part, r11 step, r12 from half to half, lr the outputs' end. The job is on the stack.
macro_rules! depthwise {
    ($name:ident, $rounding:tt, $group:tt) => {
        /// Computes a row of a channel; see the module.
        ///
        /// # Safety
        /// Every field of the job must be as documented: columns for the windows of all outputs up to
        /// `end`, whole steps after the first, at least one; room for the outputs of both halves.
        #[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: *mut Job) {
            core::arch::naked_asm!(
                "push {{r4, r5, r6, r7, lr}}",
                "mov r4, r8",
                "mov r5, r10",
                "mov r6, r11",
                "push {{r0, r4, r5, r6}}",
                "ldr r1, [r0, #8]",
                "mov r10, r1",
                "ldr r1, [r0, #24]",
                "mov r11, r1",
                "ldr r1, [r0, #52]",
                "mov r12, r1",
                "ldr r1, [r0, #44]",
                "mov lr, r1",
                "2:",
                "ldr r1, [sp]",
                "ldr r0, [r1, #36]",
                depthwise!(@sums $group),
                "ldr r4, [r3, #48]",
                "subs r0, r0, r4",
                "str r0, [r3, #36]",
                "ldmia r3!, {{r0, r1, r4, r5, r6, r7}}",
                output!($rounding plain),
                "strb r3, [r1]",
                "mov r2, r8",
                output!($rounding plain),
                "mov r4, r12",
                "strb r3, [r1, r4]",
                "add r1, r11",
                "ldr r0, [sp]",
                "str r1, [r0, #4]",
                "cmp r1, lr",
                "beq 6f",
                "b 2b",
                "6:",
                "pop {{r0, r4, r5, r6}}",
                "mov r8, r4",
                "mov r10, r5",
                "mov r11, r6",
                "pop {{r4, r5, r6, r7, pc}}",
            )
        }
    };
    // The sum of the left window to r2, of the right one to r8; the job to r3.
    (@sums twos) => { concat!(
        "ldr r6, [r1, #40]\n",
        "adds r1, r1, #56\n",
        "lsls r2, r6, #16\n",
        "adds r2, r2, r6\n",
        "mov r8, r2\n",
        ".rept 4\n",
        depthwise!(@two),
        "adds r4, r4, r5\n",
        "add r8, r4\n",
        "asrs r4, r4, #16\n",
        "adcs r6, r4\n",
        ".endr\n",
        depthwise!(@last),
        "add r8, r4\n",
        "asrs r4, r4, #16\n",
        "adcs r6, r4\n",
        "mov r2, r8\n",
        "lsls r3, r6, #16\n",
        "subs r2, r2, r3\n",
        "mov r8, r6\n",
        "ldr r3, [sp]\n",
    ) };
    (@sums nines) => { concat!(
        "adds r1, r1, #56\n",
        depthwise!(@two),
        "adds r6, r4, r5\n",
        ".rept 3\n",
        depthwise!(@two),
        "adds r6, r6, r4\n",
        "adds r6, r6, r5\n",
        ".endr\n",
        depthwise!(@last),
        "adds r6, r6, r4\n",
        "ldr r3, [sp]\n",
        "ldr r4, [r3, #40]\n",
        "sxth r2, r6\n",
        // The sign of the lower lane is in the carry.
        "asrs r6, r6, #16\n",
        "adcs r6, r4\n",
        "mov r8, r6\n",
        "adds r2, r2, r4\n",
    ) };
    (@two) => { concat!(
        "ldmia r1!, {{r2, r3}}\n",
        "ldmia r0!, {{r4, r5}}\n",
        "muls r4, r2, r4\n",
        "muls r5, r3, r5\n",
    ) };
    (@last) => { concat!(
        "ldr r2, [r1]\n",
        "ldmia r0!, {{r4}}\n",
        "muls r4, r2, r4\n",
    ) };
}

depthwise!(twos_down, down, twos);
depthwise!(twos_away, away, twos);
depthwise!(nines_down, down, nines);
depthwise!(nines_away, away, nines);

/// The assembly function for a channel; `away` if negative ties must round away from zero.
pub(super) fn depthwise(group: Group, away: bool) -> unsafe extern "C" fn(*mut Job) {
    match (group == Group::Sixteen, away) {
        (false, false) => twos_down,
        (false, true) => twos_away,
        (true, false) => nines_down,
        (true, true) => nines_away,
    }
}

/// A column that lies in the row in one half only.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Edge {
    /// Offset 0: bytes from the first column to this one.
    pub offset: usize,
    /// Offset 4: index of its value in the row.
    pub place: usize,
    /// Offset 8: bits by which it is shifted to its lane.
    pub lane: u32,
    /// Offset 12: the other lane, which is padding.
    pub padding: u32,
}

/// Location of the columns of a row; the assembly's text uses the offsets.
#[repr(C)]
pub(super) struct Columns {
    /// Offset 0: the rows under the window, from the first on.
    pub rows: [*const i8; 3],
    /// Offset 12: bytes from a channel of a row to the next.
    pub channel: usize,
    /// Offset 16: columns at the edges.
    pub edges: *const Edge,
    /// Offset 20: end of the edge columns.
    pub edges_end: *const Edge,
    /// Offset 24: bytes from the first column to the first that is inside the row in both halves.
    pub inside: usize,
    /// Offset 28: bytes from the left values of the inside columns, the first of the row, to the right
    /// ones.
    pub apart: usize,
    /// Offset 32: number of inside columns.
    pub count: usize,
}

/// Widens the rows of a channel to the lanes of the words from `to` on, as `columns` describes, and
/// advances `columns` to the next channel. Words of a null row are left unchanged.
///
/// # Safety
/// All positions that `columns` names are in the rows, and all words written are from `to` on.
#[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
#[unsafe(naked)]
pub(super) unsafe extern "C" fn widen_rows(columns: *mut Columns, to: *mut u32) {
    core::arch::naked_asm!(
        "push {{r4, r5, r6, r7, lr}}",
        "mov r4, r8",
        "mov r5, r9",
        "push {{r4, r5}}",
        "mov r8, r0",
        "movs r2, #12",
        "add r2, r0",
        "mov r9, r2",
        "movs r2, r1",
        // A row: r0 the address of its pointer, r2 its words.
        "1:",
        "ldr r1, [r0]",
        "cmp r1, #0",
        "beq 9f",
        "mov r4, r8",
        "ldr r3, [r4, #12]",
        "adds r5, r1, r3",
        "str r5, [r0]",
        "ldr r3, [r4, #16]",
        "ldr r4, [r4, #20]",
        "mov r12, r4",
        "cmp r3, r12",
        "beq 5f",
        // The edges.
        "2:",
        "ldmia r3!, {{r4, r5, r6, r7}}",
        "ldrsb r5, [r1, r5]",
        "lsls r5, r6",
        "adds r5, r5, r7",
        "str r5, [r2, r4]",
        "cmp r3, r12",
        "bne 2b",
        "5:",
        // Inside columns: r1 and r6 the values of both halves, r3 the words.
        "mov r7, r8",
        "ldr r3, [r7, #24]",
        "adds r3, r3, r2",
        "ldr r6, [r7, #28]",
        "adds r6, r6, r1",
        "ldr r7, [r7, #32]",
        "movs r4, #0",
        "lsrs r7, r7, #1",
        "bcc 7f",
        "ldrsb r5, [r6, r4]",
        "lsls r5, r5, #16",
        "mov r12, r5",
        "ldrsb r5, [r1, r4]",
        "add r5, r12",
        "stmia r3!, {{r5}}",
        "adds r3, r3, #8",
        "adds r4, r4, #1",
        "7:",
        "lsls r7, r7, #1",
        "beq 9f",
        "adds r7, r7, r4",
        "mov r12, r7",
        "8:",
        "ldrsb r5, [r1, r4]",
        "ldrsb r7, [r6, r4]",
        "lsls r7, r7, #16",
        "adds r5, r5, r7",
        "str r5, [r3]",
        "adds r4, r4, #1",
        "ldrsb r5, [r1, r4]",
        "ldrsb r7, [r6, r4]",
        "lsls r7, r7, #16",
        "adds r5, r5, r7",
        "str r5, [r3, #12]",
        "adds r3, r3, #24",
        "adds r4, r4, #1",
        "cmp r4, r12",
        "bne 8b",
        "9:",
        "adds r2, r2, #4",
        "adds r0, r0, #4",
        "cmp r0, r9",
        "bne 1b",
        "pop {{r4, r5}}",
        "mov r8, r4",
        "mov r9, r5",
        "pop {{r4, r5, r6, r7, pc}}",
    )
}

/// Text of one function; `check` is the code that checks each weight.
macro_rules! widen_taps {
    ($name:ident, $check:literal) => {
        /// Widens the weights of a channel to `to`, column by column, and returns their sum; the
        /// checking version returns `i32::MIN` if one of them is -128.
        ///
        /// # Safety
        /// None beyond the validity of the references.
        #[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(taps: &[i8; TAPS], to: &mut [i32; TAPS]) -> i32 {
            core::arch::naked_asm!(
                "movs r2, #0",
                // Row by row of each column.
                ".irp tap, 0, 3, 6, 1, 4, 7, 2, 5, 8",
                "movs r3, #\\tap",
                "ldrsb r3, [r0, r3]",
                "stmia r1!, {{r3}}",
                "adds r2, r2, r3",
                $check,
                ".endr",
                "movs r0, r2",
                "bx lr",
                "2:",
                "movs r0, #1",
                "lsls r0, r0, #31",
                "bx lr",
            )
        }
    };
}

widen_taps!(widen_checked_taps, "adds r3, r3, #128\nbeq 2f");
widen_taps!(widen_tame_taps, "");

/// Widens the weights of a channel to `to`, column by column, and returns their sum; `None` if one of
/// them is -128, which does not occur in a layer that is `tame`.
pub(super) fn widen_taps(taps: &[i8; TAPS], to: &mut [i32; TAPS], tame: bool) -> Option<i32> {
    let widen = if tame {
        widen_tame_taps
    } else {
        widen_checked_taps
    };
    // SAFETY: there are as many taps as words for them.
    let sum = unsafe { widen(taps, to) };
    (sum != i32::MIN).then_some(sum)
}
