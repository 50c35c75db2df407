//! The laptop's half of posy: photos, features, training, evaluation, reports, boards. Networks and
//! their files are in [`posy_nn`].
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
//! use posy::dataset::decode::Limits;
//! use posy::dataset::for_model::decode_for;
//! use posy_nn::model_file::ModelFile;
//! use posy_nn::run::Runner;
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
pub mod studio;
pub mod train;
mod units;
