//! The laptop's half of posy: photos, features, training, evaluation, reports, boards. Networks and
//! their files are in [`posy_nn`].
//!
//! Each stage has one type, made by one function from the type before: photo file -> pixels ->
//! `Input` -> features -> head -> model -> `.posy` bytes.

#![forbid(unsafe_code)]

pub mod cli;
pub mod dataset;
pub mod demo;
pub mod device;
pub mod eval;
pub mod features;
pub mod lint;
pub mod page;
pub mod predict;
pub mod report;
pub mod retrain;
pub mod train;
