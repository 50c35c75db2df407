//! Coverage of the cases: they reach every edge. `faults_tests.rs` checks that they catch faults.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::cell::RefCell;

use super::*;
use crate::kernels::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Layout, OutputStage, PointwiseParams,
    WindowParams, scalar::Scalar,
};

/// Records the parameters that each kernel is called with.
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
        // Distance by which the last window reaches past the map.
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
#[cfg_attr(miri, ignore = "Miri meets few edges")]
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
