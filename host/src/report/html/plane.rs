//! The map: photos laid out in a plane by what the network sees in them.

use std::fmt::Write;

use super::Report;
use super::chart::escape;
use super::matrix::Focus;
use super::text::{clean, counted};
use crate::report::judge::{Answer, Judgement};
use crate::report::plane::plane;

/// Maximum of photos on the map, and of mistakes that are always among them.
const MOST: usize = 1500;
const MOST_MISTAKES: usize = 200;
/// Labels with a colour and a shape of their own; more labels than this are told apart as far as they
/// are the most confused.
const KINDS: usize = 8;
/// Side of the drawing, and what is left free at its edges.
const SIDE: f64 = 480.0;
const EDGE: f64 = 14.0;

/// Shapes as paths around a place, which they follow; drawn with lines, of which some are filled.
const SHAPES: [&str; KINDS] = [
    "m-3.5 0a3.5 3.5 0 1 0 7 0 3.5 3.5 0 1 0-7 0",
    "m-3 -3h6v6h-6z",
    "m-4 3.2h8l-4 -7.2z",
    "m-3.5 0h7m-3.5 -3.5v7",
    "m-4.4 0l4.4 -4.4 4.4 4.4 -4.4 4.4z",
    "m-3 -3l6 6m0 -6l-6 6",
    "m-4 -3.2h8l-4 7.2z",
    "m-3.5 0h7",
];

pub(super) struct Kind {
    pub(super) svg: String,
    pub(super) label: String,
    pub(super) photos: String,
}

pub(super) struct Map {
    pub(super) svg: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) note: String,
    pub(super) nearest: String,
}

/// Photos of the map, in their order: mistakes, and of the others every so many.
fn chosen(count: usize, mistakes: &[&Answer]) -> Vec<usize> {
    let step = count.div_ceil(MOST).max(1);
    let mut photos: Vec<usize> = (0..count).step_by(step).collect();
    photos.extend(
        mistakes
            .iter()
            .take(MOST_MISTAKES)
            .map(|answer| answer.photo),
    );
    photos.sort_unstable();
    photos.dedup();
    photos
}

/// The map, with labels in sentences as `sentences` has them; none where photos do not differ.
pub(super) fn map(report: &Report<'_>, sentences: &Judgement) -> Option<Map> {
    let photos = &report.prepared.dataset.photos;
    let mistakes = report.judgement.mistakes();
    let chosen = chosen(photos.len(), &mistakes);
    let features = report.outcome.seen(report.prepared).features;
    let plane = plane(features, &chosen)?;
    let focus = Focus::within(report.judgement, KINDS, KINDS);

    // One scale for both directions, the middle of the photos in the middle.
    let ends = |axis: usize| {
        let places = plane.places.iter().map(|place| place[axis]);
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        places.fold(ends, |(low, high), x| (low.min(x), high.max(x)))
    };
    let ends = [ends(0), ends(1)];
    let span = ends
        .iter()
        .map(|(low, high)| high - low)
        .fold(0.0, f64::max);
    let scale = (SIDE - 2.0 * EDGE) / span.max(f64::MIN_POSITIVE);
    let height = scale * (ends[1].1 - ends[1].0) + 2.0 * EDGE;
    let at = |place: &[f64; 2]| {
        let middle = (ends[0].0 + ends[0].1) / 2.0;
        (
            SIDE / 2.0 + scale * (place[0] - middle),
            EDGE + scale * (ends[1].1 - place[1]),
        )
    };

    // A path for each kind, the last for all other labels.
    let mut kind_of = vec![KINDS; sentences.labels.len()];
    for (kind, &label) in focus.labels.iter().enumerate().take(KINDS) {
        kind_of[label] = kind;
    }
    let mut paths = vec![String::new(); KINDS + 1];
    let mut counts = [0usize; KINDS + 1];
    for (&photo, place) in chosen.iter().zip(&plane.places) {
        let kind = kind_of[photos[photo].label];
        let (x, y) = at(place);
        let shape = SHAPES.get(kind).unwrap_or(&"h0");
        let _ = write!(paths[kind], "M{x:.1} {y:.1}{shape}");
        counts[kind] += 1;
    }
    let nearest = nearest(&chosen, &plane.places, &kind_of, report, sentences, &focus);
    let title = format!(
        "Map of {}: those that look alike to the network lie near each other. {nearest}",
        counted(chosen.len(), "photo")
    );
    let mut svg = format!(
        "<svg class=\"map\" viewBox=\"0 0 {SIDE} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(&title)
    );
    for (kind, path) in paths
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, path)| !path.is_empty())
    {
        let _ = write!(svg, "<path class=\"kind kind-{kind}\" d=\"{path}\"/>");
    }
    for answer in mistakes.iter().take(MOST_MISTAKES) {
        let Ok(index) = chosen.binary_search(&answer.photo) else {
            continue;
        };
        let (x, y) = at(&plane.places[index]);
        let [own, given] = [answer.truth, answer.answer].map(|l| &sentences.labels[l].label);
        let name = clean(&photos[answer.photo].relative);
        let _ = write!(
            svg,
            "<circle class=\"ring\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\"><title>{}</title></circle>",
            escape(&format!("{own} taken for {given}: {name}"))
        );
    }
    svg.push_str("</svg>");

    let kind = |(kind, label): (usize, String)| Kind {
        svg: format!(
            "<svg class=\"key\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><path class=\"kind kind-{kind}\" \
             d=\"M6 6{}\"/></svg>",
            SHAPES.get(kind).unwrap_or(&"h0")
        ),
        label,
        photos: counted(counts[kind], "photo"),
    };
    let mut kinds: Vec<(usize, String)> = focus
        .labels
        .iter()
        .enumerate()
        .map(|(kind, &label)| (kind, clean(&report.judgement.labels[label].label)))
        .collect();
    if counts[KINDS] > 0 {
        kinds.push((KINDS, "all other labels".to_owned()));
    }
    Some(Map {
        svg,
        kinds: kinds.into_iter().map(kind).collect(),
        note: note(
            chosen.len(),
            photos.len(),
            mistakes.len(),
            plane.shown,
            &focus,
        ),
        nearest,
    })
}

fn note(shown: usize, all: usize, mistakes: usize, part: f64, focus: &Focus) -> String {
    let which = match shown < all {
        true => format!("{shown} of the {all} photos"),
        false => format!("All {all} photos"),
    };
    let mut note = format!(
        "{which}, training photos included: those that look alike to the network lie near each other. Labels \
         whose clouds overlap are hard to tell apart, as far as these two directions show: they are the first \
         two principal components of the features and hold {:.0}% of their variance.",
        100.0 * part
    );
    if mistakes > 0 {
        let _ = write!(
            note,
            " Rings mark {}.",
            match mistakes > MOST_MISTAKES {
                true => format!("the {MOST_MISTAKES} surest mistakes"),
                false => "the test photos that were taken for another label".to_owned(),
            }
        );
    }
    if !focus.whole {
        note.push_str(
            " Of so many labels, the most confused have a colour and a shape of their own.",
        );
    }
    note
}

/// The two labels whose clouds lie nearest to each other, by the distance of their middles in units
/// of their spread, in a sentence; empty where there are not two.
fn nearest(
    chosen: &[usize],
    places: &[[f64; 2]],
    kind_of: &[usize],
    report: &Report<'_>,
    sentences: &Judgement,
    focus: &Focus,
) -> String {
    let mut sums = [[0.0f64; 4]; KINDS];
    for (&photo, place) in chosen.iter().zip(places) {
        let label = report.prepared.dataset.photos[photo].label;
        if let Some([count, x, y, squares]) = sums.get_mut(kind_of[label]) {
            *count += 1.0;
            *x += place[0];
            *y += place[1];
            *squares += place[0].powi(2) + place[1].powi(2);
        }
    }
    let clouds: Vec<(usize, [f64; 3])> = focus
        .labels
        .iter()
        .zip(sums)
        .filter(|(_, [count, ..])| *count > 0.0)
        .map(|(&label, [count, x, y, squares])| {
            let (x, y) = (x / count, y / count);
            let spread = (squares / count - x * x - y * y).max(0.0).sqrt();
            (label, [x, y, spread])
        })
        .collect();
    let mut pairs = Vec::new();
    for (index, (a, [ax, ay, a_spread])) in clouds.iter().enumerate() {
        for (b, [bx, by, b_spread]) in &clouds[..index] {
            let distance = (ax - bx).hypot(ay - by);
            pairs.push((
                distance / (a_spread + b_spread).max(f64::MIN_POSITIVE),
                *b,
                *a,
            ));
        }
    }
    let Some((_, a, b)) = pairs.iter().min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return String::new();
    };
    let [a, b] = [a, b].map(|label| &sentences.labels[*label].label);
    format!("Nearest to each other lie {a} and {b}.")
}
