//! Rejection of pictures as unknown: by a logit of "none of these", and by familiarity.

use posy_shared::engine::{Engine, EngineError, run_head};
use posy_shared::familiarity::MAX_FEATURES;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{
    Acceptance, AcceptanceSpec, Model, ModelSpec, Op, ReadError, WriteError, write,
};
use posy_shared::ranking::Ranking;

use crate::limits::{first, layer};
use crate::networks::spec;
use crate::raw::Raw;

/// A classifier with three features and two labels; the ranking does not depend on the features'
/// values.
fn classifier(unknown_logit: bool, accepted_from: Option<i32>) -> ModelSpec<'static> {
    let outputs = 2 + u16::from(unknown_logit) + u16::from(accepted_from.is_some());
    let head = layer(Op::Dense, (1, 1, 3), (1, 1, outputs));
    let mut spec = spec(vec![first((1, 1, 3)), head]);
    spec.labels.truncate(2);
    spec.verdict.unknown_logit = unknown_logit;
    spec.acceptance = accepted_from.map(|accepted_from| AcceptanceSpec {
        facts: Acceptance {
            table: 0,
            prototypes: 0,
            multiplier: (255 << 16) / 100,
            logit_weight: 2,
            familiarity_weight: 3,
            accepted_from,
        },
        centre: vec![0, 1, -1],
        scale: vec![256; 3],
        prototypes: vec![100, 0, 0, 0, 100, 0],
    });
    spec
}

#[test]
fn none_of_these_has_a_score_and_no_name() {
    let file = write(&classifier(true, None)).unwrap();
    let model = Model::read(&file).unwrap();
    assert_eq!((model.label_len(), model.logit_len()), (2, 3));
    for (outputs, unknown) in [
        ([20, 10, 5], false),
        ([20, 10, 20], false),
        ([20, 10, 21], true),
        ([-128, -128, 127], true),
    ] {
        let ranking = Ranking::<3>::new(&model, &outputs);
        assert_eq!(ranking.is_unknown(), unknown, "{outputs:?}");
        let places: Vec<usize> = ranking.iter().map(|ranked| ranked.index).collect();
        assert_eq!(places, [0, 1]);
        let sum: u32 = ranking.iter().map(|ranked| ranked.score.fine()).sum();
        assert!(sum < 1 << 16, "its part of the scores is not given away");
    }
}

#[test]
fn a_weighted_sum_is_accepted_or_not() {
    let file = write(&classifier(false, Some(100))).unwrap();
    let model = Model::read(&file).unwrap();
    assert_eq!((model.label_len(), model.logit_len()), (2, 2));
    // Twice the greatest logit and three times the familiarity.
    for (outputs, unknown) in [
        ([50, -5, 0], false),
        ([-5, 50, 0], false),
        ([49, 0, 0], true),
        ([49, 0, 1], false),
        ([127, 0, -52], true),
        ([127, 0, -51], false),
        ([-128, -128, 127], false),
    ] {
        let ranking = Ranking::<2>::new(&model, &outputs);
        assert_eq!(ranking.is_unknown(), unknown, "{outputs:?}");
        // The familiarity has no part in the scores.
        let sum: u32 = ranking.iter().map(|ranked| ranked.score.fine()).sum();
        assert!(sum.abs_diff(1 << 16) < 4);
    }
    assert!(Ranking::<2>::new(&model, &[127, 0]).is_unknown());
}

#[test]
fn the_engine_gives_the_familiarity_of_the_features() {
    for unknown_logit in [false, true] {
        let file = write(&classifier(unknown_logit, Some(0))).unwrap();
        let model = Model::read(&file).unwrap();
        let tables = model.familiarity().unwrap();
        assert_eq!(tables.prototypes.len(), 6);
        let mut arena = vec![0; model.plan().arena_len];
        let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
        for pixel in [[90, 0, 0], [-7, 99, 40], [-100, -100, -100]] {
            engine.push_row(&pixel).unwrap();
            let outputs = engine.finish().unwrap().to_vec();
            // A 3 x 3 layer of ones over one pixel: each feature is the same sum, divided by 256.
            let sum: i32 = pixel.iter().map(|&x| i32::from(x)).sum();
            let feature = (f64::from(sum) / 256.0).round() as i8;
            let features = [feature; 3];
            assert_eq!(*outputs.last().unwrap(), tables.of(&features), "{pixel:?}");
            let mut alone = vec![0; outputs.len()];
            run_head(&model, &features, &mut alone).unwrap();
            assert_eq!(alone, outputs);
        }
        let mut row = [0; 3];
        assert_eq!(engine.golden_check(&mut row), Ok::<(), EngineError>(()));
    }
}

/// Changes the header of the file and reads the file.
fn read(change: impl FnOnce(&mut Raw)) -> Result<(), ReadError> {
    let mut raw = Raw::decode(&write(&classifier(true, Some(0))).unwrap());
    change(&mut raw);
    Model::read(&raw.encode()).map(|_| ())
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    fn acceptance(raw: &mut Raw) -> &mut Acceptance {
        raw.verdict.acceptance.as_mut().unwrap()
    }
    assert_eq!(read(|_| {}), Ok(()));
    let end = |raw: &Raw| raw.block.len() as u32;
    for (change, error) in [
        (
            (|raw| acceptance(raw).prototypes = 0) as fn(&mut Raw),
            ReadError::Contract,
        ),
        (|raw| acceptance(raw).prototypes = 3, ReadError::Contract),
        (
            |raw| acceptance(raw).prototypes = u16::MAX,
            ReadError::Contract,
        ),
        (|raw| acceptance(raw).table = u32::MAX, ReadError::Contract),
        (|raw| raw.verdict.acceptance = None, ReadError::Labels),
        (|raw| raw.verdict.unknown_logit = false, ReadError::Labels),
        (|raw| raw.labels.clear(), ReadError::Labels),
        (|raw| raw.labels.push_str("one more\n"), ReadError::Labels),
    ] {
        assert_eq!(read(change), Err(error));
    }
    assert_eq!(read(|raw| acceptance(raw).table = end(raw) - 15), Ok(()));
    let beyond = read(|raw| acceptance(raw).table = end(raw) - 14);
    assert_eq!(beyond, Err(ReadError::Contract));
}

#[test]
fn tables_of_another_number_of_features_are_not_written() {
    let mut short = classifier(false, Some(0));
    short.acceptance.as_mut().unwrap().scale.pop();
    assert_eq!(write(&short), Err(WriteError::Acceptance));
    let features = MAX_FEATURES as u16 + 1;
    let mut wide = classifier(false, Some(0));
    wide.layers = vec![
        first((1, 1, features)),
        layer(Op::Dense, (1, 1, features), (1, 1, 3)),
    ];
    let spec = wide.acceptance.as_mut().unwrap();
    spec.centre = vec![0; features.into()];
    spec.scale = vec![0; features.into()];
    spec.prototypes = vec![0; features.into()];
    assert_eq!(write(&wide), Err(WriteError::Read(ReadError::Contract)));
}
