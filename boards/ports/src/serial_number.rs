//! The serial number by which a computer tells boards of one kind apart: the chip's own number, in
//! hexadecimal as its maker's programs write it.

/// Bytes of the longest number of a chip: the STM32's 96 bits.
const LONGEST: usize = 12;

/// A serial number as text.
#[derive(Clone, Copy, Debug)]
pub struct SerialNumber {
    text: [u8; 2 * LONGEST],
    len: usize,
}

impl SerialNumber {
    /// The number of the bytes `id`, or `None` where a chip has none: all its bits are equal then, as
    /// nobody drove the line. Bytes beyond the twelfth do not count.
    pub fn new(id: &[u8]) -> Option<Self> {
        let is_none = [0x00, 0xFF]
            .iter()
            .any(|bits| id.iter().all(|byte| byte == bits));
        if is_none {
            return None;
        }
        let mut text = [0; 2 * LONGEST];
        let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut len = 0;
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = if digit < 10 {
                b'0' + digit
            } else {
                b'A' + digit - 10
            };
            len += 1;
        }
        Some(SerialNumber { text, len })
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        let digits = self.text.get(..self.len).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or_default()
    }
}
