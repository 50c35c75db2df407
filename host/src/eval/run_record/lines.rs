//! JSON for people and programs: a line per value, except that a list within a list is on one line.
//! Otherwise the scores of a thousand labels for thousands of photos would be millions of lines.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Serialises `value` as JSON.
///
/// # Errors
/// Returns an error if JSON cannot represent `value`.
pub(super) fn to_vec(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, Lines::default()))?;
    Ok(json)
}

#[derive(Default)]
struct Lines {
    pretty: PrettyFormatter<'static>,
    /// Number of open lists.
    lists: usize,
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lists += 1;
        match self.lists {
            1 => self.pretty.begin_array(writer),
            _ => writer.write_all(b"["),
        }
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.lists -= 1;
        match self.lists {
            0 => self.pretty.end_array(writer),
            _ => writer.write_all(b"]"),
        }
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match (self.lists, first) {
            (..=1, _) => self.pretty.begin_array_value(writer, first),
            (_, true) => Ok(()),
            (_, false) => writer.write_all(b", "),
        }
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        match self.lists {
            ..=1 => self.pretty.end_array_value(writer),
            _ => Ok(()),
        }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lists_within_lists_are_on_one_line() {
        let value = json!({
            "names": ["a", "b"],
            "photos": [{"photo": "p", "scores": [0.5, 0.25, 0]}, {"scores": [], "truth": null}],
            "empty": [],
        });
        let text = String::from_utf8(to_vec(&value).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(
            text.contains("\n      \"scores\": [0.5, 0.25, 0]\n    },"),
            "{text}"
        );
        assert!(text.contains("\n    \"a\",\n    \"b\"\n  ]"), "{text}");
        // Other nesting is formatted as usual.
        let flat = json!({"a": [1, {"b": true}], "c": {}});
        let pretty = serde_json::to_vec_pretty(&flat).unwrap();
        assert_eq!(to_vec(&flat).unwrap(), pretty);
    }
}
