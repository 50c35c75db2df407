//! Real files, against what TensorFlow computed with them.

use super::*;
use crate::backbone::frozen::tests::agrees_with_tensorflow;
use crate::backbone::pixels::Normalisation;
use crate::backbone::testing::data;

#[test]
fn files_of_tf2onnx_compute_what_they_compute_in_tensorflow() {
    let Some(folder) = data("reading ONNX files", "") else {
        return;
    };
    for size in ["128", "224"] {
        for layout in ["", "_nchw"] {
            let name = format!("models/onnx/mobilenet_v1_0.25_{size}{layout}.onnx");
            let file = read(&std::fs::read(folder.join(name)).unwrap()).unwrap();
            assert_eq!(file.layers.len(), 29);
            assert_eq!(file.usual_normalisation(), Normalisation::TENSORFLOW);
            agrees_with_tensorflow(&folder, size, file);
        }
    }
}
