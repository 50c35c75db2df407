//! The camera: an ArduCAM Mini 2MP Plus on an I2C and an SPI bus.

use embassy_rp::Peri;
use embassy_rp::gpio::{Level, Output, Pin};
use embassy_rp::i2c::{self, I2c, SclPin, SdaPin};
use embassy_rp::peripherals::{I2C0, SPI0};
use embassy_rp::spi::{self, ClkPin, MisoPin, MosiPin, Spi};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use posy_firmware::camera::ArduCam;
use posy_firmware::camera::ov2640::{Mode, Resolution};

/// Bits per second to the sensor's registers.
const I2C_HZ: u32 = 100_000;
/// Bits per second from the frame buffer; the ArduCAM's limit. The chips' dividers get at most this.
const SPI_HZ: u32 = 8_000_000;

/// The bus to the sensor.
pub type Sensor = I2c<'static, I2C0, i2c::Blocking>;
/// The bus to the frame buffer, which is alone on it.
pub type FrameBuffer = ExclusiveDevice<Spi<'static, SPI0, spi::Blocking>, Output<'static>, Delay>;
/// The camera.
pub type Camera = ArduCam<Sensor, FrameBuffer, Delay>;

/// The bus to the sensor.
///
/// ArduCAM's modules bring no strong pull-ups, so the chip's own are on (50 to 80 kOhm, RP2040
/// data sheet, Pin Specifications): enough for wires of a hand's length. Longer ones want 4.7 kOhm
/// to 3.3 V on both lines.
pub fn sensor(
    bus: Peri<'static, I2C0>,
    sda: Peri<'static, impl SdaPin<I2C0>>,
    scl: Peri<'static, impl SclPin<I2C0>>,
) -> Sensor {
    let mut config = i2c::Config::default();
    config.frequency = I2C_HZ;
    config.sda_pullup = true;
    config.scl_pullup = true;
    I2c::new_blocking(bus, scl, sda, config)
}

/// The bus to the frame buffer, in SPI mode 0.
pub fn frame_buffer(
    bus: Peri<'static, SPI0>,
    sck: Peri<'static, impl ClkPin<SPI0>>,
    mosi: Peri<'static, impl MosiPin<SPI0>>,
    miso: Peri<'static, impl MisoPin<SPI0>>,
    cs: Peri<'static, impl Pin>,
) -> FrameBuffer {
    let mut config = spi::Config::default();
    config.frequency = SPI_HZ;
    config.polarity = spi::Polarity::IdleLow;
    config.phase = spi::Phase::CaptureOnFirstTransition;
    let spi = Spi::new_blocking(bus, sck, mosi, miso, config);
    let Ok(device) = ExclusiveDevice::new(spi, Output::new(cs, Level::High), Delay);
    device
}

/// The camera on its two buses, for pictures of 320 x 240 pixels. Nothing is sent yet.
pub fn camera(sensor: Sensor, frame_buffer: FrameBuffer) -> Camera {
    ArduCam::new(sensor, frame_buffer, Delay, Mode::picture(Resolution::Qvga))
}
