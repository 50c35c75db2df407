//! Pre-trained networks: readers for their files, and a float runner.

pub mod any;
pub mod assemble;
pub mod carried;
pub mod file;
pub mod float;
pub mod float_file;
pub mod frozen;
pub mod grey_levels;
pub mod input_table;
pub mod load;
pub mod network;
pub mod onnx;
pub mod pixels;
pub mod tflite;
pub mod zoo;

#[cfg(test)]
pub(crate) mod testing;
