//! The serial port: through the kit's interface chip to USB.

use embassy_nrf::buffered_uarte::{BufferedUarte, InterruptHandler};
use embassy_nrf::gpio::Pin;
use embassy_nrf::peripherals::{PPI_CH0, PPI_CH1, PPI_GROUP0, TIMER1, UARTE0};
use embassy_nrf::uarte::{Baudrate, Config};
use embassy_nrf::{Peri, bind_interrupts};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts {
    UARTE0 => InterruptHandler<UARTE0>;
});

/// Receive buffer: bytes that come in while a picture is looked at. The driver asks for an even number.
static RECEIVED: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
/// A line or two, so that the program need not wait for them.
static TO_SEND: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

/// Peripherals that count the received bytes besides the UART.
type Counters = (
    Peri<'static, PPI_CH0>,
    Peri<'static, PPI_CH1>,
    Peri<'static, PPI_GROUP0>,
);

/// The serial port: 115,200 bits per second, 8 bits, no parity, one stop bit. To be called once: a
/// second time panics.
pub fn uart(
    uart: Peri<'static, UARTE0>,
    timer: Peri<'static, TIMER1>,
    (channel_1, channel_2, group): Counters,
    tx: Peri<'static, impl Pin>,
    rx: Peri<'static, impl Pin>,
) -> BufferedUarte<'static> {
    let mut config = Config::default();
    config.baudrate = Baudrate::Baud115200;
    BufferedUarte::new(
        uart,
        timer,
        channel_1,
        channel_2,
        group,
        rx,
        tx,
        Interrupts,
        config,
        RECEIVED.take(),
        TO_SEND.take(),
    )
}
