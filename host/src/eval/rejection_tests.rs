use posy_nn::graph::head::Head;

use super::*;
use crate::train::Features;

/// 30 photos of each of three labels and of none, in eight features: a label is a direction, with
/// some of the other labels' mixed in.
fn photos() -> (Vec<Vec<i8>>, Vec<usize>) {
    let labels: Vec<usize> = (0..120).map(|index| index / 30).collect();
    let rows = labels.iter().enumerate().map(|(index, &label)| {
        let mut row: Vec<i8> = (0..8)
            .map(|feature| ((index * 31 + feature * 17) % 23) as i8)
            .collect();
        row[2 * label] += 40 + (index % 7) as i8;
        row
    });
    (rows.collect(), labels)
}

const INPUT: Quantisation = Quantisation {
    scale: 0.05,
    zero_point: 0,
};

fn as_photos(rows: &[Vec<i8>], labels: &[usize], known: usize, all: usize) -> Photos {
    let flat: Vec<i8> = rows.concat();
    Photos {
        rows: rows.to_vec(),
        features: Features::from_int8(8, &flat, labels.to_vec(), INPUT).unwrap(),
        known,
        labels: all,
    }
}

/// A head whose logit of a label measures how far the label's own feature stands out.
fn fit(labels: usize) -> impl Fn(&[usize]) -> Result<FoldModel, ()> + Sync {
    move |_| {
        let mut weights = vec![0.0; 8 * labels];
        for label in 0..labels {
            weights[8 * label + 2 * label] = 4.0;
        }
        Ok(FoldModel {
            head: Head {
                weights,
                bias: vec![0.0; labels],
            },
        })
    }
}

#[test]
fn no_more_than_the_share_of_held_out_photos_is_rejected() {
    let (rows, labels) = photos();
    let photos = as_photos(&rows[..90], &labels[..90], 3, 3);
    for rejection in [Rejection::Score, Rejection::Distance] {
        for rejected in [0.0, 0.04, 0.1] {
            let options = Options {
                rejection,
                rejected,
                calibrate: true,
            };
            let decision = calibrate(&photos, options, &fit(3)).unwrap();
            let (known, found) = (decision.known.whole, decision.known.part);
            assert_eq!((known, decision.photos), (90, 90));
            assert!(found as f64 <= 90.0 * rejected, "{found} of {rejected}");
            match (rejection, &decision.threshold) {
                (Rejection::Score, Threshold::Score(_)) => {}
                (Rejection::Distance, Threshold::Distance { .. }) => {}
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn few_photos_choose_nothing() {
    let (rows, labels) = photos();
    let photos = as_photos(&rows[20..40], &labels[20..40], 2, 2);
    let decision = calibrate(&photos, Options::default(), &fit(2)).unwrap();
    assert_eq!(decision.threshold, Threshold::TooFew);
    assert_eq!(decision.temperature, 1.0);
    let score_params = decision.score_params(INPUT);
    assert_eq!(score_params, ScoreParams::default());
}

#[test]
fn photos_of_none_of_the_labels_count_as_others() {
    let (rows, labels) = photos();
    let photos = as_photos(&rows, &labels, 3, 4);
    let decision = calibrate(&photos, Options::default(), &fit(4)).unwrap();
    assert!(decision.unknown_logit);
    assert_eq!((decision.photos, decision.known.whole), (120, 90));
    assert!(decision.score_params(INPUT).unknown_logit);
}

/// The threshold in real numbers agrees with the board's in integers, apart from the rounding of
/// logits.
#[test]
fn the_board_accepts_what_was_chosen() {
    let (rows, labels) = photos();
    let photos = as_photos(&rows[..90], &labels[..90], 3, 3);
    let decision = calibrate(&photos, Options::default(), &fit(3)).unwrap();
    let logits = Quantisation {
        scale: 0.07,
        zero_point: -100,
    };
    let facts = decision.score_params(logits).acceptance.unwrap().facts;
    let Threshold::Distance {
        logit,
        familiarity,
        accepted_from,
        ..
    } = decision.threshold
    else {
        panic!("{:?}", decision.threshold);
    };
    let (mut accepted, mut rejected) = (0, 0);
    for q in -128..=127_i8 {
        for f in -128..=127_i8 {
            let real = 0.07 * (f64::from(q) + 100.0) / logit + f64::from(f) / familiarity;
            // Weights are rounded to a four-thousandth.
            if (real - accepted_from).abs() < 0.01 {
                continue;
            }
            assert_eq!(facts.accepts(q, f), real > accepted_from, "{q} {f}");
            match real > accepted_from {
                true => accepted += 1,
                false => rejected += 1,
            }
        }
    }
    assert!(accepted > 1000 && rejected > 1000, "{accepted} {rejected}");
}
