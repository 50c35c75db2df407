//! `posy label`: ranks the labels of photos.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use posy_nn::run::Runner;
use posy_nn::shell::quoted_path;
use posy_shared::ranking::Ranking;
use posy_shared::shown::Shown;
use serde_json::json;

use super::Failure;
use super::guard::{self, Door};
use super::output::{Out, note};
use crate::dataset::decode::{Limits, decode_within};
use crate::dataset::files::files_below;
use crate::dataset::for_model::{decode_for, decode_to};
use crate::dataset::load::read_bytes;
use crate::predict::{Classifier, FloatClassifier, OnnxModel, Reading};

/// Maximum number of ranked labels; a board prints fewer.
const MOST: usize = 32;

/// Prints the ranked labels of photos; for a .posy file, as a board running it would.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file that `posy retrain` wrote: .posy, .tflite or .onnx.
    #[arg(long, visible_alias = "graph", value_name = "FILE")]
    model: PathBuf,
    /// Number of labels to print for a photo, likeliest first.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=MOST as i64))]
    top: u8,
    /// Print one JSON object a line for each photo.
    #[arg(long)]
    json: bool,
    /// Run a model however long a photo takes it.
    #[arg(long)]
    slow: bool,
    /// Photos, folders of photos, or - for one photo on standard input.
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
}

/// A classifier for photos.
enum Labeller<'a> {
    /// posy's integer engine.
    Engine(Box<Runner<'a>>),
    /// A float model for the laptop.
    Float(&'a OnnxModel),
    /// A float network of another tool.
    Plain(&'a FloatClassifier),
}

/// Result for one photo.
enum Answer {
    /// Logits, equal to a board's.
    Logits(Vec<i8>),
    /// Scores of the labels, with sum 1.
    Scores(Vec<f32>),
}

/// A label, its score, and the text of that score as a board prints it.
struct Ranked {
    label: String,
    score: f32,
    shown: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    guard::try_first(&arguments.model, &Door::Classifier(&Reading::default()))?;
    let classifier = Classifier::open(&arguments.model, &Reading::default())?;
    let labeller = match &classifier {
        Classifier::Engine(file) => {
            let model = file.classifier()?;
            file.check_cost(&model, arguments.slow)?;
            Labeller::Engine(Box::new(Runner::new(model)))
        }
        Classifier::Onnx(model) => Labeller::Float(model),
        Classifier::Float(model) if !model.is_graph() => Labeller::Plain(model),
        Classifier::Float(_) => {
            let (path, quoted) = (arguments.model.display(), quoted_path(&arguments.model));
            return Err(format!(
                "{path}: a .pb file has no labels; `posy label-image --graph {quoted} --image PHOTO` takes them from \
                 a file of their own (--labels)"
            )
            .into());
        }
    };
    let mut files = Vec::new();
    let mut failed = 0;
    for path in &arguments.photos {
        if path.is_dir() {
            let found = files_below(path);
            for skipped in &found.skipped {
                note!("{skipped}");
            }
            failed += found.skipped.len();
            if found.files.is_empty() && found.skipped.is_empty() {
                failed += 1;
                note!("{}: there are no files in this folder", path.display());
            }
            files.extend(found.files);
        } else {
            files.push(path.clone());
        }
    }
    let name_each = files.len() > 1;
    for path in &files {
        match labeller.answer(path) {
            Ok(answer) => print(arguments, &labeller, path, &answer, name_each)?,
            Err(reason) => {
                failed += 1;
                note!("{reason}");
            }
        }
    }
    if failed > 0 {
        note!("{failed} of the files and folders could not be labelled");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

impl Labeller<'_> {
    /// Classifies one photo; an error names its file.
    fn answer(&self, path: &Path) -> Result<Answer, Failure> {
        let limits = Limits::default();
        let (shown, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            // One byte above the limit, so that a longer stream is detected.
            let bound = limits.max_bytes.saturating_add(1);
            let read = io::stdin().lock().take(bound).read_to_end(&mut bytes);
            read.map_err(|error| format!("standard input: cannot be read: {error}"))?;
            ("standard input".to_owned(), bytes)
        } else {
            (path.display().to_string(), read_bytes(path, &limits)?)
        };
        let named = |error: &dyn std::fmt::Display| format!("{shown}: {error}");
        Ok(match self {
            Labeller::Engine(runner) => {
                let photo = decode_for(runner.model(), &bytes, &limits);
                let photo = photo.map_err(|error| named(&error))?;
                let logits = runner.output(&photo).map_err(|error| named(&error))?;
                Answer::Logits(logits)
            }
            Labeller::Plain(model) => {
                let photo = decode_within(&bytes, &limits).map_err(|error| named(&error))?;
                Answer::Scores(model.scores(&photo).map_err(|error| named(&error))?)
            }
            Labeller::Float(model) => {
                let photo = decode_to(model.shape(), model.input(), &bytes, &limits);
                let photo = photo.map_err(|error| named(&error))?;
                let scores = model.scores(&photo).map_err(|error| named(&error))?;
                Answer::Scores(scores)
            }
        })
    }

    /// Labels of a float model's scores.
    fn labels(&self, count: usize) -> Vec<String> {
        let numbered = || (0..count).map(|class| format!("class {class}")).collect();
        match self {
            Labeller::Engine(_) => Vec::new(),
            Labeller::Float(model) => model.labels().to_vec(),
            Labeller::Plain(model) => model.labels().map_or_else(numbered, <[String]>::to_vec),
        }
    }

    /// True if the answer is unknown, and the likeliest labels with their scores.
    fn ranked(&self, answer: &Answer, top: usize) -> (bool, Vec<Ranked>) {
        match (self, answer) {
            (Labeller::Engine(runner), Answer::Logits(logits)) => {
                let ranking = Ranking::<MOST>::new(runner.model(), logits);
                let ranked = ranking.iter().take(top);
                let ranked = ranked.map(|one| Ranked {
                    label: one.label.to_owned(),
                    score: one.score.to_f32(),
                    shown: one.score.to_string(),
                });
                (ranking.is_unknown(), ranked.collect())
            }
            (_, Answer::Scores(scores)) => {
                let labels = self.labels(scores.len()).into_iter();
                let ranked = labels.zip(scores).map(|(label, &score)| Ranked {
                    label,
                    score,
                    shown: format!("{score:.5}"),
                });
                let mut ranked: Vec<Ranked> = ranked.collect();
                ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
                ranked.truncate(top);
                (false, ranked)
            }
            _ => (false, Vec::new()),
        }
    }
}

fn print(
    arguments: &Arguments,
    labeller: &Labeller<'_>,
    path: &Path,
    answer: &Answer,
    name_each: bool,
) -> Result<(), Failure> {
    let (is_unknown, ranked) = labeller.ranked(answer, arguments.top.into());
    if arguments.json {
        let labels: Vec<_> = ranked
            .iter()
            .map(|one| json!({"label": one.label, "score": one.score}))
            .collect();
        let mut line = json!({
            "photo": path.to_string_lossy(),
            "unknown": is_unknown,
            "labels": labels,
        });
        if let Answer::Logits(logits) = answer {
            line["logits"] = json!(logits);
        }
        writeln!(io::stdout().lock(), "{line}")?;
        return Ok(());
    }
    let mut out = Out::lock();
    if name_each {
        writeln!(out, "{}:", path.display())?;
    }
    if is_unknown {
        writeln!(out, "unknown")?;
    }
    for Ranked { label, shown, .. } in ranked {
        writeln!(out, "{} (score = {shown})", Shown::name(&label))?;
    }
    if name_each {
        writeln!(out)?;
    }
    Ok(())
}
