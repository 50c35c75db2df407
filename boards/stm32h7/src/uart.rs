//! The serial port of a Nucleo: through the ST-LINK to USB.

use embassy_stm32::peripherals::USART3;
use embassy_stm32::usart::{BufferedInterruptHandler, BufferedUart, Config, RxPin, TxPin};
use embassy_stm32::{Peri, bind_interrupts};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts {
    USART3 => BufferedInterruptHandler<USART3>;
});

/// Bits per second; 8 bits, no parity, one stop bit.
const BAUD: u32 = 115_200;

/// Receive buffer: bytes that come in while a picture is looked at.
static RECEIVED: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
/// A line or two, so that the program need not wait for them.
static TO_SEND: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

/// The serial port. To be called once: a second time panics.
pub fn uart(
    uart: Peri<'static, USART3>,
    tx: Peri<'static, impl TxPin<USART3>>,
    rx: Peri<'static, impl RxPin<USART3>>,
) -> BufferedUart<'static> {
    let mut config = Config::default();
    config.baudrate = BAUD;
    let (to_send, received) = (TO_SEND.take(), RECEIVED.take());
    BufferedUart::new(uart, rx, tx, to_send, received, Interrupts, config)
        .expect("100 MHz can be divided into this many bits per second")
}
