//! Exports of a trained network for other tools, besides `.posy`.

use posy_nn::export::onnx::onnx_bytes;
use posy_nn::export::onnx_int8::qdq_bytes;
use posy_nn::export::tensorflow::graph_def_bytes;
use posy_nn::export::tflite::tflite_bytes;
use posy_nn::export::{Facts, Format, with_float_head, with_int_head};

use super::{Prepared, RetrainError, TrainedModel};

/// The bytes of the file in this format. The float formats use the float network's own head if it
/// ran, else the head before quantisation. For a fine-tuned network they use its
/// layers and its head before quantisation.
///
/// # Errors
/// [`RetrainError::Export`].
pub fn file(
    prepared: &Prepared,
    outcome: &TrainedModel,
    format: Format,
) -> Result<Vec<u8>, RetrainError> {
    let heads = &outcome.heads;
    let facts = Facts {
        labels: &prepared.dataset.labels,
        beta: heads.beta,
        logistic: false,
        input: prepared.input,
    };
    let float = || match &outcome.fine_tuned {
        Some(tuned) => with_float_head(&tuned.float, &heads.real),
        None => {
            let head = heads.float.as_ref().unwrap_or(&heads.real);
            with_float_head(&prepared.backbone.float, head)
        }
    };
    let int8 = || with_int_head(outcome.seen(prepared).int, &heads.int);
    Ok(match format {
        Format::Posy => outcome.model.clone(),
        Format::Tflite => tflite_bytes(&int8()?, &facts),
        Format::Onnx => onnx_bytes(&float()?, &facts),
        Format::OnnxInt8 => qdq_bytes(&int8()?, &facts),
        Format::GraphDef => graph_def_bytes(&float()?, heads.beta),
    })
}
