//! Files for other tools, held to the tools themselves. One format a file.

mod convert;
mod graph_def;
mod label_image;
mod onnx;
mod tflite;
