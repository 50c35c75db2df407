//! Pre-trained networks: reading them, and running them in floating point.

pub mod carried;
pub mod file;
pub mod float;
pub mod load;
pub mod network;
pub mod tflite;
pub mod zoo;

#[cfg(test)]
pub(crate) mod testing;
