//! Shell quoting, for commands shown to be copied.

use std::path::Path;

/// `word`, quoted if a shell would change it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// [`quoted`] for a path, written so that no command takes it for an option.
pub fn quoted_path(path: &Path) -> String {
    let path = path.to_string_lossy();
    match path.starts_with('-') {
        true => quoted(&format!("./{path}")),
        false => quoted(&path),
    }
}

/// A path as a Python string literal.
pub fn in_python(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!("'{}'", path.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_expand_them() {
        for (word, shown) in [
            ("flowers.posy", "flowers.posy"),
            ("a/b_c-d.posy", "a/b_c-d.posy"),
            ("Blümchen.posy", "Blümchen.posy"),
            ("my flowers.posy", "'my flowers.posy'"),
            ("$HOME/*.posy", "'$HOME/*.posy'"),
            ("it's.posy", r"'it'\''s.posy'"),
            ("~/flowers.posy", "'~/flowers.posy'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), shown);
        }
        assert_eq!(quoted_path(Path::new("-o.posy")), "./-o.posy");
        assert_eq!(in_python(Path::new(r"it's\new")), r"'it\'s\\new'");
    }

    /// A shell turns a quoted word back into the word.
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_the_word() {
        for word in [
            "plain",
            "two words",
            "it's",
            "$(date) `date` \"x\" \\ * ?",
            "-n",
        ] {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh")
                .args(["-c", &script])
                .output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), word);
        }
    }
}
