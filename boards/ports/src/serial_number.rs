//! The serial number that a board has on USB: the number of its chip, so that two boards of a kind are told
//! apart, and one keeps its name whatever port it is plugged into.

/// Bytes of the longest number: an STM32's 96 bits.
const LONGEST: usize = 12;
/// Digits of USB's serial numbers: upper case, as Windows wants them (Microsoft, "USB serial numbers").
const DIGITS: [u8; 16] = *b"0123456789ABCDEF";

/// A chip's number in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialNumber {
    digits: [u8; 2 * LONGEST],
    len: usize,
}

impl SerialNumber {
    /// The number in `bytes`, of which the first 12 count. `None` where all are 00 or FF: then the chip has
    /// none, and no serial number is better than one that all such boards share.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let blank = |blank: u8| bytes.iter().all(|&byte| byte == blank);
        if blank(0x00) || blank(0xFF) {
            return None;
        }
        let mut digits = [0; 2 * LONGEST];
        let mut len = 0;
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            let halves = [byte >> 4, byte & 0xF];
            for (digit, half) in pair.iter_mut().zip(halves) {
                *digit = DIGITS[usize::from(half)];
            }
            len += 2;
        }
        Some(SerialNumber { digits, len })
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        let digits = self.digits.get(..self.len).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or_default()
    }
}
