//! Classifies what an ArduCAM on a Nordic nRF52840-DK sees.
#![no_std]
#![no_main]

mod buses;
mod button;
mod flash;
mod uart;

use cortex_m_rt::entry;
use embassy_nrf::config::{Config, HfclkSource, LfclkSource};
use embassy_nrf::pac;
use embassy_time::Delay;
use posy_firmware::camera::ArduCam;
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::program::{Board, Memory, run};
use posy_ports::{Ports, now_ms};
use posy_shared::kernels::dsp::Dsp;
use static_cell::ConstStaticCell;

#[cfg(not(feature = "defmt"))]
use panic_halt as _;
#[cfg(feature = "defmt")]
use {defmt_rtt as _, panic_probe as _};

/// Bytes for the network. Of the chip's 256 KiB the rest is ports, rows and stack.
const ARENA: usize = 216 * 1024;

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    // The kit's crystals: the serial port wants a clock within a percent or two.
    let mut config = Config::default();
    config.hfclk_source = HfclkSource::ExternalXtal;
    config.lfclk_source = LfclkSource::ExternalXtal;
    let chip = embassy_nrf::init(config);
    // Flash has wait states at 64 MHz; the cache, off at the start, hides most of them.
    pac::NVMC.icachecnf().write(|cache| cache.set_cacheen(true));

    let sensor = buses::sensor(chip.TWISPI0, chip.P0_26, chip.P0_27);
    let frame_buffer =
        buses::frame_buffer(chip.SPI2, chip.P1_15, chip.P1_13, chip.P1_14, chip.P1_12);
    let uart = uart::uart(
        chip.UARTE0,
        chip.TIMER1,
        (chip.PPI_CH0, chip.PPI_CH1, chip.PPI_GROUP0),
        chip.P0_06,
        chip.P0_08,
    );
    button::start(chip.P0_11);
    let mut board = Board {
        name: "nrf52840-dk",
        camera: ArduCam::new(sensor, frame_buffer, Delay, Mode::picture(Resolution::Qvga)),
        console: Ports::new(uart),
        clock: now_ms,
        stack: posy_board::stack,
    };
    let mut slot = flash::slot(chip.NVMC);
    let Err(error) = run(&mut board, &mut slot, MEMORY.take(), || {
        // SAFETY: the nRF52840's Cortex-M4F has the DSP extension and a floating-point unit, which the
        // start-up code for this target switches on.
        unsafe { Dsp::new() }
    });
    panic!("the UART: {error:?}")
}
