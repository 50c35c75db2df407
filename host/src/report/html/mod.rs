//! The report: one page that needs nothing but itself.
//!
//! It asks nothing of the network, which its content security policy forbids. What opens are popovers and
//! details, which are plain HTML, and what narrows the table of photos is a rule of a style sheet. The one
//! script, allowed by its hash, runs the model on photos of the reader (`page::Trial`); without that part
//! no script may run. Every text is escaped by the template, names are cleaned (`text`), and what goes into
//! a page is bounded, however many photos and labels there are.

mod answers;
mod chart;
mod figures;
mod learning;
mod matrix;
mod pictures;
mod plane;
mod text;

use std::io;
use std::time::SystemTime;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use posy_shared::model::{Model, ReadError};
use posy_shared::shown::shown;
use sha2::{Digest, Sha256};

use super::Reader;
use super::advice::advice;
use super::commands::{Command, Commands};
use super::curves::Curves;
use super::date;
use super::headline::{Grade, headline};
use crate::device::Footprint;
use crate::features::cache::Cache;
use crate::features::progress::Progress;
use crate::page::{TRIAL_STYLE, Trial};
use crate::retrain::{Prepared, TrainedModel};
use crate::units::{hex, kib, millions};
use answers::Answers;
use figures::{BinRow, BoardRow, Figure, LabelRow, MeanRow};
use matrix::{Focus, Matrix};
use pictures::{Picture, Popup};
use plane::Map;
use text::{clean, isolate, isolated};

/// The page's style sheet.
const STYLE: &str = include_str!("../../../templates/report.css");
/// Maximum of skipped files that are listed.
const LISTED: usize = 2000;

/// Errors of making a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The model does not read.
    #[error("no report can be made: {0}")]
    Model(#[from] ReadError),
    /// The page could not be put together.
    #[error("no report can be made: {0}")]
    Page(#[from] askama::Error),
    /// The model could not be deflated.
    #[error("no report can be made: {0}")]
    Deflate(#[from] io::Error),
}

/// Start of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Time at which its results were written.
    pub moment: SystemTime,
    /// Its command line.
    pub command: String,
    /// Its settings, those left as they are by default included.
    pub options: Vec<(String, String)>,
}

/// A finished run, to be reported.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// Photos, network and features.
    pub prepared: &'a Prepared,
    /// Result of training.
    pub outcome: &'a TrainedModel,
    /// Learning curves.
    pub curves: &'a Curves,
    /// Name of the model's file.
    pub model: &'a str,
    /// Start of the run.
    pub run: &'a Run,
    /// Commands that go on from it.
    pub commands: &'a Commands,
    /// The cache for small pictures, if there is one.
    pub cache: Option<&'a Cache>,
    /// Is told how far the small pictures have come.
    pub progress: &'a dyn Progress,
    /// Puts engine and model into the page, which then names photos.
    pub trial: bool,
}

struct ChartFigure {
    svg: String,
    caption: String,
}

struct Fact {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    styles: Vec<String>,
    style_hashes: Vec<String>,
    title: String,
    model_name: String,
    moment: String,
    accuracy: String,
    counts: String,
    range: String,
    verdict: &'static str,
    verdict_class: &'static str,
    sentences: Vec<String>,
    figures: Vec<Figure>,
    using: Vec<Command>,
    advice: Vec<String>,
    improving: Vec<Command>,
    has_float: bool,
    labels: Vec<LabelRow>,
    means: Vec<MeanRow>,
    matrix: Matrix,
    popups: Vec<Popup>,
    worst: Vec<Picture>,
    mistakes: usize,
    trial: Option<Trial>,
    map: Option<Map>,
    answers: Answers,
    curves: Vec<ChartFigure>,
    curves_note: String,
    is_solved: bool,
    reliability: ChartFigure,
    reliability_note: String,
    bins: Vec<BinRow>,
    float_note: String,
    networks: Vec<Figure>,
    flash_kib: String,
    ram_kib: String,
    products: String,
    boards: Vec<BoardRow>,
    split_note: String,
    skipped: Vec<String>,
    skipped_count: usize,
    facts: Vec<Fact>,
    options: Vec<Fact>,
    command: String,
    version: &'static str,
}

/// A page whose names neither hide nor turn around what stands beside them. Lines are the template's own,
/// and isolating marks are put around names by posy itself; they reach no further than their block.
fn cleaned(page: &str) -> String {
    let kept = |c: char| matches!(c, '\n' | '\u{2068}' | '\u{2069}');
    let seen = |c: char| if kept(c) { c } else { shown(c) };
    page.chars().map(seen).collect()
}

impl Report<'_> {
    /// The page.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub fn html(&self) -> Result<String, ReportError> {
        Ok(cleaned(&self.page()?.render()?))
    }

    fn page(&self) -> Result<Page, ReportError> {
        let Report {
            prepared, outcome, ..
        } = *self;
        let evaluation = &outcome.evaluation;
        let model = Model::read(&outcome.model)?;
        let footprint = Footprint::of_model(&model);
        let photos = &prepared.dataset.photos;
        let sentences = isolated(evaluation);
        let focus = Focus::of(evaluation);
        let pictures = pictures::gather(self, &sentences, &focus);
        let answers = answers::answers(self, &pictures);
        let mut styles = vec![STYLE.to_owned(), answers.rules.clone() + &pictures.rules];
        if self.trial {
            styles.push(TRIAL_STYLE.to_owned());
        }
        let headline = headline(evaluation, Reader::Command);
        let skipped = prepared.skipped.iter().take(LISTED);
        let accuracy = evaluation.accuracy();
        Ok(Page {
            style_hashes: styles
                .iter()
                .map(|style| STANDARD.encode(Sha256::digest(style)))
                .collect(),
            styles,
            title: format!("{}: {}", clean(self.model), accuracy.percent()),
            model_name: clean(self.model),
            moment: date::utc(self.run.moment),
            accuracy: accuracy.percent(),
            counts: accuracy.counts(),
            range: accuracy.range(),
            verdict: headline.grade.words(),
            verdict_class: match headline.grade {
                Grade::Good | Grade::VeryGood => "good",
                Grade::Untested | Grade::Fair => "fair",
                Grade::Guessing | Grade::Poor => "poor",
            },
            sentences: headline.sentences,
            figures: self.figures(&footprint),
            using: self.commands.using.clone(),
            advice: advice(
                &sentences,
                outcome.fine_tuned.is_some(),
                Reader::Command,
                &|photo| isolate(&photos[photo].relative),
            ),
            improving: self.commands.improving.clone(),
            has_float: evaluation.float_accuracy().is_some(),
            labels: self.labels(),
            means: self.means(),
            matrix: matrix::matrix(evaluation, &sentences, &focus),
            map: plane::map(self, &sentences),
            popups: pictures.popups,
            worst: pictures.worst,
            mistakes: accuracy.rest().part,
            trial: match self.trial {
                true => Some(Trial::new(&outcome.model)?),
                false => None,
            },
            answers,
            curves: self.curve_figures(),
            curves_note: self.curves_note(),
            is_solved: self.is_solved(),
            reliability: ChartFigure {
                svg: chart::reliability("Share right by score", &evaluation.reliability[1].bins),
                caption:
                    "Points on the dashed line mean what they say. Above it answers are right \
                          more often than their scores say, below it less often. Bars are 95% \
                          intervals; a dot’s area grows with its photos."
                        .to_owned(),
            },
            reliability_note: self.reliability_note(),
            bins: self.bins(),
            float_note: self.float_note(),
            networks: self.networks(),
            flash_kib: kib(footprint.flash_bytes),
            ram_kib: kib(footprint.ram_bytes),
            products: millions(footprint.products),
            boards: figures::boards(&footprint),
            split_note: self.split_note(),
            skipped: skipped
                .map(|file| clean(&format!("{}: {}", file.path.display(), file.reason)))
                .collect(),
            skipped_count: prepared.skipped.len(),
            facts: self.facts(),
            options: facts(&self.run.options),
            command: clean(&self.run.command),
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    /// Provenance of the model.
    fn facts(&self) -> Vec<Fact> {
        let Prepared {
            backbone, dataset, ..
        } = self.prepared;
        let root = dataset.root.display();
        let layer = match &self.outcome.fine_tuned {
            Some(tuned) if tuned.plan.blocks == 1 => ", its last block fine-tuned".to_owned(),
            Some(tuned) => format!(", its last {} blocks fine-tuned", tuned.plan.blocks),
            None => String::new(),
        };
        let mut known = vec![
            ("made", date::utc(self.run.moment)),
            ("by", format!("posy {}", env!("CARGO_PKG_VERSION"))),
            ("model", self.model.to_owned()),
            (
                "photos",
                format!(
                    "{} photos of {} labels in {root}",
                    dataset.photos.len(),
                    dataset.labels.len()
                ),
            ),
            ("network", format!("{}{layer}", backbone.name)),
            ("its file", backbone.path.display().to_string()),
            ("SHA-256 of that", hex(&backbone.sha256)),
        ];
        if let Some(c) = self.outcome.c {
            known.push(("penalty chosen", format!("C = {c:.4}")));
        }
        let known: Vec<(String, String)> = known
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        facts(&known)
    }
}

fn facts(known: &[(String, String)]) -> Vec<Fact> {
    let fact = |(name, value): &(String, String)| Fact {
        name: clean(name),
        value: clean(value),
    };
    known.iter().map(fact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_page_neither_hide_nor_turn_around_what_stands_beside_them() {
        let page = "<p>\na\x1b[31mb\u{202e}c\u{200b}d \u{2068}Blümchen\u{2069}\n</p>";
        let seen = "<p>\na\u{fffd}[31mb\u{fffd}c\u{fffd}d \u{2068}Blümchen\u{2069}\n</p>";
        assert_eq!(cleaned(page), seen);
    }
}
