//! Words quoted for a shell, so that a command that is shown can be typed.

use std::ffi::OsStr;

/// Letters that no shell takes for anything but themselves.
fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || "_-./:=@%+,".contains(letter)
}

/// Letters that are not seen, or that change how others are seen.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// `word` such that a shell takes it for one word: as it is, in single quotes, or, where letters of
/// it are not seen or are no Unicode, in `$'...'`, which bash, zsh and ksh know.
#[cfg(not(windows))]
pub(super) fn quoted(word: &OsStr) -> String {
    use std::os::unix::ffi::OsStrExt;
    let text = word.to_str();
    if let Some(text) = text.filter(|text| !text.contains(is_hidden)) {
        return match !text.is_empty() && text.chars().all(is_plain) {
            true => text.to_owned(),
            false => format!("'{}'", text.replace('\'', "'\\''")),
        };
    }
    let mut quoted = String::from("$'");
    for chunk in word.as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\'' | '\\' => quoted.extend(['\\', letter]),
                hidden if is_hidden(hidden) => {
                    let mut bytes = [0; 4];
                    for byte in hidden.encode_utf8(&mut bytes).bytes() {
                        quoted.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                letter => quoted.push(letter),
            }
        }
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted.push('\'');
    quoted
}

/// `word` such that Windows' shells take it for one word: in double quotes, which its names of
/// files cannot have.
#[cfg(windows)]
pub(super) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    match !text.is_empty() && text.chars().all(|c| is_plain(c) || c == '\\') {
        true => text.into_owned(),
        false => format!("\"{}\"", text.replace(is_hidden, "?")),
    }
}

/// Words as a command line.
pub(super) fn line<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    let words = words.into_iter();
    let words: Vec<String> = words.map(|word| quoted(word.as_ref())).collect();
    words.join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        for (word, expected) in [
            ("flowers.posy", "flowers.posy"),
            ("", "''"),
            ("my photos/a b.jpg", "'my photos/a b.jpg'"),
            ("it's", "'it'\\''s'"),
            ("$(rm -r .)", "'$(rm -r .)'"),
            ("雏菊.jpg", "雏菊.jpg"),
            ("a\nb", "$'a\\x0ab'"),
            ("\u{202e}gpj", "$'\\xe2\\x80\\xaegpj'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected, "{word:?}");
        }
        assert_eq!(line(["posy", "label", "a b"]), "posy label 'a b'");
    }

    /// Oracle: bash itself.
    #[test]
    fn bash_reads_each_word_as_it_was() {
        let words: [&[u8]; 8] = [
            b"it's \"quoted\" `twice` $HOME",
            b"back\\slash and \ttab",
            b"\xff\xfe'.jpg",
            b"\x1b[31mred\x07",
            "\u{202e}gpj.\u{2066}é\\x41'".as_bytes(),
            b"-dash; rm *? [a] {b,c} ~ ! # & | < >",
            b"",
            b"two\nlines\r",
        ];
        for word in words {
            let script = format!("printf %s {}", quoted(OsStr::from_bytes(word)));
            let Ok(output) = Command::new("bash").args(["-c", &script]).output() else {
                eprintln!("SKIPPED: bash_reads_each_word_as_it_was: no bash");
                return;
            };
            assert_eq!(output.stdout, word, "{script}");
            assert!(!script.contains(is_hidden), "{script:?}");
        }
    }
}
