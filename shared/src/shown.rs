//! Text from elsewhere, made fit to be shown: on a terminal, in a page, on a board's serial line.
//!
//! Names of files, labels, layers and networks come from strangers. A control character in one acts on
//! a terminal (colours, titles, the clipboard), a line feed forges a line of posy's own, a mark of
//! writing direction turns what stands behind it around, and a long one hides the rest. Whatever shows
//! such text shows it through [`Shown`].

use core::fmt::{self, Write};

/// Characters of a name that are shown.
pub const NAME_LEN: usize = 120;

/// What stands in place of a character that is not shown.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Text as it is shown: on one line, and every character of it to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    text: &'a str,
    most: usize,
}

impl<'a> Shown<'a> {
    /// A name, of which [`NAME_LEN`] characters are shown.
    pub const fn name(text: &'a str) -> Self {
        let most = NAME_LEN;
        Shown { text, most }
    }

    /// A line, whole.
    pub const fn line(text: &'a str) -> Self {
        let most = usize::MAX;
        Shown { text, most }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.text.char_indices().nth(self.most);
        let mut rest = cut.map_or(self.text, |(at, _)| self.text.get(..at).unwrap_or_default());
        // In runs: a serial port takes many bytes at once more quickly than one after another.
        while let Some((at, hidden)) = rest.char_indices().find(|&(_, c)| shown(c) != c) {
            f.write_str(rest.get(..at).unwrap_or_default())?;
            f.write_char(shown(hidden))?;
            rest = rest.get(at + hidden.len_utf8()..).unwrap_or_default();
        }
        f.write_str(rest)?;
        match cut {
            Some(_) => f.write_str("..."),
            None => Ok(()),
        }
    }
}

/// Cleans all that is written into `W`.
#[derive(Debug)]
pub struct Cleaned<W>(pub W);

impl<W: Write> Write for Cleaned<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write!(self.0, "{}", Shown::line(text))
    }
}

/// A character as it is shown: itself, unless it is none to be seen.
pub const fn shown(character: char) -> char {
    match character {
        // C0 and C1 controls, line feed and tab among them.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => REPLACEMENT,
        // Marks of writing direction.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            REPLACEMENT
        }
        // Ends of lines and paragraphs, and what takes no room; not the joiners of scripts and emoji.
        '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => REPLACEMENT,
        // Annotations, and the tags of which invisible text is made.
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => REPLACEMENT,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    #[test]
    fn what_acts_or_hides_is_replaced() {
        for (text, seen) in [
            ("daisy", "daisy"),
            ("Gänseblümchen 雛菊 👩‍🌾", "Gänseblümchen 雛菊 👩‍🌾"),
            ("red\x1b[31m", "red\u{fffd}[31m"),
            ("\x1b]0;title\x07", "\u{fffd}]0;title\u{fffd}"),
            ("a\r\nposy: b", "a\u{fffd}\u{fffd}posy: b"),
            ("a\u{2028}b\u{9b}2J", "a\u{fffd}b\u{fffd}2J"),
            ("gpj.\u{202e}exe", "gpj.\u{fffd}exe"),
            ("\u{feff}daisy\u{2066}", "\u{fffd}daisy\u{fffd}"),
        ] {
            assert_eq!(Shown::name(text).to_string(), seen, "{text:?}");
            assert_eq!(Shown::line(text).to_string(), seen, "{text:?}");
            let mut cleaned = Cleaned(String::new());
            write!(cleaned, "{text}").unwrap();
            assert_eq!(cleaned.0, seen);
        }
    }

    #[test]
    fn long_names_are_cut_and_lines_are_not() {
        let long = "é".repeat(NAME_LEN + 1);
        let seen = Shown::name(&long).to_string();
        assert_eq!(seen, "é".repeat(NAME_LEN) + "...");
        assert_eq!(Shown::name(&long[2..]).to_string(), long[2..]);
        assert_eq!(Shown::line(&long).to_string(), long);
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_of_characters_to_be_seen(text in any::<String>()) {
            let seen = Shown::line(&text).to_string();
            prop_assert!(!seen.contains(char::is_control));
            prop_assert_eq!(seen.chars().count(), text.chars().count());
        }
    }
}
