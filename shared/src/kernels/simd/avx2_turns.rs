//! Turns of groups in AVX2, in assembly: the compiler would keep unneeded values in the 16 registers
//! and spill needed ones.
//!
//! | register | contents |
//! |---|---|
//! | `ymm0` to `ymm7` | a vector of sums for each pixel |
//! | `ymm8` to `ymm11` | the weights of each group of a turn |
//! | `ymm12`, `ymm13` | products |
//! | `ymm15` | ones, to add 16-bit sums in pairs to 32 bits |

use core::arch::asm;
use core::arch::x86_64::*;

use super::matrix::MOST_PIXELS;
use super::turns::{LONG, SHORT, Turns};

const _: () = assert!(LONG == 4 && SHORT == 2 && MOST_PIXELS == 8);

/// Input of the turns.
#[derive(Clone, Copy)]
pub(super) struct From {
    /// A vector of start values of the sums.
    pub(super) bias: *const i32,
    /// The first activation of the first pixel.
    pub(super) activations: *const u8,
    /// Bytes from a pixel to the next.
    pub(super) pixel: usize,
    /// Weights of each group of all turns, 32 bytes a group.
    pub(super) weights: *const i8,
    /// Byte offsets of the activations of each group.
    pub(super) offsets: *const u32,
}

/// Loads the addresses of the activations of a turn's groups, and their weights.
macro_rules! groups {
    ([$($q:literal $weights:literal $index:literal),+]) => {
        concat!($(
            "mov {", $q, ":e}, dword ptr [{offsets} + 4 * ", $index, "]\n",
            "add {", $q, "}, {first}\n",
            "vmovdqu ", $weights, ", ymmword ptr [{weights} + 32 * ", $index, "]\n",
        )+)
    };
}

/// Adds the products of a turn's groups to the sums of a pixel.
macro_rules! pixel {
    (
        $sum:literal, $at:literal,
        [$first:literal $by:literal 0, $($q:literal $weights:literal $index:literal),+]
    ) => {
        concat!(
            "vpbroadcastd ymm12, dword ptr [{", $first, "}", $at, "]\n",
            "vpmaddubsw ymm12, ymm12, ", $by, "\n",
            $(
                "vpbroadcastd ymm13, dword ptr [{", $q, "}", $at, "]\n",
                "vpmaddubsw ymm13, ymm13, ", $weights, "\n",
                "vpaddw ymm12, ymm12, ymm13\n",
            )+
            "vpmaddwd ymm12, ymm12, ymm15\n",
            "vpaddd ymm", $sum, ", ymm", $sum, ", ymm12\n",
        )
    };
}

/// Advances by four pixels, if there are any more.
macro_rules! four_on {
    ($groups:tt, []) => { "" };
    ([$($q:literal $weights:literal $index:literal),+], [$($later:literal)+]) => {
        concat!($("lea {", $q, "}, [{", $q, "} + 4 * {s}]\n",)+)
    };
}

/// Runs `count` turns of `len` groups, between two labels.
macro_rules! turns {
    (
        $count:literal, $begin:literal, $end:literal, $len:literal, $groups:tt, [$($ahead:literal),*],
        [$($sum:literal $at:literal),*],
        [$($later:literal $then:literal),*]
    ) => {
        concat!(
            "test {", $count, "}, {", $count, "}\n",
            "jz ", $end, "f\n",
            $begin, ":\n",
            groups!($groups),
            "add {offsets}, 4 * ", $len, "\n",
            "add {weights}, 32 * ", $len, "\n",
            $("prefetcht0 byte ptr [{weights} + ", $ahead, "]\n",)*
            $(pixel!($sum, $at, $groups),)*
            four_on!($groups, [$($later)*]),
            $(pixel!($later, $then, $groups),)*
            "dec {", $count, "}\n",
            "jnz ", $begin, "b\n",
            $end, ":\n",
        )
    };
}

/// Runs all turns of some pixels: first of those whose activations are at these multiples of a pixel
/// from `q0` to `q3`, then, four pixels further on, of the others.
macro_rules! pixels {
    (
        $from:ident, $turns:ident, $to:ident, $ahead:tt,
        [$($name:ident $times:literal),*],
        [$($sum:literal $at:literal),*],
        [$($later:literal $then:literal),*]
    ) => {
        asm!(
            // Ones.
            "vpcmpeqw ymm15, ymm15, ymm15",
            "vpsrlw ymm15, ymm15, 15",
            $(concat!("vmovdqu ymm", $sum, ", ymmword ptr [{q0}]"),)*
            $(concat!("vmovdqu ymm", $later, ", ymmword ptr [{q0}]"),)*
            turns!("long", "2", "3", 4, ["q0" "ymm8" 0, "q1" "ymm9" 1, "q2" "ymm10" 2, "q3" "ymm11" 3], $ahead,
                [$($sum $at),*], [$($later $then),*]),
            turns!("short", "4", "5", 2, ["q0" "ymm8" 0, "q1" "ymm9" 1], [],
                [$($sum $at),*], [$($later $then),*]),
            $(concat!("vmovdqu ymmword ptr [{to} + 32 * {vectors} * ", $sum, "], ymm", $sum),)*
            $(concat!("vmovdqu ymmword ptr [{to} + 32 * {vectors} * ", $later, "], ymm", $later),)*
            first = in(reg) $from.activations,
            $($name = in(reg) $times * $from.pixel,)*
            offsets = inout(reg) $from.offsets => _,
            weights = inout(reg) $from.weights => _,
            long = inout(reg) $turns.long => _,
            short = inout(reg) $turns.short => _,
            to = in(reg) $to,
            vectors = const V,
            q0 = inout(reg) $from.bias => _,
            q1 = out(reg) _,
            q2 = out(reg) _,
            q3 = out(reg) _,
            out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
            out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
            out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
            out("ymm12") _, out("ymm13") _, out("ymm15") _,
            options(nostack),
        )
    };
}

/// Computes the sums of `P` pixels, at most [`MOST_PIXELS`]: the bias, and the products of all turns,
/// first the long ones. Writes a vector for each pixel, `V` vectors apart.
///
/// # Safety
/// The processor has AVX2. There are as many weights and offsets as the turns have groups, and
/// activations of each pixel at each offset; weights are within the limit of turns. `to` is at `P * V`
/// vectors, or as many less as are before it.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) unsafe fn take<const P: usize, const V: usize>(
    from: From,
    turns: Turns,
    to: *mut __m256i,
) {
    const { assert!(1 <= P && P <= MOST_PIXELS) }
    // SAFETY: the caller guarantees all reads and writes; all registers that change are named.
    unsafe {
        match P {
            // Each weight is read once: the weights of later turns are prefetched.
            1 => pixels!(from, turns, to, [1024, 1088], [], [0 ""], []),
            2 => pixels!(from, turns, to, [], [s 1], [0 "", 1 " + {s}"], []),
            3 => pixels!(from, turns, to, [], [s 1], [0 "", 1 " + {s}", 2 " + 2 * {s}"], []),
            4 => pixels!(from, turns, to, [], [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], []),
            5 => pixels!(from, turns, to, [], [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], [4 ""]),
            6 => pixels!(from, turns, to, [], [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], [4 "", 5 " + {s}"]),
            7 => pixels!(from, turns, to, [], [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"],
                [4 "", 5 " + {s}", 6 " + 2 * {s}"]),
            _ => pixels!(from, turns, to, [], [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"],
                [4 "", 5 " + {s}", 6 " + 2 * {s}", 7 " + {s3}"]),
        }
    }
}
