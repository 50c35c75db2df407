//! `posy label-image`: the codelab's `label_image.py`, with its options and output.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use posy_nn::labels;
use posy_nn::run::Runner;
use posy_shared::model::Shape;
use posy_shared::ranking::Ranking;
use posy_shared::shown::Shown;

use super::guard::{self, Door};
use super::output::{note, print_lines};
use super::{Failure, usage};
use crate::dataset::decode::Limits;
use crate::dataset::load::load;
use crate::predict::{Classifier, Reading};

/// Number of labels printed.
const TOP: usize = 5;

/// Label file of the codelab's graphs.
const LABELS: &str = "tf_files/retrained_labels.txt";

/// Labels one photo, with the options of the codelab's label_image.py.
#[derive(Debug, Args)]
#[command(
    visible_alias = "label_image",
    after_help = "posy label does more: many photos, folders, JSON."
)]
pub(super) struct Arguments {
    /// The photo.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The model that posy retrain wrote: .pb, .posy, .onnx or .tflite.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "tf_files/retrained_graph.pb"
    )]
    graph: PathBuf,
    /// File with one label a line, printed in place of the model's own; a .pb file has none, and
    /// its labels are read from tf_files/retrained_labels.txt by default.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Height in pixels to which the photo is resized; must match the model's, where that has one.
    #[arg(long, visible_alias = "input_height", value_name = "PIXELS")]
    input_height: Option<u32>,
    /// Width in pixels to which the photo is resized; must match the model's, where that has one.
    #[arg(long, visible_alias = "input_width", value_name = "PIXELS")]
    input_width: Option<u32>,
    /// Mean subtracted from each pixel of a .pb file's input, 128 by default, or of a float .tflite
    /// file's; not used for other models.
    #[arg(long, visible_alias = "input_mean", value_name = "NUMBER")]
    input_mean: Option<f32>,
    /// Divisor of each pixel of a .pb file's input after that, 128 by default, or of a float .tflite
    /// file's; not used for other models.
    #[arg(long, visible_alias = "input_std", value_name = "NUMBER")]
    input_std: Option<f32>,
    /// Run a model however long it takes.
    #[arg(long)]
    slow: bool,
    /// Name of a .pb file's input, "input" by default; not used for other models.
    #[arg(long, visible_alias = "input_layer", value_name = "NAME")]
    input_layer: Option<String>,
    /// Name of a .pb file's output, "final_result" by default; not used for other models.
    #[arg(long, visible_alias = "output_layer", value_name = "NAME")]
    output_layer: Option<String>,
}

impl Arguments {
    /// Input, output and normalisation of a frozen graph.
    fn reading(&self) -> Result<Reading<'_>, Failure> {
        let usual = Reading::default();
        let reading = Reading {
            input: self.input_layer.as_deref().unwrap_or(usual.input),
            output: self.output_layer.as_deref().unwrap_or(usual.output),
            mean: self.input_mean,
            std: self.input_std,
            size: self.size(),
        };
        let (mean, std) = (reading.mean.unwrap_or(128.0), reading.std.unwrap_or(128.0));
        if !(std.is_normal() && mean.is_finite()) {
            return Err(usage(format!(
                "--input_mean {mean} and --input_std {std} make no numbers of pixels; both are 128 \
                 where they are left out"
            )));
        }
        Ok(reading)
    }

    /// Size of the input, if both sides are given.
    fn size(&self) -> Option<(u16, u16)> {
        let side = |given: Option<u32>| given.and_then(|side| u16::try_from(side).ok());
        side(self.input_height).zip(side(self.input_width))
    }

    /// Refuses options that contradict the model.
    fn check(&self, height: u16, width: u16) -> Result<(), Failure> {
        for (name, given, own) in [
            ("--input_height", self.input_height, height),
            ("--input_width", self.input_width, width),
        ] {
            if let Some(given) = given.filter(|given| *given != u32::from(own)) {
                return Err(usage(format!(
                    "{name} {given} does not suit {}: its network sees {width} x {height} pixels; \
                     leave the option out",
                    self.graph.display()
                )));
            }
        }
        Ok(())
    }

    /// Notes options that have no effect on a model that carries these settings itself.
    fn note_unused(&self) {
        let unused = [
            ("--input_mean", self.input_mean.is_some()),
            ("--input_std", self.input_std.is_some()),
            ("--input_layer", self.input_layer.is_some()),
            ("--output_layer", self.output_layer.is_some()),
        ];
        for (name, _) in unused.iter().filter(|(_, given)| *given) {
            note!("{name} is not needed: the model carries what it was trained with");
        }
    }

    /// Labels of the `count` outputs from the given file, else from `usual`, if any.
    fn names(&self, count: usize, usual: Option<&str>) -> Result<Option<Vec<String>>, Failure> {
        let Some(path) = self.labels.as_deref().or(usual.map(Path::new)) else {
            return Ok(None);
        };
        let names = labels::read(path)?;
        if names.len() != count {
            let (shown, lines) = (path.display(), names.len());
            return Err(format!(
                "{shown} has {lines} lines, and the model tells {count} labels apart; give the file \
                 that was written with it (--labels; posy retrain --output_labels writes one)"
            )
            .into());
        }
        Ok(Some(names))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let reading = arguments.reading()?;
    guard::try_first(&arguments.graph, &Door::Classifier(&reading))?;
    let classifier = Classifier::open(&arguments.graph, &reading)?;
    let photo = |input: Shape| {
        arguments.check(input.height, input.width)?;
        Ok::<_, Failure>(load(&arguments.image, &Limits::default())?)
    };
    match classifier {
        Classifier::Engine(file) => {
            let model = file.classifier()?;
            file.check_cost(&model, arguments.slow)?;
            let runner = Runner::new(model);
            arguments.note_unused();
            let photo = photo(runner.model().input_shape())?;
            let names = arguments.names(runner.model().labels().count(), None)?;
            let (logits, seconds) = timed(arguments, || runner.output(&photo))?;
            let ranking = Ranking::<TOP>::new(runner.model(), &logits);
            let lines = ranking.iter().map(|ranked| {
                let name = names.as_ref().and_then(|names| names.get(ranked.index));
                let name = name.map_or(ranked.label, String::as_str);
                format!("{} (score={})", Shown::name(name), ranked.score)
            });
            print(seconds, lines)
        }
        Classifier::Float(model) => {
            let photo = photo(model.shape())?;
            let usual = model.labels().is_none().then_some(LABELS);
            let names = arguments.names(model.classes(), usual)?;
            let own = || model.labels().unwrap_or_default().to_vec();
            let (scores, seconds) = timed(arguments, || model.scores(&photo))?;
            print(seconds, ranked(&names.unwrap_or_else(own), &scores))
        }
        Classifier::Onnx(model) => {
            arguments.note_unused();
            let photo = photo(model.shape())?;
            let names = arguments.names(model.labels().len(), None)?;
            let names = names.as_deref().unwrap_or(model.labels());
            let (scores, seconds) = timed(arguments, || model.scores(&photo))?;
            print(seconds, ranked(names, &scores))
        }
    }
}

/// Runs `work` on the photo and measures the seconds; an error names the photo.
fn timed<T, E: std::fmt::Display>(
    arguments: &Arguments,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<(T, f64), Failure> {
    let started = Instant::now();
    let done = work().map_err(|error| format!("{}: {error}", arguments.image.display()))?;
    Ok((done, started.elapsed().as_secs_f64()))
}

/// Output lines of the likeliest labels; equal scores keep their order.
fn ranked(names: &[String], scores: &[f32]) -> impl Iterator<Item = String> {
    let mut pairs: Vec<(&String, f32)> = names.iter().zip(scores.iter().copied()).collect();
    pairs.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let line = |(name, score): (&String, f32)| format!("{} (score={score:.5})", Shown::name(name));
    let lines: Vec<String> = pairs.into_iter().take(TOP).map(line).collect();
    lines.into_iter()
}

/// Prints the output of `label_image.py`.
fn print(seconds: f64, ranked: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let mut lines = vec![
        String::new(),
        format!("Evaluation time (1-image): {seconds:.3}s"),
        String::new(),
    ];
    lines.extend(ranked);
    print_lines(&lines)?;
    Ok(ExitCode::SUCCESS)
}
