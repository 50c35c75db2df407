//! The photos behind the cells of the confusion matrix, as many as keep the page small.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{MATRIX, Report};
use crate::report::judge::{Answer, Judgement, LabelFigures, confused_part};
use crate::report::share::percent;
use crate::report::thumbnails::thumbnails;

/// Most pictures of the page, of some 5 KiB each.
const MOST: usize = 400;
/// Most pictures behind a cell of mistakes, and behind one of right answers.
const MOST_WRONG: usize = 60;
const MOST_RIGHT: usize = 24;
/// Most names behind a cell of photos without a picture.
const MOST_NAMES: usize = 200;
/// Pictures of the contact sheet.
const WORST: usize = 24;

/// A photo with its answer.
#[derive(Clone)]
pub(super) struct Picture {
    /// A `data:` address; empty where there is no picture.
    pub(super) source: String,
    pub(super) alt: String,
    pub(super) verdict: String,
    pub(super) name: String,
}

/// What opens from a cell.
pub(super) struct Popup {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) count: String,
    pub(super) pictures: Vec<Picture>,
    pub(super) names: Vec<String>,
    pub(super) unnamed: usize,
}

pub(super) struct Pictures {
    pub(super) popups: Vec<Popup>,
    pub(super) worst: Vec<Picture>,
}

/// The name of a cell's popup in the page.
pub(super) fn id(truth: usize, answer: usize) -> String {
    format!("photos-{truth}-{answer}")
}

/// What a cell holds.
pub(super) fn title(labels: &[LabelFigures], truth: usize, answer: usize) -> String {
    let [own, given] = [truth, answer].map(|index| &labels[index].label);
    match truth == answer {
        true => format!("{own} rightly named"),
        false => format!("{own} taken for {given}"),
    }
}

/// The path of a photo within its label's folder.
fn in_its_folder(relative: &str) -> &str {
    relative.split_once('/').map_or(relative, |(_, rest)| rest)
}

/// Picks the photos that get a picture, and makes them. Mistakes come first; of right answers
/// those that were least sure. `judgement` is the report's, its labels as sentences want them.
pub(super) fn gather(report: &Report<'_>, judgement: &Judgement) -> Pictures {
    let mut cells: BTreeMap<(usize, usize), Vec<&Answer>> = BTreeMap::new();
    let shown: BTreeSet<usize> = confused_part(&judgement.confusion, MATRIX)
        .into_iter()
        .collect();
    for answer in &judgement.answers {
        // What no cell shows, nothing opens.
        if !shown.contains(&answer.truth) || !shown.contains(&answer.answer) {
            continue;
        }
        let cell = cells.entry((answer.truth, answer.answer)).or_default();
        cell.push(answer);
    }
    for ((truth, said), cell) in &mut cells {
        cell.sort_by(|a, b| match truth == said {
            true => a.score.total_cmp(&b.score),
            false => b.score.total_cmp(&a.score),
        });
    }
    let mistakes = judgement.mistakes();
    let worst = &mistakes[..mistakes.len().min(WORST)];

    // Photos in the order in which they get pictures, until there are enough: the worst, then the
    // cells of mistakes, then those of right answers, in turns.
    let mut picked: BTreeMap<usize, Option<String>> = BTreeMap::new();
    let mut pick = |answer: &Answer| {
        if picked.len() < MOST {
            picked.insert(answer.photo, None);
        }
    };
    worst.iter().for_each(|answer| pick(answer));
    for (right, most) in [(false, MOST_WRONG), (true, MOST_RIGHT)] {
        for turn in 0..most {
            let cells = cells.iter().filter(|((a, b), _)| (a == b) == right);
            cells
                .filter_map(|(_, cell)| cell.get(turn))
                .for_each(|answer| pick(answer));
        }
    }
    let photos = &report.prepared.dataset.photos;
    let paths: Vec<PathBuf> = picked.keys().map(|&p| photos[p].path.clone()).collect();
    let made = thumbnails(&paths, report.cache);
    for (slot, address) in picked.values_mut().zip(made) {
        *slot = Some(address.unwrap_or_default());
    }

    let labels = &judgement.labels;
    let picture = |answer: &Answer| {
        let source = picked.get(&answer.photo)?.clone()?;
        let [own, given] = [answer.truth, answer.answer].map(|index| &labels[index].label);
        let score = percent(answer.score);
        let unknown = if answer.unknown { ", so unknown" } else { "" };
        let verdict = match answer.is_right() {
            true => format!("{score}{unknown}"),
            false => format!(
                "{own} \u{2192} {given} {score}{unknown} ({own} {})",
                percent(answer.truth_score)
            ),
        };
        Some(Picture {
            source,
            alt: format!("a photo of {own}, taken for {given}"),
            verdict,
            name: in_its_folder(&photos[answer.photo].relative).to_owned(),
        })
    };
    let popup = |(&(truth, answer), cell): (&(usize, usize), &Vec<&Answer>)| {
        let pictures: Vec<Picture> = cell.iter().filter_map(|answer| picture(answer)).collect();
        let without = cell
            .iter()
            .filter(|answer| !picked.contains_key(&answer.photo));
        let mut names: Vec<String> = without
            .map(|answer| in_its_folder(&photos[answer.photo].relative).to_owned())
            .collect();
        let unnamed = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        Popup {
            id: id(truth, answer),
            title: title(labels, truth, answer),
            count: match cell.len() {
                1 => "1 photo".to_owned(),
                count => format!("{count} photos"),
            },
            pictures,
            names,
            unnamed,
        }
    };
    Pictures {
        popups: cells.iter().map(popup).collect(),
        worst: worst.iter().filter_map(|answer| picture(answer)).collect(),
    }
}
