//! The project's Markdown pages: text, code blocks, headings, and the transcripts and pictures that
//! are made of them.

pub mod notices;
pub mod terminal;
pub mod transcripts;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The line before a code block whose commands are run and whose output is compared.
pub const TRANSCRIPT: &str = "<!-- transcript -->";

/// Folders without pages of the project.
const OTHERS: [&str; 3] = ["target", ".git", "node_modules"];

/// The checkout.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    folder.canonicalize().expect("the checkout")
}

/// A Markdown page.
pub struct Page {
    /// Path from the checkout, with `/`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A fenced code block.
pub struct Block<'a> {
    /// The first word after the fence.
    pub language: &'a str,
    /// Number of the opening fence's line, from 1.
    pub line: usize,
    /// Its lines, without fences.
    pub lines: Vec<&'a str>,
    /// True if [`TRANSCRIPT`] precedes it.
    pub transcript: bool,
}

/// All pages of the checkout, by name.
pub fn pages() -> Vec<Page> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the checkout") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !path.is_symlink() {
                if !OTHERS.contains(&&*name) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let name = path.strip_prefix(&root).expect("below the checkout");
                found.push(Page::open(&name.to_string_lossy().replace('\\', "/")));
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

impl Page {
    /// Reads the page `name`.
    pub fn open(name: &str) -> Self {
        let text = std::fs::read_to_string(root().join(name));
        Page {
            name: name.to_owned(),
            text: text.unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }

    /// Its fenced code blocks.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks: Vec<Block<'_>> = Vec::new();
        let mut open = false;
        let mut before = "";
        for (index, line) in self.text.lines().enumerate() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                open = !open;
                if open {
                    blocks.push(Block {
                        language: language.split([' ', ',']).next().unwrap_or(""),
                        line: index + 1,
                        lines: Vec::new(),
                        transcript: before == TRANSCRIPT,
                    });
                }
            } else if open && let Some(block) = blocks.last_mut() {
                block.lines.push(line);
            }
            before = line;
        }
        assert!(!open, "{}: a code block does not end", self.name);
        blocks
    }

    /// Its lines outside of code blocks, with their numbers from 1.
    pub fn prose(&self) -> Vec<(usize, &str)> {
        let mut code = false;
        let lines = self.text.lines().enumerate().filter(|(_, line)| {
            let fence = line.trim_start().starts_with("```");
            code ^= fence;
            !code && !fence
        });
        lines.map(|(index, line)| (index + 1, line)).collect()
    }

    /// Anchors of its headings, as GitHub and mdBook make them.
    pub fn anchors(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let headings = self
            .prose()
            .into_iter()
            .filter(|(_, line)| line.starts_with('#'));
        let anchors = headings.map(|(_, line)| {
            let slug = slug(line.trim_start_matches('#').trim());
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            match *count {
                1 => slug,
                _ => format!("{slug}-{}", *count - 1),
            }
        });
        anchors.collect()
    }

    /// Targets of its links and pictures, with the number of their line.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            let line = without_code(line);
            let mut rest = line.as_str();
            while let Some(at) = rest.find("](") {
                rest = &rest[at + 2..];
                let end = rest.find(')').unwrap_or(rest.len());
                found.push((number, rest[..end].to_owned()));
            }
            for attribute in ["src=\"", "href=\""] {
                for part in line.split(attribute).skip(1) {
                    found.push((number, part.split('"').next().unwrap_or("").to_owned()));
                }
            }
        }
        found
    }
}

/// Anchor of a heading: lower case, hyphens for spaces, no other punctuation.
fn slug(heading: &str) -> String {
    let text = heading.to_lowercase();
    let kept = text
        .chars()
        .filter(|&c| c.is_alphanumeric() || " -_".contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A line with `code` for each code span.
pub fn without_code(line: &str) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    let whole = parts.len() % 2 == 1;
    let text = parts.iter().enumerate().map(
        |(at, part)| {
            if whole && at % 2 == 1 { "code" } else { part }
        },
    );
    text.collect()
}

/// Code spans of a line.
pub fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}
