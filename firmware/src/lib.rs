//! The board's half of posy: from a camera's rows to a line of ranked labels.
//!
//! `no_std`, no heap, tested on the laptop. Nothing here computes: pixels, network and ranking are
//! those of `posy-shared`, the code that the laptop runs. A board crate adds clocks, pins and a
//! memory map.
//!
//! | to change | open |
//! |---|---|
//! | a camera | `camera/`, where `mod.rs` says what one is |
//! | the road from frame to logits | `classify.rs` |
//! | when pictures are taken, and what a failure leads to | `service.rs` |
//! | what is printed | `report.rs` |
//! | what a board's `main` calls, what can be asked of it | `program.rs` |
//! | what is checked of a model in flash | `slot.rs` |
//! | what a laptop can ask for | `link/` |
#![no_std]

pub mod camera;
pub mod classify;
pub mod link;
pub mod program;
pub mod report;
pub mod service;
pub mod slot;
