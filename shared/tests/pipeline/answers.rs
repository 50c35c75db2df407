//! Ranking of labels by their logits.

use posy_shared::model::{MAX_LABELS, Model, ModelSpec, Op, write};
use posy_shared::ranking::{Ranking, Score};
use proptest::prelude::*;

use crate::limits::{first, layer};
use crate::networks::spec;

/// A classifier whose logits are in sixteenths.
fn classifier(labels: usize, unknown_below: u32) -> Vec<u8> {
    let head = layer(Op::Dense, (1, 1, 1), (1, 1, labels as u16));
    let mut spec: ModelSpec<'_> = spec(vec![first((1, 1, 1)), head]);
    spec.verdict.unknown_below = unknown_below;
    write(&spec).unwrap()
}

fn places<const N: usize>(ranking: &Ranking<'_, N>) -> Vec<usize> {
    ranking.iter().map(|ranked| ranked.index).collect()
}

#[test]
fn one_label_is_certain() {
    let file = classifier(1, 1 << 16);
    let model = Model::read(&file).unwrap();
    for logit in [-128, 0, 127] {
        let ranking = Ranking::<5>::new(&model, &[logit]);
        let top = ranking.top().unwrap();
        assert_eq!((top.label, top.score), ("label 0", Score::ONE));
        assert_eq!(ranking.to_string(), "label 0 100.0%");
    }
}

#[test]
fn equal_logits_keep_the_order_of_the_labels() {
    let file = classifier(6, 0);
    let model = Model::read(&file).unwrap();
    let logits = [3, 7, -2, 7, 3, 7];
    assert_eq!(
        places(&Ranking::<6>::new(&model, &logits)),
        [1, 3, 5, 0, 4, 2]
    );
    assert_eq!(places(&Ranking::<2>::new(&model, &logits)), [1, 3]);
    assert_eq!(places(&Ranking::<0>::new(&model, &logits)), []);
}

#[test]
fn what_is_too_unlikely_is_unknown() {
    // Two equal labels have a half each.
    for (unknown_below, unknown) in [(0, false), (1 << 15, false), ((1 << 15) + 1, true)] {
        let file = classifier(2, unknown_below);
        let model = Model::read(&file).unwrap();
        let ranking = Ranking::<2>::new(&model, &[9, 9]);
        assert_eq!(ranking.is_unknown(), unknown, "{unknown_below}");
        assert_eq!(ranking.top().is_none(), unknown);
        let labels = "label 0 50.0%  label 1 50.0%";
        match unknown {
            true => assert_eq!(ranking.to_string(), format!("unknown  {labels}")),
            false => assert_eq!(ranking.to_string(), labels),
        }
    }
    let file = classifier(2, 1);
    let model = Model::read(&file).unwrap();
    assert!(Ranking::<2>::new(&model, &[]).is_unknown());
}

#[test]
#[cfg_attr(miri, ignore = "thousands of labels, of plain code")]
fn as_many_labels_as_there_may_be() {
    let file = classifier(MAX_LABELS, 0);
    let model = Model::read(&file).unwrap();
    let mut logits = vec![-5; MAX_LABELS];
    let ranking = Ranking::<3>::new(&model, &logits);
    assert_eq!(places(&ranking), [0, 1, 2]);
    assert!(ranking.iter().all(|ranked| ranked.score.fine() == 16));
    logits[MAX_LABELS - 1] = 127;
    let ranking = Ranking::<3>::new(&model, &logits);
    assert_eq!(places(&ranking), [MAX_LABELS - 1, 0, 1]);
    // exp(132 / 16) against the 4,094 others.
    let top = ranking.top().unwrap().score.to_f32();
    let expected = 8.25_f32.exp() / (8.25_f32.exp() + 4094.0);
    assert!((top - expected).abs() < 1e-3, "{top} for {expected}");
}

#[test]
fn a_ranking_is_a_stable_sort() {
    let file = classifier(9, 0);
    let model = Model::read(&file).unwrap();
    proptest!(|(logits in prop::collection::vec(-4_i8..4, 9))| {
        let mut sorted: Vec<usize> = (0..9).collect();
        sorted.sort_by_key(|&index| core::cmp::Reverse(logits[index]));
        let ranking = Ranking::<4>::new(&model, &logits);
        prop_assert_eq!(places(&ranking), &sorted[..4]);
        prop_assert!(ranking.iter().is_sorted_by(|a, b| a.score >= b.score));
    });
}
