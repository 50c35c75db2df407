//! The page: one HTML file that runs a model in a browser, offline.
//!
//! The engine and the model lie in it deflated, in base64. It asks nothing of the network, which its
//! content security policy forbids; its one script and its style are allowed by their hashes. The report
//! has the same part in it (`Trial`).

use std::io::{self, Write};

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use posy_shared::model::{Model, ReadError};
use posy_shared::shown::Shown;
use sha2::{Digest, Sha256};

use crate::eval::run_record::Record;
use crate::eval::stats::Proportion;

/// The engine for browsers with SIMD, built by `host/web/build.sh`.
pub const SIMD128: &[u8] = include_bytes!("../assets/posy-simd128.wasm");
/// The engine for browsers without SIMD.
pub const PLAIN: &[u8] = include_bytes!("../assets/posy-plain.wasm");
/// Version of the compiler and SHA-256 of the lock file that the engines were built with.
pub const ENGINE_ORIGIN: &str = include_str!("../assets/posy.wasm.txt");

/// The style sheet of the part that names photos.
pub(crate) const TRIAL_STYLE: &str = include_str!("../templates/try.css");
/// The engine's side in JavaScript, which the studio's page has too.
pub(crate) const ENGINE_SCRIPT: &str = include_str!("../templates/engine.js");

const STYLE: &str = concat!(
    include_str!("../templates/page.css"),
    include_str!("../templates/try.css")
);
const SCRIPT: &str = concat!(
    include_str!("../templates/engine.js"),
    include_str!("../templates/page.js")
);
/// Maximum number of labels in the table.
const LISTED: usize = 200;
/// Maximum number of labels in the first line.
const NAMED: usize = 12;

/// Failure to make a page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The model does not read.
    #[error("no page can be made: {0}")]
    Model(#[from] ReadError),
    /// The page could not be put together.
    #[error("no page can be made: {0}")]
    Template(#[from] askama::Error),
    /// The model could not be deflated.
    #[error("no page can be made: {0}")]
    Deflate(#[from] io::Error),
}

struct LabelRow {
    label: String,
    right: Option<String>,
}

/// The part of a page that names photos, and what a camera sees: `templates/try.html`.
pub(crate) struct Trial {
    /// The engine for browsers with SIMD, deflated, in base64.
    pub simd128: String,
    /// The engine for browsers without SIMD, alike.
    pub plain: String,
    /// The model, alike.
    pub model: String,
    /// The script that runs it.
    pub script: &'static str,
    /// SHA-256 of the script in base64, for the content security policy.
    pub script_hash: String,
}

impl Trial {
    /// The part for the model in `bytes`, a `.posy` file.
    ///
    /// # Errors
    /// The model could not be deflated.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        Ok(Trial {
            simd128: packed(SIMD128)?,
            plain: packed(PLAIN)?,
            model: packed(bytes)?,
            script: SCRIPT,
            script_hash: STANDARD.encode(Sha256::digest(SCRIPT)),
        })
    }
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    title: String,
    named: String,
    style: &'static str,
    style_hash: String,
    trial: Trial,
    labels: Vec<LabelRow>,
    more: usize,
    facts: Vec<(&'static str, String)>,
}

/// Deflates `bytes` (zlib) and encodes them in base64.
fn packed(bytes: &[u8]) -> io::Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(STANDARD.encode(encoder.finish()?))
}

/// Recall of each label on the test photos, as the report has it; empty without the record of this
/// very model.
fn recalls(bytes: &[u8], record: Option<&Record>) -> Vec<Proportion> {
    let record = record.filter(|record| record.is_of(bytes));
    let labels = record.map(|record| record.evaluation().labels);
    let labels = labels.into_iter().flatten();
    labels.map(|label| label.recall).collect()
}

/// Joins the first labels: `daisy, roses and tulips`.
fn named(labels: &[String]) -> String {
    match labels {
        [] => "nothing".into(),
        [one] => one.clone(),
        [first @ .., last] if labels.len() <= NAMED => format!("{} and {last}", first.join(", ")),
        _ => format!(
            "{} and {} more",
            labels[..NAMED].join(", "),
            labels.len() - NAMED
        ),
    }
}

/// Renders the page of the model in `bytes`, a `.posy` file called `name`. With the `record` of its
/// training run, each label shows its recall on the test photos.
///
/// # Errors
/// [`PageError`].
pub fn page(bytes: &[u8], name: &str, record: Option<&Record>) -> Result<String, PageError> {
    let model = Model::read(bytes)?;
    let labels: Vec<String> = model
        .labels()
        .map(|label| Shown::name(label).to_string())
        .collect();
    let recalls = recalls(bytes, record);
    let rows = labels.iter().enumerate().take(LISTED);
    let rows = rows.map(|(index, label)| LabelRow {
        label: label.clone(),
        right: (recalls.get(index).filter(|recall| recall.whole > 0)).map(|recall| recall.counts()),
    });
    let provenance = model.provenance();
    let shape = model.input_shape();
    let percent = |share: Option<f32>| match share {
        Some(share) => format!(
            "{:.1}% of {} test photos",
            share * 100.0,
            provenance.split.testing
        ),
        None => "not measured".into(),
    };
    let page = Page {
        title: name.to_owned(),
        named: named(&labels),
        style: STYLE,
        style_hash: STANDARD.encode(Sha256::digest(STYLE)),
        trial: Trial::new(bytes)?,
        more: labels.len().saturating_sub(LISTED),
        labels: rows.collect(),
        facts: vec![
            ("network", Shown::name(provenance.architecture).to_string()),
            (
                "input",
                format!("{} x {} pixels", shape.width, shape.height),
            ),
            ("accuracy", percent(provenance.int8_accuracy)),
            (
                "model",
                format!("{name}, {} KiB", bytes.len().div_ceil(1024)),
            ),
            (
                "made by",
                format!("posy {}", Shown::name(provenance.posy_version)),
            ),
        ],
    };
    Ok(page.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_listed_in_words() {
        let labels = |count: usize| (0..count).map(|at| format!("l{at}")).collect::<Vec<_>>();
        assert_eq!(named(&labels(1)), "l0");
        assert_eq!(named(&labels(3)), "l0, l1 and l2");
        assert!(named(&labels(NAMED)).ends_with("l10 and l11"));
        assert!(named(&labels(NAMED + 2)).ends_with("l11 and 2 more"));
    }

    #[test]
    fn bytes_that_are_no_model_are_refused() {
        let error = page(b"POSYPOSY", "x.posy", None).unwrap_err().to_string();
        assert!(error.starts_with("no page can be made: "), "{error}");
    }

    #[test]
    fn engines_are_small() {
        assert!(SIMD128.len() <= 150 << 10, "{}", SIMD128.len());
        for engine in [SIMD128, PLAIN] {
            let packed = packed(engine).unwrap().len() / 4 * 3;
            assert!(packed <= 60 << 10, "{packed}");
        }
    }
}
