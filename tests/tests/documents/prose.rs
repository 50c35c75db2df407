//! Length and wording of pages, and the commands that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use posy_tests::documents::{Page, code_spans, pages, without_code};
use posy_tests::scratch::{Outcome, posy_path};

/// Words of a sentence at most, in pages for readers who use posy.
const WORDS: usize = 30;
const README_LINES: usize = 150;

/// True for the pages of [`WORDS`].
fn is_guide(name: &str) -> bool {
    const NOTES: [&str; 9] = [
        "build-and-test",
        "cache",
        "check-and-compare",
        "exports",
        "glossary",
        "networks",
        "speed",
        "training",
        "unknown",
    ];
    let note = |name: &str| {
        let note = NOTES.iter().any(|note| name == format!("docs/{note}.md"));
        note || ["docs/watching.md", "docs/browser.md", "docs/studio.md"].contains(&name)
    };
    let top = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "CODE_OF_CONDUCT.md",
    ];
    top.contains(&name) || (name.starts_with("docs/") && !note(name))
}

/// A text with only the words of its links.
fn without_targets(text: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "]" + part.split_once(')').map_or("", |(_, rest)| rest)
    })
}

/// Sentences of a page with the line on which each paragraph begins. Headings, tables and code are left out.
fn sentences(page: &Page) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut joins = false;
    let mut last = 0;
    for (number, line) in page.prose() {
        let line = without_code(line);
        let text = line.trim();
        let item = text.starts_with("- ")
            || text
                .split_once(". ")
                .is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        let skipped = text.is_empty() || text.starts_with(['#', '|', '<', '!']);
        if !skipped {
            let text = text.trim_start_matches("- ");
            match paragraphs.last_mut() {
                Some((_, paragraph)) if joins && !item && number == last + 1 => {
                    paragraph.push(' ');
                    paragraph.push_str(text);
                }
                _ => paragraphs.push((number, text.to_owned())),
            }
        }
        joins = !skipped;
        last = number;
    }
    let of_paragraph = |(number, text): (usize, String)| {
        let text = without_targets(&text);
        let words = text.split_whitespace();
        let mut sentences = vec![Vec::new()];
        for word in words {
            sentences.last_mut().expect("one").push(word);
            if word
                .trim_end_matches(['*', ')', '"', ']'])
                .ends_with(['.', '!', '?', ':'])
            {
                sentences.push(Vec::new());
            }
        }
        let sentences = sentences
            .into_iter()
            .map(move |words| (number, words.join(" ")));
        sentences.collect::<Vec<_>>()
    };
    paragraphs.into_iter().flat_map(of_paragraph).collect()
}

#[test]
fn the_first_page_is_short() {
    let lines = Page::open("README.md").text.lines().count();
    assert!(
        lines <= README_LINES,
        "README.md has {lines} lines, {README_LINES} at most"
    );
}

#[test]
fn sentences_are_short() {
    let mut long = Vec::new();
    for page in pages().iter().filter(|page| is_guide(&page.name)) {
        for (line, sentence) in sentences(page) {
            let words = sentence.split_whitespace().count();
            if words > WORDS {
                long.push(format!("{}:{line}: {words} words: {sentence}", page.name));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn long_sentences_are_found() {
    let text = format!(
        "# T\n\n{}end.\nShort. [A link](to/a.md). `a b c`\n\n- one\n- two\n",
        "word ".repeat(30)
    );
    let page = Page {
        name: "x.md".into(),
        text,
    };
    let lengths: Vec<usize> = sentences(&page)
        .iter()
        .map(|(_, s)| s.split_whitespace().count())
        .collect();
    assert_eq!(lengths, [31, 1, 2, 1, 1, 1], "{:?}", sentences(&page));
}

/// Words of `posy` commands that a page shows, in blocks for a shell and in code spans.
fn commands(page: &Page) -> Vec<(usize, Vec<String>)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for block in page.blocks() {
        if ["console", "sh"].contains(&block.language) {
            let joined = block.lines.join("\n").replace("\\\n", " ");
            let commands = joined.lines().filter_map(|line| line.strip_prefix("$ "));
            lines.extend(commands.map(|line| (block.line, line.to_owned())));
        }
    }
    for (number, line) in page.prose() {
        lines.extend(
            code_spans(line)
                .into_iter()
                .map(|code| (number, code.to_owned())),
        );
    }
    let mut found = Vec::new();
    for (number, line) in lines {
        let line = line
            .split(" # ")
            .next()
            .unwrap_or_default()
            .replace("cargo run --release -- ", "posy ");
        for part in line.split(['|', ';', '>']) {
            let words = part
                .split_whitespace()
                .skip_while(|word| word.contains('='));
            let words: Vec<String> = words
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect();
            if words.first().is_some_and(|word| word == "posy") && words.len() > 1 {
                found.push((number, words));
            }
        }
    }
    found
}

/// Options and sub-commands that a command's help names.
fn help(words: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(posy_path());
    command.args(words).arg("--help");
    let outcome = Outcome::of(command).succeeds();
    let text = outcome
        .stdout
        .replace([',', ']', '[', '=', '`', ';', '.', ')', '('], " ");
    text.split_whitespace()
        .map(|word| word.replace('_', "-"))
        .collect()
}

/// A command or an option that a page names and the command line does not know is a mistake on the page.
#[test]
fn commands_and_options_of_pages_exist() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let top = help(&[]);
    let mut faults = Vec::new();
    let mut count = 0;
    for page in pages() {
        for (line, words) in commands(&page) {
            let name = words[1].replace('_', "-");
            let place = format!("{}:{line}: `{}`", page.name, words.join(" "));
            if name.starts_with('-') || name.chars().all(|c| c.is_uppercase() || !c.is_alphabetic())
            {
                continue;
            }
            if !top.contains(&name) {
                faults.push(format!("{place}: no command {name}"));
                continue;
            }
            let options = known.entry(name.clone()).or_insert_with(|| {
                let mut options = help(&[&name]);
                if let (true, Some(sub)) = (
                    ["photos", "models", "cache"].contains(&&*name),
                    words.get(2),
                ) && !sub.starts_with('-')
                {
                    options.extend(help(&[&name, sub]));
                }
                options
            });
            for word in words[2..]
                .iter()
                .filter(|word| word.starts_with("--") && word.len() > 2)
            {
                let option = word.split('=').next().unwrap_or(word).replace('_', "-");
                let option = option.trim_end_matches([',', '.', ')']);
                count += 1;
                if !options.contains(option) {
                    faults.push(format!("{place}: no option {option}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 50, "only {count} options were looked at");
}

/// Every command has a row on the page of commands.
#[test]
fn the_reference_names_every_command() {
    let page = Page::open("docs/reference/commands.md").text;
    let mut command = Command::new(posy_path());
    command.arg("help");
    let text = Outcome::of(command).succeeds().stdout;
    let list = text
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let names = list.expect("a list of commands").lines();
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<&str> = names
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names.into_iter().filter(|&name| name != "help") {
        assert!(
            page.contains(&format!("`posy {name}")),
            "commands.md does not name posy {name}"
        );
    }
}

#[test]
fn json_of_pages_is_json() {
    for page in pages() {
        for block in page
            .blocks()
            .iter()
            .filter(|block| block.language == "json")
        {
            let text = block.lines.join("\n");
            let parsed = serde_json::from_str::<serde_json::Value>(&text);
            assert!(parsed.is_ok(), "{}:{}: {parsed:?}", page.name, block.line);
        }
    }
}

/// A block for a shell shows a prompt before each command, so that output and command differ.
#[test]
fn blocks_have_a_language_that_is_known() {
    const KNOWN: [&str; 9] = [
        "", "text", "console", "sh", "rust", "toml", "json", "python", "js",
    ];
    for page in pages() {
        for block in page.blocks() {
            let place = format!("{}:{}", page.name, block.line);
            assert!(
                KNOWN.contains(&block.language),
                "{place}: {}",
                block.language
            );
            let prompt = block
                .lines
                .first()
                .is_some_and(|line| line.starts_with("$ "));
            assert!(block.language != "console" || prompt, "{place}: no prompt");
        }
    }
}
