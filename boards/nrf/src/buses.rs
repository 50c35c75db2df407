//! The camera's two buses: two pins for the sensor, and SPIM2 for the frame buffer. That one moves its
//! bytes by EasyDMA, which reads RAM alone: what is to be sent from flash the driver copies first.

use embassy_nrf::gpio::{Flex, Level, Output, OutputDrive, Pin, Pull};
use embassy_nrf::peripherals::SPI2;
use embassy_nrf::spim::{self, Spim};
use embassy_nrf::{Peri, bind_interrupts, pac};
use embassy_time::Delay;
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice};
use embedded_hal_bus::spi::{DeviceError, ExclusiveDevice};
use posy_firmware::camera::{FrameBus, Sccb};

bind_interrupts!(struct Interrupts {
    SPI2 => spim::InterruptHandler<SPI2>;
});

/// Cycles of the core in a microsecond.
const CYCLES: u32 = 64;
/// Initial clock of the frame buffer: its limit.
const MHZ: u8 = 8;

/// Waits by counting cycles: the clock of everything else counts in steps of 30 microseconds.
pub struct Cycles;

impl DelayNs for Cycles {
    fn delay_ns(&mut self, ns: u32) {
        cortex_m::asm::delay(ns.div_ceil(1000) * CYCLES);
    }
}

/// The bus to the sensor.
pub type Sensor = Sccb<Flex<'static>, Flex<'static>, Cycles>;

/// The bus to the sensor. The camera brings no strong pull-ups, so the chip's own are on (11 to 16 kOhm,
/// product specification, "GPIO electrical specification").
pub fn sensor(sda: Peri<'static, impl Pin>, scl: Peri<'static, impl Pin>) -> Sensor {
    Sccb::new(
        open_drain(Flex::new(scl)),
        open_drain(Flex::new(sda)),
        Cycles,
    )
}

/// A pin that drives low and never high.
fn open_drain(mut pin: Flex<'static>) -> Flex<'static> {
    pin.set_high();
    pin.set_as_input_output(Pull::Up, OutputDrive::Standard0Disconnect1);
    pin
}

/// The bus to the frame buffer, which is alone on it.
pub struct FrameBuffer {
    device: ExclusiveDevice<Spim<'static>, Output<'static>, Delay>,
    command: u8,
}

/// The bus to the frame buffer, in SPI mode 0.
pub fn frame_buffer(
    bus: Peri<'static, SPI2>,
    sck: Peri<'static, impl Pin>,
    mosi: Peri<'static, impl Pin>,
    miso: Peri<'static, impl Pin>,
    cs: Peri<'static, impl Pin>,
) -> FrameBuffer {
    let mut config = spim::Config::default();
    config.frequency = frequency(MHZ);
    config.mode = spim::MODE_0;
    let spi = Spim::new(bus, Interrupts, sck, miso, mosi, config);
    let cs = Output::new(cs, Level::High, OutputDrive::Standard);
    let Ok(device) = ExclusiveDevice::new(spi, cs, Delay);
    FrameBuffer { device, command: 0 }
}

/// The bus's next frequency at or below `mhz`.
const fn frequency(mhz: u8) -> spim::Frequency {
    match mhz {
        8.. => spim::Frequency::M8,
        4.. => spim::Frequency::M4,
        2.. => spim::Frequency::M2,
        _ => spim::Frequency::M1,
    }
}

impl ErrorType for FrameBuffer {
    type Error = DeviceError<spim::Error, core::convert::Infallible>;
}

impl SpiDevice for FrameBuffer {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Self::Error> {
        self.device.transaction(operations)
    }
}

/// Reads when the bytes are asked for.
impl FrameBus for FrameBuffer {
    fn set_speed(&mut self, mhz: u8) {
        // Between transactions, where the bus takes it.
        pac::SPIM2
            .frequency()
            .write(|register| register.set_frequency(frequency(mhz).into()));
    }

    fn begin_read(&mut self, command: u8, _: usize) -> Result<(), Self::Error> {
        self.command = command;
        Ok(())
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let command = [self.command];
        self.transaction(&mut [Operation::Write(&command), Operation::Read(bytes)])
    }
}
