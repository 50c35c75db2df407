//! Serial port, button and LED of boards whose hardware crate is of embassy's family: what they have in
//! common with each other are the traits of embedded-io-async and embedded-hal-async.
#![no_std]

mod button;
mod console;
#[cfg(feature = "usb")]
mod serial_number;
mod sign;
#[cfg(feature = "usb")]
pub mod usb;

pub use button::watch;
pub use console::Ports;
#[cfg(feature = "usb")]
pub use serial_number::SerialNumber;
pub use sign::{blink, sign};

use embassy_time::Instant;

/// Milliseconds since the start; wraps around after 49 days.
pub fn now_ms() -> u32 {
    Instant::now().as_millis() as u32
}
