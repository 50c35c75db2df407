//! The laptop's half of posy: photos, backbones, features, heads, quantisation, export.
//!
//! Each stage has one type, made by one function from the type before: photo file -> pixels ->
//! `Input` -> features -> head -> model -> `.posy` bytes.
//!
//! # Example
//!
//! Labels a photo with a model that `posy retrain` wrote, as a board would:
//!
//! ```no_run,standalone_crate
//! use std::path::Path;
//!
//! use posy::model_file::ModelFile;
//! use posy::photos::decode::Limits;
//! use posy::run::{Runner, decode_for};
//! use posy_shared::ranking::Ranking;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = ModelFile::open(Path::new("flowers.posy"))?;
//! let runner = Runner::new(file.classifier()?);
//! let photo = std::fs::read("photo.jpg")?;
//! let photo = decode_for(runner.model(), &photo, &Limits::default())?;
//! let logits = runner.output(&photo)?;
//! println!("{}", Ranking::<5>::new(runner.model(), &logits));
//! # Ok(())
//! # }
//! ```

mod atomic;
pub mod backbone;
pub mod bounded;
pub mod check;
pub mod classify;
pub mod cli;
pub mod convert;
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
