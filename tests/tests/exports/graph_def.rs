//! Frozen graphs in TensorFlow.

use posy_nn::export::{Format, with_float_head};
use posy_nn::graph::network::Scoring;
use posy_nn::import::tensorflow;
use posy_tests::exports::{Python, Retrained, apart};

fn hold(test: &str, name: &str) {
    let Some(retrained) = Retrained::of(test, name, true) else {
        return;
    };
    let file = retrained.file(Format::GraphDef, "flowers.pb");

    // Read back, it is the same network, number for number; the factor of the logits is in its head.
    let bytes = std::fs::read(&file).unwrap();
    let read = tensorflow::read(&bytes).unwrap();
    let heads = &retrained.outcome.heads;
    let float = retrained.prepared.backbone.float.clone();
    let written = with_float_head(&float, heads.float.as_ref().unwrap()).unwrap();
    assert_eq!(read.scoring, Some(Scoring::Softmax { beta: 1.0 }));
    assert_eq!(read.layers.len(), written.layers.len());
    let last = written.layers.len() - 1;
    for (index, (read, written)) in read.layers.iter().zip(&written.layers).enumerate() {
        let mut common = read.common.clone();
        common.name.clone_from(&written.common.name);
        assert_eq!(common, written.common);
        let beta = if index == last { heads.beta } else { 1.0 };
        let times = |numbers: &[f32]| -> Vec<f32> {
            let product = |number: &f32| (f64::from(*number) * f64::from(beta)) as f32;
            numbers.iter().map(product).collect()
        };
        assert_eq!(read.weights, times(&written.weights), "{}", common.name);
        assert_eq!(read.bias, times(&written.bias), "{}", common.name);
    }

    let Some(python) = Python::tensorflow(test) else {
        return;
    };
    let photos = retrained.photos(60);
    let (inputs, _) = retrained.board(&photos);
    let (mut theirs, said) = python.floats("run_graph.py", &file, &inputs);
    // The softmax reads calibrated logits.
    for pair in theirs.chunks_exact_mut(10) {
        pair[..5].iter_mut().for_each(|logit| *logit /= heads.beta);
    }
    let worst = apart(&retrained.float(&photos), &theirs);
    let (count, version) = (photos.len(), &said["version"]);
    eprintln!("{name}: {count} photos, TensorFlow {version} within {worst:e}");
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn v1() {
    hold("graph_def_v1", "mobilenet_v1_0.25_128_quant");
}

#[test]
fn v2() {
    hold("graph_def_v2", "mobilenet_v2_1.0_96_quant");
}
