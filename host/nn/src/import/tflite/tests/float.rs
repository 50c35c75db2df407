//! Float32 files: the small int8 file, dequantised.

use proptest::prelude::*;

use super::super::fixture::{OperatorSpec, TensorSpec, weights};
use super::*;
use crate::graph::network::FloatNetwork;

/// The small int8 file with three input channels.
fn coloured() -> File {
    let mut file = small();
    file.tensors[0] = map("input", &[1, 5, 5, 3], 0.5);
    file.tensors[1] = weights("conv_w", &[4, 3, 3, 3], 0);
    file
}

fn reals(tensor: &mut TensorSpec, numbers: Vec<f32>) {
    tensor.number_type = FLOAT32;
    tensor.data = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    (tensor.scales, tensor.zero_points) = (Vec::new(), Vec::new());
}

/// The small file dequantised to float32.
fn float() -> File {
    let mut file = coloured();
    let scale_of = |file: &File, name: &str, channel: usize| -> f32 {
        let tensor = file
            .tensors
            .iter()
            .find(|tensor| tensor.name == name)
            .unwrap();
        tensor.scales[channel % tensor.scales.len()]
    };
    let inputs = [
        ("conv", "input"),
        ("depthwise", "conv"),
        ("pointwise", "depthwise"),
        ("dense", "sum"),
    ];
    let integers = file.clone();
    for (layer, input) in inputs {
        let weights = format!("{layer}_w");
        let last = layer == "depthwise";
        let tensor = file.tensor(&weights);
        let channels = tensor.scales.len();
        let of_channel = tensor.data.len() / channels;
        let numbers = tensor.data.iter().enumerate().map(|(place, q)| {
            let channel = if last {
                place % channels
            } else {
                place / of_channel
            };
            f32::from(*q as i8) * scale_of(&integers, &weights, channel)
        });
        let numbers = numbers.collect();
        reals(tensor, numbers);
        let tensor = file.tensor(&format!("{layer}_b"));
        let (steps, _) = tensor.data.as_chunks::<4>();
        let numbers = steps.iter().enumerate().map(|(channel, bytes)| {
            let step = f64::from(scale_of(&integers, input, 0))
                * f64::from(scale_of(&integers, &weights, channel));
            (f64::from(i32::from_le_bytes(*bytes)) * step) as f32
        });
        let numbers = numbers.collect();
        reals(tensor, numbers);
    }
    for tensor in &mut file.tensors {
        if tensor.number_type == INT8 {
            reals(tensor, Vec::new());
        }
    }
    file
}

#[test]
fn a_float_file_has_the_real_values_of_the_integer_one() {
    let ours = read_float(&float().bytes()).unwrap().unwrap();
    let integers = read(&coloured().bytes()).unwrap();
    let expected = FloatNetwork::from(&integers);
    assert_eq!(ours.layers.len(), expected.layers.len());
    for (ours, (expected, stated)) in ours
        .layers
        .iter()
        .zip(expected.layers.iter().zip(&integers.layers))
    {
        assert_eq!(ours.common, stated.common);
        assert_eq!(ours.weights, expected.weights);
        assert_eq!(ours.bias, expected.bias);
    }
    assert_eq!(read_float(&coloured().bytes()).unwrap(), None);
}

#[test]
fn arithmetic_with_the_input_is_left_to_the_pixels() {
    let mut file = float();
    let mut scale = TensorSpec {
        name: "scale".into(),
        ..TensorSpec::default()
    };
    reals(&mut scale, vec![2.0]);
    let scaled = TensorSpec {
        name: "scaled".into(),
        shape: vec![1, 5, 5, 3],
        ..TensorSpec::default()
    };
    let place = file.tensors.len() as i32;
    file.tensors.extend([scale, scaled]);
    file.operators[0].inputs[0] = place + 1;
    let multiply = operator(MUL, &[0, place], place + 1);
    file.operators.insert(0, multiply);
    let read = read_float(&file.bytes()).unwrap().unwrap();
    assert_eq!(read.input, [(2.0, 0.0); 3]);
    // A scale with a fused ReLU cannot be folded.
    file.operators[0].options = Some((21, vec![(0, super::super::fixture::Field::Byte(1))]));
    let refused = read_float(&file.bytes()).unwrap_err().to_string();
    assert!(refused.contains("operator 0 (MUL"), "{refused}");
}

#[test]
fn what_posy_does_not_run_is_refused_by_name() {
    let says = |text: &str, change: &dyn Fn(&mut File)| {
        let mut file = float();
        change(&mut file);
        let refused = read_float(&file.bytes()).unwrap_err().to_string();
        assert!(refused.contains(text), "{refused:?} does not say {text:?}");
    };
    says(
        "operator 3 (CONV_2D, writing \"pointwise\"): kernel of 1 x 2",
        &|file| {
            file.tensor("pointwise_w").shape = vec![2, 1, 2, 4];
        },
    );
    says("not all finite", &|file| {
        file.tensor("conv_b").data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    says("needs 4 numbers, the file holds 3", &|file| {
        file.tensor("conv_b").data.truncate(12);
    });
    says("nothing before it writes", &|file| {
        file.tensor("dense_w").data.clear()
    });
    says("another shape follows", &|file| {
        file.tensor("sum").shape = vec![1, 3, 4, 4]
    });
    says("[1, H, W, 3]", &|file| {
        file.tensor("input").shape = vec![1, 5, 5, 4]
    });
    says("posy has no such operator", &|file| {
        file.operators[4] = OperatorSpec {
            ..operator(51, &[3], 11)
        };
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = float().bytes();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        // Only panics and endless loops fail here.
        let _ = read_float(&bytes);
    }
}
