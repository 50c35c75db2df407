//! Writes int8 TensorFlow Lite files, per channel, with the labels in their metadata.
//!
//! | file | what it holds |
//! |---|---|
//! | `tables.rs` | the flatbuffer's tables, from plain data |
//! | `operators.rs` | a network's layers as tensors and operators |
//! | `metadata.rs` | what apps for phones read: labels, normalisation |
//!
//! Every layer computes what posy's engine computes, byte for byte, in TensorFlow Lite's reference
//! kernels. The head is a 1 x 1 convolution, as in Google's own MobileNets, because every version
//! of the interpreter has that per channel.

mod metadata;
mod operators;
mod tables;

use crate::backbone::network::IntNetwork;

/// The bytes of a `.tflite` file: int8 `[1, H, W, 3]` in, int8 probabilities `[1, labels]` out, in
/// units of 1/256 less 128. The tensor before these, `logits`, has what posy calls logits.
///
/// `network` is complete, head included (see [`super::with_int_head`]). `beta` is what the softmax
/// multiplies logits by.
pub fn tflite_bytes(network: &IntNetwork, labels: &[String], beta: f32) -> Vec<u8> {
    let file = operators::file(network, beta);
    let metadata = metadata::bytes(network.input);
    let mut bytes = file.bytes("posy", &metadata);
    metadata::append_labels(&mut bytes, labels);
    bytes
}
