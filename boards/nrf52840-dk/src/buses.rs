//! The camera's two buses. Both move their bytes by EasyDMA, which reads RAM alone: what is to be
//! sent from flash the drivers copy first.

use embassy_nrf::gpio::{Level, Output, OutputDrive, Pin};
use embassy_nrf::peripherals::{SPI2, TWISPI0};
use embassy_nrf::spim::{self, Spim};
use embassy_nrf::twim::{self, Twim};
use embassy_nrf::{Peri, bind_interrupts};
use embassy_time::{Delay, Duration};
use embedded_hal::i2c::{ErrorType, I2c, Operation};
use embedded_hal_bus::spi::ExclusiveDevice;
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts {
    TWISPI0 => twim::InterruptHandler<TWISPI0>;
    SPI2 => spim::InterruptHandler<SPI2>;
});

/// Time for one transfer to the sensor: two bytes and an address take 0.3 ms.
const SENSOR_TIMEOUT: Duration = Duration::from_millis(20);

/// Where what is sent to the sensor from flash is copied to; a register and its value.
static FROM_FLASH: ConstStaticCell<[u8; 4]> = ConstStaticCell::new([0; 4]);

/// The bus to the frame buffer, which is alone on it.
pub type FrameBuffer = ExclusiveDevice<Spim<'static>, Output<'static>, Delay>;

/// The bus to the sensor. Its own waiting would never end on a bus whose lines are held low, as
/// they are by a camera without power; so there is a limit here.
pub struct Sensor(Twim<'static>);

impl ErrorType for Sensor {
    type Error = twim::Error;
}

impl I2c for Sensor {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), twim::Error> {
        self.0
            .blocking_transaction_timeout(address, operations, SENSOR_TIMEOUT)
    }
}

/// The bus to the sensor, at 100 kHz. The camera brings no strong pull-ups, so the chip's own are
/// on (11 to 16 kOhm, product specification, "GPIO electrical specification").
pub fn sensor(
    bus: Peri<'static, TWISPI0>,
    sda: Peri<'static, impl Pin>,
    scl: Peri<'static, impl Pin>,
) -> Sensor {
    let mut config = twim::Config::default();
    config.frequency = twim::Frequency::K100;
    config.sda_pullup = true;
    config.scl_pullup = true;
    Sensor(Twim::new(
        bus,
        Interrupts,
        sda,
        scl,
        config,
        FROM_FLASH.take(),
    ))
}

/// The bus to the frame buffer: SPI mode 0 at 8 MHz, the ArduCAM's limit.
pub fn frame_buffer(
    bus: Peri<'static, SPI2>,
    sck: Peri<'static, impl Pin>,
    mosi: Peri<'static, impl Pin>,
    miso: Peri<'static, impl Pin>,
    cs: Peri<'static, impl Pin>,
) -> FrameBuffer {
    let mut config = spim::Config::default();
    config.frequency = spim::Frequency::M8;
    config.mode = spim::MODE_0;
    let spi = Spim::new(bus, Interrupts, sck, miso, mosi, config);
    let cs = Output::new(cs, Level::High, OutputDrive::Standard);
    let Ok(device) = ExclusiveDevice::new(spi, cs, Delay);
    device
}
