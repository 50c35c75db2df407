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
    assert_eq!(own_dependencies("host"), names(&["posy-nn", "posy-shared"]));
    assert_eq!(own_dependencies("host/nn"), names(&["posy-shared"]));
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
            // The exports of the engine for browsers, which take addresses.
            let browser = Path::new("web").join("src");
            let is_surface = path.ancestors().any(|above| above.ends_with(&browser));
            // This file contains the word itself.
            // A policy of browsers has the word, too.
            let has_the_word = ["tests/layering.rs", "studio/door.rs"]
                .iter()
                .any(|file| path.ends_with(file));
            if is_variant || is_surface || has_the_word {
                continue;
            }
            assert!(!text.lines().any(is_unsafe), "{}", path.display());
        }
    }
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    let (mut found, mut faults) = (0, Vec::new());
    for folder in ["shared/src", "boards", "host/web/src"] {
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

/// Levels of the rooms of `host/nn`, from the bottom up.
const NN: [&[&str]; 6] = [
    &["atomic", "bounded", "near", "rgb", "shell"],
    &["dirs", "download", "graph", "labels", "run"],
    &["import", "runtime"],
    &["model_file", "onnx_backbone", "quantise"],
    &["export"],
    &["zoo"],
];

/// Levels of the rooms of `host`, from the bottom up.
const HOST: [&[&str]; 6] = [
    &["dataset", "demo", "device", "predict", "train", "units"],
    &["eval", "features"],
    &["lint", "page", "retrain"],
    &["report"],
    &["studio"],
    &["cli"],
];

const LEVELS: [(&str, &[&[&str]]); 2] = [("host/nn/src", &NN), ("host/src", &HOST)];

/// Names of the modules from a crate's root to the file `path`, which is relative to `src`.
fn module_of(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// True if a file has nothing but tests or their helpers.
fn is_test(path: &Path) -> bool {
    let names = module_of(path);
    names.iter().any(|name| {
        name == "tests" || name == "testing" || name == "fixture" || name.ends_with("_tests")
    })
}

/// The rooms that code in a file of module depth `depth` imports. Tests at the end of the file do
/// not count.
fn imports(text: &str, depth: usize) -> BTreeSet<String> {
    let is_test_module = |(at, _): &(usize, &str)| {
        let mut next = text[*at..].lines().skip(1);
        next.find(|line| !line.starts_with("#["))
            .is_some_and(|line| line.ends_with('{') && line.contains("mod "))
    };
    let mut marks = text.match_indices("#[cfg(test)]");
    let end = marks.find(is_test_module).map_or(text.len(), |(at, _)| at);
    let supers = "super::".repeat(depth);
    let mut found = BTreeSet::new();
    for start in ["crate::", &supers] {
        for (at, _) in text[..end].match_indices(start) {
            let before = &text[..at];
            let continues = before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            let rest = &text[at + start.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => top_names(group),
                None => vec![rest],
            };
            for name in names.into_iter().filter(|_| !continues) {
                let letters = name.trim_start().chars();
                let name: String = letters
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                found.insert(name);
            }
        }
    }
    found
}

/// The paths of a group of imports, up to its closing brace.
fn top_names(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(&group[start..at]);
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn rooms_import_none_of_their_level_or_above() {
    let mut faults = Vec::new();
    for (folder, levels) in LEVELS {
        let level_of = |room: &str| levels.iter().position(|level| level.contains(&room));
        for (path, text) in sources(folder) {
            let path = path.strip_prefix(root().join(folder)).unwrap();
            let module = module_of(path);
            let Some(level) = level_of(&module[0]).filter(|_| !is_test(path)) else {
                continue;
            };
            for imported in imports(&text, module.len()) {
                let above = level_of(&imported).is_some_and(|other| other >= level);
                if above && imported != module[0] {
                    faults.push(format!("{folder}/{}: {imported}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_room_has_a_level() {
    for (folder, levels) in LEVELS {
        let listed: BTreeSet<String> = levels.concat().into_iter().map(String::from).collect();
        let files = files(folder).into_iter();
        let modules = files.map(|path| {
            let path = path.strip_prefix(root().join(folder)).unwrap();
            module_of(path).swap_remove(0)
        });
        let outside = ["lib", "main", "testing"];
        let found = modules.filter(|name| !outside.contains(&name.as_str()));
        assert_eq!(found.collect::<BTreeSet<String>>(), listed, "{folder}");
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "
use crate::a::X;
use crate::{b::{Y, Z}, c};
use super::d::W;
use super::super::e;
fn f() { crate::g::h(); $crate::i!(); }
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = \"x_tests.rs\"]
mod tests {
    use crate::j;
}
";
    let names = |names: &str| -> BTreeSet<String> { names.split(' ').map(String::from).collect() };
    assert_eq!(imports(text, 1), names("a b c d g super"));
    assert_eq!(imports(text, 2), names("a b c e g"));
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
