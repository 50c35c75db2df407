//! The voice of the docs: an item's documentation begins with a noun phrase or a verb and says what the
//! item is. Openings that leave the noun to the reader ("What became of ...", "Those of ...") are counted.

use std::collections::BTreeMap;
use std::path::Path;

use walkdir::WalkDir;

/// First words that leave the noun to the reader.
const HEADLESS: [&str; 16] = [
    "What", "How", "Whether", "Where", "Those", "Of", "Most", "By", "Nothing", "Nobody", "Least",
    "Who", "That", "None", "Whoever", "Whatever",
];
/// Words that tell nothing, however a sentence goes on; none may be common.
const EMPTY: [&str; 4] = ["thing", "one", "it", "whatever"];
/// Largest share of headless openings in a crate, in thousandths.
const LIMIT: usize = 20;

/// Crates and folders that are held to it.
const PARTS: [&str; 6] = ["host", "shared", "firmware", "boards", "tests", "host/nn"];

/// First lines of the documentation comments in a source file, with their line numbers.
fn openings(source: &str) -> Vec<(usize, String)> {
    let mut openings = Vec::new();
    let mut before = None;
    for (at, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let kind = ["///", "//!"]
            .into_iter()
            .find(|kind| line.starts_with(kind));
        let kind = kind.filter(|_| !line.starts_with("////"));
        if let Some(kind) = kind
            && before != Some(kind)
        {
            let text = line[kind.len()..].replace('`', "");
            if !text.trim().is_empty() {
                openings.push((at + 1, text.trim().to_owned()));
            }
        }
        before = kind;
    }
    openings
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || ",.:;".contains(c));
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn docs_begin_with_what_the_item_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for part in PARTS.map(|part| (part, root.join(part))) {
        let (name, folder) = part;
        if !folder.exists() {
            continue;
        }
        let own = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            !["target", "node_modules"].contains(&&*name)
        };
        let (mut count, mut headless) = (0, Vec::new());
        let mut words = BTreeMap::<String, usize>::new();
        for entry in WalkDir::new(&folder).into_iter().filter_entry(own) {
            let path = entry.expect("a folder of the project").into_path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source file");
            for (line, text) in openings(&source) {
                count += 1;
                let word = first_word(&text);
                *words.entry(word.to_lowercase()).or_default() += 1;
                if HEADLESS.contains(&word) || text.starts_with("The same") {
                    headless.push(format!("{}:{line}: {text}", path.display()));
                }
            }
        }
        let mut common: Vec<(usize, String)> =
            words.into_iter().map(|(word, n)| (n, word)).collect();
        common.sort_by(|a, b| b.cmp(a));
        let empty = common
            .iter()
            .take(30)
            .find(|(_, word)| EMPTY.contains(&&**word));
        assert_eq!(
            empty, None,
            "{name}: a common first word that tells nothing"
        );
        eprintln!(
            "{name}: {} of {count} openings are headless",
            headless.len()
        );
        assert!(
            headless.len() * 1000 < LIMIT * count.max(1),
            "{name}: {} of {count}:\n{}",
            headless.len(),
            headless.join("\n")
        );
    }
}
