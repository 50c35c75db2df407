//! Names from outside, such as can be shown.

use crate::report::judge::Judgement;

/// Letters that are not seen, or that change how others are seen. Joiners stay: names in Persian and
/// Hindi need them.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// `text` with hidden letters written out, as `\u{202e}`.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_hidden(letter) {
            true => cleaned.extend(letter.escape_unicode()),
            false => cleaned.push(letter),
        }
    }
    cleaned
}

/// `text`, cleaned, such that its direction of writing stays its own within a sentence (Unicode
/// Standard Annex 9: first strong isolate, pop directional isolate).
pub(super) fn isolate(text: &str) -> String {
    format!("\u{2068}{}\u{2069}", clean(text))
}

/// The judgement, for sentences: its labels isolated.
pub(super) fn isolated(judgement: &Judgement) -> Judgement {
    let mut judgement = judgement.clone();
    for label in &mut judgement.labels {
        label.label = isolate(&label.label);
    }
    judgement
}

/// `count` things, `one` being the word for one of them.
pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_letters_are_written_out_and_others_stay() {
        assert_eq!(clean("ورد 雏菊 rosé"), "ورد 雏菊 rosé");
        assert_eq!(clean("می\u{200c}خواهم"), "می\u{200c}خواهم");
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\u{a}b");
        assert_eq!(
            clean("\u{202e}gpj.exe\u{2066}"),
            "\\u{202e}gpj.exe\\u{2066}"
        );
        assert_eq!(isolate("a\u{2069}b"), "\u{2068}a\\u{2069}b\u{2069}");
    }
}
