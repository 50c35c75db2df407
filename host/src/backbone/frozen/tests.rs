//! The codelab's graphs, against what TensorFlow computed with them; and damaged ones.

use std::path::Path;

use posy_shared::model::{Op, Shape};
use proptest::prelude::*;

use super::*;
use crate::backbone::float::FloatRunner;
use crate::backbone::network::FloatNetwork;
use crate::backbone::pixels::Normalisation;
use crate::backbone::testing::{data, reals, relative_error};

/// The features of a network for inputs in its own numbers, `[H, W, 3]`.
pub(crate) fn features(file: FloatFile, inputs: &[f32]) -> Vec<Vec<f32>> {
    let file = file.truncate_to_features().unwrap();
    let shape = file.input_shape().unwrap();
    let network: FloatNetwork = file.network(&Normalisation::RAW);
    let runner = FloatRunner::new(&network).unwrap();
    let inputs = inputs.chunks_exact(shape.len());
    inputs
        .map(|input| runner.run_real(input).unwrap().pop().unwrap())
        .collect()
}

/// What TensorFlow gave for three photos: the pooled features of `network`, beside ours.
pub(crate) fn agrees_with_tensorflow(folder: &Path, size: &str, file: FloatFile) {
    let recorded = |kind: &str| reals(&folder.join(format!("parity/float_0.25_{size}_{kind}.bin")));
    let ours = features(file, &recorded("inputs_0_8_16_f32"));
    assert_eq!(ours.len(), 3);
    let theirs = recorded("avgpool_f32");
    assert_eq!(theirs.len(), 40 * 256);
    for (ours, photo) in ours.iter().zip([0, 8, 16]) {
        let error = relative_error(ours, &theirs[photo * 256..][..256]);
        eprintln!("0.25_{size}, photo {photo}: {error:.1e}");
        assert!(error < 1e-4, "{error}");
    }
}

#[test]
fn the_codelabs_graphs_compute_what_they_compute_in_tensorflow() {
    let Some(folder) = data("reading frozen graphs", "") else {
        return;
    };
    for size in ["128", "224"] {
        let name = format!("models/mobilenet_v1_0.25_{size}_frozen_graph.pb");
        let file = read(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let count = |op| file.layers.iter().filter(|l| l.common.op == op).count();
        assert_eq!(count(Op::Depthwise3x3), 13);
        assert_eq!(count(Op::Pointwise), 13);
        let last = file.layers.last().unwrap();
        let classes = Shape {
            height: 1,
            width: 1,
            channels: 1001,
        };
        assert_eq!((last.common.op, last.common.output), (Op::Dense, classes));
        assert_eq!(file.usual_normalisation(), Normalisation::TENSORFLOW);
        agrees_with_tensorflow(&folder, size, file);
    }
}
