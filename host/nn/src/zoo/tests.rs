use std::collections::BTreeSet;

use posy_shared::model::{Op, Padding, Shape};

use super::*;
use crate::graph::network::Common;
use crate::import::file::read_file;
use crate::testing::data;

fn v1(width_percent: u16, size: u16) -> Architecture {
    Architecture {
        version: Version::V1,
        width_percent,
        size,
    }
}

#[test]
fn every_file_has_the_layers_that_its_name_says() {
    let Some(folder) = data("comparing architectures with files", "models") else {
        return;
    };
    let mut all = Architecture::all_v1();
    all.extend(Architecture::family(Version::V2));
    let mut found = BTreeSet::new();
    for architecture in all {
        let Some(path) = architecture.find_file(&folder) else {
            continue;
        };
        let network = read_file(&path).unwrap().truncate_to_features().unwrap();
        let layers = architecture.layers();
        assert_eq!(layers.len(), network.layers.len(), "{architecture}");
        for (ours, theirs) in layers.iter().zip(&network.layers) {
            // Names are the file's own, and its activations may be implied by the quantisation.
            let common = Common {
                name: ours.name.clone(),
                activation: ours.activation,
                ..theirs.common.clone()
            };
            assert_eq!(ours, &common, "{architecture}");
        }
        found.insert(path);
    }
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let files: BTreeSet<_> = files
        .filter(|p| p.extension().is_some_and(|e| e == "tflite"))
        .collect();
    assert_eq!(found, files, "every file is the file of some architecture");
}

/// Totals in millions of MACs, with the classifier of 1,001 classes. Whole numbers are published
/// (tables 6 and 7 of the paper on version 1, table 4 of the paper on version 2); the others were
/// counted for the same files by another program.
#[test]
fn products_are_those_published() {
    let millions = |architecture: Architecture| {
        let layers = architecture.layers();
        let classifier = u64::from(layers.last().unwrap().output.channels) * 1001;
        (layers.iter().map(Common::products).sum::<u64>() + classifier) as f64 / 1e6
    };
    for (width, size, published, tolerance) in [
        (100, 224, 569.0, 0.9),
        (100, 192, 418.0, 0.9),
        (100, 160, 290.0, 0.9),
        (100, 128, 186.0, 0.9),
        (75, 224, 325.0, 0.9),
        (25, 224, 41.0, 0.9),
        (25, 128, 13.57, 0.01),
        (50, 128, 49.16, 0.01),
        (50, 224, 149.5, 0.1),
    ] {
        let counted = millions(v1(width, size));
        assert!(
            (counted - published).abs() < tolerance,
            "{width} {size}: {counted}"
        );
    }
    let v2 = millions(Architecture {
        version: Version::V2,
        width_percent: 100,
        size: 224,
    });
    assert!((v2 - 300.0).abs() < 1.5, "{v2}");
}

#[test]
fn layers_form_a_chain_for_every_name() {
    let mut all = Architecture::all_v1();
    assert_eq!(all.len(), 16);
    all.extend(Architecture::family(Version::V2));
    for architecture in all {
        let layers = architecture.layers();
        for (index, pair) in layers.windows(2).enumerate() {
            assert_eq!(
                pair[0].output, pair[1].input,
                "{architecture}, layer {index}"
            );
        }
        for layer in &layers {
            if let Some(skip) = layer.skip {
                assert_eq!(
                    layers[skip].output, layer.output,
                    "{architecture}, {}",
                    layer.name
                );
            }
        }
        let last = layers.last().unwrap();
        assert_eq!(last.op, Op::GlobalAveragePool);
        assert_eq!((last.output.height, last.output.width), (1, 1));
    }
    let first = &v1(25, 128).layers()[0];
    assert_eq!(
        first.output,
        Shape {
            height: 64,
            width: 64,
            channels: 8
        }
    );
    assert_eq!(
        first.padding,
        Padding {
            top: 0,
            bottom: 1,
            left: 0,
            right: 1
        }
    );
}

/// Channels of version 2, worked out by hand from the definition of TensorFlow's rule.
#[test]
fn channels_of_version_2_are_multiples_of_eight() {
    let widths = |percent| {
        let layers = Architecture {
            version: Version::V2,
            width_percent: percent,
            size: 96,
        }
        .layers();
        let projected: Vec<u16> = layers
            .iter()
            .filter(|l| l.name.ends_with("project"))
            .map(|l| l.output.channels)
            .collect();
        let mut widths = vec![layers[0].output.channels];
        widths.extend(projected);
        widths.dedup();
        (widths, layers.last().unwrap().output.channels)
    };
    assert_eq!(widths(100), (vec![32, 16, 24, 32, 64, 96, 160, 320], 1280));
    assert_eq!(widths(50), (vec![16, 8, 16, 32, 48, 80, 160], 1280));
    assert_eq!(widths(35), (vec![16, 8, 16, 24, 32, 56, 112], 1280));
    assert_eq!(widths(140), (vec![48, 24, 32, 48, 88, 136, 224, 448], 1792));
}

#[test]
fn names_are_read_as_they_are_written_anywhere() {
    for (name, expected) in [
        ("mobilenet_0.50_224", v1(50, 224)),
        ("mobilenet_0.5_224", v1(50, 224)),
        ("mobilenet_1.0_224_quantized", v1(100, 224)),
        ("mobilenet_1_128", v1(100, 128)),
        ("mobilenet_v1_0.25_128_quant", v1(25, 128)),
        ("mobilenet_v1_0_75_192", v1(75, 192)),
        ("MobileNet-v1-0.75-192", v1(75, 192)),
        (
            "mobilenet_v2_0.35_96",
            Architecture {
                version: Version::V2,
                width_percent: 35,
                size: 96,
            },
        ),
        (
            "mobilenet_v2_1.4_224",
            Architecture {
                version: Version::V2,
                width_percent: 140,
                size: 224,
            },
        ),
    ] {
        assert_eq!(
            name.parse::<Architecture>().as_ref(),
            Ok(&expected),
            "{name}"
        );
        assert_eq!(expected.to_string().parse(), Ok(expected));
    }
    assert_eq!(v1(50, 224).to_string(), "mobilenet_v1_0.50_224");
    assert_eq!(v1(100, 224).to_string(), "mobilenet_v1_1.0_224");
}

#[test]
fn a_wrong_name_is_told_the_nearest_right_one() {
    for (name, nearest) in [
        ("mobilenet_0.5_225", "mobilenet_v1_0.50_224"),
        ("moblienet_0.25_128", "mobilenet_v1_0.25_128"),
        ("mobilenet_v2_0.50_90", "mobilenet_v2_0.50_96"),
        ("mobilenet_v1_0.35_224", "mobilenet_v1_0.25_224"),
        // These exist in version 2 only.
        ("mobilenet_0.35_96", "mobilenet_v2_0.35_96"),
        ("mobilenet_1.4_224", "mobilenet_v2_1.4_224"),
        ("inception_v3", ""),
        ("nonsense", ""),
        ("rp-pico", ""),
        ("", ""),
    ] {
        let error = name.parse::<Architecture>().unwrap_err();
        assert!(
            error.to_string().contains("mobilenet_v2_<width>_<size>"),
            "{error}"
        );
        let found = error.nearest.map(|nearest| nearest.to_string());
        assert_eq!(found.unwrap_or_default(), nearest, "{name}");
    }
}

#[test]
fn addresses_on_tensorflow_hub_name_architectures() {
    let hub = "https://tfhub.dev/google/imagenet";
    for (address, name) in [
        (
            format!("{hub}/mobilenet_v1_025_128/feature_vector/1"),
            "mobilenet_v1_0.25_128",
        ),
        (
            format!("{hub}/mobilenet_v2_035_96/classification/5"),
            "mobilenet_v2_0.35_96",
        ),
        (
            "https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow1/100-224-feature-vector/1"
                .into(),
            "",
        ),
        (format!("{hub}/mobilenet_v1_100_224/quantops"), "mobilenet_v1_1.0_224"),
        (format!("{hub}/mobilenet_v1_100_225/quantops"), ""),
    ] {
        let found = address.parse::<Architecture>();
        let found = found.map(|found| found.to_string());
        assert_eq!(found.unwrap_or_default(), name, "{address}");
    }
    let error = "inception_v3".parse::<Architecture>().unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
}

#[test]
fn files_are_found_under_their_usual_names() {
    let folder = tempfile::tempdir().unwrap();
    let architecture = v1(50, 224);
    assert_eq!(architecture.find_file(folder.path()), None);
    for name in [
        "mobilenet_v1_0.5_224_quant_embedding_extractor.tflite",
        "mobilenet_v1_0_5_224_quant.tflite",
        "mobilenet_v1_0.5_224_quant.tflite",
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, b"").unwrap();
        assert_eq!(
            architecture.find_file(folder.path()),
            Some(path),
            "the later ones come first"
        );
    }
    // As retrain.py leaves it.
    let path = folder.path().join("mobilenet_v1_0.25_128/frozen_graph.pb");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"").unwrap();
    assert_eq!(v1(25, 128).find_file(folder.path()), Some(path));
}
