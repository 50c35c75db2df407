//! `posy studio`: a page on this machine where a network is taught, trained, tried, and pushed to a board.
//!
//! | to change | open |
//! |---|---|
//! | photos, models and records on the disk | `folder.rs` |
//! | who may ask for what | `door.rs` |
//! | addresses | `routes.rs` |
//! | listening, ports | `server.rs` |
//! | features on arrival, training | `teacher.rs` |
//! | answers for pictures | `looker.rs` |
//! | the board | `board.rs` |
//! | what an emulated board's camera sees | `scene.rs` |
//! | what the page shows | `state.rs`, and `host/templates/studio.*` |
//!
//! The server is asynchronous; everything that takes long lies on threads of its own that own what
//! they need: one trains, one classifies, one speaks with the board. They meet in [`state::Shared`].

mod board;
pub mod door;
pub mod folder;
mod looker;
mod routes;
pub mod scene;
pub mod server;
pub mod state;
mod teacher;

pub use board::BoardChoice;
pub use server::{Settings, Studio, StudioError};

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageResult};

use posy_nn::rgb::Rgb;

/// A picture as PNG: a board's frame loses nothing on its way to the disk.
///
/// # Errors
/// The encoder's.
pub fn png(picture: &Rgb) -> ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let (width, height) = (picture.width.into(), picture.height.into());
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Sub).write_image(
        &picture.data,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes.into_inner())
}
