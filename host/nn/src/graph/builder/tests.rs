//! Tracking of axes, and conditions for folding.

use posy_shared::model::Shape;

use super::*;
use crate::graph::network::Activation;

fn shape(side: u16, channels: u16) -> Shape {
    Shape {
        height: side,
        width: side,
        channels,
    }
}

const PLANAR: [Axis; 4] = [Axis::Batch, Axis::Channels, Axis::Height, Axis::Width];

/// A chain whose last layer is a 1 x 1 convolution from 3 channels to 2, and its value.
fn convolved() -> (Chain, Map) {
    let (mut chain, input) = Chain::new(shape(4, 3), PLANAR.to_vec(), 1000);
    let weights = Constant::real(vec![2, 3, 1, 1], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let window = Window {
        strides: vec![1, 1],
        dilations: vec![1, 1],
        pads: Pads::Explicit([0; 4]),
        groups: 1,
    };
    let map = chain.convolution(&input, &weights, None, &window, "conv");
    let map = map.unwrap();
    (chain, map)
}

#[test]
fn axes_follow_transposes_and_reshapes() {
    let (mut chain, map) = convolved();
    let turned = map.transposed(&[0, 2, 3, 1]).unwrap();
    assert_eq!(turned.dims(), [1, 4, 4, 2]);
    assert_eq!(map.reshaped(&[1, 2, 4, 4]).unwrap(), map);
    // A map is no vector before it is pooled.
    assert_eq!(map.reshaped(&[1, -1]), Err(Problem::Flat(shape(4, 2))));
    assert!(map.squeezed(Some(&[1])).is_err());
    let pooled = chain.global_pool(&map, "pool").unwrap();
    assert_eq!(pooled.dims(), [1, 2, 1, 1]);
    let vector = pooled.reshaped(&[0, -1]).unwrap();
    assert_eq!(vector.axes, [Axis::Batch, Axis::Channels]);
    assert_eq!(pooled.squeezed(Some(&[2, -1])).unwrap().axes, vector.axes);
    assert_eq!(vector.unsqueezed(&[2, 3]).unwrap().axes, PLANAR);
    assert!(pooled.reshaped(&[1, 3]).is_err());
    assert!(pooled.reshaped(&[0, 0, -2]).is_err());
}

#[test]
fn scales_and_shifts_are_folded_right_behind_a_convolution_alone() {
    let (mut chain, map) = convolved();
    let by = Value::Constant(Constant::real(vec![2, 1, 1], vec![2.0, -1.0]));
    let scaled = chain.combine(Arithmetic::Multiply, &Value::Map(map.clone()), &by, "");
    let scaled = scaled.unwrap();
    let shifted = chain
        .combine(Arithmetic::Subtract, &by, &scaled, "")
        .unwrap();
    let shifted = shifted.map("").unwrap().clone();
    // The value from before the fold is stale.
    let stale = chain.clamp(&map, 0.0, 6.0);
    assert_eq!(stale, Err(Problem::Branch));
    let positive = chain.clamp(&shifted, 0.0, 6.0).unwrap();
    let again = chain.combine(Arithmetic::Add, &Value::Map(positive), &by, "");
    assert!(matches!(again, Err(Problem::Affine(_))), "{again:?}");
    let layers = chain.finish().layers;
    assert_eq!(layers[0].weights, [-2.0, -4.0, -6.0, 4.0, 5.0, 6.0]);
    assert_eq!(layers[0].bias, [2.0, -1.0]);
    assert_eq!(layers[0].common.activation, Activation::Relu6);
}

#[test]
fn constants_stretch_over_channels_alone() {
    // As many rows as channels: a constant along rows must not be taken for one along channels.
    let (mut chain, input) = Chain::new(shape(3, 3), PLANAR.to_vec(), 1000);
    let numbers = vec![1.0, 2.0, 3.0];
    let along = |dims: Vec<usize>| Constant::real(dims, numbers.clone());
    for dims in [vec![3], vec![3, 1], vec![1, 1, 3]] {
        assert!(chain.shift(&input, &along(dims)).is_err());
    }
    let shifted = chain.shift(&input, &along(vec![3, 1, 1])).unwrap();
    let turned = shifted.transposed(&[0, 2, 3, 1]).unwrap();
    chain.shift(&turned, &along(vec![3])).unwrap();
    assert_eq!(chain.finish().input, [(1.0, 2.0), (1.0, 4.0), (1.0, 6.0)]);
}

#[test]
fn only_relu_and_relu6_are_clamps() {
    let infinite = f32::INFINITY;
    let of = |clamps: &[(f32, f32)]| {
        let (mut chain, mut map) = convolved();
        for (least, greatest) in clamps {
            map = chain.clamp(&map, *least, *greatest)?;
        }
        Ok::<_, Problem>(chain.finish().layers[0].common.activation)
    };
    assert_eq!(of(&[(0.0, infinite)]), Ok(Activation::Relu));
    assert_eq!(of(&[(0.0, 6.0)]), Ok(Activation::Relu6));
    assert_eq!(
        of(&[(0.0, infinite), (-infinite, 6.0)]),
        Ok(Activation::Relu6)
    );
    assert_eq!(of(&[(0.0, 6.0), (0.0, infinite)]), Ok(Activation::Relu6));
    assert_eq!(of(&[(f32::MIN, f32::MAX)]), Ok(Activation::None));
    for refused in [
        (-infinite, 6.0),
        (-1.0, 1.0),
        (0.0, 1.0),
        (1.0, 6.0),
        (0.0, f32::NAN),
    ] {
        assert!(of(&[refused]).is_err(), "{refused:?}");
    }
    assert!(of(&[(0.0, 6.0), (0.0, 5.0)]).is_err());
}

#[test]
fn padding_becomes_part_of_the_convolution_behind_it() {
    let (mut chain, input) = Chain::new(shape(8, 3), PLANAR.to_vec(), 10_000);
    let padded = chain
        .pad(&input, &[(0, 0), (0, 0), (0, 1), (0, 1)])
        .unwrap();
    let padded = padded.map("").unwrap().clone();
    assert_eq!(padded.dims(), [1, 3, 9, 9]);
    // A padded map may be read by a convolution only.
    assert_eq!(chain.global_pool(&padded, ""), Err(Problem::Padding));
    assert!(
        chain
            .pad(&input, &[(0, 0), (1, 1), (0, 0), (0, 0)])
            .is_err()
    );
    let weights = Constant::real(vec![2, 3, 3, 3], vec![0.5; 54]);
    let window = Window {
        strides: vec![2, 2],
        dilations: vec![1, 1],
        pads: Pads::Explicit([0; 4]),
        groups: 1,
    };
    let map = chain
        .convolution(&padded, &weights, None, &window, "")
        .unwrap();
    assert_eq!(map.shape, shape(4, 2));
    let padding = chain.finish().layers[0].common.padding;
    assert_eq!(
        (padding.top, padding.bottom, padding.left, padding.right),
        (0, 1, 0, 1)
    );
}
