//! Exported files in the tools that they are for. One format a file.

mod convert;
mod graph_def;
mod label_image;
mod onnx;
mod tflite;
mod user_networks;
