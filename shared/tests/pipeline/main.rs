//! Random networks run by rows, in exactly the planned bytes, and compared with the same networks
//! computed map by map from the definition of each layer.

mod acceptance;
mod answers;
mod definition;
mod fuzz;
mod hostile;
mod limits;
mod link;
mod networks;
mod raw;
mod slot;

use definition::reference;
use networks::{Seeded, random_network, spec};
use posy_shared::engine::{Engine, EngineError, Prepared};
use posy_shared::kernels::Kernels;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::{Layer, Model, write};
use posy_shared::plan::{Plan, apart, search, streaming};

/// Runs a network as a board does, in the smallest arena.
fn run(model: &Model<'_>, input: &[i8]) -> Vec<i8> {
    let mut arena = vec![0x55; model.plan().arena_len];
    answer(Engine::new(model, &mut arena, Scalar).unwrap(), input)
}

/// Runs a network as a laptop does, map by map.
fn run_apart(model: &Model<'_>, input: &[i8]) -> Vec<i8> {
    // Otherwise it would run by rows after all.
    apart(model.layers()).unwrap();
    let prepared = Prepared::new(model.clone(), Scalar);
    let mut arena = vec![0x55; prepared.arena_len()];
    answer(prepared.engine(&mut arena).unwrap(), input)
}

fn answer(mut engine: Engine<'_, '_, impl Kernels>, input: &[i8]) -> Vec<i8> {
    let row_len = engine.model().input_shape().row_len();
    // Twice, so that state left by one picture shows in the next.
    let mut answers = (0..2).map(|_| {
        for row in input.chunks_exact(row_len) {
            engine.push_row(row).unwrap();
        }
        engine.finish().unwrap().to_vec()
    });
    let (first, second) = (answers.next().unwrap(), answers.next().unwrap());
    assert_eq!(first, second);
    first
}

/// Number of networks in a test; Miri is about a thousand times slower.
const NETWORKS: u32 = if cfg!(miri) { 2 } else { 400 };

#[test]
fn random_networks_give_what_their_definition_gives() {
    let mut segments = 0;
    for seed in 1..NETWORKS {
        let layers = random_network(seed * 2_654_435);
        let mut seeded = Seeded(seed);
        let input: Vec<i8> = (0..layers[0].layer.input.len())
            .map(|_| seeded.number())
            .collect();
        let expected = reference(&layers, &input);
        let file = write(&spec(layers)).unwrap();
        let model = Model::read(&file).unwrap();
        segments += model.plan().cuts.len();
        for answer in [run(&model, &input), run_apart(&model, &input)] {
            assert_eq!(answer, expected, "seed {seed}: {:?}", model.layers());
        }
    }
    assert!(
        cfg!(miri) || segments > 2 * NETWORKS as usize,
        "too few plans have several segments: {segments}"
    );
}

/// Tests in `fuzz.rs` check that a network gives the same answer whatever its cuts are.
#[test]
fn no_single_cut_takes_less_memory_than_the_search_finds() {
    for seed in 1..NETWORKS.min(60) {
        let layers = random_network(seed * 7_919);
        let bare: Vec<Layer> = layers.iter().map(|spec| spec.layer).collect();
        let best = search(&bare).unwrap();
        let whole = streaming(&bare).unwrap();
        assert!(best.arena_len <= whole.arena_len);
        for cut in 1..bare.len() as u8 {
            if let Ok(plan) = Plan::new(&bare, &[cut, bare.len() as u8]) {
                assert!(best.arena_len <= plan.arena_len, "seed {seed}, cut {cut}");
            }
        }
    }
}

#[test]
fn one_byte_less_is_refused_and_misuse_has_names() {
    let file = write(&spec(random_network(77))).unwrap();
    let model = Model::read(&file).unwrap();
    let needed = model.plan().arena_len;
    let mut arena = vec![0; needed];
    let refused = Engine::new(&model, &mut arena[1..], Scalar).unwrap_err();
    assert_eq!(
        refused,
        EngineError::Arena {
            needed,
            given: needed - 1
        }
    );
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let row = vec![0; model.input_shape().row_len()];
    assert!(matches!(
        engine.push_row(&row[1..]),
        Err(EngineError::RowLength { .. })
    ));
    assert!(matches!(
        engine.finish(),
        Err(EngineError::MissingRows { found: 0, .. })
    ));
    for _ in 0..model.input_shape().height {
        engine.push_row(&row).unwrap();
    }
    assert_eq!(engine.push_row(&row), Err(EngineError::TooManyRows));
    assert_eq!(engine.last_output(), None);
    let output = engine.finish().unwrap().to_vec();
    assert_eq!(engine.last_output(), Some(&output[..]));
    assert!(engine.push_row(&row[1..]).is_err());
    assert_eq!(engine.last_output(), Some(&output[..]));
    engine.push_row(&row).unwrap();
    assert_eq!(engine.last_output(), None);
    let mut row = row;
    assert_eq!(engine.golden_check(&mut row), Ok(()));
    assert!(engine.last_output().is_some());
    engine.begin().unwrap();
    assert_eq!(engine.last_output(), None);
}
