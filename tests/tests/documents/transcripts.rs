//! Transcripts of pages against real output, and the pictures made of them.

use posy_tests::data;
use posy_tests::documents::transcripts::agree;
use posy_tests::documents::{Page, pages, root, terminal, transcripts};
use posy_tests::draw::draw;

/// Photos that two thirds of the codelab's data set lack; figures of transcripts are of the others.
const PHOTOS: usize = 1229;

/// Runs what pages show. `cargo run --release -p posy-tests --bin xtask -- pictures` writes the pages
/// and pictures anew.
#[test]
fn transcripts_are_real_output() {
    const TEST: &str = "transcripts_are_real_output";
    let Some(photos) = data(TEST, "flower_photos") else {
        return;
    };
    let labels = photos.read_dir().expect("photos").flatten();
    let labels = labels.filter_map(|label| label.path().read_dir().ok());
    if labels.map(|label| label.count()).sum::<usize>() != PHOTOS {
        eprintln!("SKIPPED: {TEST}: other photos than those of the transcripts");
        return;
    }
    let mut pages = pages();
    pages.retain(|page| page.blocks().iter().any(|block| block.transcript));
    assert!(pages.len() >= 3, "{} pages with transcripts", pages.len());
    let mut differences = Vec::new();
    for page in draw(TEST, pages, 2) {
        differences.extend(transcripts::run(&page).1);
    }
    assert!(differences.is_empty(), "{}", differences.concat());
}

#[test]
fn the_picture_of_the_terminal_shows_the_transcripts() {
    let picture = std::fs::read_to_string(root().join("docs/pictures/terminal.svg"));
    let made = terminal::picture(&Page::open("README.md"));
    assert!(
        picture.is_ok_and(|picture| picture == made),
        "docs/pictures/terminal.svg is out of date: cargo run --release -p posy-tests --bin xtask -- pictures"
    );
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn times_and_elided_lines_do_not_count_and_figures_do() {
    let real = lines("features of 3 photos, 0.4 s\nroses 77.8%\nnext: posy label");
    let agrees = |shown: &[&str]| agree(shown, &real);
    assert!(agrees(&[
        "features of 3 photos, 9.1 s",
        "roses 77.8%",
        "next: posy label"
    ]));
    assert!(agrees(&["...", "roses ...", "next: posy label"]));
    assert!(agrees(&["features of 3 photos, 9.1 s", "..."]));
    assert!(!agrees(&["features of 4 photos, 0.4 s", "..."]));
    assert!(!agrees(&["...", "roses 77.9%", "next: posy label"]));
    assert!(!agrees(&["...", "roses 77.8%"]));
    assert!(!agrees(&[]));
}
