//! Who may know whom. A rule here is broken by changing the rule, in sight of everybody.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below `folder` with their texts, comments and tests left out line by line.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                found.push((path, code.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// The part of a file before its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// posy's own crates among the dependencies (not those for tests) of a crate.
fn own_dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    let names = dependencies
        .lines()
        .filter_map(|line| line.split([' ', '=']).next());
    names
        .filter(|name| name.starts_with("posy"))
        .map(String::from)
        .collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(own_dependencies("shared"), names(&[]));
    assert_eq!(own_dependencies("host"), names(&["posy-shared"]));
    assert_eq!(own_dependencies("firmware"), names(&["posy-shared"]));
}

#[test]
fn what_runs_on_a_board_is_no_std_and_never_unwraps() {
    for folder in ["shared/src", "firmware/src"] {
        let library = std::fs::read_to_string(root().join(folder).join("lib.rs")).unwrap();
        assert!(library.contains("#![no_std]"), "{folder}");
        for (path, text) in sources(folder) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The kernels of laptops ask the processor what it has.
            let laptop = path.ancestors().any(|folder| folder.ends_with("simd"));
            if name.contains("tests") || laptop {
                continue;
            }
            let text = without_tests(&text);
            for word in [
                "std::",
                ".unwrap()",
                ".expect(",
                "panic!(",
                "unreachable!(",
                "todo!(",
            ] {
                let alone = text.match_indices(word).any(|(at, _)| {
                    // `no_std::` or `my_std::` is another word.
                    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                assert!(!alone, "{}: {word}", path.display());
            }
        }
    }
}

/// Folders of the kernels' variants.
const VARIANTS: [&str; 3] = ["armv6m", "dsp", "simd"];

#[test]
fn unsafe_code_lives_in_kernel_variants_alone() {
    for folder in ["shared/src", "firmware/src", "host/src", "tests/src"] {
        for (path, text) in sources(folder) {
            let is_variant = VARIANTS.iter().any(|variant| {
                let folder = Path::new("kernels").join(variant);
                path.ancestors().any(|above| above.ends_with(&folder))
            });
            if is_variant {
                continue;
            }
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(
                words.into_iter().all(|word| word != "unsafe"),
                "{}",
                path.display()
            );
        }
    }
}

/// Parts of the host that a part may import; what is not listed imports nothing of the host.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("photos", &["atomic"]),
    ("backbone", &["export", "quantise"]),
    ("quantise", &["backbone"]),
    ("head", &["backbone"]),
    ("features", &["backbone", "photos", "run"]),
    ("export", &["backbone", "head", "quantise"]),
    ("device", &["atomic", "backbone"]),
    (
        "retrain",
        &[
            "backbone", "export", "features", "head", "photos", "quantise", "run",
        ],
    ),
    (
        "cli",
        &[
            "atomic",
            "backbone",
            "data",
            "device",
            "features",
            "head",
            "model_file",
            "photos",
            "retrain",
            "run",
        ],
    ),
];

#[test]
fn parts_of_the_host_import_only_what_they_may() {
    for (part, allowed) in MAY_IMPORT {
        for (path, text) in sources(&format!("host/src/{part}")) {
            for (at, _) in text.match_indices("crate::") {
                let imported: String = text[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                assert!(
                    imported == part || allowed.contains(&&*imported),
                    "{}: {part} may not import {imported}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_part_of_the_host_has_a_rule() {
    let listed: BTreeSet<&str> = MAY_IMPORT.iter().map(|(part, _)| *part).collect();
    for entry in root().join("host/src").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(listed.contains(&*name), "host/src/{name} has no rule");
        }
    }
}
