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
