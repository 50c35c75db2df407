//! Event files and pages that `posy retrain` leaves for whoever watches and judges.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::files::{Destinations, Results};
use super::interrupt::Interrupt;
use super::next::moment;
use crate::cli::Failure;
use crate::cli::output::note;
use crate::features::cache::Cache;
use crate::features::progress::{Bar, Progress};
use crate::report::commands::Commands;
use crate::report::curves::CurveWatch;
use crate::report::events::Hparam;
use crate::report::html::{Report, Run};
use crate::report::summaries::{Ending, Summaries};
use crate::retrain::{Prepared, TrainedModel};
use crate::train::observer::{All, Meter, Watch};
use crate::train::sgd::StepReport;

#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// Folder for TensorBoard's event files, in `train`, `validation` and `test` below it.
    #[arg(long, alias = "summaries_dir", value_name = "FOLDER")]
    pub(super) summaries_dir: Option<PathBuf>,
    /// File to write the report to, a page for a browser [default: beside the model].
    #[arg(long, value_name = "FILE", conflicts_with = "no_report")]
    report: Option<PathBuf>,
    /// Write no report.
    #[arg(long, alias = "no_report")]
    no_report: bool,
    /// Leave engine and model out of the report: it then names no photos, and runs no script.
    #[arg(long, alias = "no_try")]
    no_try: bool,
    /// Write a page for a browser too, which runs the model on the camera's picture and on photos.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
}

/// The bar of all trainings of a run, and who says how gradient descent goes.
struct Training {
    bar: Arc<TrainingBar>,
    interrupt: Interrupt,
}

struct TrainingBar(Bar);

impl Meter for TrainingBar {
    fn begin(&self, parts: usize) {
        self.0.begin(parts);
    }

    fn advance(&self, parts: usize) {
        self.0.advance(parts);
    }

    fn end(&self) {
        self.0.end();
    }
}

/// The bar of all trainings of a run.
pub(super) fn training_bar() -> Arc<dyn Meter> {
    Arc::new(TrainingBar(Bar::of_steps("training")))
}

impl Watch for Training {
    fn measured(&mut self, report: &StepReport) {
        self.bar
            .0
            .aside(|| report.lines().iter().for_each(|line| note!("{line}")));
    }

    fn fine_tuning(&mut self, begins: bool) {
        if !begins {
            return self.interrupt.disarm();
        }
        let bar = Arc::clone(&self.bar);
        self.interrupt.arm(move || {
            bar.0.aside(|| {
                note!("stopping after this epoch: the best one so far makes the model");
            });
        });
    }

    fn stopped(&self) -> bool {
        self.interrupt.came()
    }

    fn resumed(&mut self, epochs: usize) {
        let bar = &self.bar.0;
        bar.aside(|| note!("going on after {epochs} epochs of a run that ended early"));
    }

    fn meter(&self) -> Arc<dyn Meter> {
        Arc::clone(&self.bar) as Arc<dyn Meter>
    }
}

/// Everyone who watches a run.
pub(super) struct Watching {
    training: Training,
    curves: CurveWatch,
    summaries: Option<Summaries>,
    report: bool,
    trial: bool,
    options: Vec<(String, String)>,
}

/// A finished run, for its report.
pub(super) struct About<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) outcome: &'a TrainedModel,
    /// Commands that go on from it.
    pub(super) commands: &'a Commands,
    /// The run's own command line.
    pub(super) command: String,
    /// The cache for small pictures.
    pub(super) cache: Option<&'a Cache>,
}

/// An option and its value, as they are written.
fn shown(&(name, ref value): &(&str, Hparam)) -> (String, String) {
    let value = match value {
        Hparam::Number(number) => number.to_string(),
        Hparam::Text(text) => text.clone(),
        Hparam::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
    };
    (name.replace('_', " "), value)
}

impl WatchArguments {
    /// Path of the model's report, if one is wanted.
    pub(super) fn report_path(&self, model: &Path) -> Option<PathBuf> {
        let path = || model.with_extension("report.html");
        (!self.no_report).then(|| self.report.clone().unwrap_or_else(path))
    }

    /// Path of the model's page, if one is wanted.
    pub(super) fn page_path(&self) -> Option<PathBuf> {
        self.page.clone()
    }

    /// Begins to watch.
    pub(super) fn begin(
        &self,
        prepared: &Prepared,
        hparams: &[(&str, Hparam)],
    ) -> Result<Watching, Failure> {
        let labels = prepared.dataset.labels.len();
        let summaries = self.summaries_dir.as_deref();
        let summaries = summaries
            .map(|folder| Summaries::create(folder, hparams, &prepared.backbone.int, labels));
        Ok(Watching {
            training: Training {
                bar: Arc::new(TrainingBar(Bar::of_steps("training"))),
                interrupt: Interrupt::default(),
            },
            curves: CurveWatch::default(),
            summaries: summaries.transpose()?,
            report: !self.no_report,
            trial: !self.no_try,
            options: hparams.iter().map(shown).collect(),
        })
    }
}

impl Watching {
    /// Every observer of training.
    pub(super) fn all(&mut self) -> All<'_> {
        let mut all: Vec<&mut dyn Watch> = vec![&mut self.training];
        if self.report {
            all.push(&mut self.curves);
        }
        if let Some(summaries) = &mut self.summaries {
            all.push(summaries);
        }
        All(all)
    }

    /// Adds the report to `results`, and ends the event files.
    pub(super) fn finish(
        self,
        about: About<'_>,
        destinations: &Destinations,
        results: &mut Results,
    ) {
        let About {
            prepared, outcome, ..
        } = about;
        let evaluation = &outcome.evaluation;
        if let Some(destination) = &destinations.report {
            let curves = self.curves.finish();
            let model = destinations.model.path.file_name();
            let name = model.unwrap_or_default().to_string_lossy();
            let report = Report {
                prepared,
                outcome,
                curves: &curves,
                model: &name,
                run: &Run {
                    moment: moment(),
                    command: about.command,
                    options: self.options,
                },
                commands: about.commands,
                cache: about.cache,
                progress: &Bar::new("small pictures"),
                trial: self.trial,
            };
            results.add(destination, report.html().map(String::into_bytes));
        }
        if let Some(summaries) = self.summaries {
            let ended = summaries.finish(&Ending {
                labels: &prepared.dataset.labels,
                testing: &evaluation.confusion,
                validation: &evaluation.validation,
                cross_entropy: evaluation.cross_entropy(),
            });
            if let Err(error) = ended {
                results.fail(&error.to_string(), None);
            }
        }
    }
}
