//! The serial protocol: the lines that a board prints.
//!
//! The bytes are untrusted: another program may run on the board, and reading may start in the
//! middle of a line.

use posy_shared::shown::Shown;

/// Maximum number of bytes of a line that are kept; a board's own are shorter.
pub const MAX_LINE: usize = 1024;

/// A line of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// An answer: `daisy 97.2%  roses 1.9%  412 ms`.
    Answer(Answer),
    /// A status message: `posy: golden check passed`. Without `posy: `.
    News(String),
    /// An error: `posy: the model slot is empty; ...`. Without `posy: `.
    Problem(String),
    /// Any other line.
    Text(String),
}

/// The answer for one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// True if the picture is rejected as `unknown`.
    pub unknown: bool,
    /// Labels and scores in `0.0..=1.0`, in steps of a thousandth, likeliest first.
    pub labels: Vec<(String, f64)>,
    /// Inference time, milliseconds.
    pub time_ms: u32,
}

impl Line {
    /// Parses a line without its end, and removes control characters: the board may run another
    /// program than posy's.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let text = Shown::line(text.trim_end_matches('\r')).to_string();
        // Tried first, so that a label that begins like a status message is not taken for one.
        if let Some(answer) = answer(&text) {
            return Self::Answer(answer);
        }
        if let Some(said) = text.strip_prefix("posy: ") {
            return match is_news(said) {
                true => Self::News(said.to_owned()),
                false => Self::Problem(said.to_owned()),
            };
        }
        Self::Text(text)
    }
}

/// Formats the line as the board printed it.
impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::News(said) | Self::Problem(said) => write!(f, "posy: {said}"),
            Self::Text(text) => f.write_str(text),
            Self::Answer(answer) => {
                if answer.unknown {
                    f.write_str("unknown  ")?;
                }
                for (label, score) in &answer.labels {
                    write!(f, "{label} {:.1}%  ", 100.0 * score)?;
                }
                write!(f, "{} ms", answer.time_ms)
            }
        }
    }
}

/// Returns true for the status messages of the firmware's `program`, of which there are three.
fn is_news(said: &str) -> bool {
    let model = || said.ends_with(" bytes") && said.contains(" labels, ");
    said == "golden check passed" || said.starts_with("RAM ") || model()
}

/// Parses an answer, if the line is one: parts with two spaces between them, the first `unknown` or
/// a label with its percents, the last the time. A label may contain spaces, even two in a row.
fn answer(text: &str) -> Option<Answer> {
    let (scores, time) = text.rsplit_once("  ")?;
    let time_ms = number(time.strip_suffix(" ms")?)?;
    let rest = scores.strip_prefix("unknown  ");
    let (unknown, mut rest) = match (scores, rest) {
        ("unknown", _) => (true, ""),
        (_, Some(rest)) => (true, rest),
        _ => (false, scores),
    };
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (score, behind) = rest.match_indices("%").find_map(|(at, _)| {
            let behind = &rest[at + 1..];
            let is_end = behind.is_empty() || behind.starts_with("  ");
            let score = scored(&rest[..at]).filter(|_| is_end)?;
            Some((score, behind.get(2..).unwrap_or_default()))
        })?;
        labels.push(score);
        rest = behind;
    }
    let is_answer = unknown || !labels.is_empty();
    is_answer.then_some(Answer {
        unknown,
        labels,
        time_ms,
    })
}

/// Parses `daisy 97.2`: label and score.
fn scored(text: &str) -> Option<(String, f64)> {
    let (label, percent) = text.rsplit_once(' ')?;
    let (whole, tenths) = percent.split_once('.')?;
    let whole = number(whole).filter(|&whole| whole <= 100 && tenths.len() == 1)?;
    let thousandths = 10 * whole + number(tenths)?;
    let is_score = thousandths <= 1000 && !label.is_empty();
    is_score.then(|| (label.to_owned(), f64::from(thousandths) / 1000.0))
}

/// Parses a number of digits alone.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Splits a stream of bytes into lines.
///
/// The first line may be the tail of another, which could pass for an answer with half a label: it
/// is dropped, unless it begins as only a board's own lines do.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    /// True if the line exceeds [`MAX_LINE`].
    is_long: bool,
    /// True once the end of a line has been seen.
    has_begun: bool,
}

impl Lines {
    /// Takes the next bytes of the stream; returns the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                match self.line.len() < MAX_LINE {
                    true => self.line.push(*byte),
                    false => self.is_long = true,
                }
                continue;
            }
            let mut line = Line::read(&self.line);
            // A truncated line cannot be trusted.
            if self.is_long {
                line = Line::Text(line.to_string());
            }
            let is_whole = self.has_begun || self.line.starts_with(b"posy: ");
            let is_blank = matches!(&line, Line::Text(text) if text.is_empty());
            if is_whole && !is_blank {
                lines.push(line);
            }
            self.line.clear();
            (self.is_long, self.has_begun) = (false, true);
        }
        lines
    }

    /// Returns true once the end of a line has been seen, so that the next line is whole.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(labels: &[(&str, f64)], unknown: bool, time_ms: u32) -> Line {
        let labels = labels
            .iter()
            .map(|(label, score)| ((*label).to_owned(), *score));
        Line::Answer(Answer {
            unknown,
            labels: labels.collect(),
            time_ms,
        })
    }

    #[test]
    fn lines_of_a_board() {
        let cases = [
            (
                "daisy 97.2%  roses 1.9%  412 ms",
                some(&[("daisy", 0.972), ("roses", 0.019)], false, 412),
            ),
            ("unknown  412 ms", some(&[], true, 412)),
            (
                "unknown  daisy 30.0%  9 ms",
                some(&[("daisy", 0.3)], true, 9),
            ),
            ("daisy 100.0%  0 ms", some(&[("daisy", 1.0)], false, 0)),
            (
                "an ox  eye 50.0%  100% wool 0.1%  7 ms",
                some(&[("an ox  eye", 0.5), ("100% wool", 0.001)], false, 7),
            ),
            ("unknown 97.2%  4 ms", some(&[("unknown", 0.972)], false, 4)),
            (
                "posy: RAM 97.2%  4 ms",
                some(&[("posy: RAM", 0.972)], false, 4),
            ),
            (
                "posy: golden check passed",
                Line::News("golden check passed".to_owned()),
            ),
            (
                "posy: rp-pico, mobilenet_v1_0.25_128, 5 labels, 234413 bytes",
                Line::News("rp-pico, mobilenet_v1_0.25_128, 5 labels, 234413 bytes".to_owned()),
            ),
            (
                "posy: the model slot is empty; write one",
                Line::Problem("the model slot is empty; write one".to_owned()),
            ),
        ];
        for (text, line) in cases {
            assert_eq!(Line::read(text.as_bytes()), line, "{text}");
            assert_eq!(Line::read(format!("{text}\r").as_bytes()), line, "{text}");
            assert_eq!(line.to_string(), text);
        }
    }

    #[test]
    fn other_lines_are_text() {
        for text in [
            "",
            "hello",
            "412 ms",
            "  412 ms",
            "daisy  412 ms",
            "daisy 97.2%",
            "daisy 97.2%  412",
            "daisy 97.2%  -4 ms",
            "daisy 97.2%  99999999999 ms",
            "daisy 100.1%  1 ms",
            // Ten times that, in 32 bits, is 4.
            "daisy 429496730.0%  1 ms",
            "daisy 429496729.9%  1 ms",
            "daisy 4294967396.0%  1 ms",
            "daisy 97.2%  4294967296 ms",
            "daisy 97%  1 ms",
            "daisy 97.25%  1 ms",
            "daisy +7.2%  1 ms",
            "daisy 97.2%  rest  1 ms",
            " 97.2%  1 ms",
            "posy:hello",
        ] {
            assert_eq!(Line::read(text.as_bytes()), Line::Text(text.to_owned()));
        }
        let escape = Line::read(b"\x1b[31m\x07\xFFred\tline\x7f");
        let plain = "\u{FFFD}[31m\u{FFFD}\u{FFFD}red\u{FFFD}line\u{FFFD}";
        assert_eq!(escape, Line::Text(plain.to_owned()));
    }

    #[test]
    fn a_line_that_was_begun_before_is_left_out() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"sy 97.2%  412 m"), []);
        assert_eq!(lines.push(b"s\r"), []);
        assert!(!lines.has_begun());
        assert_eq!(lines.push(b"\n"), []);
        assert!(lines.has_begun());
        let whole = lines.push(b"daisy 97.2%  412 ms\r\n\r\n\nhello\r\n");
        let answer = some(&[("daisy", 0.972)], false, 412);
        assert_eq!(whole, [answer, Line::Text("hello".to_owned())]);

        let mut lines = Lines::default();
        let first = lines.push(b"posy: golden check passed\r\n");
        assert_eq!(first, [Line::News("golden check passed".to_owned())]);
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut lines = Lines::default();
        lines.push(b"\n");
        for _ in 0..1000 {
            assert_eq!(lines.push(&[b'x'; 1000]), []);
        }
        assert_eq!(lines.push(b"\n"), [Line::Text("x".repeat(MAX_LINE))]);
        // Truncated after what would pass for a whole answer.
        let mut long = b"daisy 97.2%".to_vec();
        long.resize(MAX_LINE - 8, b'y');
        long.extend(b" 1.0%  5 ms of what it took\n");
        assert!(matches!(lines.push(&long)[..], [Line::Text(_)]));
        assert!(matches!(
            lines.push(b"daisy 97.2%  4 ms\n")[..],
            [Line::Answer(_)]
        ));
    }

    proptest! {
        /// The lines do not depend on how the stream is divided; none has a control character.
        #[test]
        fn any_bytes_in_any_pieces(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            ends in prop::collection::vec(0_usize..3000, 0..40),
            cut in 1_usize..200,
        ) {
            let mut bytes = bytes;
            for end in ends {
                if let Some(byte) = bytes.get_mut(end) {
                    *byte = b'\n';
                }
            }
            let whole = Lines::default().push(&bytes);
            let mut lines = Lines::default();
            let pieces: Vec<Line> = bytes.chunks(cut).flat_map(|piece| lines.push(piece)).collect();
            prop_assert_eq!(&whole, &pieces);
            for line in whole {
                prop_assert!(!line.to_string().contains(char::is_control));
            }
        }
    }
}
