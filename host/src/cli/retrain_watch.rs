//! What `posy retrain` leaves for whoever watches and judges: event files and a page.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::output::note;
use super::retrain_next::{Next, moment};
use crate::features::progress::Bar;
use crate::head::sgd::StepReport;
use crate::head::watch::{All, OnMeasured, Watch};
use crate::report::commands::Commands;
use crate::report::curves::CurveWatch;
use crate::report::events::Hparam;
use crate::report::html::{Report, Run};
use crate::report::judge::Judgement;
use crate::report::summaries::{Ending, Summaries};
use crate::retrain::{Outcome, Prepared};

#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// Folder for TensorBoard's event files, in `train`, `validation` and `test` below it.
    #[arg(long, alias = "summaries_dir", value_name = "FOLDER")]
    summaries_dir: Option<PathBuf>,
    /// Where to write the report, a page for a browser [default: beside the model].
    #[arg(long, value_name = "FILE", conflicts_with = "no_report")]
    report: Option<PathBuf>,
    /// Write no report.
    #[arg(long, alias = "no_report")]
    no_report: bool,
}

/// Everyone who watches a run.
pub(super) struct Watching {
    print: OnMeasured<fn(&StepReport)>,
    curves: CurveWatch,
    summaries: Option<Summaries>,
    report: Option<Option<PathBuf>>,
    options: Vec<(String, String)>,
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
            print: OnMeasured(|step| note!("{step}")),
            curves: CurveWatch::default(),
            summaries: summaries.transpose()?,
            report: (!self.no_report).then(|| self.report.clone()),
            options: hparams.iter().map(shown).collect(),
        })
    }
}

impl Watching {
    /// Those who hear of training.
    pub(super) fn all(&mut self) -> All<'_> {
        let mut all: Vec<&mut dyn Watch> = vec![&mut self.print];
        if self.report.is_some() {
            all.push(&mut self.curves);
        }
        if let Some(summaries) = &mut self.summaries {
            all.push(summaries);
        }
        All(all)
    }

    /// Judges the model, which is written to `next.model`, and writes what is left to write. Small
    /// pictures for the report come by way of `cache`. What was found, and the commands that go on
    /// from it.
    pub(super) fn finish(
        self,
        prepared: &Prepared,
        outcome: &Outcome,
        next: &Next<'_>,
        cache: Option<&Path>,
    ) -> Result<(Judgement, Commands), Failure> {
        let judgement = Judgement::of(prepared, outcome)?;
        let commands = next.commands(prepared, outcome, &judgement);
        if let Some(summaries) = self.summaries {
            summaries.finish(&Ending {
                labels: &prepared.dataset.labels,
                testing: &judgement.confusion,
                validation: &judgement.validation,
                cross_entropy: judgement.cross_entropy(),
            })?;
        }
        if let Some(path) = self.report {
            let path = path.unwrap_or_else(|| next.model.with_extension("report.html"));
            let curves = self.curves.finish();
            let name = next.model.file_name().unwrap_or_default();
            let report = Report {
                prepared,
                outcome,
                judgement: &judgement,
                curves: &curves,
                model: &name.to_string_lossy(),
                run: &Run {
                    moment: moment(),
                    command: next.own(),
                    options: self.options,
                },
                commands: &commands,
                cache,
                progress: &Bar::new("small pictures"),
            };
            super::retrain::write(&path, report.html()?.as_bytes())?;
            note!("report: {} (open it in a browser)", path.display());
        }
        Ok((judgement, commands))
    }
}
