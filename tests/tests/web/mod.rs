//! The engine in browsers: its integers, the page that runs it, and the pixels that it is given.

mod decoders;
mod engine;
mod page;

use std::path::{Path, PathBuf};

use posy_tests::draw::{all, draw};

/// `count` photos of all labels, drawn for `test`.
fn photos(test: &str, flowers: &Path, count: usize) -> Vec<PathBuf> {
    let mut paths: Vec<_> = (flowers.read_dir().expect("labels"))
        .map(|label| label.expect("a label").path())
        .filter(|label| label.is_dir())
        .flat_map(|label| label.read_dir().expect("photos"))
        .map(|photo| photo.expect("a photo").path())
        .collect();
    paths.sort();
    let paths: Vec<_> = match all() {
        true => paths.into_iter().step_by(23).take(count).collect(),
        false => draw(test, paths, count),
    };
    assert_eq!(paths.len(), count);
    paths
}
