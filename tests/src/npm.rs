//! Packages of npm that tests use: a folder with their names and a lock file has them installed in
//! it.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::boards::answer;

/// The packages that a lock file names, with version and digest.
fn packages(lock: &Path) -> Option<Vec<[String; 3]>> {
    let lock: Value = serde_json::from_slice(&std::fs::read(lock).ok()?).ok()?;
    let packages = lock["packages"].as_object()?.iter();
    let packages = packages.filter(|(path, _)| !path.is_empty());
    let packages = packages.map(|(path, package)| {
        let field = |name: &str| package[name].to_string();
        [path.clone(), field("version"), field("integrity")]
    });
    Some(packages.collect())
}

/// Gets the packages of `folder`, unless those that its lock file names are there; says why that
/// cannot be.
pub fn install(folder: &Path) -> Result<(), String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _locked = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let installed = packages(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed == packages(&folder.join("package-lock.json")) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"]);
    answer(npm.current_dir(folder))
        .map(|_| ())
        .map_err(|error| format!("npm ci in {}: {error}", folder.display()))
}
