//! Turns of groups in AVX2, in assembly: the compiler would keep what it need not in the 16 registers, and
//! put away what it must.
//!
//! | register | what |
//! |---|---|
//! | `ymm0` to `ymm7` | a vector of sums for each pixel |
//! | `ymm8` to `ymm11` | the weights of each group of a turn |
//! | `ymm12`, `ymm13` | products |
//! | `ymm15` | ones, to add 16-bit sums in pairs to 32 bits |

use core::arch::asm;
use core::arch::x86_64::*;

use super::turns::{LONG, SHORT, Turns};

const _: () = assert!(LONG == 4 && SHORT == 2);

/// Most pixels at once.
pub(super) const MOST_PIXELS: usize = 8;

/// What turns are made of.
#[derive(Clone, Copy)]
pub(super) struct From {
    /// A vector of what sums begin with.
    pub(super) bias: *const i32,
    /// The first activation of the first pixel.
    pub(super) activations: *const u8,
    /// Bytes from a pixel to the next.
    pub(super) pixel: usize,
    /// Those of each group of all turns, 32 bytes a group.
    pub(super) weights: *const i8,
    /// Where the activations of each group are, in bytes.
    pub(super) offsets: *const u32,
}

/// The sums of a pixel: adds the products of four groups, whose activations are at `q0` to `q3`.
macro_rules! long {
    ($sum:literal, $at:literal) => {
        concat!(
            "vpbroadcastd ymm12, dword ptr [{q0}",
            $at,
            "]\n",
            "vpbroadcastd ymm13, dword ptr [{q1}",
            $at,
            "]\n",
            "vpmaddubsw ymm12, ymm12, ymm8\n",
            "vpmaddubsw ymm13, ymm13, ymm9\n",
            "vpaddw ymm12, ymm12, ymm13\n",
            "vpbroadcastd ymm13, dword ptr [{q2}",
            $at,
            "]\n",
            "vpmaddubsw ymm13, ymm13, ymm10\n",
            "vpaddw ymm12, ymm12, ymm13\n",
            "vpbroadcastd ymm13, dword ptr [{q3}",
            $at,
            "]\n",
            "vpmaddubsw ymm13, ymm13, ymm11\n",
            "vpaddw ymm12, ymm12, ymm13\n",
            "vpmaddwd ymm12, ymm12, ymm15\n",
            "vpaddd ymm",
            $sum,
            ", ymm",
            $sum,
            ", ymm12\n",
        )
    };
}

/// The same for two groups.
macro_rules! short {
    ($sum:literal, $at:literal) => {
        concat!(
            "vpbroadcastd ymm12, dword ptr [{q0}",
            $at,
            "]\n",
            "vpbroadcastd ymm13, dword ptr [{q1}",
            $at,
            "]\n",
            "vpmaddubsw ymm12, ymm12, ymm8\n",
            "vpmaddubsw ymm13, ymm13, ymm9\n",
            "vpaddw ymm12, ymm12, ymm13\n",
            "vpmaddwd ymm12, ymm12, ymm15\n",
            "vpaddd ymm",
            $sum,
            ", ymm",
            $sum,
            ", ymm12\n",
        )
    };
}

/// The loops for some number of pixels: first those whose activations are at so many steps of a pixel from `q0` to
/// `q3`, then, four pixels on, the others.
macro_rules! pixels {
    (
        $from:ident, $turns:ident, $to:ident,
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
            "test {long}, {long}",
            "jz 3f",
            "2:",
            "mov {q0:e}, dword ptr [{offsets}]",
            "mov {q1:e}, dword ptr [{offsets} + 4]",
            "mov {q2:e}, dword ptr [{offsets} + 8]",
            "mov {q3:e}, dword ptr [{offsets} + 12]",
            "add {q0}, {first}",
            "add {q1}, {first}",
            "add {q2}, {first}",
            "add {q3}, {first}",
            "vmovdqu ymm8, ymmword ptr [{weights}]",
            "vmovdqu ymm9, ymmword ptr [{weights} + 32]",
            "vmovdqu ymm10, ymmword ptr [{weights} + 64]",
            "vmovdqu ymm11, ymmword ptr [{weights} + 96]",
            "add {offsets}, 16",
            "sub {weights}, -128",
            $(long!($sum, $at),)*
            pixels!(@four_on "q0" $($later)*),
            pixels!(@four_on "q1" $($later)*),
            pixels!(@four_on "q2" $($later)*),
            pixels!(@four_on "q3" $($later)*),
            $(long!($later, $then),)*
            "dec {long}",
            "jnz 2b",
            "3:",
            "test {short}, {short}",
            "jz 5f",
            "4:",
            "mov {q0:e}, dword ptr [{offsets}]",
            "mov {q1:e}, dword ptr [{offsets} + 4]",
            "add {q0}, {first}",
            "add {q1}, {first}",
            "vmovdqu ymm8, ymmword ptr [{weights}]",
            "vmovdqu ymm9, ymmword ptr [{weights} + 32]",
            "add {offsets}, 8",
            "add {weights}, 64",
            $(short!($sum, $at),)*
            pixels!(@four_on "q0" $($later)*),
            pixels!(@four_on "q1" $($later)*),
            $(short!($later, $then),)*
            "dec {short}",
            "jnz 4b",
            "5:",
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
    (@four_on $q:literal) => { "" };
    (@four_on $q:literal $($later:literal)+) => { concat!("lea {", $q, "}, [{", $q, "} + 4 * {s}]") };
}

/// The sums of `P` pixels, at most [`MOST_PIXELS`]: the bias, and the products of all turns, first the long ones.
/// Writes a vector for each pixel, `V` vectors apart.
///
/// # Safety
/// The processor has AVX2. There are as many weights and offsets as the turns have groups, and activations of
/// each pixel at each offset; weights are within the limit of turns. `to` is at `P * V` vectors, or as many less as
/// are before it.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) unsafe fn take<const P: usize, const V: usize>(
    from: From,
    turns: Turns,
    to: *mut __m256i,
) {
    const { assert!(1 <= P && P <= MOST_PIXELS) }
    // SAFETY: reads and writes are as the caller vouches; all registers that change are named.
    unsafe {
        match P {
            1 => pixels!(from, turns, to, [], [0 ""], []),
            2 => pixels!(from, turns, to, [s 1], [0 "", 1 " + {s}"], []),
            3 => pixels!(from, turns, to, [s 1], [0 "", 1 " + {s}", 2 " + 2 * {s}"], []),
            4 => pixels!(from, turns, to, [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], []),
            5 => pixels!(from, turns, to, [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], [4 ""]),
            6 => pixels!(from, turns, to, [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"], [4 "", 5 " + {s}"]),
            7 => pixels!(from, turns, to, [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"],
                [4 "", 5 " + {s}", 6 " + 2 * {s}"]),
            _ => pixels!(from, turns, to, [s 1, s3 3],
                [0 "", 1 " + {s}", 2 " + 2 * {s}", 3 " + {s3}"],
                [4 "", 5 " + {s}", 6 " + 2 * {s}", 7 " + {s3}"]),
        }
    }
}
