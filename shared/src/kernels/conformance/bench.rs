//! Buffers of the cases and the random values that fill them.

use super::Mismatch;
use crate::kernels::{I32s, OutputStage, PerChannel};

pub(super) const MAX_ROW: usize = 1024;
pub(super) const MAX_WEIGHTS: usize = 2304;
pub(super) const MAX_CHANNELS: usize = 136;
/// Words of scratch; more than any variant needs in these cases.
pub(super) const MAX_SCRATCH: usize = 8192;

/// Marsaglia's xorshift32 ("Xorshift RNGs", 2003), the triple 13, 17, 5.
pub(super) struct Seeded(u32);

impl Seeded {
    pub(super) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A random index below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 8) as usize % bound
    }

    /// A random value, the high byte of the state; one in eight is an extreme, where saturation bugs
    /// show.
    pub(super) fn number(&mut self) -> i8 {
        let bits = self.next();
        match bits & 15 {
            0 => i8::MIN,
            1 => i8::MAX,
            _ => (bits >> 24) as i8,
        }
    }

    pub(super) fn fill(&mut self, numbers: &mut [i8]) {
        for number in numbers {
            *number = self.number();
        }
    }
}

/// Zero point and clamps of an output.
#[derive(Clone, Copy)]
pub(super) struct Clamp {
    pub(super) zero_point: i8,
    pub(super) min: i8,
    pub(super) max: i8,
}

/// Biases and multipliers of output channels.
#[repr(C, align(4))]
pub(super) struct Tables {
    bias: [u8; MAX_CHANNELS * 4],
    multiplier: [u8; MAX_CHANNELS * 4],
    shift: [i8; MAX_CHANNELS],
    single_rounding: bool,
}

impl Tables {
    /// Draws new tables. If sums are `small`, so are biases, and many mantissas are such that half of
    /// the sums lie at ties.
    fn refill(&mut self, seeded: &mut Seeded, terms: usize, small: bool) {
        let bits = 16 + usize::BITS - terms.leading_zeros();
        // Bits of a sum of random signs, and of the part that mantissas keep.
        let small_bits = (usize::BITS - terms.leading_zeros()) / 2;
        // Half of the time as in most networks: no channel shifts left, or far to the right.
        let narrow = seeded.below(2) == 0;
        self.single_rounding = seeded.below(8) == 0;
        for channel in 0..MAX_CHANNELS {
            let bias = seeded.next() as i32 >> if small { 25 } else { 14 };
            let mantissa = match seeded.below(16) {
                0 => 0,
                1 => i32::MAX as u32,
                2..6 if small => i32::MAX as u32,
                6..12 if small => 1 << 30,
                _ => (seeded.next() >> 2) | 1 << 30,
            };
            self.bias[channel * 4..][..4].copy_from_slice(&bias.to_le_bytes());
            self.multiplier[channel * 4..][..4].copy_from_slice(&mantissa.to_le_bytes());
            // Mostly the shift that brings the sum back to a byte. Left shifts stay within the headroom
            // that MAX_WEIGHTS products of 255 and -128 and a bias leave in 31 bits.
            self.shift[channel] = match seeded.below(16) {
                0 => 0,
                1 if !narrow => 1,
                2 if !narrow => 4,
                3 if narrow => *OutputStage::NARROW_SHIFTS.start(),
                3 => -31,
                4..8 if small => 0,
                8.. if small => -((small_bits + seeded.next() % 3) as i8),
                _ => -((bits as i8 - 8) + (seeded.next() & 3) as i8 - 2).max(0),
            };
        }
    }

    /// Output stage of a layer with `outputs` channels.
    pub(super) fn stage(&self, outputs: usize, clamp: Clamp) -> OutputStage<'_> {
        OutputStage {
            channels: PerChannel {
                bias: I32s::new(&self.bias[..outputs * 4]),
                multiplier: I32s::new(&self.multiplier[..outputs * 4]),
                shift: &self.shift[..outputs],
            },
            zero_point: clamp.zero_point,
            min: clamp.min,
            max: clamp.max,
            // Biases here have at most 18 bits, and sums of MAX_WEIGHTS products 27.
            narrow: self.shift[..outputs]
                .iter()
                .all(|shift| OutputStage::NARROW_SHIFTS.contains(shift)),
            single_rounding: false,
        }
    }

    /// Output stage of a matrix product with `outputs` channels, which now and then rounds once.
    pub(super) fn matrix_stage(&self, outputs: usize, clamp: Clamp) -> OutputStage<'_> {
        let stage = self.stage(outputs, clamp);
        OutputStage {
            narrow: stage.narrow && !self.single_rounding,
            single_rounding: self.single_rounding,
            ..stage
        }
    }
}

/// Buffers of a case; aligned as a model and an engine's memory are.
#[repr(C, align(16))]
pub(super) struct Bench {
    pub(super) rows: [[i8; MAX_ROW]; 3],
    pub(super) weights: [i8; MAX_WEIGHTS],
    pub(super) tables: Tables,
    pub(super) expected: [i8; MAX_ROW],
    pub(super) actual: [i8; MAX_ROW],
    pub(super) scratch: [u32; MAX_SCRATCH],
    pub(super) seeded: Seeded,
}

impl Bench {
    pub(super) const fn new() -> Self {
        Bench {
            rows: [[0; MAX_ROW]; 3],
            weights: [0; MAX_WEIGHTS],
            tables: Tables {
                bias: [0; MAX_CHANNELS * 4],
                multiplier: [0; MAX_CHANNELS * 4],
                shift: [0; MAX_CHANNELS],
                single_rounding: false,
            },
            expected: [0; MAX_ROW],
            actual: [0; MAX_ROW],
            scratch: [0; MAX_SCRATCH],
            seeded: Seeded(0x9E37_79B9),
        }
    }

    /// Draws new values everywhere, for sums of at most [`MAX_WEIGHTS`] products. One time in eight all
    /// values are extremes: the largest sums, and products that fill 16 bits. Two times in eight
    /// weights are -1, 0 and 1: sums of so few bits that every rounding shows.
    pub(super) fn refill(&mut self, terms: usize) {
        for row in &mut self.rows {
            self.seeded.fill(row);
        }
        self.seeded.fill(&mut self.weights);
        // Weights as in real networks: none is -128; most are small.
        let finer = [None, Some(0), Some(2), Some(4)][self.seeded.below(4)];
        if let Some(bits) = finer {
            // Half of the time some channels before them have large ones.
            let large = usize::from(self.weights[0].max(0).unsigned_abs()) * terms / 16;
            for (index, weight) in self.weights.iter_mut().enumerate() {
                *weight = (*weight).max(-i8::MAX) >> if index < large { 0 } else { bits };
            }
        }
        let kind = self.seeded.below(8);
        let small = kind == 1 || kind == 2;
        if small {
            for weight in &mut self.weights {
                *weight = (*weight & 3) % 3 - 1;
            }
        }
        if kind == 0 {
            let extremes = [i8::MIN, i8::MAX];
            // Magnitudes of which eight, nine or sixteen, give or take one, add up to 255 at most, or
            // just to more.
            let small = [31, -32, 15, -16, 28, 0];
            let more = self.weights[0] & 1;
            let [weight, few] = [
                extremes[self.seeded.below(2)],
                small[self.seeded.below(6)] + more,
            ];
            self.weights.fill(if self.seeded.below(2) == 0 {
                few
            } else {
                weight
            });
            for row in &mut self.rows {
                row.fill(extremes[self.seeded.below(2)]);
            }
        }
        self.tables.refill(&mut self.seeded, terms, small);
        // A kernel must not depend on the scratch of another.
        self.scratch.fill(self.seeded.next());
    }

    /// Clamps as in real networks: of ReLU6, of ReLU, none; and one with a single value.
    pub(super) fn clamp(&mut self) -> Clamp {
        let (zero_point, min, max) = match self.seeded.below(8) {
            0 => (9, 4, 4),
            1..4 => (-128, -128, 127),
            4..6 => (-5, -5, 101),
            _ => (17, -128, 127),
        };
        Clamp {
            zero_point,
            min,
            max,
        }
    }

    pub(super) fn compare(&self, length: usize, case: Mismatch) -> Result<(), Mismatch> {
        let pairs = self.expected[..length].iter().zip(&self.actual[..length]);
        match pairs
            .enumerate()
            .find(|(_, (expected, actual))| expected != actual)
        {
            None => Ok(()),
            Some((position, (&expected, &actual))) => Err(Mismatch {
                position,
                expected,
                actual,
                ..case
            }),
        }
    }
}

/// Makes every output value wrong, so that a value that is not written is detected.
pub(super) fn poison(expected: &[i8], actual: &mut [i8]) {
    for (expected, actual) in expected.iter().zip(actual) {
        *actual = !expected;
    }
}
