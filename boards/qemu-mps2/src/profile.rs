//! Cost of the network, layer by layer, in instructions; and whether the kernels are right on
//! this core.
//!
//! With QEMU's `-icount shift=0` an instruction takes a nanosecond of emulated time, so SysTick counts
//! them, in steps of [`PER_TICK`].

use core::fmt::Write;

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{Peripherals, SYST};
use posy_shared::engine::{Engine, EngineError, Observer};
use posy_shared::kernels::{Kernels, Layout, conformance};
use posy_shared::model::{GoldenRows, MAX_LAYERS, Model};

use crate::failure::Failure;

/// Nanoseconds of a tick: the machines' clocks are of 25 and 20 MHz (QEMU's mps2.c and mps2-tz.c).
const PER_TICK: u64 = if cfg!(feature = "an505") { 50 } else { 40 };

/// SysTick counts down from here, 24 bits.
const FULL: u32 = 0x00FF_FFFF;

/// Instructions of the loop that the clock is tried with.
const TRIAL: u32 = 1_000_000;

/// Counts instructions.
struct Counter {
    last: u32,
}

impl Counter {
    /// Starts the clock, and makes sure that it counts instructions: of a loop that has a known
    /// number.
    fn start() -> Result<Counter, Failure> {
        let mut clock = Peripherals::take().ok_or(Failure::Clock)?.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(FULL);
        clock.clear_current();
        clock.enable_counter();
        let mut counter = Counter {
            last: SYST::get_current(),
        };
        counter.lap();
        // One round more than asked for, of two instructions each.
        cortex_m::asm::delay(TRIAL / 2 - 1);
        let counted = counter.lap();
        match counted.abs_diff(TRIAL.into()) < 10 * PER_TICK {
            true => Ok(counter),
            false => Err(Failure::Clock),
        }
    }

    /// Instructions since the last call. The clock turns over after 670 million.
    fn lap(&mut self) -> u64 {
        let now = SYST::get_current();
        let ticks = self.last.wrapping_sub(now) & FULL;
        self.last = now;
        u64::from(ticks) * PER_TICK
    }
}

/// Instructions of each layer.
struct Layers {
    counter: Counter,
    counts: [u64; MAX_LAYERS],
}

impl Observer for Layers {
    /// Counts the instructions since the row before, of whatever layer, towards this layer.
    fn row(&mut self, layer: usize, _: usize, _: Layout, _: &[i8]) {
        let count = self.counter.lap();
        if let Some(counted) = self.counts.get_mut(layer) {
            *counted += count;
        }
    }
}

/// Prints `layer INDEX INSTRUCTIONS` for each layer of the model in `slot`, from the first row in to
/// the logits out; making the rows is not counted.
pub fn profile(
    slot: &[u8],
    arena: &mut [i8],
    kernels: impl Kernels,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let model = Model::read_slot(slot).map_err(Failure::Read)?;
    let mut row = [0; 3 * 320];
    let row = row.get_mut(..model.input_shape().row_len());
    let row = row.ok_or(Failure::Run(EngineError::Plan))?;
    let mut engine = Engine::new(&model, arena, kernels).map_err(Failure::Run)?;
    engine.golden_check(row).map_err(Failure::Run)?;
    let mut layers = Layers {
        counter: Counter::start()?,
        counts: [0; MAX_LAYERS],
    };
    let mut rows = GoldenRows::new(1);
    for _ in 0..model.input_shape().height {
        rows.fill(row);
        layers.counter.lap();
        let pushed = engine.push_row_observed(row, &mut layers);
        pushed.map_err(Failure::Run)?;
    }
    engine.finish_observed(&mut layers).map_err(Failure::Run)?;
    for (index, count) in layers.counts.iter().enumerate().take(model.layers().len()) {
        writeln!(output, "layer {index} {count}").map_err(|_| Failure::Output)?;
    }
    Ok(())
}

/// Holds the kernels to the reference on this core; prints how many cases were equal.
pub fn check(kernels: &mut impl Kernels, output: &mut impl Write) -> Result<(), Failure> {
    let cases = conformance::check(kernels).map_err(Failure::Kernels)?;
    writeln!(output, "{cases} cases equal").map_err(|_| Failure::Output)
}
