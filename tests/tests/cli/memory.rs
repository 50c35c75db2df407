//! Photos that could exhaust a machine's memory.

use std::process::Command;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch, posy_path};
use posy_tests::small_classifier;

/// Runs `posy label` on a photo with `kib` KiB of address space.
fn label_within(scratch: &Scratch, kib: u32, photo: &std::path::Path) -> Outcome {
    scratch.write("model.posy", small_classifier(3));
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("ulimit -v {kib} && exec \"$0\" label --model model.posy \"$1\""),
        ])
        .arg(posy_path())
        .arg(photo)
        .current_dir(scratch.path())
        .env("XDG_CACHE_HOME", scratch.join("user-cache"))
        .env("RAYON_NUM_THREADS", "1");
    Outcome::of(command)
}

/// A megabyte of PNG with a colour profile of a gigabyte.
#[test]
fn a_colour_profile_is_not_unpacked() {
    let Some(photo) = data("a_colour_profile_is_not_unpacked", "cases/png_iccp1G.png") else {
        return;
    };
    let outcome = label_within(&Scratch::new(), 600 << 10, &photo).succeeds();
    assert_eq!(outcome.stdout.lines().count(), 3, "{outcome}");
}

/// 64 megapixels of 16 bits and four channels are 512 MiB, which are converted to RGB in place.
#[test]
fn a_large_deep_photo_takes_no_more_than_its_own_pixels() {
    if std::env::var_os("POSY_TESTS_ALL").is_none() {
        eprintln!("SKIPPED: a_large_deep_photo_takes_no_more_than_its_own_pixels: without --all");
        return;
    }
    let scratch = Scratch::new();
    let photo = scratch.write("large.png", deep_png(8192, 8192));
    label_within(&scratch, 1000 << 10, &photo).succeeds();
}

/// A PNG with 16 bits a channel and transparency, a vertical grey gradient.
fn deep_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut row = vec![0u8; width as usize * 8];
    let mut pixels = Vec::with_capacity(row.len() * height as usize);
    for y in 0..height {
        row.fill((y >> 6) as u8);
        pixels.extend_from_slice(&row);
    }
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(
        encoder,
        &pixels,
        width,
        height,
        image::ExtendedColorType::Rgba16,
    )
    .expect("a PNG in memory");
    bytes
}
