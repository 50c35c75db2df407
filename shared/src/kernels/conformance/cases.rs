//! Cases of each kernel.

use super::Mismatch;
use super::bench::{Bench, Clamp, MAX_CHANNELS, MAX_ROW, MAX_WEIGHTS, poison};
use crate::kernels::scalar::Scalar;
use crate::kernels::{
    AddParams, DenseParams, Kernels, Layout, Packed, PointwiseParams, Weighted, WindowParams,
    requant::Multiplier,
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
    kernels: &mut impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
    variety: usize,
) -> Result<usize, Mismatch> {
    bench.refill(9 * channels);
    let clamp = bench.clamp();
    let input_zero_point = bench.seeded.number();
    // Mostly strides and padding of real networks; now and then everything else that a model allows.
    let [stride, pad_left] = match bench.seeded.below(8) {
        0 => [3 + variety % 2, 2],
        _ => [1 + variety % 2, variety / 2 % 2],
    };
    // As many outputs as start in the map, the last of them reaching into the right padding; or one
    // fewer, which may end with the map.
    let most = (width + pad_left).div_ceil(stride).min(MAX_ROW / channels);
    let output_width = (most - bench.seeded.below(2)).max(1);
    let layout = |planar| match planar {
        true => Layout::Planar,
        false => Layout::Interleaved,
    };
    // Rows of padding: above or below the map, or around a single row.
    let there = match bench.seeded.below(8) {
        0 => [false, true, true],
        1 => [true, true, false],
        2 => [false, true, false],
        3 => [false, false, true],
        4 => [true, false, false],
        _ => [true; 3],
    };
    let [top, middle, bottom] = &bench.rows;
    let mut rows = [top, middle, bottom].map(|row| Some(&row[..width * channels]));
    for (row, there) in rows.iter_mut().zip(there) {
        row.take_if(|_| !there);
    }
    let params = WindowParams {
        layer: 0,
        weights: &bench.weights[..9 * channels],
        input_width: width,
        input_channels: channels,
        output_width,
        output_channels: channels,
        stride,
        pad_left,
        input_zero_point,
        input_layout: layout(variety & 4 != 0),
        output_layout: layout(variety & 8 != 0),
        output: bench.tables.stage(channels, clamp),
    };
    let length = output_width * channels;
    kernels.prepare(Weighted::Depthwise3x3(params));
    Scalar.depthwise3x3(&params, rows, &mut bench.expected[..length]);
    poison(&bench.expected[..length], &mut bench.actual);
    kernels.depthwise3x3(&params, rows, &mut bench.actual[..length]);
    bench.compare(length, case("depthwise3x3", width, channels, channels))?;

    // The first convolution has few input channels, and its number of output channels is independent of
    // them.
    let most = match variety & 1 {
        0 => 8,
        _ => [5, 17, 33][bench.seeded.below(3)],
    };
    let terms = 9 * channels;
    let fits = |outputs: &usize| {
        Packed::len(*outputs, terms) <= MAX_WEIGHTS && outputs * output_width <= MAX_ROW
    };
    let Some(outputs) = (1..=most).rev().find(fits) else {
        return Ok(1);
    };
    let scratch_len = kernels.scratch_len(terms, output_width);
    let params = WindowParams {
        layer: 0,
        weights: Packed::new(&bench.weights[..Packed::len(outputs, terms)], terms),
        input_width: width,
        input_channels: channels,
        output_width,
        output_channels: outputs,
        stride,
        pad_left,
        input_zero_point,
        input_layout: Layout::Interleaved,
        output_layout: layout(variety & 8 != 0),
        output: bench.tables.stage(outputs, clamp),
    };
    let length = output_width * outputs;
    kernels.prepare(Weighted::Conv3x3(params));
    Scalar.conv3x3(&params, rows, &mut [], &mut bench.expected[..length]);
    poison(&bench.expected[..length], &mut bench.actual);
    let (scratch, actual) = (&mut bench.scratch, &mut bench.actual);
    kernels.conv3x3(
        &params,
        rows,
        &mut scratch[..scratch_len],
        &mut actual[..length],
    );
    bench.compare(length, case("conv3x3", width, channels, outputs))?;
    Ok(2)
}

/// A 1 x 1 convolution, its output rows in either layout.
pub(super) fn pointwise(
    kernels: &mut impl Kernels,
    bench: &mut Bench,
    width: usize,
    inputs: usize,
    outputs: usize,
) -> Result<usize, Mismatch> {
    for output_layout in [Layout::Planar, Layout::Interleaved] {
        bench.refill(inputs);
        let clamp = bench.clamp();
        let input_zero_point = bench.seeded.number();
        let params = PointwiseParams {
            layer: 0,
            weights: Packed::new(&bench.weights[..Packed::len(outputs, inputs)], inputs),
            width,
            input_channels: inputs,
            output_channels: outputs,
            input_zero_point,
            output_layout,
            output: bench.tables.matrix_stage(outputs, clamp),
        };
        let row = &bench.rows[0][..width * inputs];
        let length = width * outputs;
        kernels.prepare(Weighted::Pointwise(params));
        Scalar.pointwise(&params, row, &mut [], &mut bench.expected[..length]);
        poison(&bench.expected[..length], &mut bench.actual);
        let scratch = &mut bench.scratch[..kernels.scratch_len(inputs, width)];
        kernels.pointwise(&params, row, scratch, &mut bench.actual[..length]);
        bench.compare(length, case("pointwise", width, inputs, outputs))?;
    }
    Ok(2)
}

/// A dense layer.
pub(super) fn dense(
    kernels: &mut impl Kernels,
    bench: &mut Bench,
    inputs: usize,
    outputs: usize,
) -> Result<usize, Mismatch> {
    bench.refill(inputs);
    let clamp = bench.clamp();
    let params = DenseParams {
        layer: 0,
        weights: Packed::new(&bench.weights[..Packed::len(outputs, inputs)], inputs),
        input_zero_point: bench.seeded.number(),
        output: bench.tables.matrix_stage(outputs, clamp),
    };
    let vector = &bench.rows[0][..inputs];
    kernels.prepare(Weighted::Dense(params));
    Scalar.dense(&params, vector, &mut [], &mut bench.expected[..outputs]);
    poison(&bench.expected[..outputs], &mut bench.actual);
    let scratch = &mut bench.scratch[..kernels.scratch_len(inputs, 1)];
    kernels.dense(&params, vector, scratch, &mut bench.actual[..outputs]);
    bench.compare(outputs, case("dense", 1, inputs, outputs))?;
    Ok(1)
}

/// An addition, and a pool over three rows.
pub(super) fn elementwise(
    kernels: &mut impl Kernels,
    bench: &mut Bench,
    width: usize,
    channels: usize,
) -> Result<usize, Mismatch> {
    bench.refill(1);
    let Clamp {
        zero_point,
        min,
        max,
    } = bench.clamp();
    // Factors of one and a half, which leave sums at ties of the last shift, if it is a long one.
    let ties = bench.seeded.below(2) == 0;
    let mut multiplier = |most: usize| Multiplier {
        mantissa: match bench.seeded.below(16) {
            0 => 0,
            1..8 if ties => 1 << 30,
            8.. if ties => i32::MAX,
            1 => i32::MAX,
            _ => (bench.seeded.next() >> 2 | 1 << 30) as i32,
        },
        shift: match bench.seeded.below(16) {
            0 => -31,
            1..12 if ties && most > 17 => -17 - bench.seeded.below(most - 17) as i8,
            _ => -(bench.seeded.below(most) as i8),
        },
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
    poison(&bench.expected[..length], &mut bench.actual);
    kernels.add(
        &params,
        &a[..length],
        &b[..length],
        &mut bench.actual[..length],
    );
    bench.compare(length, case("add", width, channels, channels))?;

    let mut sums = [[0_i8; MAX_CHANNELS * 4]; 2];
    let [expected, actual] = &mut sums;
    // Now and then so many pixels that a sum has more than 16 bits.
    let times = if width == 33 { 100 } else { 1 };
    for row in bench.rows.iter().cycle().take(3 * times) {
        Scalar.pool_row(&row[..length], &mut expected[..channels * 4]);
        kernels.pool_row(&row[..length], &mut actual[..channels * 4]);
    }
    let count = (3 * times * width) as i32;
    Scalar.pool_finish(
        &expected[..channels * 4],
        count,
        (min, max),
        &mut bench.expected[..channels],
    );
    poison(&bench.expected[..channels], &mut bench.actual);
    kernels.pool_finish(
        &actual[..channels * 4],
        count,
        (min, max),
        &mut bench.actual[..channels],
    );
    bench.compare(channels, case("pool", width, channels, channels))?;
    Ok(2)
}
