//! Code that the boards with a chip of Raspberry Pi's share. RP2040 and RP2350 differ in their cores and
//! memories; the buses, ports and pins that posy uses are the same.
//!
//! | to change | open |
//! |---|---|
//! | the pins | `pins.rs`; with a bare camera `bare_pins.rs` |
//! | the camera's two buses | `camera.rs`; rows by DMA in `frame_bus.rs` |
//! | a bare camera's parallel port | `bare.rs` |
//! | what goes over the serial ports | `ports.rs`; the USB port in `usb.rs` and in `boards/ports` |
//! | how the model slot is written, and the speed of flash | `flash.rs`, `flash_speed.rs` |
//! | what counts as a press of the button | `button.rs` |
//! | what runs besides the network | `background.rs` |
//! | what the second core does | `second.rs` |
//! | watchdog, LED, what is said after a restart | `vitals.rs` |
#![no_std]

mod background;
#[cfg(feature = "bare-camera")]
mod bare;
#[cfg(feature = "bare-camera")]
mod bare_pins;
mod button;
mod camera;
mod flash;
#[cfg(feature = "rp235xa")]
mod flash_speed;
mod frame_bus;
mod pins;
mod ports;
#[cfg(feature = "both-cores")]
mod second;
mod usb;
mod vitals;

#[cfg(feature = "bare-camera")]
pub use bare::{BareCamera, Lines, Port, bare_camera, port};
pub use camera::{Camera, Sensor, camera, sensor};
#[cfg(feature = "rp235xa")]
pub use flash::hurry;
pub use flash::{serial_number, slot};
pub use frame_bus::{FrameBuffer, frame_buffer};
pub use ports::{Ports, uart};
#[cfg(feature = "both-cores")]
pub use second::second_core;
pub use vitals::vitals;

#[cfg(feature = "defmt")]
use defmt_rtt as _;
// Brings the atomics that the tasks' cells need on a core without them.
use portable_atomic as _;

use embassy_time::Instant;

/// Milliseconds since the start; wraps around after 49 days.
pub fn now_ms() -> u32 {
    Instant::now().as_millis() as u32
}
