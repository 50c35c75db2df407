//! The board's half of posy: from a camera's rows to a line of ranked labels.
//!
//! `no_std`, no heap, tested on the laptop. Nothing here computes: pixels, network and ranking are
//! those of `posy-shared`, the code that the laptop runs. A board crate adds clocks, pins and a
//! memory map.
//!
//! | to change | open |
//! |---|---|
//! | a camera | `camera/`, where `mod.rs` says what one is |
//! | the path from frame to logits | `classify.rs` |
//! | when pictures are taken, and what a failure leads to | `service.rs` |
//! | what is printed | `report.rs` |
//! | what a board's `main` calls, what can be asked of it | `program.rs` |
//! | what is checked of a model in flash | `slot.rs` |
//! | what a laptop can ask for | `link/` |
//! | watchdog, LED, reason of a restart | `vitals.rs`; `watched.rs` feeds it from the network |
//!
//! # Example
//!
//! A frame in memory stands in for a camera:
//!
//! ```
//! use posy_firmware::camera::{Camera, StoredFrame};
//! use posy_shared::image::{ImageView, PixelFormat};
//!
//! let pixels = [7; 4 * 2];
//! let frame = ImageView::new(4, 2, 4, PixelFormat::Grey8, &pixels).unwrap();
//! let mut camera = StoredFrame::new(frame);
//! let mut row = [0; 4];
//! camera.capture().unwrap();
//! for _ in 0..camera.format().height {
//!     camera.read_row(&mut row).unwrap();
//!     assert_eq!(row, [7; 4]);
//! }
//! // A frame has no third row, and a failed capture is never classified.
//! assert!(camera.read_row(&mut row).is_err());
//! ```
#![no_std]

pub mod camera;
pub mod classify;
pub mod link;
pub mod program;
pub mod report;
pub mod service;
pub mod slot;
pub mod vitals;
pub mod watched;
