//! The laptop's half of posy: photos, backbones, features, heads, quantisation, export.
//!
//! Each stage has one type, made by one function from the type before: photo file -> pixels ->
//! `Input` -> features -> head -> model -> `.posy` bytes.

mod atomic;
pub mod backbone;
pub mod check;
pub mod classify;
pub mod cli;
pub mod convert;
pub mod convert_photos;
pub mod data;
pub mod device;
pub mod drawings;
pub mod export;
pub mod features;
pub mod fetch;
pub mod head;
pub mod kind;
pub mod labels;
pub mod model_file;
pub mod near;
pub mod photos;
pub mod profile;
pub mod quantise;
pub mod record;
pub mod report;
pub mod retrain;
pub mod run;
pub mod shell;
pub mod tensorflow;
pub mod verdict;
