//! How long a network takes on a board: an estimate, from instructions counted in an emulator.

use posy_shared::model::{Layer, Op};

use super::boards::Board;

/// Instructions of a kind of layer: for each product, and for each number that it gives.
struct Cost {
    product: f64,
    output: f64,
}

/// Instructions of the kernels of boards for one layer.
///
/// The numbers are least-squares fits, by relative error, to the layers of MobileNet v1 0.25_128,
/// 0.25_224, 0.50_128 and 0.75_192 as `posy-tests`' program `profile` counts them: `dsp` on an
/// emulated Cortex-M4 (M7 and M33 count alike), else on an emulated Cortex-M3 that runs Armv6-M
/// code.
fn cost(op: Op, dsp: bool) -> Cost {
    let (product, output) = match (op, dsp) {
        (Op::Conv3x3, true) => (1.0, 1.0),
        (Op::Depthwise3x3, true) => (1.0, 1.0),
        (Op::Pointwise, true) => (1.0, 1.0),
        (Op::Dense, true) => (1.0, 1.0),
        (Op::Conv3x3, false) => (1.0, 1.0),
        (Op::Depthwise3x3, false) => (1.0, 1.0),
        (Op::Pointwise, false) => (1.0, 1.0),
        (Op::Dense, false) => (1.0, 1.0),
        (Op::Add | Op::GlobalAveragePool, _) => (1.0, 1.0),
    };
    Cost { product, output }
}

/// Whether a core has the DSP extension's dual multiplications.
fn has_dsp(board: &Board) -> bool {
    board.target != "thumbv6m-none-eabi"
}

/// Instructions that `layers` take on `board` for one picture, about.
pub fn instructions(layers: &[Layer], board: &Board) -> f64 {
    let of_layer = |layer: &Layer| {
        let cost = cost(layer.op, has_dsp(board));
        let numbers = match layer.op {
            // Its work is in what it reads.
            Op::GlobalAveragePool => layer.input.len(),
            _ => layer.output.len(),
        };
        cost.product * layer.products() as f64 + cost.output * numbers as f64
    };
    layers.iter().map(of_layer).sum()
}

/// Seconds that `layers` take on `board` for one picture, if each cycle of its clock did one
/// instruction: about what a core without waits does (a Cortex-M4 was seen to take 1.2 cycles for
/// one; a Cortex-M7 can do two at once; flash that is read over a serial bus makes any wait).
pub fn seconds(layers: &[Layer], board: &Board) -> f64 {
    instructions(layers, board) / f64::from(board.clock_hz)
}
