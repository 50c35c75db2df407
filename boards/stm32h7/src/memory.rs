//! Map of the memories and their uses, and the caches.
//!
//! | memory | holds | cached |
//! |---|---|---|
//! | DTCM, 128 KiB | stack, variables, logs for the probe | never: it is as fast as a cache |
//! | AXI SRAM, 512 KiB | the network and rows | yes, and no DMA touches it |
//! | SRAM1 and 2, 256 KiB | the camera's frame, by DMA | no: the MPU says so |
//!
//! So nothing that someone else than the core reads or writes is ever cached.

use core::mem::MaybeUninit;
use core::ptr;

use cortex_m::Peripherals;
use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::MPU;
use embassy_stm32::pac::RCC;
use posy_firmware::program::Memory;

use crate::axi::{self, Registers};

/// Bytes for the network. Of the AXI SRAM's 512 KiB the rest is rows.
const ARENA: usize = 480 * 1024;
/// Words of a camera frame: 320 x 240 pixels of two bytes.
const FRAME: usize = 320 * 240 * 2 / 4;

// SAFETY of both: the sections are RAM of the board's `memory.x`, where what is not initialised may
// lie.
#[unsafe(link_section = ".axi")]
static mut NETWORK: MaybeUninit<Memory<ARENA>> = MaybeUninit::uninit();
#[unsafe(link_section = ".sram_d2")]
static mut FRAMES: MaybeUninit<[u32; FRAME]> = MaybeUninit::uninit();

/// Buffers that lie in other memory than variables do.
pub struct Rooms {
    /// For the network.
    pub network: &'static mut Memory<ARENA>,
    /// For the camera's frame.
    pub frame: &'static mut [u32],
}

/// Turns the caches on and fills the memories. That it takes the core's peripherals, of which there
/// is one set, means that it is called once.
pub fn start(mut core: Peripherals) -> Rooms {
    axi::mend(&mut Chip);
    RCC.ahb2enr().modify(|enable| {
        enable.set_sram1en(true);
        enable.set_sram2en(true);
    });
    // The clock takes a few cycles to arrive, and reading back as many.
    RCC.ahb2enr().read();
    protect(&mut core.MPU);
    core.SCB.enable_icache();
    core.SCB.enable_dcache(&mut core.CPUID);
    let (network, frame) = (&raw mut NETWORK, &raw mut FRAMES);
    // SAFETY: nothing else names the two, and this runs once, as said above: both references are the
    // only ones. Their memory is on: SRAM1 and 2 by what is above, AXI SRAM always.
    unsafe {
        Rooms {
            network: (*network).write(Memory::new()),
            frame: (*frame).write([0; FRAME]),
        }
    }
}

/// The chip's own registers.
struct Chip;

impl Registers for Chip {
    fn read(&self, address: usize) -> u32 {
        // SAFETY: of the registers that are asked for here each is there on this chip, aligned, and read
        // without effect.
        unsafe { ptr::read_volatile(ptr::with_exposed_provenance(address)) }
    }

    fn write(&mut self, address: usize, word: u32) {
        // SAFETY: as above; what is written there makes the bus slower and nothing else.
        unsafe { ptr::write_volatile(ptr::with_exposed_provenance_mut(address), word) }
    }
}

/// A region of the MPU: its first byte, and its attributes and size as RASR has them (ARMv7-M
/// Architecture Reference Manual, B3.5.9).
struct Region {
    base: u32,
    attributes: u32,
}

/// RASR: the region counts.
const ENABLE: u32 = 1;
/// RASR: 2 to the power of `bits` bytes.
const fn size(bits: u32) -> u32 {
    (bits - 1) << 1
}
/// RASR: the eighths of the region that do not belong to it.
const fn without(eighths: u32) -> u32 {
    eighths << 8
}
/// RASR: normal memory, shared with other masters and not cached.
const NOT_CACHED: u32 = 1 << 19 | 1 << 18;
/// RASR: everybody may read and write; without it nobody may.
const READ_WRITE: u32 = 0b011 << 24;
/// RASR: no instructions are fetched.
const NO_CODE: u32 = 1 << 28;

const REGIONS: [Region; 2] = [
    // Where external memory would be: the core reads ahead, also there, and waits for ever for
    // memory that does not answer (ST's AN4838 on the MPU). 0x6000_0000 to 0xDFFF_FFFF.
    Region {
        base: 0,
        attributes: ENABLE | size(32) | without(0b1000_0111) | NO_CODE,
    },
    // SRAM1 and SRAM2.
    Region {
        base: 0x3000_0000,
        attributes: ENABLE | size(18) | NOT_CACHED | READ_WRITE | NO_CODE,
    },
];

/// MPU_CTRL: on, and the default memory map wherever there is no region.
const ON_WITH_DEFAULT_MAP: u32 = 1 << 2 | 1;

fn protect(mpu: &mut MPU) {
    for (number, region) in (0..).zip(REGIONS) {
        // SAFETY: the regions take nothing away that the program uses, and SRAM1 and 2 have not been
        // used yet, so that nothing of them is in a cache.
        unsafe {
            mpu.rnr.write(number);
            mpu.rbar.write(region.base);
            mpu.rasr.write(region.attributes);
        }
    }
    // SAFETY: as above.
    unsafe { mpu.ctrl.write(ON_WITH_DEFAULT_MAP) };
    dsb();
    isb();
}
