//! posy's engine for browsers, driven in Node.js and in Chromium.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::boards::{answer, free_of_cargo};
use crate::browser::Browser;
use crate::scratch::Scratch;

const DRIVER: &str = include_str!("../web/engine.js");

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Bytes in base64, as jobs have them.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An engine of JavaScript.
pub enum Host {
    /// Node.js.
    Node,
    /// Headless Chromium, at an empty page.
    Chromium(Box<Browser>),
}

impl Host {
    /// Every engine that this machine has, with its name; says loudly which are missing.
    pub fn all(test: &str) -> Vec<(&'static str, Host)> {
        let mut hosts = Vec::new();
        match answer(Command::new("node").arg("--version")) {
            Ok(_) => hosts.push(("Node.js", Host::Node)),
            Err(error) => eprintln!("SKIPPED: {test}: no Node.js: {error}"),
        }
        if let Some(browser) = Browser::start(test) {
            hosts.push(("Chromium", Host::Chromium(Box::new(browser))));
        }
        hosts
    }

    /// Results of the calls on the engine in `wasm`; see `tests/web/engine.js`.
    pub fn run(&mut self, wasm: &[u8], calls: &[Value]) -> Vec<Value> {
        let job = json!({"wasm": base64(wasm), "calls": calls});
        let result = match self {
            Host::Node => {
                let scratch = Scratch::new();
                let job = scratch.write("job.json", job.to_string());
                let driver = scratch.write("engine.js", DRIVER);
                let said = answer(Command::new("node").arg(driver).arg(job));
                let said = said.unwrap_or_else(|error| panic!("node: {error}"));
                serde_json::from_str(&said).expect("JSON")
            }
            Host::Chromium(browser) => {
                browser.evaluate(&format!("{DRIVER};0"));
                browser.evaluate(&format!("posyEngine({job})"))
            }
        };
        match result {
            Value::Array(results) => results,
            other => panic!("{other}"),
        }
    }
}

/// True if `wasm32-unknown-unknown` is there, or can be had from rustup; where not, says loudly that
/// `test` is skipped.
pub fn has_target(test: &str) -> bool {
    let mut list = Command::new("rustup");
    list.args(["target", "add", "wasm32-unknown-unknown"]);
    match answer(free_of_cargo(&mut list)) {
        Ok(_) => true,
        Err(error) => {
            eprintln!("SKIPPED: {test}: no target wasm32-unknown-unknown: {error}");
            false
        }
    }
}

/// Builds the engine into `folder`, with these options of `host/web/build.sh`.
pub fn build(options: &[&str], folder: &Path) {
    let mut script = Command::new(workspace().join("host/web/build.sh"));
    script.args(options).arg(folder).stdin(Stdio::null());
    let built = answer(free_of_cargo(&mut script));
    built.unwrap_or_else(|error| panic!("host/web/build.sh: {error}"));
}

/// Text that `host/web/build.sh` would write of the compiler and the lock file.
pub fn origin() -> String {
    use sha2::{Digest, Sha256};
    let rustc = answer(free_of_cargo(Command::new("rustc").arg("--version")));
    let lock = std::fs::read(workspace().join("host/web/Cargo.lock")).expect("a lock file");
    let lock: String = Sha256::digest(lock)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("rustc: {}\nlock: {lock}\n", rustc.expect("rustc").trim())
}
