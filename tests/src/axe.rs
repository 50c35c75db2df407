//! axe-core, which finds what keeps people from using a page: <https://github.com/dequelabs/axe-core>.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::browser::Browser;
use crate::npm;

/// axe-core's program.
pub struct Axe {
    program: String,
}

/// A barrier to people who use a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Barrier {
    /// The rule's name.
    pub rule: String,
    /// Its impact: `minor`, `moderate`, `serious` or `critical`.
    pub impact: String,
    /// The elements that are meant, as axe-core shows them.
    pub elements: Vec<String>,
}

impl Axe {
    /// axe-core, installed where it is missing. Where that cannot be, says loudly that `test` is skipped.
    pub fn new(test: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe");
        let path: PathBuf = folder.join("node_modules/axe-core/axe.min.js");
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        match npm::install(&folder).and_then(|()| read(&path)) {
            Ok(program) => Some(Axe { program }),
            Err(reason) => {
                eprintln!("SKIPPED: {test}: no axe-core: {reason}");
                None
            }
        }
    }

    /// All that is found on the browser's page as it is now.
    pub fn barriers(&self, browser: &mut Browser) -> Vec<Barrier> {
        // Its value is of no use, and too large to be sent.
        browser.evaluate(&format!("{};0", self.program));
        let found = browser.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(v => \
             [v.id, v.impact, v.nodes.map(node => node.html)]))",
        );
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = found.as_array().expect("axe-core's findings");
        let barrier = |found: &Value| Barrier {
            rule: text(&found[0]),
            impact: text(&found[1]),
            elements: found[2]
                .as_array()
                .map_or(Vec::new(), |nodes| nodes.iter().map(text).collect()),
        };
        found.iter().map(barrier).collect()
    }
}
