//! Figures of the whole, of each label, of scores, of both networks and of boards.

use super::text::clean;
use super::{Report, chart};
use crate::dataset::Rule;
use crate::device::{BOARDS, Footprint, fits};
use crate::eval::calibration::BINS;
use crate::eval::evaluation::UnknownFigures;
use crate::eval::stats::{Proportion, percent, percent_or_dash};
use crate::units::{in_seconds, kib};

/// Maximum of labels whose shares are drawn as bars, too.
const MOST_BARS: usize = 100;

pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

pub(super) struct ShareCell {
    pub(super) percent: String,
    pub(super) counts: String,
    pub(super) range: String,
    pub(super) bar: String,
}

pub(super) struct LabelRow {
    pub(super) label: String,
    pub(super) recall: ShareCell,
    pub(super) precision: ShareCell,
    pub(super) f1: String,
    pub(super) float: String,
    pub(super) split: [usize; 3],
}

/// Macro averages, as written.
pub(super) struct MeanRow {
    pub(super) name: String,
    pub(super) recall: String,
    pub(super) precision: String,
    pub(super) f1: String,
}

pub(super) struct BinRow {
    pub(super) name: String,
    pub(super) photos: usize,
    pub(super) mean: String,
    pub(super) right: String,
    pub(super) range: String,
}

pub(super) struct BoardRow {
    pub(super) title: &'static str,
    pub(super) core: &'static str,
    pub(super) fits: bool,
    pub(super) flash: String,
    pub(super) ram: String,
    pub(super) time: String,
}

fn share_cell(share: Proportion, bars: bool) -> ShareCell {
    ShareCell {
        percent: share.percent(),
        counts: share.counts(),
        range: share.range(),
        bar: if bars {
            chart::bar(share)
        } else {
            String::new()
        },
    }
}

impl Report<'_> {
    pub(super) fn figures(&self, footprint: &Footprint) -> Vec<Figure> {
        let mut figures = Vec::new();
        if let Some(mean) = self.outcome.evaluation.macro_mean() {
            figures.push(Figure {
                name: "mean F1 of the labels",
                value: percent(mean.f1),
                note: "each label counting alike".to_owned(),
            });
        }
        if let Some(float) = self.outcome.evaluation.float_accuracy() {
            figures.push(Figure {
                name: "accuracy in floating point",
                value: float.percent(),
                note: format!("{}, before rounding to int8", float.counts()),
            });
        }
        if let Some(error) = self.outcome.evaluation.calibration_error() {
            figures.push(Figure {
                name: "scores are off by",
                value: percent(error),
                note: "on average, from the share that is right".to_owned(),
            });
        }
        let UnknownFigures { rejected, found } = self.outcome.evaluation.unknown;
        if rejected.whole > 0 {
            figures.push(Figure {
                name: "said to be unknown",
                value: rejected.percent(),
                note: format!("{} test photos of the labels", rejected.counts()),
            });
        }
        if found.whole > 0 {
            figures.push(Figure {
                name: "_unknown found out",
                value: found.percent(),
                note: format!("{} photos of other things", found.counts()),
            });
        }
        figures.push(Figure {
            name: "size",
            value: kib(footprint.flash_bytes) + " KiB",
            note: format!(
                "and {} KiB of working memory (RAM)",
                kib(footprint.ram_bytes)
            ),
        });
        figures
    }

    pub(super) fn labels(&self) -> Vec<LabelRow> {
        let bars = self.outcome.evaluation.labels.len() <= MOST_BARS;
        let rows = self.outcome.evaluation.labels.iter();
        rows.map(|label| LabelRow {
            label: clean(&label.label),
            recall: share_cell(label.recall, bars),
            precision: share_cell(label.precision, bars),
            f1: percent_or_dash(label.f1()),
            float: label
                .float_recall
                .map_or(String::new(), Proportion::percent),
            split: label.split,
        })
        .collect()
    }

    pub(super) fn means(&self) -> Vec<MeanRow> {
        let mean = self.outcome.evaluation.macro_mean();
        let row = mean.map(|mean| MeanRow {
            name: match mean.labels == self.outcome.evaluation.labels.len() {
                true => "mean of the labels".to_owned(),
                false => format!("mean of {} tested labels", mean.labels),
            },
            recall: percent(mean.recall),
            precision: percent(mean.precision),
            f1: percent(mean.f1),
        });
        row.into_iter().collect()
    }

    pub(super) fn bins(&self) -> Vec<BinRow> {
        let bins = self.outcome.evaluation.reliability[1]
            .bins
            .iter()
            .enumerate();
        let end = |bin: usize| 100.0 * bin as f64 / BINS as f64;
        bins.filter(|(_, bin)| bin.photos > 0)
            .map(|(index, bin)| BinRow {
                name: format!("{:.0}\u{2013}{:.0}%", end(index), end(index + 1)),
                photos: bin.photos,
                mean: percent(bin.mean_score()),
                right: bin.accuracy().percent(),
                range: bin.accuracy().range(),
            })
            .collect()
    }

    pub(super) fn reliability_note(&self) -> String {
        let error = self.outcome.evaluation.calibration_error();
        error.map_or("There are no test photos to tell by.".to_owned(), |error| {
            format!(
                "A score should mean what it says: of the answers with a score of 80%, 8 in 10 should be \
                 right. Here the score and the share that is right differ by {} on average (the expected \
                 calibration error, in {BINS} bins).",
                percent(error)
            )
        })
    }

    pub(super) fn float_note(&self) -> String {
        let Some(paired) = self.outcome.evaluation.paired_test else {
            return "The network was not run in floating point, so what int8 costs is not known."
                .to_owned();
        };
        format!(
            "Boards compute in whole numbers of 8 bits (int8). This is what that costs: the same network in \
             floating point, with a last layer of its own, on the same test photos. Photos that only floating \
             point gets right: {}; that only int8 gets right: {}.",
            paired.only_float, paired.only_int8
        )
    }

    pub(super) fn networks(&self) -> Vec<Figure> {
        let figure = |name, share: Proportion| Figure {
            name,
            value: format!("{} ({})", share.counts(), share.percent()),
            note: share.range(),
        };
        let float = self.outcome.evaluation.float_accuracy();
        let int8 = figure("int8, as on a board", self.outcome.evaluation.accuracy());
        let float = float.map(|share| figure("floating point", share));
        [int8].into_iter().chain(float).collect()
    }

    pub(super) fn split_note(&self) -> String {
        let [training, validation, testing] = self.outcome.counts;
        let rule = match &self.outcome.split.rule {
            Rule::Stable { seed } => {
                format!("by each photo’s path within the data set (rule stable, seed {seed})")
            }
            Rule::Codelab { image_dir } => {
                let image_dir = clean(image_dir);
                format!("as retrain.py does, by the path {image_dir} as typed (rule codelab)")
            }
            Rule::Folders => {
                "as the folders train, valid and test have it (rule folders)".to_owned()
            }
        };
        format!(
            "Divided {rule}: {training} training photos, {validation} validation photos to choose settings by, \
             and {testing} test photos, which training never sees. Which photo is where is in the file \
             .split.json beside the model."
        )
    }
}

pub(super) fn boards(footprint: &Footprint) -> Vec<BoardRow> {
    let boards = BOARDS.iter();
    boards
        .map(|board| BoardRow {
            title: board.title,
            core: board.core,
            fits: fits(footprint, board),
            flash: kib(board.slot_bytes().into()),
            ram: kib(board.arena_bytes.into()),
            time: format!("about {}", in_seconds(footprint.answer_ms(board))),
        })
        .collect()
}
