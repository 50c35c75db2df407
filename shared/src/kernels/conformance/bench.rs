//! The buffers of the cases, and what fills them.

use super::Mismatch;

pub(super) const MAX_ROW: usize = 1024;
pub(super) const MAX_WEIGHTS: usize = 2304;
pub(super) const MAX_CHANNELS: usize = 40;

/// Marsaglia's xorshift32 ("Xorshift RNGs", 2003), the triple 13, 17, 5.
pub(super) struct Seeded(u32);

impl Seeded {
    pub(super) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// The high byte; one in eight is an extreme, where saturation hides.
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

/// The buffers of a case.
pub(super) struct Bench {
    pub(super) rows: [[i8; MAX_ROW]; 3],
    pub(super) weights: [i8; MAX_WEIGHTS],
    pub(super) bias: [u8; MAX_CHANNELS * 4],
    pub(super) multiplier: [u8; MAX_CHANNELS * 4],
    pub(super) shift: [i8; MAX_CHANNELS],
    pub(super) expected: [i8; MAX_ROW],
    pub(super) actual: [i8; MAX_ROW],
    pub(super) seeded: Seeded,
}

impl Bench {
    pub(super) const fn new() -> Self {
        Bench {
            rows: [[0; MAX_ROW]; 3],
            weights: [0; MAX_WEIGHTS],
            bias: [0; MAX_CHANNELS * 4],
            multiplier: [0; MAX_CHANNELS * 4],
            shift: [0; MAX_CHANNELS],
            expected: [0; MAX_ROW],
            actual: [0; MAX_ROW],
            seeded: Seeded(0x9E37_79B9),
        }
    }

    /// New numbers everywhere. Left shifts appear as well as right ones, small enough that no sum
    /// of `terms` products overflows.
    pub(super) fn refill(&mut self, terms: usize) {
        for row in &mut self.rows {
            self.seeded.fill(row);
        }
        self.seeded.fill(&mut self.weights);
        let bits = 16 + usize::BITS - terms.leading_zeros();
        for channel in 0..MAX_CHANNELS {
            let bias = self.seeded.next() as i32 >> 14;
            let mantissa = (self.seeded.next() >> 2) | 1 << 30;
            self.bias[channel * 4..][..4].copy_from_slice(&bias.to_le_bytes());
            self.multiplier[channel * 4..][..4].copy_from_slice(&mantissa.to_le_bytes());
            // Mostly what brings the sum back to a byte, sometimes no shift, sometimes to the left.
            self.shift[channel] = match self.seeded.next() & 7 {
                0 => 0,
                1 => 2,
                _ => -((bits as i8 - 8) + (self.seeded.next() & 3) as i8 - 2).max(0),
            };
        }
    }

    /// The three kinds of clamp that networks have.
    pub(super) fn clamp(&mut self) -> (i8, i8, i8) {
        match self.seeded.next() % 3 {
            0 => (-128, -128, 127),
            1 => (-5, -5, 101),
            _ => (17, -128, 127),
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
