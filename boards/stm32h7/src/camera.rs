//! The camera's two ends: registers over two pins, frames through the DCMI by DMA.

use core::fmt;
use core::pin::pin;
use core::task::Poll;

use embassy_futures::poll_once;
use embassy_stm32::dcmi::{
    self, D0Pin, D1Pin, D2Pin, D3Pin, D4Pin, D5Pin, D6Pin, D7Pin, Dcmi, HSyncDataInvalidLevel,
    HSyncPin, PixClkPin, PixelClockPolarity, VSyncDataInvalidLevel, VSyncPin,
};
use embassy_stm32::gpio::{Level, OutputOpenDrain, Pin, Pull, Speed};
use embassy_stm32::pac::{DCMI as REGISTERS, DMA1};
use embassy_stm32::peripherals::{DCMI, DMA1_CH0};
use embassy_stm32::{Peri, PeripheralType, bind_interrupts, dma};
use embassy_time::{Delay, Duration, Instant};
use posy_firmware::camera::{FramePort, GrabError, Sccb};

bind_interrupts!(struct Interrupts {
    DCMI => dcmi::InterruptHandler<DCMI>;
    DMA1_STREAM0 => dma::InterruptHandler<DMA1_CH0>;
});

/// The bus to the sensor.
pub type Sensor = Sccb<OutputOpenDrain<'static>, OutputOpenDrain<'static>, Delay>;

/// The bus to the sensor. Modules without pull-ups of their own get by with the chip's (40 kOhm,
/// data sheet DS12110, "I/O static characteristics").
pub fn sensor(scl: Peri<'static, impl Pin>, sda: Peri<'static, impl Pin>) -> Sensor {
    let clock = OutputOpenDrain::new_pull(scl, Level::High, Speed::Low, Pull::Up);
    let data = OutputOpenDrain::new_pull(sda, Level::High, Speed::Low, Pull::Up);
    Sccb::new(clock, data, Delay)
}

/// The parallel port and its pins, named as the camera names its own.
pub struct Port<D0, D1, D2, D3, D4, D5, D6, D7, V, H, C>
where
    D0: PeripheralType + 'static,
    D1: PeripheralType + 'static,
    D2: PeripheralType + 'static,
    D3: PeripheralType + 'static,
    D4: PeripheralType + 'static,
    D5: PeripheralType + 'static,
    D6: PeripheralType + 'static,
    D7: PeripheralType + 'static,
    V: PeripheralType + 'static,
    H: PeripheralType + 'static,
    C: PeripheralType + 'static,
{
    pub dcmi: Peri<'static, DCMI>,
    pub dma: Peri<'static, DMA1_CH0>,
    pub d0: Peri<'static, D0>,
    pub d1: Peri<'static, D1>,
    pub d2: Peri<'static, D2>,
    pub d3: Peri<'static, D3>,
    pub d4: Peri<'static, D4>,
    pub d5: Peri<'static, D5>,
    pub d6: Peri<'static, D6>,
    pub d7: Peri<'static, D7>,
    pub vsync: Peri<'static, V>,
    pub href: Peri<'static, H>,
    pub pclk: Peri<'static, C>,
}

/// The [`Port`] of the chip's peripherals, with the pins of a board's table.
#[macro_export]
macro_rules! port {
    ($chip:ident, $pin:ident) => {
        $crate::Port {
            dcmi: $chip.DCMI,
            dma: $chip.DMA1_CH0,
            d0: $pin!($chip, d0),
            d1: $pin!($chip, d1),
            d2: $pin!($chip, d2),
            d3: $pin!($chip, d3),
            d4: $pin!($chip, d4),
            d5: $pin!($chip, d5),
            d6: $pin!($chip, d6),
            d7: $pin!($chip, d7),
            vsync: $pin!($chip, vsync),
            href: $pin!($chip, href),
            pclk: $pin!($chip, pclk),
        }
    };
}

/// The DCMI reports wrong synchronisation codes in the data. There are none without it being told
/// to look for them.
#[derive(Debug)]
pub struct SyncCodes;

impl fmt::Display for SyncCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong synchronisation codes")
    }
}

impl<D0, D1, D2, D3, D4, D5, D6, D7, V, H, C> Port<D0, D1, D2, D3, D4, D5, D6, D7, V, H, C>
where
    D0: D0Pin<DCMI> + 'static,
    D1: D1Pin<DCMI> + 'static,
    D2: D2Pin<DCMI> + 'static,
    D3: D3Pin<DCMI> + 'static,
    D4: D4Pin<DCMI> + 'static,
    D5: D5Pin<DCMI> + 'static,
    D6: D6Pin<DCMI> + 'static,
    D7: D7Pin<DCMI> + 'static,
    V: VSyncPin<DCMI> + 'static,
    H: HSyncPin<DCMI> + 'static,
    C: PixClkPin<DCMI> + 'static,
{
    /// The DCMI, reset: what is left of a frame that did not end goes with it.
    fn reset(&mut self) -> Dcmi<'_, DCMI> {
        let mut config = dcmi::Config::default();
        // The OV2640's defaults. ST's example for this sensor and OpenMV set them alike.
        config.vsync_level = VSyncDataInvalidLevel::Low;
        config.hsync_level = HSyncDataInvalidLevel::Low;
        config.pixclk_polarity = PixelClockPolarity::RisingEdge;
        Dcmi::new_8bit(
            self.dcmi.reborrow(),
            self.dma.reborrow(),
            Interrupts,
            self.d0.reborrow(),
            self.d1.reborrow(),
            self.d2.reborrow(),
            self.d3.reborrow(),
            self.d4.reborrow(),
            self.d5.reborrow(),
            self.d6.reborrow(),
            self.d7.reborrow(),
            self.vsync.reborrow(),
            self.href.reborrow(),
            self.pclk.reborrow(),
            config,
        )
    }
}

impl<D0, D1, D2, D3, D4, D5, D6, D7, V, H, C> FramePort
    for Port<D0, D1, D2, D3, D4, D5, D6, D7, V, H, C>
where
    D0: D0Pin<DCMI> + 'static,
    D1: D1Pin<DCMI> + 'static,
    D2: D2Pin<DCMI> + 'static,
    D3: D3Pin<DCMI> + 'static,
    D4: D4Pin<DCMI> + 'static,
    D5: D5Pin<DCMI> + 'static,
    D6: D6Pin<DCMI> + 'static,
    D7: D7Pin<DCMI> + 'static,
    V: VSyncPin<DCMI> + 'static,
    H: HSyncPin<DCMI> + 'static,
    C: PixClkPin<DCMI> + 'static,
{
    type Error = SyncCodes;

    fn grab(&mut self, frame: &mut [u32], timeout_ms: u32) -> Result<(), GrabError<SyncCodes>> {
        let len = frame.len();
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        let mut dcmi = self.reset();
        {
            // Dropping the capture, on any way out of here, ends the DMA.
            let mut capture = pin!(dcmi.capture(frame));
            while Instant::now() < deadline {
                // The capture itself would go on waiting for the DMA, which then lacks words.
                if REGISTERS.ris().read().ovr_ris() {
                    return Err(GrabError::Overrun);
                }
                if let Poll::Ready(captured) = poll_once(capture.as_mut()) {
                    return captured.map_err(|error| match error {
                        dcmi::Error::Overrun => GrabError::Overrun,
                        _ => GrabError::Port(SyncCodes),
                    });
                }
            }
        }
        let left = usize::from(DMA1.st(0).ndtr().read().ndt());
        match len.saturating_sub(left) {
            0 => Err(GrabError::Timeout),
            words => Err(GrabError::Short { words }),
        }
    }
}
