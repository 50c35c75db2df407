//! Writes int8 TensorFlow Lite files, quantised per channel, with the labels in their metadata.
//!
//! | file | contents |
//! |---|---|
//! | `tables.rs` | the flatbuffer's tables from plain data |
//! | `operators.rs` | a network's layers as tensors and operators |
//! | `metadata.rs` | metadata for phone apps: labels, normalisation |
//!
//! In TensorFlow Lite's reference kernels every layer computes the same bytes as posy's engine. The
//! head is a 1 x 1 convolution, as in Google's own MobileNets, because every version of the
//! interpreter supports it per channel; with one scale for all weights it is fully connected.

mod metadata;
mod operators;
mod tables;

use super::metadata::{Facts, in_words};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::IntNetwork;
use crate::import::tflite::PICTURES;

/// Bytes of a `.tflite` file: int8 `[1, H, W, C]` in, int8 probabilities `[1, labels]` out, in
/// units of 1/256 less 128. The tensor before these, `logits`, holds posy's logits.
///
/// `network` is complete, head included (see [`super::with_int_head`]).
pub fn tflite_bytes(network: &IntNetwork, facts: &Facts<'_>) -> Vec<u8> {
    let file = operators::file(network, (!facts.logistic).then_some(facts.beta));
    let words = in_words(&facts.input);
    let words = words.iter().map(|(name, word)| format!("{name} {word}\n"));
    let mut words: String = words.collect();
    if let Some(levels) = network.pixels {
        words += &levels.in_words();
    }
    if let Some(table) = &network.input_table {
        words += &table.in_words();
    }
    let grey = GreyLevels::mean_and_std(network.pixels, network.input);
    let first = network.layers.first();
    let channels = first.map_or(3, |layer| layer.common.input.channels);
    let entries = [
        ("TFLITE_METADATA", metadata::bytes(grey, channels)),
        (PICTURES, words.into_bytes()),
    ];
    let mut bytes = file.bytes("posy", &entries);
    metadata::append_labels(&mut bytes, facts.labels);
    bytes
}
