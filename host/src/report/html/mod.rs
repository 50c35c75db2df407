//! The report: one page that needs nothing but itself.
//!
//! It runs no script and asks nothing of the network, and its content security policy forbids
//! both: what opens are popovers, which are plain HTML. Every text is escaped by the template.

mod chart;
mod pictures;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use posy_shared::model::{Model, ReadError};
use posy_shared::shown::shown;
use sha2::{Digest, Sha256};

use super::advice::advice;
use super::curves::{Curves, Point};
use super::judge::{Judgement, confused_part};
use super::share::{Share, percent};
use crate::device::{BOARDS, Footprint, fits, speed};
use crate::features::cache::Cache;
use crate::photos::Rule;
use crate::retrain::{Outcome, Prepared};
use chart::{Axes, Series};
use pictures::{Picture, Popup};

/// The page's style sheet.
const STYLE: &str = include_str!("../../../templates/report.css");
/// Most names of test photos, and of files that were left out, that are listed.
const LISTED: usize = 2000;
/// Most labels of the confusion matrix; of more the part that is most confused is shown.
const MATRIX: usize = 50;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The model does not read.
    #[error("no report can be made: {0}")]
    Model(#[from] ReadError),
    /// The page could not be put together.
    #[error("no report can be made: {0}")]
    Page(#[from] askama::Error),
}

/// What a report is of.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// What was prepared.
    pub prepared: &'a Prepared,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// What the test photos say of that.
    pub judgement: &'a Judgement,
    /// How training went.
    pub curves: &'a Curves,
    /// Name of the model's file.
    pub model: &'a str,
    /// The cache for small pictures, if there is one.
    pub cache: Option<&'a Cache>,
}

struct Figure {
    name: &'static str,
    value: String,
    note: String,
}

struct ShareCell {
    percent: String,
    counts: String,
    range: String,
    bar: String,
}

struct LabelRow {
    label: String,
    recall: ShareCell,
    precision: ShareCell,
    float: String,
    split: String,
}

struct MatrixCell {
    count: usize,
    class: String,
    id: String,
    title: String,
}

struct MatrixRow {
    label: String,
    cells: Vec<MatrixCell>,
}

struct ChartFigure {
    svg: String,
    caption: String,
}

struct BinRow {
    name: String,
    photos: usize,
    mean: String,
    right: String,
    range: String,
}

struct BoardRow {
    title: &'static str,
    core: &'static str,
    fits: bool,
    flash: String,
    ram: String,
    time: String,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style: &'static str,
    style_hash: String,
    title: String,
    model_name: String,
    backbone: String,
    sha256: String,
    version: &'static str,
    photos: usize,
    tested: usize,
    figures: Vec<Figure>,
    advice: Vec<String>,
    has_float: bool,
    labels: Vec<LabelRow>,
    matrix: Vec<MatrixRow>,
    popups: Vec<Popup>,
    worst: Vec<Picture>,
    mistakes: usize,
    curves: Vec<ChartFigure>,
    curves_note: String,
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
    test_names: Vec<String>,
    unlisted: usize,
    skipped: Vec<String>,
    skipped_count: usize,
}

fn kib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}

impl From<Share> for ShareCell {
    fn from(share: Share) -> Self {
        ShareCell {
            percent: share.percent(),
            counts: format!("{} of {}", share.part, share.whole),
            range: share.range(),
            bar: chart::bar(share),
        }
    }
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
            prepared,
            outcome,
            judgement,
            ..
        } = *self;
        let model = Model::read(&outcome.model)?;
        let footprint = Footprint::of_model(&model);
        let photos = &prepared.dataset.photos;
        let name = |photo: usize| photos[photo].relative.clone();
        let isolated = isolated(judgement);
        let pictures = pictures::gather(self, &isolated);
        let style_hash = STANDARD.encode(Sha256::digest(STYLE));
        let mut test_names: Vec<String> = outcome.tested.iter().map(|&p| name(p)).collect();
        test_names.sort();
        let unlisted = test_names.len().saturating_sub(LISTED);
        test_names.truncate(LISTED);
        let skipped = prepared.skipped.iter().take(LISTED);
        let accuracy = judgement.accuracy();
        Ok(Page {
            style: STYLE,
            style_hash,
            title: format!("{}: {}", self.model, accuracy.percent()),
            model_name: self.model.to_owned(),
            backbone: prepared.backbone.name.clone(),
            sha256: hex(&prepared.backbone.sha256),
            version: env!("CARGO_PKG_VERSION"),
            photos: photos.len(),
            tested: outcome.tested.len(),
            figures: self.figures(&footprint),
            advice: advice(&isolated, &|photo| isolate(&name(photo))),
            has_float: judgement.float_accuracy().is_some(),
            labels: self.labels(),
            matrix: self.matrix(),
            popups: pictures.popups,
            worst: pictures.worst,
            mistakes: accuracy.whole - accuracy.part,
            curves: self.curve_figures(),
            curves_note: self.curves_note(),
            reliability: ChartFigure {
                svg: chart::reliability("Share right by score", &judgement.bins),
                caption: "On the dashed line nine in ten answers of score 90% are right. Above it \
                          scores are too low, below it too high. Bars are 95% intervals; a dot’s \
                          area grows with its photos."
                    .to_owned(),
            },
            reliability_note: self.reliability_note(),
            bins: self.bins(),
            float_note: self.float_note(),
            networks: self.networks(),
            flash_kib: kib(footprint.flash_bytes),
            ram_kib: kib(footprint.ram_bytes),
            products: format!("{:.1}", footprint.products as f64 / 1e6),
            boards: boards(&model, &footprint),
            split_note: self.split_note(),
            test_names,
            unlisted,
            skipped: skipped
                .map(|file| format!("{}: {}", file.path.display(), file.reason))
                .collect(),
            skipped_count: prepared.skipped.len(),
        })
    }

    fn figures(&self, footprint: &Footprint) -> Vec<Figure> {
        let accuracy = self.judgement.accuracy();
        let mut figures = vec![Figure {
            name: "test accuracy",
            value: accuracy.percent(),
            note: format!(
                "{} of {}; {}",
                accuracy.part,
                accuracy.whole,
                accuracy.range()
            ),
        }];
        if let Some(float) = self.judgement.float_accuracy() {
            figures.push(Figure {
                name: "the same in float",
                value: float.percent(),
                note: format!("{} of {}", float.part, float.whole),
            });
        }
        if let Some(error) = self.judgement.calibration_error() {
            figures.push(Figure {
                name: "calibration error",
                value: percent(error),
                note: "between score and share right".to_owned(),
            });
        }
        if self.judgement.unknown() > 0 {
            figures.push(Figure {
                name: "called unknown",
                value: Share::new(self.judgement.unknown(), accuracy.whole).percent(),
                note: format!("{} of {}", self.judgement.unknown(), accuracy.whole),
            });
        }
        figures.extend([
            Figure {
                name: "flash",
                value: kib(footprint.flash_bytes) + " KiB",
                note: "the model’s file".to_owned(),
            },
            Figure {
                name: "RAM",
                value: kib(footprint.ram_bytes) + " KiB",
                note: "for the network".to_owned(),
            },
        ]);
        figures
    }

    fn labels(&self) -> Vec<LabelRow> {
        let rows = self.judgement.labels.iter();
        rows.map(|label| LabelRow {
            label: label.label.clone(),
            recall: label.recall.into(),
            precision: label.precision.into(),
            float: label.float_recall.map_or(String::new(), Share::percent),
            split: label.split.map(|count| count.to_string()).join(" / "),
        })
        .collect()
    }

    fn matrix(&self) -> Vec<MatrixRow> {
        let confusion = &self.judgement.confusion;
        let labels = &self.judgement.labels;
        let sentences = isolated(self.judgement).labels;
        let shown = confused_part(confusion, MATRIX);
        let row = |truth: usize| {
            let of_row = labels[truth].recall.whole.max(1);
            shown
                .iter()
                .map(|&answer| {
                    let count = confusion.count(truth, answer);
                    // From 1, of the fewest, to 5, of the whole row.
                    let heat = (5 * count).div_ceil(of_row).clamp(1, 5);
                    let kind = if truth == answer { "right" } else { "wrong" };
                    MatrixCell {
                        count,
                        class: format!("{kind}-{heat}"),
                        id: pictures::id(truth, answer),
                        title: pictures::title(&sentences, truth, answer),
                    }
                })
                .collect()
        };
        let rows = shown.iter();
        rows.map(|&truth| MatrixRow {
            label: labels[truth].label.clone(),
            cells: row(truth),
        })
        .collect()
    }

    fn curve_figures(&self) -> Vec<ChartFigure> {
        let points = &self.curves.points;
        let line = |of: &dyn Fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
            let points = points.iter();
            let points = points.filter_map(|point| Some((point.step as f64, of(point)?)));
            points.collect()
        };
        let two = |title,
                   percent,
                   training: &dyn Fn(&Point) -> Option<f64>,
                   validation: &dyn Fn(&Point) -> Option<f64>| {
            let axes = Axes {
                title,
                x_name: "step",
                percent,
                log: false,
                mark: None,
            };
            let series = [
                Series {
                    name: "training",
                    class: "first",
                    points: line(training),
                },
                Series {
                    name: "validation",
                    class: "second",
                    points: line(validation),
                },
            ];
            chart::lines(&axes, &series)
        };
        let accuracy = two(
            "Accuracy",
            true,
            &|point| Some(point.training.accuracy),
            &|point| Some(point.validation?.accuracy),
        );
        let loss = two(
            "Cross entropy",
            false,
            &|point| Some(point.training.cross_entropy),
            &|point| Some(point.validation?.cross_entropy),
        );
        let tried = self.curves.candidates.iter();
        let strengths = Series {
            name: "validation",
            class: "second",
            points: tried.map(|tried| (tried.c, tried.cross_entropy)).collect(),
        };
        let axes = Axes {
            title: "Cross entropy by penalty",
            x_name: "C (to the right, a weaker penalty)",
            percent: false,
            log: true,
            mark: self.outcome.c,
        };
        let figure = |caption: &str| {
            let caption = caption.to_owned();
            move |svg| ChartFigure { svg, caption }
        };
        let charts = [
            accuracy.map(figure("Share of photos that are right.")),
            loss.map(figure("Mean cross entropy in nats; lower is better.")),
            chart::lines(&axes, &[strengths]).map(figure(
                "The strength that was chosen is marked by the dashed line.",
            )),
        ];
        charts.into_iter().flatten().collect()
    }

    fn curves_note(&self) -> String {
        let counts = self.outcome.counts;
        let walk = match (self.curves.points.len(), self.curves.candidates.is_empty()) {
            (0, _) => return "The trainer left no curves.".to_owned(),
            (_, false) => {
                " The solver walks from the strongest penalty to the weakest, each solution being \
                 the start of the next, and then from the best one to its end."
            }
            (_, true) => "",
        };
        format!(
            "Trained on {} photos; choices were made by {} validation photos.{walk} Where \
             training goes on to improve and validation does not, more photos help more than more \
             training.",
            counts[0], counts[1]
        )
    }

    fn bins(&self) -> Vec<BinRow> {
        let bins = self.judgement.bins.iter();
        bins.filter(|bin| bin.right.whole > 0)
            .map(|bin| BinRow {
                name: format!(
                    "{:.0}\u{2013}{:.0}%",
                    100.0 * bin.from,
                    100.0 * bin.from + 10.0
                ),
                photos: bin.right.whole,
                mean: percent(bin.mean_score),
                right: bin.right.percent(),
                range: bin.right.range(),
            })
            .collect()
    }

    fn reliability_note(&self) -> String {
        let error = self.judgement.calibration_error();
        error.map_or("There are no test photos to tell by.".to_owned(), |error| {
            format!(
                "Score and share right differ by {} on average (the expected calibration error, in \
                 bins of a tenth).",
                percent(error)
            )
        })
    }

    fn float_note(&self) -> String {
        let Some(_) = self.judgement.float_accuracy() else {
            return "The float network was not run.".to_owned();
        };
        let (lost, won) = self.judgement.lost_and_won();
        format!(
            "The same network in floating point with a last layer of its own, on the same photos. \
             Photos that only float gets right: {lost}; that only int8 gets right: {won}."
        )
    }

    fn networks(&self) -> Vec<Figure> {
        let figure = |name, share: Share| Figure {
            name,
            value: format!("{} of {} ({})", share.part, share.whole, share.percent()),
            note: share.range(),
        };
        let float = self.judgement.float_accuracy();
        let int8 = figure("int8, as on a board", self.judgement.accuracy());
        let float = float.map(|share| figure("float", share));
        [int8].into_iter().chain(float).collect()
    }

    fn split_note(&self) -> String {
        let [training, validation, testing] = self.outcome.counts;
        let rule = match &self.outcome.split.rule {
            Rule::Stable { seed } => {
                format!("by each photo’s path within the data set (rule stable, seed {seed})")
            }
            Rule::Codelab { image_dir } => {
                format!("as retrain.py does, by the path {image_dir} as typed (rule codelab)")
            }
            Rule::Folders => "as the folders train, valid and test have it".to_owned(),
        };
        format!(
            "Divided {rule}: {training} photos to train on, {validation} to choose by, {testing} \
             tested on. Which photo is where is in the file .split.json beside the model."
        )
    }
}

/// `text` such that its direction of writing stays its own within a sentence (Unicode Standard
/// Annex 9: first strong isolate, pop directional isolate).
fn isolate(text: &str) -> String {
    format!("\u{2068}{text}\u{2069}")
}

/// The judgement, for sentences: its labels isolated.
fn isolated(judgement: &Judgement) -> Judgement {
    let mut judgement = judgement.clone();
    for label in &mut judgement.labels {
        label.label = isolate(&label.label);
    }
    judgement
}

fn boards(model: &Model<'_>, footprint: &Footprint) -> Vec<BoardRow> {
    let boards = BOARDS.iter();
    boards
        .map(|board| BoardRow {
            title: board.title,
            core: board.core,
            fits: fits(footprint, board),
            flash: kib(board.slot_bytes().into()),
            ram: kib(board.arena_bytes.into()),
            time: format!("about {}", seconds(speed::seconds(model.layers(), board))),
        })
        .collect()
}

/// A time in words.
fn seconds(seconds: f64) -> String {
    match seconds {
        ..0.9995 => format!("{:.0} ms", 1e3 * seconds),
        _ => format!("{seconds:.1} s"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
