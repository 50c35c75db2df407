//! Estimated time of an answer on a board: instructions as an emulator counts them, the cycles that they
//! take on each core, what is read of flash past its cache, and the camera.

use posy_shared::model::{Layer, Op};
use posy_shared::plan::Plan;

use super::boards::Board;

/// Pixels of a camera's frame: 320 x 240.
const FRAME_PIXELS: f64 = 320.0 * 240.0;
/// Bits of a frame: RGB565.
const FRAME_BITS: f64 = 16.0 * FRAME_PIXELS;
/// Seconds from asking for a frame to its end, on average: half a frame that is under way, and the whole
/// one behind it, at 15 frames a second.
const CAPTURE_S: f64 = 1.5 / 15.0;
/// Size of the cache before an RP2040's or RP2350's flash, bytes (RP2040 data sheet, 2.6.3.1).
const CACHE_BYTES: usize = 16 * 1024;

/// Instruction counts of a kind of layer.
struct Cost {
    /// Instructions per multiply-accumulate.
    product: f64,
    /// Instructions per output value; for a pool, per input value.
    number: f64,
    /// Instructions per output pixel.
    pixel: f64,
    /// Instructions per row of an output channel: the set-up.
    row: f64,
}

/// Instruction counts of a board's kernels for one layer.
///
/// The numbers are least-squares fits without negative terms (errors weighted by the inverse root of the count) to
/// the layers of MobileNet v1 0.25_128, 0.25_224, 0.50_128, 0.50_224 and v2 0.5_224 as the command `profile` of
/// `posy-tests`' program `xtask` counts them: `dsp` on an emulated Cortex-M33 (M4 and M7 count alike), else on an
/// emulated Cortex-M3 that runs Armv6-M code.
fn cost(op: Op, dsp: bool) -> Cost {
    let (product, number, pixel, row) = match (op, dsp) {
        (Op::Conv3x3, true) => (0.315, 0.0, 119.0, 1729.0),
        (Op::Depthwise3x3, true) => (2.305, 0.0, 15.31, 95.17),
        (Op::Pointwise, true) => (0.806, 2.596, 115.4, 96.94),
        (Op::Dense, true) => (1.598, 27.95, 0.0, 0.0),
        (Op::GlobalAveragePool | Op::Mean, true) => (0.0, 0.504, 450.6, 31.62),
        (Op::Add, true) => (0.0, 148.9, 9.677, 8.018),
        (Op::Conv3x3, false) => (2.076, 0.0, 241.6, 1321.0),
        (Op::Depthwise3x3, false) => (5.328, 0.0, 49.56, 358.4),
        (Op::Pointwise, false) => (2.086, 10.42, 274.6, 423.3),
        (Op::Dense, false) => (4.266, 189.3, 0.0, 0.0),
        (Op::GlobalAveragePool | Op::Mean, false) => (0.0, 3.239, 3690.0, 244.4),
        (Op::Add, false) => (0.0, 304.8, 0.0, 3.834),
        // Two copies, a word at a time.
        (Op::Flatten, _) => (0.0, 1.0, 0.0, 0.0),
    };
    Cost {
        product,
        number,
        pixel,
        row,
    }
}

/// Path of a frame's rows into a board's memory.
enum Rows {
    /// Over SPI at this many bits a second, each while the network computes the one before.
    Behind(f64),
    /// Over SPI at this many bits a second; the core waits.
    Awaited(f64),
    /// Into memory as the sensor sends them, a whole frame at a time; the core waits.
    Whole,
}

/// Times of a board.
struct Timing {
    /// Cycles per instruction.
    ///
    /// Cortex-M0+: as the emulator of the RP2040 counts them. The others: what MLPerf Tiny's results of one
    /// vendor's chips allow (M7 to M4 0.57 to 0.63, M33 to M4 0.80 to 0.89), the middle of the range.
    cycles: f64,
    /// Speed of all cores together in the network, in cores: what the emulator of the RP2040 sees of two.
    cores: f64,
    /// Cycles for a byte of flash that is not in its cache; zero where flash is on the chip.
    byte_cycles: f64,
    /// Instructions for a pixel on its way from the camera to the network's input, on one core: Cortex-M0+ as the
    /// emulator counts them, the others two thirds of that, since they multiply and shift in one.
    pixel: f64,
    rows: Rows,
}

fn timing(board: &Board) -> Timing {
    match board.name {
        "rp-pico" => Timing {
            cycles: 1.48,
            cores: 1.71,
            byte_cycles: 7.5,
            pixel: 234.0,
            rows: Rows::Behind(7.8e6),
        },
        "rp-pico2" => Timing {
            cycles: 1.15,
            cores: 1.71,
            byte_cycles: 6.5,
            pixel: 156.0,
            rows: Rows::Behind(7.5e6),
        },
        "nucleo-h743zi" | "weact-h743vi" => Timing {
            cycles: 0.78,
            cores: 1.0,
            byte_cycles: 0.0,
            pixel: 156.0,
            rows: Rows::Whole,
        },
        _ => Timing {
            cycles: 1.28,
            cores: 1.0,
            byte_cycles: 0.0,
            pixel: 156.0,
            rows: Rows::Awaited(8e6),
        },
    }
}

/// Estimated time of an answer, in parts that add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Seconds that the cores compute.
    pub compute_s: f64,
    /// Seconds that they wait for flash.
    pub flash_s: f64,
    /// Seconds that they wait for the camera.
    pub camera_s: f64,
}

impl Estimate {
    /// The estimate for `layers`, laid out by `plan`, on `board`, where one picture is answered after another.
    pub fn of(layers: &[Layer], plan: &Plan, board: &Board) -> Self {
        let timing = timing(board);
        let dsp = has_dsp(board);
        let clock_hz = f64::from(board.clock_hz);
        let compute = |layers: &[Layer]| {
            instructions(layers, dsp) * timing.cycles / (timing.cores * clock_hz)
        };
        let flash = |layers: &[Layer]| uncached_bytes(layers) * timing.byte_cycles / clock_hz;
        // The first segment runs as rows come, the others after the last one.
        let cut = plan.cuts.first().map_or(layers.len(), |&cut| cut.into());
        let (first, rest) = layers.split_at(cut.min(layers.len()));
        let pixels_s = FRAME_PIXELS * timing.pixel * timing.cycles / clock_hz;
        let compute_s = compute(layers) + pixels_s;
        let flash_s = flash(layers);
        let with_rows_s = compute(first) + pixels_s + flash(first);
        let after_rows_s = compute(rest) + flash(rest);
        let total_s = match timing.rows {
            Rows::Behind(hz) => after_rows_s.max(CAPTURE_S) + with_rows_s.max(FRAME_BITS / hz),
            Rows::Awaited(hz) => after_rows_s.max(CAPTURE_S) + with_rows_s + FRAME_BITS / hz,
            Rows::Whole => CAPTURE_S + with_rows_s + after_rows_s,
        };
        Estimate {
            compute_s,
            flash_s,
            camera_s: total_s - compute_s - flash_s,
        }
    }

    /// Seconds for an answer.
    pub fn total_s(&self) -> f64 {
        self.compute_s + self.flash_s + self.camera_s
    }
}

/// Returns true if a core has the DSP extension's dual multiplications.
pub fn has_dsp(board: &Board) -> bool {
    board.target != "thumbv6m-none-eabi"
}

/// Estimated instructions of `layers` for one picture on one core, with the DSP extension or without; within
/// 7% of fresh counts, as a test sees to.
pub fn instructions(layers: &[Layer], dsp: bool) -> f64 {
    let of_layer = |layer: &Layer| {
        let cost = cost(layer.op, dsp);
        let output = layer.output;
        let rows = f64::from(output.height);
        let numbers = match layer.op {
            Op::GlobalAveragePool | Op::Mean => layer.input.len(),
            _ => output.len(),
        };
        cost.product * layer.products() as f64
            + cost.number * numbers as f64
            + cost.pixel * rows * f64::from(output.width)
            + cost.row * rows * f64::from(output.channels)
    };
    layers.iter().map(of_layer).sum()
}

/// Bytes that are read past the cache for one picture: weights of a layer once, where the cache has room for
/// them, else once for each of its rows; and for each row of a layer what has left the cache since the last.
fn uncached_bytes(layers: &[Layer]) -> f64 {
    weight_bytes(layers) + layers.iter().map(row_bytes).sum::<f64>()
}

/// Bytes of code and of small layers' weights that are read again for the rows of a layer, as the emulator of
/// the RP2040 counts them in the mean.
fn row_bytes(layer: &Layer) -> f64 {
    /// Bytes for a row.
    const AGAIN: f64 = 3350.0;
    match layer.op {
        Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise => AGAIN * f64::from(layer.output.height),
        _ => 0.0,
    }
}

/// Bytes of weights alone.
fn weight_bytes(layers: &[Layer]) -> f64 {
    let of_layer = |layer: &Layer| {
        let times = match layer.weight_len() < CACHE_BYTES {
            true => 1,
            false => usize::from(layer.output.height),
        };
        (times * layer.weight_len()) as f64
    };
    layers.iter().map(of_layer).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BOARDS;
    use crate::device::fit::layers_of;
    use posy_nn::zoo::Architecture;
    use posy_shared::plan::search;

    fn layers(name: &str) -> Vec<Layer> {
        let architecture: Architecture = name.parse().unwrap();
        layers_of(&architecture, 5)
    }

    /// Megabytes by a model of the RP2040's cache that a trace of the weights' addresses ran through.
    #[test]
    fn weights_are_read_as_often_as_a_cache_lets_them() {
        for (name, megabytes) in [
            ("mobilenet_0.25_128", 1.06),
            ("mobilenet_0.50_224", 8.27),
            ("mobilenet_1.0_224", 34.9),
        ] {
            let found = weight_bytes(&layers(name)) / 1e6;
            assert!((found / megabytes - 1.0).abs() < 0.05, "{name}: {found}");
        }
    }

    #[test]
    fn parts_add_up_and_the_camera_is_waited_for_where_the_network_is_short() {
        for board in &BOARDS {
            let [short, long] = ["mobilenet_0.25_128", "mobilenet_0.50_224"].map(|name| {
                let layers = layers(name);
                Estimate::of(&layers, &search(&layers).unwrap(), board)
            });
            for estimate in [short, long] {
                let Estimate {
                    compute_s,
                    flash_s,
                    camera_s,
                } = estimate;
                assert!(
                    compute_s > 0.0 && flash_s >= 0.0 && camera_s > -1e-9,
                    "{board:?}"
                );
            }
            let share = |estimate: Estimate| estimate.camera_s / estimate.total_s();
            assert!(share(short) > share(long) - 1e-9, "{}", board.name);
        }
    }
}
