//! `posy label-image`: the codelab's `label_image.py`, with its options and its lines.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use posy_shared::ranking::Ranking;

use super::output::{note, print_lines};
use super::{Failure, usage};
use crate::model_file::ModelFile;
use crate::photos::decode::Limits;
use crate::photos::load::load;
use crate::run::Runner;

/// Labels that are printed.
const TOP: usize = 5;

/// Names what is in one photo, with the options of the codelab's label_image.py.
#[derive(Debug, Args)]
#[command(
    visible_alias = "label_image",
    after_help = "posy label does more: many photos, folders, JSON."
)]
pub(super) struct Arguments {
    /// The photo.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The model that posy retrain wrote.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "tf_files/retrained_graph.pb"
    )]
    graph: PathBuf,
    /// File with one label a line, to be printed in place of the model's own.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Height in pixels that the photo is resized to; the model says so itself.
    #[arg(long, visible_alias = "input_height", value_name = "PIXELS")]
    input_height: Option<u32>,
    /// Width in pixels that the photo is resized to; the model says so itself.
    #[arg(long, visible_alias = "input_width", value_name = "PIXELS")]
    input_width: Option<u32>,
    /// Number that is taken from each pixel; the model says so itself.
    #[arg(long, visible_alias = "input_mean", value_name = "NUMBER")]
    input_mean: Option<f32>,
    /// Number that each pixel is divided by; the model says so itself.
    #[arg(long, visible_alias = "input_std", value_name = "NUMBER")]
    input_std: Option<f32>,
    /// Name of the input; the model says so itself.
    #[arg(long, visible_alias = "input_layer", value_name = "NAME")]
    input_layer: Option<String>,
    /// Name of the output; the model says so itself.
    #[arg(long, visible_alias = "output_layer", value_name = "NAME")]
    output_layer: Option<String>,
}

impl Arguments {
    /// Says which options make no difference, and refuses those that cannot be followed.
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
        let unused = [
            ("--input_mean", self.input_mean.is_some()),
            ("--input_std", self.input_std.is_some()),
            ("--input_layer", self.input_layer.is_some()),
            ("--output_layer", self.output_layer.is_some()),
        ];
        for (name, _) in unused.iter().filter(|(_, given)| *given) {
            note!("{name} is not needed: the model carries what it was trained with");
        }
        Ok(())
    }

    /// The labels' names, one for each of `count` outputs.
    fn names(&self, count: usize) -> Result<Option<Vec<String>>, Failure> {
        let Some(path) = &self.labels else {
            return Ok(None);
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{shown}: cannot be read: {error}; leave --labels out"))?;
        let names: Vec<String> = text.lines().map(|line| line.trim_end().into()).collect();
        if names.len() != count {
            let lines = names.len();
            return Err(format!(
                "{shown} has {lines} lines, and the model tells {count} labels apart; give the file \
                 that was written with it, or leave --labels out"
            )
            .into());
        }
        Ok(Some(names))
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let file = ModelFile::open(&arguments.graph)?;
    let runner = Runner::new(file.classifier()?);
    let input = runner.model().input_shape();
    arguments.check(input.height, input.width)?;
    let names = arguments.names(runner.model().labels().count())?;
    let photo = load(&arguments.image, &Limits::default())?;
    let started = Instant::now();
    let logits = runner.output(&photo).map_err(|error| {
        let path = arguments.image.display();
        format!("{path}: {error}")
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let ranking = Ranking::<TOP>::new(runner.model(), &logits);
    let mut lines = vec![
        String::new(),
        format!("Evaluation time (1-image): {seconds:.3}s"),
        String::new(),
    ];
    lines.extend(ranking.iter().map(|ranked| {
        let name = names.as_ref().and_then(|names| names.get(ranked.index));
        let name = name.map_or(ranked.label, String::as_str);
        format!("{name} (score={})", ranked.score)
    }));
    print_lines(&lines)?;
    Ok(ExitCode::SUCCESS)
}
