//! Untrusted text made safe to display: on a terminal, in a page, on a board's serial line.
//!
//! Names of files, labels, layers and networks come from strangers. A control character in a name acts
//! on a terminal (colours, titles, the clipboard), a line feed forges a line of posy's output, a
//! bidirectional control character reorders the text after it, and a long name hides the rest. All such
//! text is displayed through [`Shown`].

use core::fmt::{self, Write};

/// Characters of a name that are displayed; a longer name is cut and ends in `...`.
pub const NAME_LEN: usize = 120;

/// Replacement for a character that is not displayed.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Text made safe to display: on one line, with every character visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    text: &'a str,
    most: usize,
}

impl<'a> Shown<'a> {
    /// A name, cut to [`NAME_LEN`] characters.
    pub const fn name(text: &'a str) -> Self {
        let most = NAME_LEN;
        Shown { text, most }
    }

    /// A line, uncut.
    pub const fn line(text: &'a str) -> Self {
        let most = usize::MAX;
        Shown { text, most }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.text.char_indices().nth(self.most);
        let mut rest = cut.map_or(self.text, |(at, _)| self.text.get(..at).unwrap_or_default());
        // Writes runs of characters: a serial port is faster with many bytes at once.
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

/// Writer adapter that sanitises all text written to `W`.
#[derive(Debug)]
pub struct Cleaned<W>(pub W);

impl<W: Write> Write for Cleaned<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write!(self.0, "{}", Shown::line(text))
    }
}

/// The character itself, or the replacement if it is invisible or a control character.
pub const fn shown(character: char) -> char {
    match character {
        // C0 and C1 controls, line feed and tab among them.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => REPLACEMENT,
        // Bidirectional control characters.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            REPLACEMENT
        }
        // Line and paragraph separators, and zero-width characters; not the joiners of scripts and
        // emoji.
        '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => REPLACEMENT,
        // Interlinear annotations, and tag characters, which make up invisible text.
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
