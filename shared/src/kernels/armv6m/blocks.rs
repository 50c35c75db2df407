//! Inner loop of layers with packed weights, in assembly: one output channel, four pixels at a time
//! until the row is done.
//!
//! Armv6-M multiplies 32 bits by 32 bits and keeps the low 32 bits. A word of activations holds two
//! pixels, `-a0 - a1 * 2^16`, in two 16-bit lanes: one `MULS` by a weight gives both products, each
//! within 2^14. The products of two such words are added. Two weights that share a lane are never both
//! -128 (`widen_weights` checks this), so each lane stays within 2^15 - 128 and fits its 16 bits. The
//! word is added to a first sum. `ASRS` by 16 extracts the upper lane, minus one if the lower lane is
//! negative; the sign of the lower lane is in the carry, which `ADCS` adds to a second sum along with
//! the upper lane. The second sum is therefore exact, and the first minus 2^16 times the second is the
//! sum of the lower lane. Two terms of four pixels take 15 instructions for 8 products.
//!
//! Weights of real networks are mostly small. Where the magnitudes of eight or sixteen neighbours add
//! up to 255 at most, that many products fit a lane, and the lanes are unpacked less often. The word of
//! such a group starts from 2^15, so that its lower lane is never negative: `ASRS` is then exact
//! without the carry, and the start values of the groups are subtracted from the sums in advance. Two
//! terms of four pixels take 11 instructions, and unpacking a group takes 6.

use super::outputs::{Outputs, output};

/// Input of one channel's computation; the assembly's text uses the offsets.
#[repr(C)]
pub(super) struct Job {
    /// Offset 0: requantisation to outputs.
    pub outputs: Outputs,
    /// Offset 36: start value of the sums over both lanes.
    pub both: i32,
    /// Offset 40: start value of the sums over one lane, negated.
    pub bias: i32,
    /// Offset 44: the end of the weights.
    pub weights_end: *const i32,
    /// Offset 48: bytes of the loop that its first iteration skips.
    pub skip: usize,
    /// Offset 52: blocks of activations: four words for every two terms of four pixels.
    pub activations: *const u32,
    /// Offset 56: weights, one word a term.
    pub weights: *const i32,
    /// Offset 60: number of blocks of four pixels.
    pub blocks: usize,
    /// Offset 64: bytes by which the outputs of the last block start before the end of the block before
    /// it.
    pub back: usize,
}

impl Job {
    /// Sets the start values of the sums: `bias`, negated, in both lanes, and the start values of
    /// `groups` groups.
    pub const fn begin(&mut self, bias: i32, groups: usize) {
        self.bias = bias;
        let lanes = bias.wrapping_add(bias << 16);
        self.both = lanes.wrapping_sub((groups << 15) as i32);
    }
}

/// Terms in an iteration of the loop.
pub(super) const UNROLLED: usize = 16;

/// Number of terms of a channel that are summed in a lane before the lanes are unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Group {
    /// Two terms: fits any weights.
    Two,
    /// Eight terms: the magnitudes of their weights add up to [`Group::MOST`] at most.
    Eight,
    /// Sixteen terms, with the same bound.
    Sixteen,
}

impl Group {
    /// The groups in ascending order.
    pub const ALL: [Group; 3] = [Group::Two, Group::Eight, Group::Sixteen];

    /// Largest sum of magnitudes: times activations of -128 it is within 2^15 - 128.
    pub const MOST: u32 = 255;

    /// Number of terms in a group.
    pub const fn terms(self) -> usize {
        match self {
            Group::Two => 2,
            Group::Eight => 8,
            Group::Sixteen => 16,
        }
    }

    /// Number of groups with a start value of 2^15 in `terms` terms, in whole fours.
    pub const fn biased(self, terms: usize) -> usize {
        match self {
            Group::Two => 0,
            Group::Eight | Group::Sixteen => terms.div_ceil(self.terms()),
        }
    }

    /// [`Job::skip`] for `terms` terms, in whole fours.
    pub const fn skip(self, terms: usize) -> usize {
        let left_out = terms.wrapping_neg() % UNROLLED;
        match self {
            Group::Two => left_out * 15,
            // Between groups the lanes are unpacked, in 12 bytes of code.
            Group::Eight => left_out * 11 + left_out / 8 * 12,
            Group::Sixteen => left_out * 11,
        }
    }

    /// The assembly function for a layer; `away` if negative ties must round away from zero.
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

/// Text of one function. In the loop: r0 activations, r1 weights, r2 to r5 those of two terms. In
/// groups of two: r6 and r7 the sums of upper lanes, r8 and r9 the sums of both lanes. Otherwise: r6
/// and r7 the group's sums, r8 and r10 the sums of both lanes, r9 and r11 of the upper; r12 the start
/// value of groups. lr is the weights' end; the job is on the stack. Outputs take r10 and r11.
macro_rules! blocks {
    ($name:ident, $rounding:tt, $group:tt) => {
        /// Computes all blocks of a channel; see the module.
        ///
        /// # Safety
        /// Every field of the job must be as documented: whole fours of terms, at least one, as many
        /// words of weights, and twice as many words of activations for each block; room for the
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
                // Jumps `r5` bytes beyond the label below: PC reads as two instructions ahead.
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
    // Two terms of two pairs of pixels, repeated; then unpacks the lanes.
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
    // Same code length as `@add`, so that `Job::skip` is right for both.
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
