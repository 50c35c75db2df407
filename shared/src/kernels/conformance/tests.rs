//! The cases themselves: that they meet every edge, and that faults are caught.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::cell::RefCell;

use super::*;
use crate::kernels::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Layout, OutputStage, PointwiseParams,
    WindowParams, scalar::Scalar,
};

/// Notes what it is asked for.
#[derive(Default)]
struct Seen(RefCell<BTreeSet<String>>);

impl Seen {
    fn note(&self, what: String) {
        self.0.borrow_mut().insert(what);
    }

    fn numbers(&self, kernel: &str, weights: &[i8], zero_point: i8, output: &OutputStage<'_>) {
        if weights.contains(&i8::MIN) {
            self.note(format!("{kernel} weight -128"));
        }
        self.note(format!("{kernel} zero point {zero_point}"));
        let channels = output.channels;
        for (channel, shift) in channels.shift.iter().enumerate() {
            self.note(format!("{kernel} shift {shift}"));
            if channels.multiplier.at(channel) == 0 {
                self.note(format!("{kernel} multiplier 0"));
            }
        }
    }

    fn window<W>(
        &self,
        kernel: &str,
        params: &WindowParams<'_, W>,
        weights: &[i8],
        rows: [Option<&[i8]>; 3],
    ) {
        self.note(format!(
            "{kernel} stride {} pad {} {:?} to {:?}",
            params.stride, params.pad_left, params.input_layout, params.output_layout
        ));
        let rows = rows.map(|row| row.is_some());
        self.note(format!("{kernel} stride {} rows {rows:?}", params.stride));
        self.numbers(kernel, weights, params.input_zero_point, &params.output);
        // How far the last window reaches past the map.
        let end = (params.output_width - 1) * params.stride + 3;
        let past = end as isize - (params.pad_left + params.input_width) as isize;
        self.note(format!(
            "{kernel} stride {} past {}",
            params.stride,
            past.max(0)
        ));
    }
}

impl Kernels for Seen {
    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        self.window("conv3x3", params, params.weights.bytes(), rows);
        Scalar.conv3x3(params, rows, scratch, output);
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        self.window("depthwise3x3", params, params.weights, rows);
        Scalar.depthwise3x3(params, rows, output);
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        self.note(format!("pointwise to {:?}", params.output_layout));
        self.numbers(
            "pointwise",
            params.weights.bytes(),
            params.input_zero_point,
            &params.output,
        );
        Scalar.pointwise(params, input, scratch, output);
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        self.note(format!("dense from {}", input.len()));
        self.numbers(
            "dense",
            params.weights.bytes(),
            params.input_zero_point,
            &params.output,
        );
        Scalar.dense(params, input, scratch, output);
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        for scale in [params.a, params.b, params.output] {
            self.note(format!("add shift {}", scale.shift));
            if scale.mantissa == 0 {
                self.note("add multiplier 0".into());
            }
        }
        Scalar.add(params, a, b, output);
    }
}

#[test]
fn every_edge_is_met() {
    let mut seen = Seen::default();
    assert!(check(&mut seen).is_ok_and(|cases| cases > 15_000));
    let mut wanted = BTreeSet::new();
    for kernel in ["conv3x3", "depthwise3x3"] {
        for stride in [1, 2] {
            for pad in [0, 1] {
                let inputs = [Layout::Interleaved, Layout::Planar];
                let inputs = &inputs[..if kernel == "conv3x3" { 1 } else { 2 }];
                for input in inputs {
                    for output in [Layout::Interleaved, Layout::Planar] {
                        wanted.insert(format!(
                            "{kernel} stride {stride} pad {pad} {input:?} to {output:?}"
                        ));
                    }
                }
            }
            for rows in [
                [true, true, true],
                [false, true, true],
                [true, true, false],
                [false, true, false],
                [false, false, true],
                [true, false, false],
            ] {
                wanted.insert(format!("{kernel} stride {stride} rows {rows:?}"));
            }
            for past in 0..=2 {
                wanted.insert(format!("{kernel} stride {stride} past {past}"));
            }
        }
    }
    for kernel in ["conv3x3", "depthwise3x3", "pointwise", "dense"] {
        for edge in [
            "weight -128",
            "zero point -128",
            "zero point 127",
            "multiplier 0",
            "shift 4",
            "shift 0",
            "shift -12",
            "shift -31",
        ] {
            wanted.insert(format!("{kernel} {edge}"));
        }
    }
    for edge in ["multiplier 0", "shift 0", "shift -23", "shift -31"] {
        wanted.insert(format!("add {edge}"));
    }
    for edge in ["to Planar", "to Interleaved"] {
        wanted.insert(format!("pointwise {edge}"));
    }
    wanted.insert("dense from 1024".into());
    let seen = seen.0.into_inner();
    let missed: BTreeSet<_> = wanted.difference(&seen).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// A fault at one place of one kernel, as a wrong tile edge would make.
struct Broken(&'static str);

impl Broken {
    /// A number that the fault makes wrong.
    fn harm(&self, fault: &str, here: bool, number: &mut i8) {
        if self.0 == fault && here {
            *number ^= 1;
        }
    }
}

impl Kernels for Broken {
    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let mut rows = rows;
        if self.0 == "conv3x3" && rows[0].is_none() {
            // The map's first row in place of padding.
            rows[0] = rows[1];
        }
        Scalar.conv3x3(params, rows, scratch, output);
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        Scalar.depthwise3x3(params, rows, output);
        let here = params.stride == 2 && params.output_width > 16;
        self.harm("depthwise3x3", here, &mut output[0]);
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        Scalar.pointwise(params, input, scratch, output);
        let here = params.width == 17 && params.output_channels == 5;
        if let Some(last) = output.last_mut() {
            self.harm("pointwise", here, last);
        }
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        if self.0 != "dense" {
            return Scalar.dense(params, input, scratch, output);
        }
        // What is left beside blocks of four is forgotten.
        for (channel, out) in output.iter_mut().enumerate() {
            let mut sum = 0;
            let weights = params.weights.of(channel);
            let pairs = input.iter().zip(weights).take(input.len() & !3);
            for (&number, weight) in pairs {
                let zero_point = i32::from(params.input_zero_point);
                sum += (i32::from(number) - zero_point) * i32::from(weight);
            }
            *out = params.output.apply(channel, sum);
        }
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        let mut params = *params;
        if self.0 == "add" {
            // Both operands are given one zero point.
            params.b_zero_point = params.a_zero_point;
        }
        Scalar.add(&params, a, b, output);
    }

    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        Scalar.pool_finish(sums, count, clamp, output);
        // Rounding down in place of to nearest.
        if self.0 == "pool" {
            for (out, sum) in output.iter_mut().zip(sums.as_chunks::<4>().0) {
                let sum = i32::from_le_bytes(sum.map(|byte| byte as u8));
                *out = (sum / count).clamp(clamp.0.into(), clamp.1.into()) as i8;
            }
        }
    }
}

#[test]
fn a_broken_variant_is_caught_by_name() {
    for kernel in [
        "conv3x3",
        "depthwise3x3",
        "pointwise",
        "dense",
        "add",
        "pool",
    ] {
        let found = check(&mut Broken(kernel)).expect_err(kernel);
        assert_eq!(found.kernel, kernel);
    }
    assert!(check(&mut Broken("nothing")).is_ok());
}
