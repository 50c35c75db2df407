//! Sampling of slow test matrices: a seeded draw by default, everything under `tests/run.sh --all`.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// True if every matrix runs whole: `POSY_TESTS_ALL` is set, as by `tests/run.sh --all`.
pub fn all() -> bool {
    std::env::var_os("POSY_TESTS_ALL").is_some()
}

/// Seed of the draw: `POSY_TESTS_SEED`, which `tests/run.sh` derives from the commit, else 0.
fn seed() -> u64 {
    let given = std::env::var("POSY_TESTS_SEED").ok();
    given.map_or(0, |given| given.parse().expect("POSY_TESTS_SEED: a number"))
}

/// Random generator of one test: determined by the seed and the test's name.
fn generator(test: &str) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    for (at, byte) in test.bytes().enumerate() {
        bytes[8 + at % 24] ^= byte.rotate_left((at / 24) as u32);
    }
    ChaCha8Rng::from_seed(bytes)
}

/// Draws `count` of `items` for `test`, in their order; all of them if matrices run whole.
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

/// `few`, or `many` if matrices run whole.
pub fn extent(few: usize, many: usize) -> usize {
    if all() { many } else { few }
}

/// True if the slow test `test` is to run. Otherwise prints that it is skipped.
pub fn in_full_runs(test: &str) -> bool {
    if !all() {
        eprintln!("SKIPPED: {test}: tests/run.sh --all runs it");
    }
    all()
}
