//! Printing shared by the commands.

pub(super) use crate::units::{hex, in_seconds, kib, millions};
use std::fmt;
use std::io::{self, Write};

use clap::builder::styling::AnsiColor;
use posy_shared::shown::Shown;

use super::Failure;

/// Prints a line to standard error, sanitised. Write errors are ignored.
macro_rules! note {
    () => {
        $crate::cli::output::say("")
    };
    ($($argument:tt)*) => {
        $crate::cli::output::say(&format!($($argument)*))
    };
}
pub(super) use note;

/// Line prefixes that are coloured on a terminal, like clap's own.
const COLOURED: [(&str, AnsiColor); 2] =
    [("error:", AnsiColor::Red), ("warning:", AnsiColor::Yellow)];

/// Prints one line to standard error; line breaks in it are escaped.
pub(super) fn say(line: &str) {
    // Removes colours if stderr is not a terminal or NO_COLOR is set.
    let mut out = anstream::AutoStream::auto(io::stderr());
    let words = COLOURED.iter().find(|(word, _)| line.starts_with(word));
    let _ = match words {
        Some((word, colour)) => {
            let style = colour.on_default().bold();
            let rest = Shown::line(&line[word.len()..]);
            writeln!(out, "{style}{word}{style:#}{rest}")
        }
        None => writeln!(out, "{}", Shown::line(line)),
    };
}

/// Standard output for text: sanitises each `writeln!`, so that names cannot break lines.
pub(super) struct Out(io::StdoutLock<'static>);

impl Out {
    /// Locks standard output.
    pub(super) fn lock() -> Self {
        Out(io::stdout().lock())
    }

    /// Called by `write!` and `writeln!`.
    pub(super) fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        let text = text.to_string();
        let line = text.trim_end_matches('\n');
        write!(self.0, "{}{}", Shown::line(line), &text[line.len()..])
    }
}

/// True if a failure is a broken pipe.
pub(super) fn is_broken_pipe(failure: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    failure
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints lines of text.
pub(super) fn print_lines(lines: &[String]) -> Result<(), Failure> {
    let mut out = Out::lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Prints posy's own bytes, unsanitised.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    Ok(io::stdout().lock().write_all(bytes)?)
}

/// Prints one indented JSON value.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    // Formatted separately, because an error of serde_json would hide a broken pipe.
    writeln!(out, "{value:#}")?;
    Ok(())
}

/// Prints a table: the first column left-aligned, the others right-aligned.
pub(super) fn print_table(heading: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let cleaned = |cell: &String| Shown::name(cell).to_string();
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(cleaned).collect())
        .collect();
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| {
            let cells = rows.iter().chain([&heading]);
            let cells = cells.filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = Out::lock();
    for row in [&heading].into_iter().chain(&rows) {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            match column {
                0 => line.push_str(&format!("{cell}{padding}")),
                _ => line.push_str(&format!("  {padding}{cell}")),
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
