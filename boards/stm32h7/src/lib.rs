//! Code that the boards with an STM32H743 share. They differ in pins and in the serial port.
//!
//! | to change | open |
//! |---|---|
//! | the camera's port and its sensor's bus | `camera.rs` |
//! | clocks | `clocks.rs` |
//! | what lies in which memory, and the caches | `memory.rs`, `axi.rs` |
//! | the serial port | `uart.rs` with a debug probe on board, `usb.rs` without |
//! | button and LED | `button.rs` |
//! | how the model slot is written | `flash.rs` |
//! | watchdog, what is said after a restart | `vitals.rs` |
#![no_std]

mod axi;
mod button;
mod camera;
mod clocks;
mod flash;
mod memory;
#[cfg(not(feature = "usb"))]
mod uart;
#[cfg(feature = "usb")]
mod usb;
mod vitals;

pub use camera::{Port, Sensor, sensor};
pub use memory::Rooms;
#[cfg(not(feature = "usb"))]
pub use uart::uart;
#[cfg(feature = "usb")]
pub use usb::usb;

#[cfg(feature = "defmt")]
use defmt_rtt as _;

use core::convert::Infallible;
use core::fmt::{Debug, Display};

use embassy_stm32::gpio::{Pin, Pull};
use embassy_stm32::peripherals::{EXTI13, FLASH, IWDG1, MCO1, PA8, PC13};
use embassy_stm32::{Peri, Peripherals};
use embassy_time::Delay;
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{FramePort, ParallelCamera};
use posy_firmware::program::{Board, Console};
use posy_ports::now_ms;
use posy_shared::kernels::dsp::Dsp;

/// Starts clocks, memories and caches. To be called once: a second time panics.
pub fn chip() -> (Peripherals, Rooms) {
    let Some(core) = cortex_m::Peripherals::take() else {
        panic!("the chip is started once");
    };
    let chip = embassy_stm32::init(clocks::config());
    (chip, memory::start(core))
}

/// Pins and peripherals of a board, ports left out.
pub struct Parts<L: Pin> {
    /// Clock for the camera, and its pin.
    pub clock: (Peri<'static, MCO1>, Peri<'static, PA8>),
    /// To the supply, with a resistor to ground: the chip's, where the board has none.
    pub button: (Peri<'static, PC13>, Peri<'static, EXTI13>, Pull),
    /// To ground.
    pub led: Peri<'static, L>,
    pub watchdog: Peri<'static, IWDG1>,
    pub flash: Peri<'static, FLASH>,
}

/// Runs the board `name`, for ever. To be called once: a second time panics.
pub fn run<P, C>(
    name: &'static str,
    parts: Parts<impl Pin>,
    (sensor, port): (Sensor, P),
    console: C,
    rooms: Rooms,
) -> !
where
    P: FramePort,
    P::Error: Display,
    C: Console,
    C::Error: Debug,
{
    clocks::camera(parts.clock.0, parts.clock.1);
    let vitals = vitals::vitals(parts.watchdog);
    let (pin, line, pull) = parts.button;
    button::start(pin, line, pull, parts.led);
    let mut slot = flash::slot(parts.flash, vitals.feed);
    let mode = Mode::picture(Resolution::Qvga);
    let mut board = Board {
        name,
        camera: ParallelCamera::new(sensor, port, Delay, mode, rooms.frame),
        console,
        clock: now_ms,
        stack: posy_board::stack,
        vitals,
    };
    let kernels = || {
        // SAFETY: the STM32H743's Cortex-M7 has the DSP extension and a floating-point unit, which the
        // start-up code for this target switches on.
        unsafe { Dsp::new() }
    };
    let ended: Result<Infallible, _> =
        posy_firmware::program::run(&mut board, &mut slot, rooms.network, kernels);
    let Err(error) = ended;
    panic!("the serial port: {error:?}")
}
