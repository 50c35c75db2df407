//! The bus to the camera's frame buffer: SPI0 by hand for registers, and by two DMA channels for rows,
//! which so come while the network computes.

use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use embassy_rp::Peri;
use embassy_rp::gpio::{Level, Output, Pin};
use embassy_rp::pac;
use embassy_rp::pac::dma::vals::{DataSize, TreqSel};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, SPI0};
use embassy_rp::spi::{self, Blocking, ClkPin, MisoPin, MosiPin, Spi};
use embassy_time::{Delay, Duration, Instant};
use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{Error, ErrorKind, ErrorType, Operation, SpiDevice};
use posy_firmware::camera::FrameBus;
use static_cell::ConstStaticCell;

/// Bytes of the longest row.
const ROW: usize = 640;
/// Time for a row: at the slowest clock, 1 MHz, one takes 5 ms.
const LIMIT: Duration = Duration::from_millis(50);
/// Hertz in a megahertz.
const MHZ: u32 = 1_000_000;
/// The channel that takes bytes out of the bus, and the one that puts as many in.
const RECEIVE: usize = 0;
const SEND: usize = 1;

/// Memory of the row that is being read.
static ROW_MEMORY: ConstStaticCell<[u8; ROW]> = ConstStaticCell::new([0; ROW]);
/// Sent while bytes are received: the camera does not look at it.
static NOTHING: u8 = 0;

/// The DMA did not end in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled;

impl Error for Stalled {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// The bus, which has the frame buffer alone on it, in SPI mode 0.
pub struct FrameBuffer {
    spi: Spi<'static, SPI0, Blocking>,
    select: Output<'static>,
    /// The row's memory, which is this value's alone: between `begin_read` and `finish_read` the DMA's.
    row: *mut u8,
    /// Bytes that are being read.
    len: usize,
}

/// The bus to the frame buffer. To be called once: a second time panics.
pub fn frame_buffer(
    bus: Peri<'static, SPI0>,
    sck: Peri<'static, impl ClkPin<SPI0>>,
    mosi: Peri<'static, impl MosiPin<SPI0>>,
    miso: Peri<'static, impl MisoPin<SPI0>>,
    cs: Peri<'static, impl Pin>,
    _channels: (Peri<'static, DMA_CH0>, Peri<'static, DMA_CH1>),
) -> FrameBuffer {
    let mut config = spi::Config::default();
    config.frequency = MHZ;
    config.polarity = spi::Polarity::IdleLow;
    config.phase = spi::Phase::CaptureOnFirstTransition;
    let spi = Spi::new_blocking(bus, sck, mosi, miso, config);
    pac::SPI0.dmacr().write(|requests| {
        requests.set_rxdmae(true);
        requests.set_txdmae(true);
    });
    FrameBuffer {
        spi,
        select: Output::new(cs, Level::High),
        row: ROW_MEMORY.take().as_mut_ptr(),
        len: 0,
    }
}

impl FrameBuffer {
    fn operate(&mut self, operation: &mut Operation<'_, u8>) {
        // The bus in blocking mode has no error to give.
        let _ = match operation {
            Operation::Read(bytes) => self.spi.blocking_read(bytes),
            Operation::Write(bytes) => self.spi.blocking_write(bytes),
            Operation::Transfer(read, write) => self.spi.blocking_transfer(read, write),
            Operation::TransferInPlace(bytes) => self.spi.blocking_transfer_in_place(bytes),
            Operation::DelayNs(ns) => {
                Delay.delay_ns(*ns);
                Ok(())
            }
        };
    }

    /// Starts one channel: `len` bytes, as fast as the bus asks for them.
    fn start(&self, channel: usize, from: u32, to: u32) {
        let registers = pac::DMA.ch(channel);
        registers.read_addr().write_value(from);
        registers.write_addr().write_value(to);
        let len = self.len as u32;
        #[cfg(feature = "rp2040")]
        registers.trans_count().write_value(len);
        #[cfg(feature = "rp235xa")]
        registers.trans_count().write(|count| {
            count.set_mode(0.into());
            count.set_count(len);
        });
        registers.ctrl_trig().write(|control| {
            control.set_treq_sel(match channel {
                RECEIVE => TreqSel::SPI0_RX,
                _ => TreqSel::SPI0_TX,
            });
            control.set_data_size(DataSize::SIZE_BYTE);
            control.set_incr_read(false);
            control.set_incr_write(channel == RECEIVE);
            // To itself: to none.
            control.set_chain_to(channel as u8);
            control.set_en(true);
        });
    }

    /// Waits for the row; stops the DMA where it does not end.
    fn wait(&self) -> Result<(), Stalled> {
        let is_busy = || pac::DMA.ch(RECEIVE).ctrl_trig().read().busy();
        let began = Instant::now();
        while is_busy() {
            if began.elapsed() > LIMIT {
                let channels = 1 << RECEIVE | 1 << SEND;
                pac::DMA
                    .chan_abort()
                    .write(|abort| abort.set_chan_abort(channels));
                while pac::DMA.chan_abort().read().chan_abort() & channels != 0 {}
                return Err(Stalled);
            }
        }
        Ok(())
    }
}

impl ErrorType for FrameBuffer {
    type Error = Stalled;
}

impl SpiDevice for FrameBuffer {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Stalled> {
        self.select.set_low();
        for operation in operations {
            self.operate(operation);
        }
        self.select.set_high();
        Ok(())
    }
}

impl FrameBus for FrameBuffer {
    fn set_speed(&mut self, mhz: u8) {
        self.spi.set_frequency(u32::from(mhz) * MHZ);
    }

    fn begin_read(&mut self, command: u8, len: usize) -> Result<(), Stalled> {
        self.len = len.min(ROW);
        self.select.set_low();
        self.operate(&mut Operation::Write(&[command]));
        // What was written to the row is written before the DMA writes to it.
        compiler_fence(Ordering::SeqCst);
        let data = pac::SPI0.dr().as_ptr() as u32;
        self.start(RECEIVE, data, self.row as u32);
        self.start(SEND, (&raw const NOTHING) as u32, data);
        Ok(())
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Stalled> {
        let done = self.wait();
        self.select.set_high();
        compiler_fence(Ordering::SeqCst);
        let len = bytes.len().min(self.len);
        // SAFETY: the row's memory has ROW bytes, at least `len` of them, and is no one else's: the DMA
        // has ended or was stopped. `bytes` is another place, as long as said.
        unsafe { ptr::copy_nonoverlapping(self.row, bytes.as_mut_ptr(), len) };
        done
    }
}
