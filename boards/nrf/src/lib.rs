//! Code that the boards with an nRF52840 share. They differ in pins, in the serial port, and in where a boot
//! loader has them begin.
//!
//! | to change | open |
//! |---|---|
//! | the camera's two buses | `buses.rs` |
//! | the serial port | `uart.rs` with an interface chip, `usb.rs` without |
//! | button and LED | `button.rs` |
//! | how the model slot is written | `flash.rs` |
//! | watchdog, what is said after a restart | `vitals.rs` |
#![no_std]

mod buses;
mod button;
mod flash;
mod uart;
#[cfg(feature = "usb")]
mod usb;
mod vitals;

pub use uart::uart;
#[cfg(feature = "usb")]
pub use usb::{Numbers, usb};

#[cfg(feature = "defmt")]
use defmt_rtt as _;

use core::convert::Infallible;
use core::fmt::Debug;

use embassy_nrf::config::{Config, HfclkSource, LfclkSource};
use embassy_nrf::gpio::AnyPin;
use embassy_nrf::peripherals::{NVMC, SPI2, WDT};
use embassy_nrf::{Peri, Peripherals, pac};
use embassy_time::Delay;
use embedded_hal::digital::PinState;
use posy_firmware::camera::AnyArducam;
use posy_firmware::program::{Board, Console, Memory};
use posy_ports::now_ms;
use posy_shared::kernels::dsp::Dsp;

/// Starts the chip on its 32 MHz crystal, which every board has, as USB and serial ports want it.
/// `slow_crystal`: whether the board has one of 32,768 Hz too; without it the chip's own clock, good to
/// a few percent, counts milliseconds.
pub fn chip(slow_crystal: bool) -> Peripherals {
    let mut config = Config::default();
    config.hfclk_source = HfclkSource::ExternalXtal;
    config.lfclk_source = match slow_crystal {
        true => LfclkSource::ExternalXtal,
        false => LfclkSource::InternalRC,
    };
    let chip = embassy_nrf::init(config);
    // Flash has wait states at 64 MHz; the cache, off at the start, hides most of them.
    pac::NVMC.icachecnf().write(|cache| cache.set_cacheen(true));
    chip
}

/// Pins and peripherals of a board, the serial port left out.
pub struct Parts {
    pub sda: Peri<'static, AnyPin>,
    pub scl: Peri<'static, AnyPin>,
    pub cs: Peri<'static, AnyPin>,
    pub mosi: Peri<'static, AnyPin>,
    pub miso: Peri<'static, AnyPin>,
    pub sck: Peri<'static, AnyPin>,
    /// To ground, with the chip's pull-up.
    pub button: Peri<'static, AnyPin>,
    pub led: Peri<'static, AnyPin>,
    /// The level that lights the LED.
    pub lit: PinState,
    pub spi: Peri<'static, SPI2>,
    pub watchdog: Peri<'static, WDT>,
    pub flash: Peri<'static, NVMC>,
}

/// Runs the board `name`, for ever. To be called once: a second time panics.
pub fn run<C, const ARENA: usize>(
    name: &'static str,
    parts: Parts,
    console: C,
    memory: &'static mut Memory<ARENA>,
) -> !
where
    C: Console,
    C::Error: Debug,
{
    let vitals = vitals::vitals(parts.watchdog);
    let sensor = buses::sensor(parts.sda, parts.scl);
    let frame_buffer = buses::frame_buffer(parts.spi, parts.sck, parts.mosi, parts.miso, parts.cs);
    button::start(parts.button, parts.led, parts.lit);
    let mut board = Board {
        name,
        camera: AnyArducam::new(sensor, frame_buffer, Delay),
        console,
        clock: now_ms,
        stack: posy_board::stack,
        vitals,
    };
    let mut slot = flash::slot(parts.flash);
    let ended: Result<Infallible, _> =
        posy_firmware::program::run(&mut board, &mut slot, memory, || {
            // SAFETY: the nRF52840's Cortex-M4F has the DSP extension and a floating-point unit, which the
            // start-up code for this target switches on.
            unsafe { Dsp::new() }
        });
    let Err(error) = ended;
    panic!("the serial port: {error:?}")
}
