//! The codelab's graphs against TensorFlow's outputs, and damaged graphs.

use std::path::Path;

use posy_shared::model::{Op, Shape};
use proptest::prelude::*;

use super::*;
use crate::export::tensorflow::graph_def_bytes;
use crate::graph::network::FloatNetwork;
use crate::import::normalisation::Normalisation;
use crate::runtime::float::FloatRunner;
use crate::testing::{data, mutate, nameless, reals, relative_error, small_float};

/// Features of a network for inputs `[H, W, 3]` that are already normalised.
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

/// Compares pooled features of `network` for three photos with TensorFlow's.
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

fn small() -> Vec<u8> {
    graph_def_bytes(&small_float(), 1.0)
}

#[test]
fn a_small_file_is_read_exactly() {
    let file = read(&small()).unwrap();
    // The exported graphs take the input of label_image.py: (pixel - 128) / 128.
    assert!(
        file.input
            .iter()
            .all(|(factor, added)| (*factor, *added) == (128.0, 128.0))
    );
    assert_eq!(nameless(&file.layers), nameless(&small_float().layers));
}

fn says(text: &str, change: impl Fn(&mut GraphDef)) {
    let mut graph = GraphDef::decode(small().as_slice()).unwrap();
    change(&mut graph);
    let refused = read(&graph.encode_to_vec())
        .expect_err("a refusal")
        .to_string();
    assert!(refused.contains(text), "{refused:?} does not say {text:?}");
}

fn node<'g>(
    graph: &'g mut GraphDef,
    operation: &str,
) -> &'g mut crate::import::tensorflow::proto::NodeDef {
    let mut nodes = graph.node.iter_mut();
    nodes.find(|node| node.op == operation).unwrap()
}

#[test]
fn wrong_files_are_refused_by_name() {
    says("which nothing before it writes", |graph| {
        graph.node.retain(|node| node.op != "Const");
    });
    says("from itself", |graph| {
        let pool = node(graph, "Mean").name.clone();
        node(graph, "DepthwiseConv2dNative").input[0] = pool;
    });
    says("(Selu)", |graph| node(graph, "Relu6").op = "Selu".into());
    says("0 placeholders", |graph| {
        node(graph, "Placeholder").op = "Const".into()
    });
    says("freeze it first", |graph| {
        node(graph, "Const").op = "VariableV2".into()
    });
    says("[1, H, W, 3]", |graph| {
        node(graph, "Placeholder").attr.remove("shape");
    });
    says("data_format", |graph| {
        let value = crate::import::tensorflow::proto::Value::S(b"NCHW".to_vec());
        node(graph, "Conv2D")
            .attr
            .insert("data_format".into(), value.into());
    });
    says("padding is missing", |graph| {
        node(graph, "Conv2D").attr.remove("padding");
    });
    says("written by two nodes", |graph| {
        let node = node(graph, "Relu6").clone();
        graph.node.push(node);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = small();
        mutate(&mut bytes, &changes, cut);
        // Only panics and endless loops fail here.
        let _ = read(&bytes);
    }
}

#[test]
fn every_cut_of_a_real_file_is_refused() {
    let Some(folder) = data("cutting a real graph", "models") else {
        return;
    };
    let original = std::fs::read(folder.join("mobilenet_v1_0.25_128_frozen_graph.pb")).unwrap();
    let mut refused = 0;
    let cuts = (0..original.len()).step_by(50_021);
    let count = cuts.len();
    for cut in cuts {
        refused += usize::from(read(&original[..cut]).is_err());
    }
    assert_eq!(refused, count);
}
