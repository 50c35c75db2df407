//! Writes transcripts of pages and the pictures in `docs/pictures` anew, from real output:
//!
//! ```text
//! cargo build --release -p posy-tests
//! cargo run --release -p posy-tests --bin xtask -- pictures [--no-report]
//! ```
//!
//! Needs the photos of `POSY_DATA`, and for the picture of the report Chromium. A page whose transcripts
//! agree stays as it is. `...` in an output that differs is lost: shorten it again by hand.

use posy_tests::browser::Browser;
use posy_tests::documents::{Page, pages, root, terminal, transcripts};
use posy_tests::scratch::{Outcome, Scratch};

use crate::{Arguments, Failure};

/// Size of the picture of the report, pixels.
const REPORT: (u32, u32) = (1000, 640);

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    for page in pages() {
        if page.blocks().iter().any(|block| block.transcript) {
            let (text, differences) = transcripts::run(&page);
            eprint!("{}", differences.concat());
            std::fs::write(root().join(&page.name), text)?;
        }
    }
    let pictures = root().join("docs/pictures");
    std::fs::write(
        pictures.join("terminal.svg"),
        terminal::picture(&Page::open("README.md")),
    )?;
    if arguments.any(|argument| argument == "--no-report") {
        return Ok(());
    }
    let scratch = Scratch::new();
    // Drawings: photos have photographers to be named.
    Outcome::of(scratch.command(["demo"])).succeeds();
    let mut browser = Browser::start("pictures").ok_or("no Chromium")?;
    browser.look_like(REPORT.0, REPORT.1, false, "light");
    browser.open(&scratch.join("posy-demo/flowers.report.html"));
    std::fs::write(pictures.join("report.png"), browser.screenshot(false))?;
    Ok(())
}
