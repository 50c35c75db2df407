//! Licences of the crates in the `posy` program.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::root;

/// Beginnings of names of files with licences, upper case.
const FILES: [&str; 6] = [
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// A crate that is part of the program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, an SPDX expression.
    pub license: String,
    /// Folder of its sources.
    pub folder: PathBuf,
}

/// The crates that the package `posy` is built of, other than its own, on any system.
///
/// # Errors
/// If cargo cannot say.
pub fn dependencies() -> Result<Vec<Dependency>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--locked"]);
    let output = command.current_dir(root()).output();
    let output = output.map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    let nodes = list(&metadata["resolve"]["nodes"]);
    let nodes: HashMap<String, &Value> =
        nodes.iter().map(|node| (text(&node["id"]), node)).collect();
    let start = packages.iter().find(|package| package["name"] == "posy");
    let mut waiting = vec![text(&start.ok_or("no package posy")?["id"])];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let Some(node) = nodes.get(&id) else { continue };
        if !seen.insert(id) {
            continue;
        }
        for dependency in list(&node["deps"]) {
            // Neither for tests nor for build scripts.
            if list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"].is_null())
            {
                waiting.push(text(&dependency["pkg"]));
            }
        }
    }
    let of_others = packages
        .iter()
        .filter(|package| seen.contains(&text(&package["id"])) && !package["source"].is_null());
    let mut found: Vec<Dependency> = of_others
        .map(|package| Dependency {
            name: text(&package["name"]),
            version: text(&package["version"]),
            license: text(&package["license"]),
            folder: PathBuf::from(text(&package["manifest_path"])).with_file_name(""),
        })
        .collect();
    found.sort();
    Ok(found)
}

impl Dependency {
    /// Texts of its licences, by file name; empty if its package has none.
    pub fn texts(&self) -> Vec<(String, String)> {
        let Ok(entries) = self.folder.read_dir() else {
            return Vec::new();
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut texts: Vec<(String, String)> = paths
            .filter_map(|path| {
                let name = path.file_name()?.to_string_lossy().into_owned();
                let upper = name.to_uppercase();
                let licence = FILES.iter().any(|start| upper.starts_with(start));
                let text = licence.then(|| std::fs::read_to_string(&path).ok())??;
                Some((name, text))
            })
            .collect();
        texts.sort();
        texts
    }

    /// True if `allowed` has all licences of one alternative of its expression.
    pub fn is_allowed(&self, allowed: &BTreeSet<String>) -> bool {
        allows(&self.license.replace('/', " OR "), allowed)
    }
}

/// True if `allowed` has all licences of one alternative of an SPDX expression. Knows one level of
/// parentheses, with alternatives in them.
pub fn allows(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let has = |name: &str| allowed.contains(name.trim());
    if let Some((inner, after)) = expression
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
    {
        return allows(inner, allowed)
            && after
                .split(" AND ")
                .map(str::trim)
                .all(|name| name.is_empty() || has(name));
    }
    let mut alternatives = expression.split(" OR ");
    alternatives.any(|one| one.split(" AND ").all(has))
}

/// A page of all crates, with the text of each licence once.
pub fn notices(dependencies: &[Dependency]) -> String {
    let mut page =
        "posy contains the crates below, under the licences that stand beside them.\n\n".to_owned();
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for dependency in dependencies {
        let title = format!("{} {}", dependency.name, dependency.version);
        page.push_str(&format!("{title}: {}\n", dependency.license));
        for (name, text) in dependency.texts() {
            let title = format!("{title} ({name})");
            match texts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, titles)) => titles.push(title),
                None => texts.push((text, vec![title])),
            }
        }
    }
    for (text, titles) in texts {
        let line = "-".repeat(80);
        page.push_str(&format!(
            "\n{line}\n{}\n\n{}\n",
            titles.join("\n"),
            text.trim_end()
        ));
    }
    page
}
