//! The part of a slow matrix that a test runs: a seeded draw by default, everything under
//! `tests/run.sh --all`.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Whether every matrix runs whole: `POSY_TESTS_ALL` is set, as `tests/run.sh --all` does.
pub fn all() -> bool {
    std::env::var_os("POSY_TESTS_ALL").is_some()
}

/// The draw's seed: `POSY_TESTS_SEED`, which `tests/run.sh` takes from the commit, else 0.
fn seed() -> u64 {
    let given = std::env::var("POSY_TESTS_SEED").ok();
    given.map_or(0, |given| given.parse().expect("POSY_TESTS_SEED: a number"))
}

/// A generator for `test` alone: equal for equal seeds, and another for each test.
fn generator(test: &str) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    for (at, byte) in test.bytes().enumerate() {
        bytes[8 + at % 24] ^= byte.rotate_left((at / 24) as u32);
    }
    ChaCha8Rng::from_seed(bytes)
}

/// `count` of `items` in their order, drawn for `test`; all of them where matrices run whole.
pub fn draw<T>(test: &str, items: impl IntoIterator<Item = T>, count: usize) -> Vec<T> {
    let items: Vec<T> = items.into_iter().collect();
    if all() || count >= items.len() {
        return items;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.shuffle(&mut generator(test));
    let mut drawn = vec![false; items.len()];
    order[..count].iter().for_each(|&at| drawn[at] = true);
    let of = items.len();
    let chosen = items.into_iter().zip(drawn).enumerate();
    let chosen = chosen.filter(|(_, (_, drawn))| *drawn);
    let (places, chosen): (Vec<usize>, Vec<T>) = chosen.map(|(at, (item, _))| (at, item)).unzip();
    eprintln!("{test}: {places:?} of {of} cases by seed {}", seed());
    chosen
}

/// `few`, or `many` where matrices run whole.
pub fn extent(few: usize, many: usize) -> usize {
    if all() { many } else { few }
}

/// Whether `test`, which takes too long for every run, is run. Where it is not, says so loudly.
pub fn in_full_runs(test: &str) -> bool {
    if !all() {
        eprintln!("SKIPPED: {test}: tests/run.sh --all runs it");
    }
    all()
}
