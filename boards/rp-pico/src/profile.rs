//! Cost of the network in the model slot on this chip, layer by layer: for the emulator, which
//! counts instructions between the marks that are written here.
//!
//! A mark is a number in the watchdog's first scratch register, which nothing else uses:
//! [`mark`] says which. First one core runs a picture, then both.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use posy_shared::engine::{Engine, EngineError, Observer};
use posy_shared::kernels::armv6m::Armv6m;
use posy_shared::kernels::dual::Dual;
use posy_shared::kernels::{Kernels, Layout};
use posy_shared::model::{GoldenRows, Model};
use static_cell::ConstStaticCell;

/// Bytes for the network: what the board's own program has.
const ROOM: usize = 216 * 1024;

/// Numbers in the longest row of a network's input.
const ROW: usize = 3 * 320;

/// Memory for the network, as it is aligned in the board's own program.
#[repr(align(16))]
struct Arena([i8; ROOM]);

static MEMORY: ConstStaticCell<Arena> = ConstStaticCell::new(Arena([0; ROOM]));

/// Meanings of marks.
mod mark {
    /// With the index of a layer: what came since the last mark was for it.
    pub const LAYER: u32 = 0x1_0000;
    /// Without a layer: what came since the last mark was for none.
    pub const NONE: u32 = 0x2_0000;
    /// A picture is through; the golden check has passed before.
    pub const END: u32 = 0x3_0000;
    /// There is no model, or it fails.
    pub const FAILED: u32 = 0x4_0000;
}

/// The watchdog's first scratch register (RP2040 data sheet, 4.7.6).
const SCRATCH0: *mut u32 = 0x4005_800C as *mut u32;

fn set(mark: u32) {
    // SAFETY: the register is there on this chip, holds any word, and does nothing.
    unsafe { SCRATCH0.write_volatile(mark) };
}

struct Layers;

impl Observer for Layers {
    fn row(&mut self, layer: usize, _: usize, _: Layout, _: &[i8]) {
        set(mark::LAYER | layer as u32);
    }
}

/// Runs the golden check, then a picture with marks.
fn profile(model: &Model<'_>, arena: &mut [i8], kernels: impl Kernels) -> Result<(), EngineError> {
    let mut row = [0; ROW];
    let row = row.get_mut(..model.input_shape().row_len());
    let row = row.ok_or(EngineError::Plan)?;
    let mut engine = Engine::new(model, arena, kernels)?;
    engine.golden_check(row)?;
    let mut rows = GoldenRows::new(1);
    for _ in 0..model.input_shape().height {
        rows.fill(row);
        set(mark::NONE);
        engine.push_row_observed(row, &mut Layers)?;
    }
    engine.finish_observed(&mut Layers)?;
    set(mark::END);
    Ok(())
}

#[entry]
fn main() -> ! {
    let chip = embassy_rp::init(embassy_rp::config::Config::default());
    let arena = &mut MEMORY.take().0;
    let second = posy_rp::second_core(chip.CORE1);
    // SAFETY: this program writes no flash.
    let slot = unsafe { posy_board::model_slot() };
    let done = match Model::read_slot(slot) {
        Ok(model) => profile(&model, arena, Armv6m::new())
            .and_then(|()| profile(&model, arena, Dual::new(Armv6m::new(), second)))
            .is_ok(),
        Err(_) => false,
    };
    if !done {
        set(mark::FAILED);
    }
    loop {
        core::hint::spin_loop();
    }
}
