//! Estimated inference time on a board, from instruction counts of an emulator.

use posy_shared::model::{Layer, Op};

use super::boards::Board;

/// Instruction counts of a kind of layer.
struct Cost {
    /// Instructions per multiply-accumulate.
    product: f64,
    /// Instructions per output value; for a pool, per input value.
    number: f64,
    /// Instructions per output pixel of a convolution, and per row of a depthwise convolution's
    /// channel: the set-up.
    piece: f64,
}

/// Instruction counts of a board's kernels for one layer.
///
/// The numbers are least-squares fits (errors weighted by the inverse root of the count) to the
/// layers of MobileNet v1 0.25_128, 0.25_224, 0.50_128 and 0.75_192 as `posy-tests`' program
/// `profile` counts them: `dsp` on an emulated Cortex-M4 (M7 and M33 count alike), else on an
/// emulated Cortex-M3 that runs Armv6-M code. Those networks have no additions; their cost is that
/// of a pool's value, twice, plus requantisation.
fn cost(op: Op, dsp: bool) -> Cost {
    let (product, number, piece) = match (op, dsp) {
        (Op::Conv3x3, true) => (1.043, 0.0, 222.2),
        (Op::Depthwise3x3, true) => (2.557, 0.0, 85.99),
        (Op::Pointwise, true) => (0.808, 10.06, 0.0),
        (Op::Dense, true) => (8.594, 0.0, 0.0),
        (Op::GlobalAveragePool | Op::Mean, true) => (0.0, 1.51, 0.0),
        (Op::Add, true) => (0.0, 20.0, 0.0),
        (Op::Conv3x3, false) => (2.983, 0.0, 243.7),
        (Op::Depthwise3x3, false) => (7.085, 0.0, 302.7),
        (Op::Pointwise, false) => (2.748, 15.54, 0.0),
        (Op::Dense, false) => (17.72, 0.0, 0.0),
        (Op::GlobalAveragePool | Op::Mean, false) => (0.0, 11.18, 0.0),
        (Op::Add, false) => (0.0, 60.0, 0.0),
        // Two copies, a word at a time.
        (Op::Flatten, _) => (0.0, 1.0, 0.0),
    };
    Cost {
        product,
        number,
        piece,
    }
}

/// Returns true if a core has the DSP extension's dual multiplications.
fn has_dsp(board: &Board) -> bool {
    board.target != "thumbv6m-none-eabi"
}

/// Estimated instructions of `layers` on `board` for one picture, within 7% for the networks of the
/// fit.
pub fn instructions(layers: &[Layer], board: &Board) -> f64 {
    let of_layer = |layer: &Layer| {
        let cost = cost(layer.op, has_dsp(board));
        let output = layer.output;
        let rows = f64::from(output.height);
        let (numbers, pieces) = match layer.op {
            Op::GlobalAveragePool | Op::Mean => (layer.input.len(), 0.0),
            Op::Conv3x3 => (output.len(), rows * f64::from(output.width)),
            _ => (output.len(), rows * f64::from(output.channels)),
        };
        cost.product * layer.products() as f64 + cost.number * numbers as f64 + cost.piece * pieces
    };
    layers.iter().map(of_layer).sum()
}

/// Estimated seconds of `layers` on `board` for one picture, at one instruction per clock cycle:
/// about the rate of a core without wait states (a Cortex-M4 was measured at 1.2 cycles per
/// instruction; a Cortex-M7 can execute two at once; flash on a serial bus adds wait states).
pub fn seconds(layers: &[Layer], board: &Board) -> f64 {
    instructions(layers, board) / f64::from(board.clock_hz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;
    use crate::device::fit::layers_of;
    use posy_nn::zoo::Architecture;

    /// Million instructions that `profile` counted: for networks of the fit, and for one other,
    /// 0.50_224.
    #[test]
    fn estimates_are_near_what_was_counted() {
        for (name, m0, m4) in [
            ("mobilenet_0.25_128", 54.27, 18.70),
            ("mobilenet_0.25_224", 156.84, 53.72),
            ("mobilenet_0.50_128", 158.95, 53.75),
            ("mobilenet_0.75_192", 749.91, 229.13),
            ("mobilenet_0.50_224", 462.0, 155.0),
        ] {
            let architecture: Architecture = name.parse().unwrap();
            let layers = layers_of(&architecture, 5);
            for board in &BOARDS {
                let counted = if has_dsp(board) { m4 } else { m0 };
                let ratio = instructions(&layers, board) / (1e6 * counted);
                assert!(
                    (0.9..1.1).contains(&ratio),
                    "{name}, {}: {ratio}",
                    board.name
                );
            }
        }
    }
}
