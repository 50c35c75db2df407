//! The programs that posy carries: of these sources, bit for bit, and without traces of who built them.

use posy::device::image::{IMAGES, Image};
use posy_tests::boards::Toolchain;
use posy_tests::images::{COMMAND, boards, build, sources, tools};

#[test]
fn images_are_of_these_sources() {
    let stale = boards().into_iter().filter(|board| {
        let line = format!("\nsources: {}\n", sources(board));
        !Image::of(board).is_some_and(|image| image.record.contains(&line))
    });
    let stale: Vec<_> = stale.map(|board| board.name).collect();
    assert!(
        stale.is_empty(),
        "carried programs are older than their sources, run {COMMAND}: {stale:?}"
    );
}

/// By another compiler, or with other dependencies, the bytes would differ: then the emulated Pico, which
/// runs a carried image in a test of its own, has to do.
#[test]
fn images_are_what_is_built_here() {
    let test = "images_are_what_is_built_here";
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(reason) => {
            eprintln!("SKIPPED: {test}: {reason}");
            return;
        }
    };
    for board in boards() {
        let image = Image::of(board).expect("an image of every board");
        let tools = tools(&toolchain, board);
        if !image.record.starts_with(&tools) {
            eprintln!(
                "SKIPPED: {test}: {}: built by {}, here is\n{tools}",
                board.name,
                image.compiler()
            );
            continue;
        }
        let (carried, built) = (image.bytes().unwrap(), build(&toolchain, board));
        assert!(
            carried == built,
            "{}: the carried program is not what is built here ({} and {} bytes); run {COMMAND}",
            board.name,
            carried.len(),
            built.len()
        );
    }
}

#[test]
fn images_name_no_folder_of_their_maker() {
    let home = std::env::home_dir().unwrap_or_default();
    let home = home.to_string_lossy();
    for image in IMAGES {
        let bytes = image.bytes().unwrap();
        for text in ["/home/", "/root/", "/Users/", ".cargo", "\\Users", &home] {
            let found = !text.is_empty() && contains(&bytes, text);
            assert!(!found, "{}: {text}", image.board);
        }
        // Paths are there, and are those that the boards' rustc.sh writes.
        assert!(contains(&bytes, "/cargo/registry/"));
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    let mut windows = bytes.windows(text.len());
    windows.any(|window| window == text.as_bytes())
}
