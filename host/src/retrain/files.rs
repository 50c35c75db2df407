//! What a run writes besides `.posy`: the same network for other tools.

use super::{Outcome, Prepared, RetrainError};
use crate::backbone::network::FloatNetwork;
use crate::export::graph_def::graph_def_bytes;
use crate::export::onnx::onnx_bytes;
use crate::export::tflite::tflite_bytes;
use crate::export::{Kind, with_float_head, with_int_head};

/// The bytes of the file of this kind. The float kinds have the float network's own head where it
/// ran, else the head that the int8 one was quantised from. Of an adjusted network they have the real
/// values, and its head.
///
/// # Errors
/// [`RetrainError::Export`].
pub fn file(prepared: &Prepared, outcome: &Outcome, kind: Kind) -> Result<Vec<u8>, RetrainError> {
    let heads = &outcome.heads;
    let labels = &prepared.dataset.labels;
    let float = || match &outcome.adjusted {
        Some(adjusted) => with_float_head(&FloatNetwork::from(&adjusted.network), &heads.real),
        None => {
            let head = heads.float.as_ref().unwrap_or(&heads.real);
            with_float_head(&prepared.backbone.float, head)
        }
    };
    Ok(match kind {
        Kind::Posy => outcome.model.clone(),
        Kind::Tflite => {
            let network = with_int_head(outcome.seen(prepared).int, &heads.int)?;
            tflite_bytes(&network, labels, heads.beta)
        }
        Kind::Onnx => onnx_bytes(&float()?, labels, heads.beta),
        Kind::GraphDef => graph_def_bytes(&float()?, heads.beta),
    })
}
