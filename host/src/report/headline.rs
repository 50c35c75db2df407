//! Accuracy in words.

use crate::eval::Evaluation;
use crate::eval::stats::{Proportion, percent};

use super::Reader;

/// Grade of a model by its test accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// There are no test photos.
    Untested,
    /// The accuracy cannot be told from that of always naming the commonest label.
    Guessing,
    /// Fewer than seven in ten are right.
    Poor,
    /// Seven in ten or more.
    Fair,
    /// Seventeen in twenty or more.
    Good,
    /// Nineteen in twenty or more.
    VeryGood,
}

impl Grade {
    /// Grades the share `accuracy`, where guessing gets `guessing`.
    fn of(accuracy: Proportion, guessing: f64) -> Self {
        let (Some(share), Some((low, _))) = (accuracy.value(), accuracy.interval()) else {
            return Grade::Untested;
        };
        match share {
            // One label alone is no guess.
            _ if low <= guessing && guessing < 1.0 => Grade::Guessing,
            0.95.. => Grade::VeryGood,
            0.85.. => Grade::Good,
            0.7.. => Grade::Fair,
            _ => Grade::Poor,
        }
    }

    /// The grade in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Grade::Untested => "Not tested",
            Grade::Guessing => "Not shown to be better than guessing",
            Grade::Poor => "Poor",
            Grade::Fair => "Fair",
            Grade::Good => "Good",
            Grade::VeryGood => "Very good",
        }
    }
}

/// Accuracy in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The grade.
    pub grade: Grade,
    /// The figures behind the grade, in whole sentences.
    pub sentences: Vec<String>,
}

/// Width of the 95% interval above which test photos are said to be few.
const WIDE: f64 = 0.1;

/// A simple fraction near `share`: how many of how many.
fn fraction(share: f64) -> (usize, usize) {
    let off = |(part, whole): (usize, usize)| (part as f64 / whole as f64 - share).abs();
    let near = |whole: usize| ((share * whole as f64).round() as usize, whole);
    // Not all and not none, which few photos cannot show.
    let simple = |&(part, whole): &(usize, usize)| part > 0 && part < whole;
    let fractions = [2, 3, 4, 5, 6, 7, 8, 9, 10, 20].map(near).into_iter();
    let fractions = fractions.filter(simple).filter(|&each| off(each) <= 0.012);
    let hundredths = ((share * 100.0).round() as usize).clamp(1, 99);
    let nearest = fractions.min_by(|&a, &b| off(a).total_cmp(&off(b)));
    nearest.unwrap_or((hundredths, 100))
}

/// Describes the accuracy of `evaluation` in words for a `reader`.
pub fn headline(evaluation: &Evaluation, reader: Reader) -> Headline {
    let accuracy = evaluation.accuracy();
    let guessing = evaluation.by_guessing().unwrap_or(0.0);
    let grade = Grade::of(accuracy, guessing);
    let (Some(share), Some((low, high))) = (accuracy.value(), accuracy.interval()) else {
        let means = match reader {
            Reader::Command => "give --testing-percentage, or more photos",
            Reader::Page => "add photos",
        };
        return Headline {
            grade,
            sentences: vec![format!(
                "There were no test photos, so nothing is known of its accuracy: {means}."
            )],
        };
    };
    let (part, whole) = fraction(share);
    let about = match (accuracy.part, accuracy.whole) {
        (right, all) if right == all => "Every test photo was named rightly.".to_owned(),
        (0, _) => "No test photo was named rightly.".to_owned(),
        _ => format!("About {part} in {whole} photos are named rightly."),
    };
    let range = accuracy.range();
    let few = match high - low > WIDE {
        true => format!("{} test photos are few to tell by: of", accuracy.whole),
        false => "Of".to_owned(),
    };
    let mut sentences = vec![
        about,
        format!("{few} other photos like them, expect {range} to be right (95% interval)."),
    ];
    if evaluation.labels.len() > 1 {
        sentences.push(format!(
            "Always naming the commonest label would get {}.",
            percent(guessing)
        ));
    }
    Headline { grade, sentences }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::evaluation::tests::evaluation;

    #[test]
    fn grades_go_by_accuracy_and_by_what_guessing_gets() {
        let grade = |part, whole, guessing| Grade::of(Proportion::new(part, whole), guessing);
        assert_eq!(grade(0, 0, 0.0), Grade::Untested);
        assert_eq!(grade(120, 137, 0.23), Grade::Good);
        assert_eq!(grade(96, 100, 0.5), Grade::VeryGood);
        assert_eq!(grade(70, 100, 0.2), Grade::Fair);
        assert_eq!(grade(69, 100, 0.2), Grade::Poor);
        // Ninety of a hundred are of one label.
        assert_eq!(grade(91, 100, 0.9), Grade::Guessing);
        assert_eq!(grade(3, 4, 0.5), Grade::Guessing);
    }

    #[test]
    fn fractions_are_simple_and_near() {
        for (share, expected) in [
            (0.876, (7, 8)),
            (0.5, (1, 2)),
            (0.898, (9, 10)),
            (0.95, (19, 20)),
            (0.997, (99, 100)),
            (0.011, (1, 100)),
        ] {
            assert_eq!(fraction(share), expected, "{share}");
        }
    }

    #[test]
    fn few_photos_are_said_to_be_few() {
        let labels = [("a", 100), ("b", 100)];
        let answers = [(0, 0, 0.9), (0, 0, 0.9), (1, 1, 0.9), (1, 0, 0.6)];
        let said = headline(&evaluation(&labels, &answers), Reader::Command);
        assert_eq!(said.grade, Grade::Guessing);
        assert_eq!(
            said.sentences,
            [
                "About 3 in 4 photos are named rightly.",
                "4 test photos are few to tell by: of other photos like them, expect 30\u{2013}95% to \
                 be right (95% interval).",
                "Always naming the commonest label would get 50.0%.",
            ]
        );
        let said = headline(&evaluation(&labels, &[]), Reader::Command);
        assert_eq!(said.grade, Grade::Untested);
        assert!(said.sentences[0].contains("--testing-percentage"));
        // A page has no options.
        let said = headline(&evaluation(&labels, &[]), Reader::Page);
        assert!(said.sentences[0].ends_with("accuracy: add photos."));
    }
}
