//! What `posy retrain` leaves for whoever watches and judges: event files and a page.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use super::output::note;
use crate::head::sgd::StepReport;
use crate::head::watch::{All, OnMeasured, Watch};
use crate::report::curves::CurveWatch;
use crate::report::events::Hparam;
use crate::report::html::Report;
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
            print: OnMeasured(|step| step.lines().iter().for_each(|line| note!("{line}"))),
            curves: CurveWatch::default(),
            summaries: summaries.transpose()?,
            report: (!self.no_report).then(|| self.report.clone()),
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

    /// Judges the model, which is written to `model`, and writes what is left to write. Small
    /// pictures for the report come by way of `cache`.
    pub(super) fn finish(
        self,
        prepared: &Prepared,
        outcome: &Outcome,
        model: &Path,
        cache: Option<&Path>,
    ) -> Result<Judgement, Failure> {
        let judgement = Judgement::of(prepared, outcome)?;
        if let Some(summaries) = self.summaries {
            summaries.finish(&Ending {
                labels: &prepared.dataset.labels,
                testing: &judgement.confusion,
                validation: &judgement.validation,
                cross_entropy: judgement.cross_entropy(),
            })?;
        }
        if let Some(path) = self.report {
            let path = path.unwrap_or_else(|| model.with_extension("report.html"));
            let curves = self.curves.finish();
            let name = model.file_name().unwrap_or_default().to_string_lossy();
            let report = Report {
                prepared,
                outcome,
                judgement: &judgement,
                curves: &curves,
                model: &name,
                cache,
            };
            super::retrain::write(&path, report.html()?.as_bytes())?;
            note!("report: {} (open it in a browser)", path.display());
        }
        Ok(judgement)
    }
}
