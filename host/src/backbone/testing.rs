//! Where tests find networks and recorded outputs.

use std::path::PathBuf;

/// The folder or file `name` of the data that `POSY_DATA` points to (default: `shared` beside the
/// workspace). Says loudly that `test` is skipped where it is missing.
pub fn data(test: &str, name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {test}: no data at {}; set POSY_DATA",
        path.display()
    );
    None
}

/// The numbers of a recorded file of float32.
pub fn reals(path: &std::path::Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let (numbers, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty(), "{}", path.display());
    numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

/// Length of the difference of two vectors, as a share of the length of `theirs`.
pub fn relative_error(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let square = |x: f64| x * x;
    let pairs = ours.iter().zip(theirs);
    let apart: f64 = pairs
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let whole: f64 = theirs.iter().map(|b| square(f64::from(*b))).sum();
    (apart / whole).sqrt()
}
