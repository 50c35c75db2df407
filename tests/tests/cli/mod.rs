//! The `posy` command as users see it: exit codes, text, files. One topic a file.

mod again;
mod answers;
mod bad_models;
mod bad_networks;
mod bad_options;
mod bad_photos;
mod brief;
mod cache;
mod check;
mod classifiers;
mod codelab;
mod compare;
mod demo;
mod determinism;
mod fetch;
mod figures;
mod fine_tuning;
mod fit;
mod flash;
mod flash_carried;
#[cfg(target_os = "linux")]
mod flash_loaders;
mod frames;
mod hostile;
#[cfg(unix)]
mod interrupted;
mod label;
mod loss;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod monitor;
mod next_commands;
mod parts;
mod profile;
mod real_photos;
mod results;
mod retrain_py;
mod streams;
mod words;
