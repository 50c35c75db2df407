//! The photos behind the cells of the confusion matrix, as many as keep the page small.
//!
//! A picture lies in the page once, as a rule of a style sheet, whose class is given to each place
//! that shows it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::Report;
use super::matrix::Focus;
use super::text::{clean, counted};
use crate::eval::stats::percent;
use crate::report::judge::{Answer, Judgement, LabelFigures};
use crate::report::thumbnails::thumbnails;

/// Maximum of pictures on the page, of some 5 KiB each.
const MOST: usize = 300;
/// Maximum of pictures behind a cell of mistakes, and behind one of right answers.
const MOST_WRONG: usize = 60;
const MOST_RIGHT: usize = 24;
/// Maximum of names behind a cell of photos without a picture.
const MOST_NAMES: usize = 50;
/// Pictures of the contact sheet.
const WORST: usize = 24;

/// A photo with its answer.
pub(super) struct Picture {
    /// The class that shows it; empty where it cannot be read any more.
    pub(super) class: String,
    pub(super) alt: String,
    pub(super) verdict: String,
    pub(super) score: String,
    pub(super) name: String,
}

/// The popover of a cell.
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
    /// The style sheet that has them.
    pub(super) rules: String,
    /// Photos that were to get a picture, and whether they have.
    picked: BTreeMap<usize, bool>,
}

impl Pictures {
    /// The class that shows a photo; empty where there is no picture of it.
    pub(super) fn class(&self, photo: usize) -> String {
        match self.picked.get(&photo) {
            Some(true) => format!("p{photo}"),
            _ => String::new(),
        }
    }

    fn picture(
        &self,
        report: &Report<'_>,
        labels: &[LabelFigures],
        answer: &Answer,
    ) -> Option<Picture> {
        self.picked.get(&answer.photo)?;
        let [own, given] = [answer.truth, answer.answer].map(|index| &labels[index].label);
        let unknown = if answer.unknown { ", said unknown" } else { "" };
        let score = percent(answer.score);
        let photo = &report.prepared.dataset.photos[answer.photo];
        let (alt, verdict, score) = match answer.is_right() {
            true => (
                format!("a photo of {own}, named rightly"),
                format!("{own}{unknown}"),
                format!("score {score}"),
            ),
            false => (
                format!("a photo of {own}, taken for {given}"),
                format!("{own}, taken for {given}{unknown}"),
                format!("score {score}; {own} has {}", percent(answer.truth_score)),
            ),
        };
        Some(Picture {
            class: self.class(answer.photo),
            alt,
            verdict,
            score,
            name: clean(in_its_folder(&photo.relative)),
        })
    }
}

/// The name of a cell's popup in the page; the number behind the last label's stands for `unknown`.
pub(super) fn id(truth: usize, answer: usize) -> String {
    format!("photos-{truth}-{answer}")
}

/// Title of a cell's popover.
pub(super) fn title(labels: &[LabelFigures], truth: usize, answer: usize) -> String {
    let own = &labels[truth].label;
    match labels.get(answer) {
        None => format!("{own} said to be unknown"),
        Some(_) if truth == answer => format!("{own} rightly named"),
        Some(given) => format!("{own} taken for {}", given.label),
    }
}

/// The path of a photo within its label's folder.
fn in_its_folder(relative: &str) -> &str {
    relative.split_once('/').map_or(relative, |(_, rest)| rest)
}

/// Picks the photos that get a picture, and makes them: the worst mistakes, then those behind the
/// matrix's cells, then other mistakes, then right answers, of which those that were least sure.
/// `judgement` is the report's, its labels as sentences want them.
pub(super) fn gather(report: &Report<'_>, judgement: &Judgement, focus: &Focus) -> Pictures {
    let labels = &judgement.labels;
    let mut is_shown = vec![false; labels.len()];
    focus
        .labels
        .iter()
        .for_each(|&label| is_shown[label] = true);
    let mut cells: BTreeMap<(usize, usize), Vec<&Answer>> = BTreeMap::new();
    for answer in judgement
        .answers
        .iter()
        .filter(|answer| is_shown[answer.truth])
    {
        if is_shown[answer.answer] {
            let cell = cells.entry((answer.truth, answer.answer)).or_default();
            cell.push(answer);
        }
        if answer.unknown {
            let cell = cells.entry((answer.truth, labels.len())).or_default();
            cell.push(answer);
        }
    }
    for ((truth, said), cell) in &mut cells {
        cell.sort_by(|a, b| match truth == said {
            true => a.score.total_cmp(&b.score),
            false => b.score.total_cmp(&a.score),
        });
    }
    let mistakes = judgement.mistakes();
    let worst = &mistakes[..mistakes.len().min(WORST)];

    let mut picked: BTreeMap<usize, bool> = BTreeMap::new();
    let mut pick = |answer: &Answer| {
        if picked.len() < MOST {
            picked.insert(answer.photo, false);
        }
    };
    let in_turns = |right: bool, most: usize, pick: &mut dyn FnMut(&Answer)| {
        let cells = cells.iter().filter(|((a, b), _)| (a == b) == right);
        let cells: Vec<&Vec<&Answer>> = cells.map(|(_, cell)| cell).collect();
        for turn in 0..most {
            let next = cells.iter().filter_map(|cell| cell.get(turn));
            next.for_each(|answer| pick(answer));
        }
    };
    worst.iter().for_each(|answer| pick(answer));
    in_turns(false, MOST_WRONG, &mut pick);
    mistakes.iter().for_each(|answer| pick(answer));
    in_turns(true, MOST_RIGHT, &mut pick);
    let photos = &report.prepared.dataset.photos;
    let paths: Vec<PathBuf> = picked.keys().map(|&p| photos[p].path.clone()).collect();
    let made = thumbnails(&paths, report.cache, report.progress);
    let mut rules = String::new();
    for ((photo, has), address) in picked.iter_mut().zip(made) {
        if let Some(address) = address {
            *has = true;
            // Errors of writing to memory cannot be.
            let _ = write!(rules, ".p{photo}{{background-image:url({address})}}");
        }
    }
    let mut pictures = Pictures {
        popups: Vec::new(),
        worst: Vec::new(),
        rules,
        picked,
    };
    let popup = |(&(truth, answer), cell): (&(usize, usize), &Vec<&Answer>)| {
        let shown = cell.iter();
        let shown = shown.filter_map(|answer| pictures.picture(report, labels, answer));
        let without = cell
            .iter()
            .filter(|answer| !pictures.picked.contains_key(&answer.photo));
        let names = without.clone().take(MOST_NAMES);
        let names = names.map(|answer| clean(in_its_folder(&photos[answer.photo].relative)));
        Popup {
            id: id(truth, answer),
            title: title(labels, truth, answer),
            count: counted(cell.len(), "photo"),
            pictures: shown.collect(),
            names: names.collect(),
            unnamed: without.count().saturating_sub(MOST_NAMES),
        }
    };
    let popups = cells.iter().map(popup).collect();
    let worst = worst.iter();
    let worst = worst.filter_map(|answer| pictures.picture(report, labels, answer));
    let worst = worst.collect();
    pictures.popups = popups;
    pictures.worst = worst;
    pictures
}
