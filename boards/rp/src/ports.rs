//! The console: UART and USB at once, and the button.

use embassy_rp::Peri;
use embassy_rp::gpio::{Input, Pin, Pull};
use embassy_rp::peripherals::{UART0, USB};
use embassy_rp::uart::{self, Blocking, RxPin, TxPin, Uart};
use embedded_hal_nb::serial::Read;
use embedded_io::{ErrorType, Write};
use posy_firmware::program::Console;

use crate::background::{self, INPUT};
use crate::button;
use crate::usb::{self, Lines};

/// Bits per second on the UART; 8 bits, no parity, one stop bit.
const BAUD: u32 = 115_200;

/// Both serial ports and the button.
pub struct Ports {
    uart: Uart<'static, Blocking>,
    usb: Lines,
}

impl Ports {
    /// Starts what serves USB and button in the background. To be called once: a second time
    /// panics.
    pub fn start(
        uart: Uart<'static, Blocking>,
        usb: Peri<'static, USB>,
        button: Peri<'static, impl Pin>,
    ) -> Self {
        let tasks = background::spawner();
        let once = "each task is started once";
        tasks.spawn(usb::serve(usb).expect(once));
        tasks.spawn(button::watch(Input::new(button, Pull::Up)).expect(once));
        Ports {
            uart,
            usb: Lines::new(),
        }
    }
}

/// The UART. Its 32 bytes of buffer hold what a person sends while a picture is looked at.
pub fn uart(
    uart: Peri<'static, UART0>,
    tx: Peri<'static, impl TxPin<UART0>>,
    rx: Peri<'static, impl RxPin<UART0>>,
) -> Uart<'static, Blocking> {
    let mut config = uart::Config::default();
    config.baudrate = BAUD;
    Uart::new_blocking(uart, tx, rx, config)
}

impl ErrorType for Ports {
    type Error = uart::Error;
}

impl Write for Ports {
    fn write(&mut self, text: &[u8]) -> Result<usize, uart::Error> {
        self.uart.blocking_write(text)?;
        self.usb.write(text);
        Ok(text.len())
    }

    /// Waits for the UART; USB takes its time.
    fn flush(&mut self) -> Result<(), uart::Error> {
        self.uart.blocking_flush()
    }
}

impl Console for Ports {
    fn poll(&mut self) -> Option<u8> {
        // A byte that came in broken, as on plugging in, is none.
        let from_uart = self.uart.read().ok();
        from_uart.or_else(|| INPUT.try_receive().ok())
    }
}
