//! Lookup tables from pixels to the input of a quantised network.
//!
//! Some files scale pixels by operators of their own (a Rescaling layer becomes MUL and ADD). In
//! integers they map each grey level to one value, channel by channel, so a table holds them exactly.

/// Value of the network's input for each grey level, one row of 256 per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct InputTable {
    /// Rows of 256 values, one per channel.
    pub rows: Vec<[i8; 256]>,
}

impl InputTable {
    /// The table in the form of the model file, `[C, 256]` int8 as their bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let values = self.rows.iter().flatten();
        values.map(|value| value.cast_unsigned()).collect()
    }

    /// Text form: the bytes in hexadecimal.
    pub fn in_words(&self) -> String {
        let digits = self.bytes().into_iter().map(|byte| format!("{byte:02x}"));
        format!("{KEY} {}\n", digits.collect::<String>())
    }

    /// Parses the text form of a table for `channels` channels; other lines are ignored.
    pub fn from_words(words: &str, channels: usize) -> Option<Self> {
        let mut lines = words.lines().filter_map(|line| line.split_once(' '));
        let (_, digits) = lines.find(|(key, _)| *key == KEY)?;
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8 as i8);
        let values: Option<Vec<i8>> = pairs.iter().map(byte).collect();
        let values = values.filter(|values| values.len() == 256 * channels && rest.is_empty())?;
        Some(InputTable {
            rows: values.as_chunks().0.to_vec(),
        })
    }
}

/// Name of the line in the text form.
const KEY: &str = "levels";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        let row = |add: i32| std::array::from_fn(|level| (level as i32 * 7 + add) as i8);
        let table = InputTable {
            rows: vec![row(0), row(-3), row(5)],
        };
        let words = format!("crop squash\n{}", table.in_words());
        assert_eq!(InputTable::from_words(&words, 3), Some(table));
        for (words, channels) in [
            (words.as_str(), 1),
            ("", 1),
            ("levels 00", 1),
            ("levels zz", 1),
        ] {
            assert_eq!(InputTable::from_words(words, channels), None);
        }
    }
}
