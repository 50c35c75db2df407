//! The camera: an ArduCAM Mini 2MP on two pins for its sensor and an SPI bus for its frame buffer, or an
//! Arducam Mega on that bus alone.

use embassy_rp::Peri;
use embassy_rp::gpio::{Level, OutputOpenDrain, Pin};
use embassy_time::Delay;
use posy_firmware::camera::{AnyArducam, Sccb};

use crate::frame_bus::FrameBuffer;

/// The bus to the sensor.
pub type Sensor = Sccb<OutputOpenDrain<'static>, OutputOpenDrain<'static>, Delay>;
/// The camera.
pub type Camera = AnyArducam<Sensor, FrameBuffer, Delay>;

/// The bus to the sensor.
///
/// ArduCAM's modules bring no strong pull-ups, so the chip's own are on (50 to 80 kOhm, RP2040
/// data sheet, Pin Specifications): enough for wires of a hand's length. Longer ones want 4.7 kOhm
/// to 3.3 V on both lines.
pub fn sensor(sda: Peri<'static, impl Pin>, scl: Peri<'static, impl Pin>) -> Sensor {
    let mut data = OutputOpenDrain::new(sda, Level::High);
    let mut clock = OutputOpenDrain::new(scl, Level::High);
    data.set_pullup(true);
    clock.set_pullup(true);
    Sccb::new(clock, data, Delay)
}

/// The camera on its buses, for pictures of 320 x 240 pixels: whichever is there. Nothing is sent yet.
pub fn camera(sensor: Sensor, frame_buffer: FrameBuffer) -> Camera {
    AnyArducam::new(sensor, frame_buffer, Delay)
}
