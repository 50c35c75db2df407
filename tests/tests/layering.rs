//! Dependency rules between crates and folders. An exception is made by changing the rule here, in
//! plain sight.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below `folder`, without build outputs.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// All Rust files below `folder` with their texts, without comments.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let without_comments = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        (path, code)
    };
    files(folder).into_iter().map(without_comments).collect()
}

/// The part of a file before its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// A crate's dependencies on posy's own crates, without those for tests.
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
            // Kernel variants for laptops detect the processor's features.
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

/// Folders of the kernel variants.
const VARIANTS: [&str; 3] = ["armv6m", "dsp", "simd"];

#[test]
fn unsafe_code_lives_in_kernel_variants_alone() {
    for folder in ["shared", "firmware", "host", "tests"] {
        for (path, text) in sources(folder) {
            let resizing = Path::new("preprocess").join("simd");
            let resizing = path.ancestors().any(|above| above.ends_with(&resizing));
            let is_variant = resizing
                || VARIANTS.iter().any(|variant| {
                    let folder = Path::new("kernels").join(variant);
                    path.ancestors().any(|above| above.ends_with(&folder))
                });
            // This file contains the word itself.
            if is_variant || path.ends_with("tests/layering.rs") {
                continue;
            }
            assert!(!text.lines().any(is_unsafe), "{}", path.display());
        }
    }
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    let (mut found, mut faults) = (0, Vec::new());
    for folder in ["shared/src", "boards"] {
        for path in files(folder) {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            found += lines.iter().filter(|line| is_unsafe(line)).count();
            for index in unargued(&lines) {
                faults.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(found > 100, "{found}");
}

/// A linker symbol has an address and no size: declared as a number, reads beyond its first byte
/// would be out of bounds.
#[test]
fn symbols_of_linker_scripts_have_no_size() {
    let mut found = 0;
    for (path, text) in sources("boards") {
        for block in text.split("unsafe extern \"C\" {").skip(1) {
            let block = block.split('}').next().unwrap();
            for line in block.lines().map(str::trim) {
                if line.starts_with("static ") {
                    assert!(line.ends_with("; 0];"), "{}: {line}", path.display());
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, 4);
}

/// True if a line has the word `unsafe` outside comments, and not only as a function's type.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let code = code.replace("-> unsafe fn(", "");
    let code = code.replace("-> unsafe extern \"C\" fn(", "");
    let code = code.replace("= unsafe extern \"C\" fn(", "");
    let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| word == "unsafe")
}

/// Indices of lines with `unsafe` code without a safety comment. Such a comment stands on the
/// statement or item, with `SAFETY:` or `# Safety`, or covers a body or item, with `SAFETY of all`
/// or `# Safety of the methods`; for functions the file's head may have it, with `# Safety`. Lines
/// are formatted by rustfmt.
fn unargued(lines: &[&str]) -> Vec<usize> {
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let on_all = |index: usize| {
        let argues = |at: usize| {
            let line = lines[at];
            let says = ["SAFETY of all", "SAFETY of both", "# Safety of the methods"];
            if !is_comment(line) || !says.iter().any(|says| line.contains(says)) {
                return false;
            }
            let rest = &lines[at..index];
            let mut rest = rest.iter().filter(|line| !line.is_empty());
            match line.trim_start().starts_with("///") {
                // The item below, up to a brace with the same indentation.
                true => !rest.any(|other| indent(other) == indent(line) && other.trim() == "}"),
                // The rest of the body.
                false => rest.all(|other| indent(other) >= indent(line)),
            }
        };
        (0..index).any(argues)
    };
    let of_its_own = |index: usize| {
        for line in lines[..index].iter().rev() {
            let trimmed = line.trim();
            if is_comment(line) {
                if trimmed.contains("SAFETY:") || trimmed.contains("# Safety") {
                    return true;
                }
                continue;
            }
            // The same statement or item continues here.
            let ends_before = trimmed.is_empty() || trimmed.ends_with([';', '{', '}', ',']);
            if ends_before && !trimmed.starts_with("#[") {
                return false;
            }
        }
        false
    };
    let head = lines.iter().any(|line| line.starts_with("//! # Safety"));
    let by_head = |index: usize| head && lines[index].contains("unsafe fn");
    let argued = |index: usize| of_its_own(index) || on_all(index) || by_head(index);
    (0..lines.len())
        .filter(|index| is_unsafe(lines[*index]) && !argued(*index))
        .collect()
}

#[test]
fn what_is_not_argued_is_found() {
    let unargued = |text: &str| unargued(&text.lines().collect::<Vec<_>>());
    let argued = "
/// # Safety
/// It is called once.
#[inline]
unsafe fn a() {
    // SAFETY: one byte is there,
    // and one only.
    let byte =
        unsafe { read() };
}
";
    assert_eq!(unargued(argued), [0; 0]);
    assert_eq!(unargued(&argued.replace("# Safety", "It is safe.")), [4]);
    assert_eq!(unargued(&argued.replace("SAFETY:", "Note that")), [8]);
    let two = "
fn a() {
    // SAFETY: of this one.
    unsafe { b() };
    unsafe { b() };
}
";
    assert_eq!(unargued(two), [4]);
    let body = "
impl A for B {
    // SAFETY of all below: the processor has it.

    unsafe fn a() {
        unsafe { b() }
    }

    unsafe fn c() {}
}

unsafe fn d() {}
";
    assert_eq!(unargued(body), [11]);
    let item = "
/// # Safety of the methods
/// They are called once.
trait A {
    unsafe fn a();
}

unsafe fn d() {}
";
    assert_eq!(unargued(item), [7]);
}

/// Parts of the host that a part may import; a part that is not listed imports nothing of the host.
const MAY_IMPORT: [(&str, &[&str]); 17] = [
    ("check", &["features", "head", "photos"]),
    ("photos", &["atomic", "bounded"]),
    (
        "backbone",
        &[
            "atomic",
            "bounded",
            "data",
            "export",
            "fetch",
            "kind",
            "labels",
            "near",
            "quantise",
            "tensorflow",
        ],
    ),
    (
        "classify",
        &[
            "backbone",
            "convert",
            "export",
            "kind",
            "model_file",
            "photos",
            "run",
            "tensorflow",
        ],
    ),
    ("drawings", &[]),
    ("fetch", &["atomic"]),
    ("quantise", &["backbone"]),
    ("head", &["backbone", "quantise"]),
    ("features", &["atomic", "backbone", "photos", "run"]),
    ("export", &["backbone", "head", "quantise", "tensorflow"]),
    ("verdict", &["backbone", "export", "head", "run"]),
    ("device", &["atomic", "backbone", "bounded", "photos"]),
    ("record", &["atomic", "bounded", "photos"]),
    (
        "retrain",
        &[
            "backbone", "export", "features", "head", "photos", "quantise", "run", "verdict",
        ],
    ),
    (
        "report",
        &[
            "backbone", "device", "features", "head", "photos", "retrain", "run",
        ],
    ),
    (
        "studio",
        &[
            "atomic", "backbone", "check", "device", "features", "head", "photos", "report", "retrain", "run",
            "verdict",
        ],
    ),
    (
        "cli",
        &[
            "atomic",
            "backbone",
            "bounded",
            "check",
            "classify",
            "convert",
            "data",
            "device",
            "drawings",
            "export",
            "features",
            "fetch",
            "head",
            "labels",
            "model_file",
            "near",
            "photos",
            "profile",
            "record",
            "report",
            "retrain",
            "run",
            "shell",
            "studio",
            "verdict",
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

/// Cargo builds no tests of these (`test = false`), so a test in one would never run.
#[test]
fn no_tests_lie_where_none_are_built() {
    let mut unbuilt = sources("tests/src");
    unbuilt.extend(
        sources("host/src")
            .into_iter()
            .filter(|(path, _)| path.ends_with("main.rs")),
    );
    let marks = ["#[test]", "proptest!"];
    for (path, text) in unbuilt {
        assert!(
            !marks.iter().any(|mark| text.contains(mark)),
            "{}",
            path.display()
        );
    }
}
