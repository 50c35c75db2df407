//! Advice on the next run, drawn from the results on the test photos.

use crate::eval::evaluation::LabelFigures;
use crate::eval::stats::{Proportion, percent};
use crate::eval::{Evaluation, Prediction};

use super::Reader;

/// A label with fewer photos than this has few, whatever the others have; the codelab's script warns
/// below 20, with which a tenth to test on is two.
const FEW_PHOTOS: usize = 50;
/// A label with fewer test photos than this has been tested little: half of its interval is 20
/// points or more.
const FEW_TESTED: usize = 15;
/// Photos taken for each other, from which a pair of labels is named.
const PAIR_PHOTOS: usize = 3;
/// Share of all mistakes from which it is named.
const PAIR_SHARE: f64 = 0.2;
/// Score from which a mistake is a confident one.
const CONFIDENT: f64 = 0.9;
/// Photos that only float gets right, beyond those that only int8 does, from which the difference
/// is named; and the greatest chance at which it may come about by luck.
const LOST_CHANCE: f64 = 0.1;
/// Calibration error from which scores are said to be off, on at least so many photos.
const MISCALIBRATED: (f64, usize) = (0.07, 100);
/// Maximum number of pieces of advice.
const MOST: usize = 6;

/// Advice on the next run for a `reader`, the most pressing first; never empty. `name` gives the name of a photo.
pub fn advice(
    evaluation: &Evaluation,
    fine_tuned: bool,
    reader: Reader,
    name: &dyn Fn(usize) -> String,
) -> Vec<String> {
    let mut lines = few_photos(&evaluation.labels);
    lines.extend(weak_labels(evaluation));
    lines.extend(pairs(evaluation));
    lines.extend(lost_in_int8(evaluation, fine_tuned, reader));
    lines.extend(confident_mistakes(evaluation, name));
    lines.extend(scores(evaluation));
    lines.extend(little_tested(&evaluation.labels, reader));
    lines.truncate(MOST);
    if lines.is_empty() {
        lines.push(nothing_stands_out(evaluation, reader));
    }
    lines
}

/// The middle one of the numbers of photos.
fn median(labels: &[LabelFigures]) -> usize {
    let mut photos: Vec<usize> = labels.iter().map(LabelFigures::photos).collect();
    photos.sort_unstable();
    photos.get(photos.len() / 2).copied().unwrap_or(0)
}

fn photos(count: usize) -> String {
    format!("{count} photo{}", if count == 1 { "" } else { "s" })
}

fn few_photos(labels: &[LabelFigures]) -> Vec<String> {
    let middle = median(labels);
    let few = labels
        .iter()
        .filter(|label| label.photos() < FEW_PHOTOS.max(middle / 2));
    let mut few: Vec<&LabelFigures> = few.collect();
    few.sort_by_key(|label| label.photos());
    // Where every label has few, that is one thing to say.
    if few.len() == labels.len() && few.len() > 2 {
        let (least, most) = (few[0].photos(), few[few.len() - 1].photos());
        return vec![format!(
            "every label has few photos ({least} to {most}); add more, {FEW_PHOTOS} or more of each"
        )];
    }
    let line = |label: &&LabelFigures| {
        let (name, count) = (&label.label, photos(label.photos()));
        match label.photos() < middle / 2 {
            true => format!("{name}: {count}, where labels usually have {middle} here; add more"),
            false => format!("{name}: {count}; add more, {FEW_PHOTOS} or above"),
        }
    };
    few.iter().take(3).map(line).collect()
}

/// Labels of which even the upper end of recall's interval is below the accuracy over all.
fn weak_labels(evaluation: &Evaluation) -> Vec<String> {
    let Some(accuracy) = evaluation.accuracy().value() else {
        return Vec::new();
    };
    let labels = evaluation.labels.iter().enumerate();
    let mut weak: Vec<(usize, &LabelFigures)> = labels
        .filter(|(_, label)| {
            let range = label.recall.interval();
            range.is_some_and(|(_, high)| high < accuracy)
        })
        .collect();
    let share = |label: &LabelFigures| label.recall.value().unwrap_or(1.0);
    weak.sort_by(|a, b| share(a.1).total_cmp(&share(b.1)));
    let line = |(index, label): &(usize, &LabelFigures)| {
        let missed = evaluation.confused.iter().find(|pair| pair.truth == *index);
        let taken = missed.map_or(String::new(), |pair| {
            let other = &evaluation.labels[pair.answer].label;
            format!(", most often those taken for {other}")
        });
        format!(
            "{}: only {} of its test photos are found ({}), against {} over all labels; add photos \
             like those that are missed{taken}",
            label.label,
            label.recall.percent(),
            label.recall.range(),
            percent(accuracy),
        )
    };
    weak.iter().take(2).map(line).collect()
}

/// Pairs of labels that are taken for each other.
fn pairs(evaluation: &Evaluation) -> Vec<String> {
    let accuracy = evaluation.accuracy();
    let mistakes = accuracy.whole - accuracy.part;
    let pairs = evaluation.confused_pairs();
    let telling = |&&(_, _, count): &&(usize, usize, usize)| {
        count >= PAIR_PHOTOS && count as f64 >= PAIR_SHARE * mistakes as f64
    };
    let line = |&(a, b, count): &(usize, usize, usize)| {
        let [a, b] = [a, b].map(|index| &evaluation.labels[index]);
        format!(
            "{} and {}: {count} of {} test photos are taken for each other, of {mistakes} mistakes \
             in all; add photos of both that show what tells them apart",
            a.label,
            b.label,
            a.recall.whole + b.recall.whole
        )
    };
    pairs.iter().filter(telling).take(2).map(line).collect()
}

/// A loss to int8 beyond luck, by McNemar's test in its exact form.
fn lost_in_int8(evaluation: &Evaluation, fine_tuned: bool, reader: Reader) -> Option<String> {
    let paired = evaluation.paired_test?;
    let (lost, won) = (paired.only_float, paired.only_int8);
    if lost <= won || paired.by_chance() > LOST_CHANCE {
        return None;
    }
    let remedy = match (reader, fine_tuned) {
        (Reader::Page, _) => {
            "to teach the network's last layer too, in the numbers of a board, run posy retrain \
             --fine-tune 4 on the photos"
        }
        (Reader::Command, false) => {
            "teach the network's last blocks too, in the numbers of a board (--fine-tune 4)"
        }
        (Reader::Command, true) => {
            "for a laptop or a phone write it in floating point (--output-graph NAME.onnx)"
        }
    };
    Some(format!(
        "int8 loses {} that float gets right and wins {won} ({} against {}): {remedy}",
        photos(lost),
        evaluation.accuracy().percent(),
        paired.float().percent()
    ))
}

fn confident_mistakes(evaluation: &Evaluation, name: &dyn Fn(usize) -> String) -> Option<String> {
    let mistakes = evaluation.mistakes();
    let sure: Vec<&&Prediction> = mistakes
        .iter()
        .filter(|answer| answer.score() >= CONFIDENT)
        .collect();
    let first = sure.first()?;
    let answer = &evaluation.labels[first.answer()].label;
    let of = match sure.len() {
        1 => "one mistake has".to_owned(),
        count => format!("{count} mistakes have"),
    };
    Some(format!(
        "{of} a score of {:.0}% or more; see whether those photos lie under the right label, first \
         {} (taken for {answer})",
        100.0 * CONFIDENT,
        name(first.photo)
    ))
}

fn scores(evaluation: &Evaluation) -> Option<String> {
    let error = evaluation.calibration_error()?;
    let count = evaluation.predictions.len();
    if error < MISCALIBRATED.0 || count < MISCALIBRATED.1 {
        return None;
    }
    let sum: f64 = evaluation.predictions.iter().map(Prediction::score).sum();
    let mean = sum / count as f64;
    let accuracy = evaluation.accuracy().value()?;
    let (word, often) = match mean > accuracy {
        true => ("higher", "less"),
        false => ("lower", "more"),
    };
    Some(format!(
        "scores are {word} than they should be: their mean is {}, and {} of the answers are right; an \
         answer is right {often} often than its score says",
        percent(mean),
        percent(accuracy)
    ))
}

fn little_tested(labels: &[LabelFigures], reader: Reader) -> Option<String> {
    let little = labels
        .iter()
        .filter(|label| label.recall.whole < FEW_TESTED);
    let least = little.clone().min_by_key(|label| label.recall.whole)?;
    let others = match little.count() - 1 {
        0 => String::new(),
        1 => format!(" (and another label on fewer than {FEW_TESTED})"),
        count => format!(" (and {count} more labels on fewer than {FEW_TESTED})"),
    };
    let known = match least.recall.interval() {
        Some(_) => format!(
            "its recall is known only to lie at {}",
            least.recall.range()
        ),
        None => "nothing is known of its recall".to_owned(),
    };
    Some(format!(
        "{}: tested on {}, so {known}{others}; add photos{}",
        least.label,
        photos(least.recall.whole),
        match reader {
            Reader::Command => " or give a greater --testing-percentage",
            Reader::Page => "",
        }
    ))
}

fn nothing_stands_out(evaluation: &Evaluation, reader: Reader) -> String {
    let Proportion { part, whole } = evaluation.accuracy();
    match (whole, reader) {
        (0, Reader::Command) => {
            "there are no test photos, so nothing is known: give --testing-percentage".to_owned()
        }
        (0, Reader::Page) => "there are no test photos, so nothing is known: add photos".to_owned(),
        _ => format!(
            "no label stands out: {part} of {whole} test photos are right ({}); more photos of \
             every label or a larger network (posy fit) are what is left",
            evaluation.accuracy().range()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::evaluation::tests::{evaluated, evaluation};

    /// `right` photos of label `truth` found, and `wrong` taken for `answer`.
    fn answers(
        truth: usize,
        right: usize,
        answer: usize,
        wrong: usize,
    ) -> Vec<(usize, usize, f64)> {
        let found = std::iter::repeat_n((truth, truth, 0.85), right);
        found
            .chain(std::iter::repeat_n((truth, answer, 0.6), wrong))
            .collect()
    }

    fn said(labels: &[(&str, usize)], answers: &[Vec<(usize, usize, f64)>]) -> Vec<String> {
        let evaluation = evaluation(labels, &answers.concat());
        advice(&evaluation, false, Reader::Command, &|photo| {
            format!("photo {photo}")
        })
    }

    #[test]
    fn few_photos_are_named_with_their_number() {
        let lines = said(
            &[("daisy", 240), ("roses", 250), ("tulips", 38)],
            &[
                answers(0, 20, 0, 0),
                answers(1, 20, 0, 0),
                answers(2, 16, 0, 0),
            ],
        );
        assert_eq!(
            lines,
            ["tulips: 38 photos, where labels usually have 240 here; add more"]
        );
        let all_few = said(
            &[("a", 20), ("b", 21), ("c", 30)],
            &[
                answers(0, 18, 0, 0),
                answers(1, 18, 0, 0),
                answers(2, 18, 0, 0),
            ],
        );
        assert!(all_few[0].contains("(20 to 30)"), "{all_few:?}");
    }

    #[test]
    fn a_page_is_told_of_no_options() {
        // Tested on none, and on few.
        for answers in [
            Vec::new(),
            [answers(0, 5, 0, 0), answers(1, 5, 0, 0)].concat(),
        ] {
            let evaluation = evaluation(&[("cat", 60), ("dog", 60)], &answers);
            let [command, page] = [Reader::Command, Reader::Page]
                .map(|reader| advice(&evaluation, false, reader, &|_| String::new()).join(" "));
            assert!(command.contains("--testing-percentage"), "{command}");
            assert!(!page.contains("--testing-percentage"), "{page}");
        }
    }

    #[test]
    fn a_weak_label_and_a_confused_pair_are_named_only_where_there_is_evidence() {
        let labels = [("daisy", 200), ("roses", 200), ("tulips", 200)];
        let fine = [
            answers(0, 30, 1, 1),
            answers(1, 30, 2, 1),
            answers(2, 30, 0, 1),
        ];
        let lines = said(&labels, &fine);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("90 of 93"), "{lines:?}");
        let weak = [
            answers(0, 30, 1, 1),
            answers(1, 15, 2, 15),
            answers(2, 30, 0, 0),
        ];
        let lines = said(&labels, &weak);
        assert!(lines[0].starts_with("roses: only 50.0%"), "{lines:?}");
        assert!(lines[0].contains("taken for tulips"), "{lines:?}");
        assert!(
            lines[1].starts_with("roses and tulips: 15 of 60"),
            "{lines:?}"
        );
    }

    #[test]
    fn confident_mistakes_are_named() {
        let labels = [("a", 200), ("b", 200)];
        let mut all = vec![answers(0, 30, 0, 0), answers(1, 30, 1, 0)];
        all.push(vec![(0, 1, 0.97), (1, 0, 0.99)]);
        let lines = said(&labels, &all);
        assert!(
            lines[0].starts_with("2 mistakes have a score of 90%"),
            "{lines:?}"
        );
        assert!(lines[0].contains("photo 61 (taken for a)"), "{lines:?}");
    }

    #[test]
    fn int8_is_blamed_only_beyond_luck() {
        let labels = [("a", 200), ("b", 200)];
        let all = [answers(0, 30, 1, 6), answers(1, 30, 0, 0)].concat();
        let mut predictions = evaluation(&labels, &all).predictions;
        for found in &mut predictions {
            found.float_answer = Some(found.truth);
        }
        let judged = evaluated(&labels, predictions.clone());
        let lines = advice(&judged, false, Reader::Command, &|_| String::new());
        let said = lines
            .iter()
            .find(|line| line.starts_with("int8 loses 6 photos"));
        assert!(
            said.is_some_and(|line| line.contains("--fine-tune 4")),
            "{lines:?}"
        );
        for found in predictions.iter_mut().take(3) {
            found.float_answer = Some(1 - found.truth);
        }
        let judged = evaluated(&labels, predictions);
        let lines = advice(&judged, false, Reader::Command, &|_| String::new());
        assert!(
            !lines.iter().any(|line| line.starts_with("int8")),
            "{lines:?}"
        );
    }
}
