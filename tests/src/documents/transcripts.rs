//! Commands of the documentation, run, and their output beside what the page says.
//!
//! A block of the language `console` after the line `<!-- transcript -->` is a transcript: lines that
//! begin with `$ ` are run by a shell, the others are output. The transcripts of a page run in order in
//! one folder, where `flower_photos` and `posy` are found. Times are not compared. A line `...` stands
//! for any lines, and a line that ends in ` ...` for any line that begins like it.

use std::path::Path;
use std::process::Command;

use super::{Block, Page, TRANSCRIPT};
use crate::data_root;
use crate::scratch::{Outcome, Scratch, posy_path};

/// A command of a transcript and the output that the page shows.
#[derive(Debug)]
pub struct Step<'a> {
    /// The command as shown, without `$ `; several lines if they end in `\`.
    pub command: Vec<&'a str>,
    /// Lines of its output.
    pub output: Vec<&'a str>,
}

/// Splits a block into commands and outputs.
pub fn steps<'a>(block: &Block<'a>) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut continued = false;
    for &line in &block.lines {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step {
                command: vec![command],
                output: Vec::new(),
            }),
            (None, Some(step)) if continued => step.command.push(line),
            (None, Some(step)) => step.output.push(line),
            (None, None) => panic!("line {}: a transcript begins with `$ `", block.line),
        }
        continued = line.ends_with('\\');
    }
    steps
}

/// A folder in which transcripts run.
pub struct Session(Scratch);

impl Session {
    /// Creates the folder, with the command and, if they are there, the photos of flowers.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let link = |target: &Path, name: &str| {
            let link = scratch.join(name);
            std::os::unix::fs::symlink(target, link).expect("a link in a temporary folder");
        };
        std::fs::create_dir(scratch.join(".bin")).expect("a folder");
        link(&posy_path(), ".bin/posy");
        let photos = data_root().join("flower_photos");
        if let Ok(photos) = photos.canonicalize() {
            link(&photos, "flower_photos");
        }
        Session(scratch)
    }

    /// Runs a command and returns the lines of its output, standard error included.
    pub fn run(&self, command: &str) -> Vec<String> {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\n{command}")]);
        self.0.surround(&mut shell);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.0.join(".bin")];
        folders.extend(std::env::split_paths(&path));
        shell.env("PATH", std::env::join_paths(folders).expect("PATH"));
        let outcome = Outcome::of(shell).succeeds();
        let here = self.0.path().to_string_lossy().into_owned();
        let data = data_root().to_string_lossy().into_owned();
        let shown = |line: &str| {
            line.replace(&here, "~")
                .replace(&data, "~/.local/share/posy")
        };
        outcome.stdout.lines().map(shown).collect()
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

/// True if `real` is what `shown` says, empty lines at the end aside.
pub fn agree(shown: &[&str], real: &[String]) -> bool {
    let end = real.iter().rposition(|line| !line.is_empty());
    agree_to_the_end(shown, &real[..end.map_or(0, |end| end + 1)])
}

fn agree_to_the_end(shown: &[&str], real: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return real.is_empty();
    };
    if *first == "..." {
        return (0..=real.len()).any(|skipped| agree_to_the_end(rest, &real[skipped..]));
    }
    match real.split_first() {
        Some((line, others)) => same(first, line) && agree_to_the_end(rest, others),
        None => false,
    }
}

/// True if a line is what the page shows, times aside.
fn same(shown: &str, real: &str) -> bool {
    let (shown, real) = (without_times(shown), without_times(real));
    match shown.strip_suffix(" ...") {
        Some(start) => real.starts_with(start),
        None => shown == real,
    }
}

/// A line with `#` for each number that is followed by a unit of time, and single spaces.
fn without_times(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let timed = |at: usize| {
        let number = words[at].parse::<f64>().is_ok();
        let unit = words
            .get(at + 1)
            .map(|unit| unit.trim_end_matches([',', '.', ';']));
        number && matches!(unit, Some("ms" | "s" | "min"))
    };
    let shown = (0..words.len()).map(|at| if timed(at) { "#" } else { words[at] });
    shown.collect::<Vec<_>>().join(" ")
}

/// Runs the transcripts of a page. Returns the page's text with the output that was seen, the same
/// where both agree, and a message for each difference.
pub fn run(page: &Page) -> (String, Vec<String>) {
    let session = Session::new();
    let mut differences = Vec::new();
    let blocks = page.blocks();
    let mut transcripts = blocks.iter().filter(|block| block.transcript);
    let mut text = String::new();
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        if line != TRANSCRIPT {
            continue;
        }
        let block = transcripts.next().expect("a block after the marker");
        text.push_str(lines.next().unwrap_or_default());
        text.push('\n');
        for step in steps(block) {
            let command = step.command.join("\n");
            let real = session.run(&command);
            text.push_str(&format!("$ {command}\n"));
            let agreed = agree(&step.output, &real);
            if agreed {
                step.output
                    .iter()
                    .for_each(|line| text.push_str(&format!("{line}\n")));
            } else {
                real.iter()
                    .for_each(|line| text.push_str(&format!("{line}\n")));
                differences.push(format!(
                    "{}:{}: `{command}` prints\n{}\n",
                    page.name,
                    block.line,
                    real.join("\n")
                ));
            }
        }
        lines.by_ref().take(block.lines.len()).for_each(drop);
    }
    (text, differences)
}
