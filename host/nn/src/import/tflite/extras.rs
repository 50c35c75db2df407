//! Content of a `.tflite` file besides its layers.

use std::io::{Cursor, Read};

use super::error::TfliteError;
use super::is_tflite;
use super::names;
use super::schema::{Model, Options};
use crate::labels::of_text;

/// Maximum length of a label file, bytes.
const MAX_LABELS_LEN: u64 = 1 << 20;

/// Content of a file besides its layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// The softmax's beta, the factor of its logits; `None` if the file has no softmax.
    pub beta: Option<f32>,
    /// True if its scores are a logistic function of each logit.
    pub logistic: bool,
    /// Lines of the one text file in the appended ZIP archive, the usual place for labels.
    pub labels: Option<Vec<String>>,
    /// Text entries of its metadata by name.
    pub texts: Vec<(String, String)>,
}

/// Reads softmax, labels and metadata.
///
/// # Errors
/// [`TfliteError`], if the flatbuffer is damaged.
pub fn extras(bytes: &[u8]) -> Result<Extras, TfliteError> {
    if !is_tflite(bytes) {
        return Err(TfliteError::NotTflite);
    }
    let model = Model::read(bytes)?;
    let operators = model.graphs.iter().flat_map(|graph| &graph.operators);
    let beta = operators
        .filter_map(|operator| match operator.options {
            Options::Softmax { beta } => Some(beta),
            _ => None,
        })
        .next_back();
    let mut operators = model.graphs.iter().flat_map(|graph| &graph.operators);
    let logistic = operators.any(|operator| {
        let code = usize::try_from(operator.code).ok();
        let code = code.and_then(|code| model.codes.get(code));
        code.is_some_and(|code| code.builtin == names::LOGISTIC)
    });
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let texts = model.entries.iter().filter_map(|entry| {
        let buffer = model.buffers.get(entry.buffer as usize)?;
        Some((text(entry.name.bytes())?, text(buffer.data.bytes())?))
    });
    Ok(Extras {
        beta,
        logistic,
        labels: labels(bytes),
        texts: texts.collect(),
    })
}

/// Lines of the one text file in the ZIP archive behind a flatbuffer.
fn labels(bytes: &[u8]) -> Option<Vec<String>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let names = archive.file_names().filter_map(Result::ok);
    let names = names.filter(|name| name.ends_with(".txt"));
    let names: Vec<String> = names.map(Into::into).collect();
    let [name] = names.as_slice() else {
        return None;
    };
    let mut text = String::new();
    let file = archive.by_name(name).ok()?;
    file.take(MAX_LABELS_LEN).read_to_string(&mut text).ok()?;
    Some(of_text(&text))
}
