//! The cases of each kernel.

use super::Mismatch;
use super::bench::{Bench, MAX_CHANNELS, MAX_ROW, MAX_WEIGHTS};
use crate::kernels::scalar::Scalar;
use crate::kernels::{
    AddParams, DenseParams, I32s, Kernels, Layout, OutputStage, PerChannel, PointwiseParams,
    WindowParams, requant::Multiplier,
};

fn case(kernel: &'static str, width: usize, inputs: usize, outputs: usize) -> Mismatch {
    Mismatch {
        kernel,
        width,
        input_channels: inputs,
        output_channels: outputs,
        position: 0,
        expected: 0,
        actual: 0,
    }
}

/// Both 3 x 3 kernels; the bits of `variety` choose stride, padding and layouts.
pub(super) fn windows(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
    variety: usize,
) -> Result<usize, Mismatch> {
    let stride = 1 + variety % 2;
    let pad_left = (variety / 2) % 2;
    // As many outputs as start in the map, the last of them reaching into the right padding.
    let output_width = (width + pad_left).div_ceil(stride).min(width);
    let layout = |planar| match planar {
        true => Layout::Planar,
        false => Layout::Interleaved,
    };
    bench.refill(9 * channels);
    let (zero_point, min, max) = bench.clamp();
    let input_zero_point = bench.seeded.number();
    let missing = bench.seeded.next() as usize % 4;
    let [top, middle, bottom] = &bench.rows;
    let mut rows = [top, middle, bottom].map(|row| Some(&row[..width * channels]));
    if missing != 1 && missing < 3 {
        rows[missing] = None;
    }
    let mut params = WindowParams {
        weights: &bench.weights,
        input_width: width,
        input_channels: channels,
        output_width,
        output_channels: channels,
        stride,
        pad_left,
        input_zero_point,
        input_layout: layout(variety & 4 != 0),
        output_layout: layout(variety & 2 != 0),
        output: OutputStage {
            channels: PerChannel {
                bias: I32s::new(&bench.bias),
                multiplier: I32s::new(&bench.multiplier),
                shift: &bench.shift,
            },
            zero_point,
            min,
            max,
        },
    };
    let length = output_width * channels;
    Scalar.depthwise3x3(&params, rows, &mut bench.expected[..length]);
    kernels.depthwise3x3(&params, rows, &mut bench.actual[..length]);
    bench.compare(length, case("depthwise3x3", width, channels, channels))?;

    // The first convolution has few input channels and the output's count is its own.
    let outputs = (MAX_WEIGHTS / (9 * channels)).min(MAX_ROW / output_width);
    let outputs = outputs.min(if variety & 1 == 0 { 8 } else { 5 });
    if outputs == 0 {
        return Ok(1);
    }
    params.output_channels = outputs;
    params.input_layout = Layout::Interleaved;
    let length = output_width * outputs;
    Scalar.conv3x3(&params, rows, &mut bench.expected[..length]);
    kernels.conv3x3(&params, rows, &mut bench.actual[..length]);
    bench.compare(length, case("conv3x3", width, channels, outputs))?;
    Ok(2)
}

pub(super) fn pointwise(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    inputs: usize,
    outputs: usize,
) -> Result<usize, Mismatch> {
    bench.refill(inputs);
    let (zero_point, min, max) = bench.clamp();
    let input_zero_point = bench.seeded.number();
    let planar = bench.seeded.next() & 1 == 0;
    let output = OutputStage {
        channels: PerChannel {
            bias: I32s::new(&bench.bias),
            multiplier: I32s::new(&bench.multiplier),
            shift: &bench.shift,
        },
        zero_point,
        min,
        max,
    };
    let weights = &bench.weights[..inputs * outputs];
    let params = PointwiseParams {
        weights,
        width,
        input_channels: inputs,
        output_channels: outputs,
        input_zero_point,
        output_layout: if planar {
            Layout::Planar
        } else {
            Layout::Interleaved
        },
        output,
    };
    let row = &bench.rows[0][..width * inputs];
    let length = width * outputs;
    Scalar.pointwise(&params, row, &mut bench.expected[..length]);
    kernels.pointwise(&params, row, &mut bench.actual[..length]);
    bench.compare(length, case("pointwise", width, inputs, outputs))?;

    let params = DenseParams {
        weights,
        input_zero_point,
        output,
    };
    let vector = &bench.rows[0][..inputs];
    Scalar.dense(&params, vector, &mut bench.expected[..outputs]);
    kernels.dense(&params, vector, &mut bench.actual[..outputs]);
    bench.compare(outputs, case("dense", 1, inputs, outputs))?;
    Ok(2)
}

pub(super) fn elementwise(
    kernels: &impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
) -> Result<usize, Mismatch> {
    bench.refill(1);
    let (zero_point, min, max) = bench.clamp();
    let mut multiplier = |most: u32| Multiplier {
        mantissa: (bench.seeded.next() >> 2 | 1 << 30) as i32,
        shift: -((bench.seeded.next() % most) as i8),
    };
    let params = AddParams {
        a: multiplier(4),
        b: multiplier(4),
        output: multiplier(24),
        a_zero_point: bench.seeded.number(),
        b_zero_point: bench.seeded.number(),
        zero_point,
        min,
        max,
    };
    let length = width * channels;
    let [a, b, _] = &bench.rows;
    Scalar.add(
        &params,
        &a[..length],
        &b[..length],
        &mut bench.expected[..length],
    );
    kernels.add(
        &params,
        &a[..length],
        &b[..length],
        &mut bench.actual[..length],
    );
    bench.compare(length, case("add", width, channels, channels))?;

    let mut sums = [[0_i8; MAX_CHANNELS * 4]; 2];
    let [expected, actual] = &mut sums;
    for row in &bench.rows {
        Scalar.pool_row(&row[..length], &mut expected[..channels * 4]);
        kernels.pool_row(&row[..length], &mut actual[..channels * 4]);
    }
    let count = 3 * width as i32;
    Scalar.pool_finish(
        &expected[..channels * 4],
        count,
        (min, max),
        &mut bench.expected[..channels],
    );
    kernels.pool_finish(
        &actual[..channels * 4],
        count,
        (min, max),
        &mut bench.actual[..channels],
    );
    bench.compare(channels, case("pool", width, channels, channels))?;
    Ok(2)
}
