//! The camera's two ends: registers over two pins, frames through the DCMI by DMA.

use core::fmt;
use core::pin::pin;
use core::task::Poll;

use embassy_futures::poll_once;
use embassy_stm32::dcmi::{
    self, Dcmi, HSyncDataInvalidLevel, PixelClockPolarity, VSyncDataInvalidLevel,
};
use embassy_stm32::gpio::{Level, OutputOpenDrain, Pull, Speed};
use embassy_stm32::pac::{DCMI as REGISTERS, DMA1};
use embassy_stm32::peripherals::{
    DCMI, DMA1_CH0, PA4, PA6, PB8, PB9, PC6, PC7, PC8, PC9, PD3, PE4, PE5, PE6, PG9,
};
use embassy_stm32::{Peri, bind_interrupts, dma};
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
pub fn sensor(scl: Peri<'static, PB8>, sda: Peri<'static, PB9>) -> Sensor {
    let clock = OutputOpenDrain::new_pull(scl, Level::High, Speed::Low, Pull::Up);
    let data = OutputOpenDrain::new_pull(sda, Level::High, Speed::Low, Pull::Up);
    Sccb::new(clock, data, Delay)
}

/// The parallel port and its pins, named as the camera names its own.
pub struct Port {
    pub dcmi: Peri<'static, DCMI>,
    pub dma: Peri<'static, DMA1_CH0>,
    pub d0: Peri<'static, PC6>,
    pub d1: Peri<'static, PC7>,
    pub d2: Peri<'static, PC8>,
    pub d3: Peri<'static, PC9>,
    pub d4: Peri<'static, PE4>,
    pub d5: Peri<'static, PD3>,
    pub d6: Peri<'static, PE5>,
    pub d7: Peri<'static, PE6>,
    pub vsync: Peri<'static, PG9>,
    pub href: Peri<'static, PA4>,
    pub pclk: Peri<'static, PA6>,
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

impl Port {
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

impl FramePort for Port {
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
