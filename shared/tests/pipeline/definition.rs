//! Direct computation of networks, map by map, from the definition of each layer.

use posy_shared::kernels::requant;
use posy_shared::model::{LayerSpec, Op, Tables};

/// Computes a layer over whole maps `[H, W, C]`, from its definition.
fn whole_map(spec: &LayerSpec, input: &[i8], other: Option<(&[i8], i8)>) -> Vec<i8> {
    let layer = &spec.layer;
    let (height, width) = (
        usize::from(layer.input.height),
        usize::from(layer.input.width),
    );
    let (ins, outs) = (
        usize::from(layer.input.channels),
        usize::from(layer.output.channels),
    );
    let zero = i32::from(layer.input_zero_point);
    let place = |scaled| {
        requant::place(
            scaled,
            layer.output_zero_point,
            layer.output_min,
            layer.output_max,
        )
    };
    if layer.op == Op::Flatten {
        return input.to_vec();
    }
    let at = |y: usize, x: usize, c: usize| i32::from(input[(y * width + x) * ins + c]) - zero;
    let mut output = Vec::new();
    for oy in 0..usize::from(layer.output.height) {
        for ox in 0..usize::from(layer.output.width) {
            for o in 0..outs {
                output.push(match (&spec.tables, layer.op) {
                    (Tables::Channels(tables), op) => {
                        let mut sum = tables.bias[o];
                        let taps = if op.is_window() { 3 } else { 1 };
                        for (ky, kx) in (0..taps * taps).map(|tap| (tap / taps, tap % taps)) {
                            let y = (oy * usize::from(layer.stride) + ky)
                                .wrapping_sub(layer.padding.top.into());
                            let x = (ox * usize::from(layer.stride) + kx)
                                .wrapping_sub(layer.padding.left.into());
                            if y >= height || x >= width {
                                continue;
                            }
                            let tap = ky * taps + kx;
                            if op == Op::Depthwise3x3 {
                                sum += at(y, x, o) * i32::from(spec.weights[o * 9 + tap]);
                            } else {
                                for i in 0..ins {
                                    let weight = spec.weights[(o * taps * taps + tap) * ins + i];
                                    sum += at(y, x, i) * i32::from(weight);
                                }
                            }
                        }
                        place(match layer.single_rounding {
                            true => requant::rescale_once(sum, tables.scale[o]),
                            false => requant::rescale(sum, tables.scale[o]),
                        })
                    }
                    (Tables::Add(add), _) => {
                        let (other, other_zero) = other.unwrap();
                        let index = (oy * width + ox) * ins + o;
                        let a = requant::rescale(at(oy, ox, o) << 20, add.a);
                        let b = i32::from(other[index]) - i32::from(other_zero);
                        let b = requant::rescale(b << 20, add.b);
                        place(requant::rescale(a + b, add.output))
                    }
                    (Tables::Mean(scale), _) => {
                        let sum: i32 = (0..height * width)
                            .map(|pixel| i32::from(input[pixel * ins + o]) - zero)
                            .sum();
                        place(requant::rescale(sum, *scale))
                    }
                    (Tables::None, _) => {
                        let sum: i32 = (0..height * width)
                            .map(|pixel| i32::from(input[pixel * ins + o]))
                            .sum();
                        let mean = f64::from(sum) / (height * width) as f64;
                        requant::place(mean.round() as i32, 0, layer.output_min, layer.output_max)
                    }
                });
            }
        }
    }
    output
}

pub fn reference(layers: &[LayerSpec], input: &[i8]) -> Vec<i8> {
    let mut maps: Vec<Vec<i8>> = Vec::new();
    for spec in layers {
        let skip = usize::from(spec.layer.skip);
        let other = (spec.layer.op == Op::Add)
            .then(|| (&maps[skip][..], layers[skip].layer.output_zero_point));
        let output = whole_map(spec, maps.last().map_or(input, |map| map), other);
        maps.push(output);
    }
    maps.pop().unwrap()
}
