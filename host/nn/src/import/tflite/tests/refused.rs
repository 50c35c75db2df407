//! Files that posy cannot run, and their error messages.

use super::super::fixture::{Field, OperatorSpec, convolution};
use super::*;

/// Part of the expected message, and a change that makes the small file invalid.
type Fault = (&'static str, fn(&mut File));

#[test]
fn what_is_not_run_is_named_with_operator_and_layer() {
    let faults: &[Fault] = &[
        (
            "operator 5 (MAX_POOL_2D, writing \"pool\"): posy has no such operator",
            |f| f.operators[5].builtin = 17,
        ),
        ("operator 0 (HARD_SWISH, writing \"conv\")", |f| {
            f.operators[0].builtin = 117
        }),
        ("operator number 200", |f| f.operators[0].builtin = 200),
        ("custom operator \"Magic\"", |f| {
            f.operators[0].builtin = CUSTOM;
            f.operators[0].custom = "Magic".into();
        }),
        ("kernel of 5 x 5", |f| {
            f.tensor("conv_w").shape = vec![4, 5, 5, 2]
        }),
        ("kernel of 1 x 3", |f| {
            f.tensor("depthwise_w").shape = vec![1, 1, 3, 4]
        }),
        ("dilation 1 x 2", |f| {
            let options = f.operators[0].options.as_mut().unwrap();
            options.1.push((4, Field::Int(2)));
        }),
        ("stride 1 x 2", |f| {
            f.operators[0].options.as_mut().unwrap().1[2].1 = Field::Int(1)
        }),
        ("stride 0 x 0", |f| {
            f.operators[0].options = convolution(false, 0, 0)
        }),
        ("stride 2 x 2", |f| {
            f.operators[3].options = convolution(false, 0, 2)
        }),
        ("fused activation 4", |f| {
            f.operators[0].options.as_mut().unwrap().1[3].1 = Field::Byte(4)
        }),
        ("padding mode 7", |f| {
            f.operators[0].options = convolution(false, 7, 2)
        }),
        ("its options are missing", |f| f.operators[0].options = None),
        ("multiplier 1", |f| {
            f.tensor("depthwise").shape = vec![1, 3, 3, 8]
        }),
        (
            "float32; posy reads uint8 and int8 here. The network is quantised in part",
            |f| f.tensor("input").number_type = FLOAT32,
        ),
        ("\"conv\" is int16", |f| f.tensor("conv").number_type = 7),
        ("\"conv_w\" is float32", |f| {
            f.tensor("conv_w").number_type = FLOAT32
        }),
        ("\"conv_b\" is int64", |f| {
            f.tensor("conv_b").number_type = 4
        }),
        ("dynamic shape", |f| {
            f.tensor("input").signature = vec![-1, -1, -1, 2]
        }),
        ("posy reads one picture", |f| {
            f.tensor("input").shape = vec![2, 5, 5, 2]
        }),
        ("extents from 1 to 65535", |f| {
            f.tensor("input").shape = vec![1, 0, 5, 2]
        }),
        ("is not quantised", |f| f.tensor("conv").scales.clear()),
        ("has not one scale", |f| {
            f.tensor("conv").scales = vec![1.0; 4]
        }),
        ("impossible scale", |f| {
            f.tensor("conv").scales = vec![f32::NAN]
        }),
        ("impossible scale", |f| f.tensor("conv").scales = vec![0.0]),
        ("impossible scale or zero point", |f| {
            f.tensor("conv").zero_points = vec![128]
        }),
        ("impossible scale", |f| {
            f.tensor("conv_w").scales[1] = f32::INFINITY
        }),
        ("neither one scale nor", |f| {
            f.tensor("conv_w").scales = vec![1.0; 3]
        }),
        ("neither one scale nor", |f| {
            f.tensor("conv_w").dimension = 3
        }),
        ("int8 weights with a zero point", |f| {
            f.tensor("conv_w").zero_points[2] = 1
        }),
        ("whose scale is not", |f| {
            f.tensor("conv_b").scales = vec![0.5]
        }),
        ("needs 72 bytes of data, the file holds 71", |f| {
            f.tensor("conv_w").data.pop();
        }),
        ("needs 16 bytes of data, the file holds 0", |f| {
            f.tensor("conv_b").data.clear()
        }),
        ("it writes Shape { height: 4", |f| {
            f.tensor("conv").shape = vec![1, 4, 4, 4]
        }),
        ("names tensor 99", |f| f.operators[0].inputs[1] = 99),
        ("has no input", |f| f.operators[0].inputs.clear()),
        ("has no output", |f| f.operators[0].outputs.clear()),
        ("pools windows of 2 x 3", |f| {
            f.operators[5].options.as_mut().unwrap().1[2].1 = Field::Int(2)
        }),
        ("quantised differently", |f| {
            f.tensor("pool").scales = vec![0.06]
        }),
        ("chains of layers", |f| f.operators[3].inputs[0] = 3),
        ("two different layers", |f| {
            f.operators[4].inputs = vec![10, 10]
        }),
        ("two different layers", |f| {
            f.operators[4].inputs = vec![10, 0]
        }),
        ("weights are stored in format 1", |f| {
            f.operators[7]
                .options
                .as_mut()
                .unwrap()
                .1
                .push((1, Field::Byte(1)));
        }),
        ("a value for each output of each pixel", |f| {
            f.operators.truncate(5);
            f.operators.push(OperatorSpec {
                options: Some((8, vec![])),
                ..operator(FULLY_CONNECTED, &[11, 14, 15], 16)
            });
        }),
        ("padding is run only as part of", |f| {
            f.operators[2].options = convolution(true, 0, 1)
        }),
        ("padding is run only as part of", |f| {
            f.tensor("paddings").data[8] = 3
        }),
        ("after the scores", |f| {
            f.operators.push(operator(PAD, &[17, 4], 5))
        }),
    ];
    let mut failures = Vec::new();
    for (wanted, spoil) in faults {
        let mut file = small();
        spoil(&mut file);
        match read(&file.bytes()) {
            Ok(network) => match network.unread {
                Some(error) if error.to_string().contains(wanted) => {}
                other => failures.push(format!("{wanted}: was accepted, {other:?}")),
            },
            Err(error) if !error.to_string().contains(wanted) => {
                failures.push(format!("{wanted}: got \"{error}\""))
            }
            Err(_) => {}
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn files_of_another_build_are_refused() {
    assert_eq!(read(b"not a network"), Err(TfliteError::NotTflite));
    assert_eq!(read(b""), Err(TfliteError::NotTflite));
    let spoilt = |spoil: fn(&mut File)| {
        let mut file = small();
        spoil(&mut file);
        message(&file)
    };
    assert!(spoilt(|f| f.version = 4).contains("schema version 4"));
    assert!(spoilt(|f| f.graphs = 2).contains("2 graphs"));
    assert!(spoilt(|f| f.graphs = 0).contains("0 graphs"));
    assert!(spoilt(|f| f.inputs = vec![0, 1]).contains("2 inputs"));
    assert!(spoilt(|f| f.outputs = vec![]).contains("0 outputs"));
    assert!(spoilt(|f| f.outputs = vec![3]).contains("not what its last layer writes"));
    assert!(spoilt(|f| f.operators.clear()).contains("no layers"));
}
