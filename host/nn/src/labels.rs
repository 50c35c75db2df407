//! Label files, one label a line, as people and tools write them.

use std::path::{Path, PathBuf};

use crate::bounded::{self, FileError, TEXT};

/// Failure to read a label file.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; give a text file with one label a line")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: FileError,
    },
    /// The file is not text.
    #[error("{0}: is no text in UTF-8 or UTF-16; give a text file with one label a line")]
    NotText(PathBuf),
    /// A blank line between labels.
    #[error("{path}: line {line} is blank; give each label a line")]
    Blank {
        /// Path of the file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
}

/// Reads the labels in the file `path`.
///
/// # Errors
/// [`LabelsError`] names the file.
pub fn read(path: &Path) -> Result<Vec<String>, LabelsError> {
    let bytes = bounded::read(path, TEXT).map_err(|source| LabelsError::Io {
        path: path.into(),
        source,
    })?;
    let text = text_of(&bytes).ok_or_else(|| LabelsError::NotText(path.into()))?;
    let labels = of_text(&text);
    match labels.iter().position(String::is_empty) {
        Some(index) => Err(LabelsError::Blank {
            path: path.into(),
            line: index + 1,
        }),
        None => Ok(labels),
    }
}

/// Parses labels. Byte order mark, blank lines at the end, and line numbers from 0, as Teachable
/// Machine writes them (`0 daisy`), are removed.
pub fn of_text(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let counted = lines.iter().enumerate().map(|(index, line)| {
        let (number, label) = line.split_once([' ', '\t'])?;
        let label = label.trim();
        (number == index.to_string() && !label.is_empty()).then_some(label)
    });
    let counted: Option<Vec<&str>> = counted.collect();
    let labels = counted.unwrap_or(lines);
    // A tab within a label becomes a space.
    labels
        .iter()
        .map(|label| label.replace('\t', " "))
        .collect()
}

/// Decodes text: UTF-8, or UTF-16 with a byte order mark, as Windows writes it.
fn text_of(bytes: &[u8]) -> Option<String> {
    let pair: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return std::str::from_utf8(bytes).map(str::to_owned).ok(),
    };
    let pairs = bytes.chunks_exact(2).map(|two| pair([two[0], two[1]]));
    String::from_utf16(&pairs.collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_a_person_means() {
        for (bytes, labels) in [
            (&b"a\nb\n"[..], &["a", "b"][..]),
            (b"a\nb", &["a", "b"]),
            (b"a\r\nb\r\n", &["a", "b"]),
            (b"\xef\xbb\xbfa\nb\n", &["a", "b"]),
            (b"a\nb\n\n", &["a", "b"]),
            (b"a\nb\n \r\n\n", &["a", "b"]),
            (b"0 a\n1 b\n", &["a", "b"]),
            (b"0\ta\n1\tb\n", &["a", "b"]),
            (b"\xef\xbb\xbf0 a\r\n1 b c\r\n\r\n", &["a", "b c"]),
            (b"\xff\xfea\0\r\0\n\0b\0", &["a", "b"]),
            (
                b"n01440764\ttench\nn01443537\tgoldfish\n",
                &["n01440764 tench", "n01443537 goldfish"],
            ),
            // Numbers that are labels, or part of them.
            (b"0\n1\n2\n", &["0", "1", "2"]),
            (b"1 cent\n2 cents\n", &["1 cent", "2 cents"]),
            (b"0 a\n2 b\n", &["0 a", "2 b"]),
            (b"", &[]),
        ] {
            let text = text_of(bytes).unwrap();
            assert_eq!(of_text(&text), labels, "{text:?}");
        }
    }

    #[test]
    fn what_means_no_labels_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        let refusal = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(refusal(b"a\n\nb\n").contains("labels.txt: line 2 is blank"));
        assert!(refusal(b"\x89PNG\r\n").contains("no text"));
        let missing = read(&folder.path().join("none.txt")).unwrap_err();
        assert!(missing.to_string().contains("none.txt: cannot be read"));
    }
}
