//! Names from outside, such as can be shown.

use posy_shared::shown::Shown;

use crate::report::judge::Judgement;

/// `text` on one line, every letter of it to be seen.
pub(super) fn clean(text: &str) -> String {
    Shown::line(text).to_string()
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
    fn hidden_letters_are_replaced_and_others_stay() {
        assert_eq!(clean("ورد 雏菊 rosé"), "ورد 雏菊 rosé");
        assert_eq!(clean("a\u{1b}[31m\nb"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(clean("\u{202e}gpj.exe\u{2066}"), "\u{fffd}gpj.exe\u{fffd}");
        assert_eq!(isolate("a\u{2069}b"), "\u{2068}a\u{fffd}b\u{2069}");
    }
}
