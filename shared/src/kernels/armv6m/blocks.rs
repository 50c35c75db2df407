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
//!
//! Weights of real networks are mostly small: where the magnitudes of eight or sixteen neighbours add
//! up to 255 at most, that many products fit a lane, and it is taken apart less often. Such a group's
//! word begins with 2^15, so that its lower lane is never negative: `ASRS` is exact then without the
//! carry, and what the groups began with is taken off the sums before. Two terms of four pixels take 11
//! instructions, and a group 6.

use super::outputs::{Outputs, output};

/// What a channel is computed from; offsets are in the assembly's text.
#[repr(C)]
pub(super) struct Job {
    /// 0: to outputs.
    pub outputs: Outputs,
    /// 36: what sums of both lanes begin with.
    pub both: i32,
    /// 40: what sums of a lane begin with, negated.
    pub bias: i32,
    /// 44: the end of the weights.
    pub weights_end: *const i32,
    /// 48: bytes of the loop that its first turn leaves out.
    pub skip: usize,
    /// 52: blocks of activations: for each two terms of four pixels four words.
    pub activations: *const u32,
    /// 56: a word for each term.
    pub weights: *const i32,
    /// 60: blocks of four pixels.
    pub blocks: usize,
    /// 64: how far before the end of the last but one the outputs of the last block begin.
    pub back: usize,
}

impl Job {
    /// What sums begin with: `bias`, negated, in both lanes, and what `groups` of terms add.
    pub const fn begin(&mut self, bias: i32, groups: usize) {
        self.bias = bias;
        let lanes = bias.wrapping_add(bias << 16);
        self.both = lanes.wrapping_sub((groups << 15) as i32);
    }
}

/// Terms in a turn of the loop.
pub(super) const UNROLLED: usize = 16;

/// How many terms of a channel are added up before their lanes are taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Group {
    /// Whatever the weights are.
    Two,
    /// Eight: their weights' magnitudes add up to [`Group::MOST`] at most.
    Eight,
    /// Sixteen.
    Sixteen,
}

impl Group {
    /// All, in their order.
    pub const ALL: [Group; 3] = [Group::Two, Group::Eight, Group::Sixteen];

    /// What magnitudes may add up to: as much with activations of -128 is within 2^15 - 128.
    pub const MOST: u32 = 255;

    /// Terms of a group.
    pub const fn terms(self) -> usize {
        match self {
            Group::Two => 2,
            Group::Eight => 8,
            Group::Sixteen => 16,
        }
    }

    /// Groups that begin with 2^15 in a number of terms, in whole fours.
    pub const fn biased(self, terms: usize) -> usize {
        match self {
            Group::Two => 0,
            Group::Eight | Group::Sixteen => terms.div_ceil(self.terms()),
        }
    }

    /// [`Job::skip`] for a number of terms, in whole fours.
    pub const fn skip(self, terms: usize) -> usize {
        let left_out = terms.wrapping_neg() % UNROLLED;
        match self {
            Group::Two => left_out * 15,
            // Between the groups they are taken apart, in 12 bytes.
            Group::Eight => left_out * 11 + left_out / 8 * 12,
            Group::Sixteen => left_out * 11,
        }
    }

    /// The function for a layer; `away` where negative ties matter.
    pub const fn function(self, away: bool) -> unsafe extern "C" fn(*mut Job) {
        match (self, away) {
            (Group::Two, false) => twos_down,
            (Group::Two, true) => twos_away,
            (Group::Eight, false) => eights_down,
            (Group::Eight, true) => eights_away,
            (Group::Sixteen, false) => sixteens_down,
            (Group::Sixteen, true) => sixteens_away,
        }
    }
}

/// The text of one function. In the loop: r0 activations, r1 weights, r2 to r5 those of two terms.
/// In twos: r6 and r7 the sums of upper lanes, r8 and r9 of both. Else: r6 and r7 the group's sums,
/// r8 and r10 the sums of both lanes, r9 and r11 of the upper; r12 what groups begin with. lr is the
/// weights' end; the job is on the stack. Outputs take r10 and r11.
macro_rules! blocks {
    ($name:ident, $rounding:tt, $group:tt) => {
        /// Computes all blocks of a channel; see the module.
        ///
        /// # Safety
        /// All of the job must be as its fields say: whole fours of terms, at least one, as many
        /// words of weights, and as many times two of activations for each block; room for the
        /// outputs; at least one block.
        #[cfg_attr(feature = "armv6m-in-ram", unsafe(link_section = ".data.armv6m"))]
        #[unsafe(naked)]
        unsafe extern "C" fn $name(job: *mut Job) {
            core::arch::naked_asm!(
                "push {{r4, r5, r6, r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4, r5, r6, r7}}",
                "push {{r0}}",
                "movs r1, #1",
                "lsls r1, r1, #15",
                "mov r12, r1",
                "2:",
                "adds r0, r0, #36",
                "ldmia r0!, {{r2, r3, r4, r5}}",
                "ldmia r0, {{r0, r1}}",
                "mov lr, r4",
                blocks!(@begin $group),
                // To two instructions on and as many bytes more.
                "add pc, r5",
                "nop",
                "3:",
                blocks!(@turn $group),
                "cmp r1, lr",
                "beq 4f",
                "b 3b",
                "4:",
                // The first of the four sums is left in r2.
                blocks!(@end $group),
                "mov r8, r6",
                "mov r9, r3",
                "mov lr, r7",
                "ldr r3, [sp]",
                "str r0, [r3, #52]",
                "ldmia r3!, {{r0, r1, r4, r5, r6, r7}}",
                "mov r10, r4",
                "ldr r4, [r3]",
                "mov r11, r4",
                output!($rounding negated),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, r8",
                output!($rounding negated),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, r9",
                output!($rounding negated),
                "strb r3, [r1]",
                "add r1, r11",
                "mov r2, lr",
                output!($rounding negated),
                "strb r3, [r1]",
                "add r1, r11",
                "ldr r0, [sp]",
                "ldr r2, [r0, #60]",
                "subs r2, r2, #1",
                "beq 6f",
                "str r2, [r0, #60]",
                "cmp r2, #1",
                "beq 5f",
                "4:",
                "str r1, [r0, #4]",
                "b 2b",
                "5:",
                "ldr r2, [r0, #64]",
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
    (@begin twos) => { "mov r8, r2\nmov r9, r2\nmovs r6, r3\nmovs r7, r3" };
    (@begin $group:tt) => { concat!(
        "mov r8, r2\nmov r10, r2\nmov r9, r3\nmov r11, r3\n",
        "mov r6, r12\nmov r7, r12\n",
    ) };
    (@turn twos) => { concat!(
        ".rept 8\n",
        "ldmia r1!, {{r2, r3}}\n",
        blocks!(@pair "r6" "r8"),
        blocks!(@pair "r7" "r9"),
        ".endr\n",
    ) };
    (@turn eights) => { concat!(blocks!(@group 3), blocks!(@group 3)) };
    (@turn sixteens) => { blocks!(@group 7) };
    // Two terms of two pairs of pixels, and so many times two; then takes the lanes apart.
    (@group $more:literal) => { concat!(
        "ldmia r1!, {{r2, r3}}\n",
        blocks!(@first "r6"),
        blocks!(@first "r7"),
        ".rept ", $more, "\n",
        "ldmia r1!, {{r2, r3}}\n",
        blocks!(@add "r6"),
        blocks!(@add "r7"),
        ".endr\n",
        "add r8, r6\n",
        "asrs r6, r6, #16\n",
        "add r9, r6\n",
        "add r10, r7\n",
        "asrs r7, r7, #16\n",
        "add r11, r7\n",
    ) };
    // As long as what adds, which the loop's first turn may begin with.
    (@first $sum:literal) => { concat!(
        "ldmia r0!, {{r4, r5}}\n",
        "muls r4, r2, r4\n",
        "muls r5, r3, r5\n",
        "adds ", $sum, ", r4, r5\n",
        "add ", $sum, ", r12\n",
    ) };
    (@add $sum:literal) => { concat!(
        "ldmia r0!, {{r4, r5}}\n",
        "muls r4, r2, r4\n",
        "muls r5, r3, r5\n",
        "adds ", $sum, ", ", $sum, ", r4\n",
        "adds ", $sum, ", ", $sum, ", r5\n",
    ) };
    (@pair $upper:literal $both:literal) => { concat!(
        "ldmia r0!, {{r4, r5}}\n",
        "muls r4, r2, r4\n",
        "muls r5, r3, r5\n",
        "adds r4, r4, r5\n",
        "add ", $both, ", r4\n",
        "asrs r4, r4, #16\n",
        "adcs ", $upper, ", r4\n",
    ) };
    (@end twos) => { concat!(
        "mov r2, r8\nlsls r3, r6, #16\nsubs r2, r2, r3\n",
        "mov r3, r9\nlsls r4, r7, #16\nsubs r3, r3, r4\n",
    ) };
    (@end $group:tt) => { concat!(
        "mov r2, r8\nmov r6, r9\nlsls r3, r6, #16\nsubs r2, r2, r3\n",
        "mov r3, r10\nmov r7, r11\nlsls r4, r7, #16\nsubs r3, r3, r4\n",
    ) };
}

blocks!(twos_down, down, twos);
blocks!(twos_away, away, twos);
blocks!(eights_down, down, eights);
blocks!(eights_away, away, eights);
blocks!(sixteens_down, down, sixteens);
blocks!(sixteens_away, away, sixteens);
