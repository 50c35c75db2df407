//! The console: UART and USB at once, and the button.

use core::sync::atomic::Ordering;

use embassy_rp::Peri;
use embassy_rp::gpio::{Input, Pin, Pull};
use embassy_rp::peripherals::{UART0, USB};
use embassy_rp::rom_data::reset_to_usb_boot;
use embassy_rp::uart::{self, Blocking, RxPin, TxPin, Uart};
use embassy_time::{Duration, block_for};
use embedded_hal_nb::serial::Read;
use embedded_io::{ErrorType, Write};
use posy_firmware::program::{Console, INTRODUCE};
use posy_ports::SerialNumber;
use posy_ports::usb::{Lines, frame, take, was_opened_late};

use crate::background::{self, PRESSED};
use crate::button;
use crate::usb;

/// Byte that a press of the button stands for: one answer.
const PRESS: u8 = b'c';

/// Milliseconds that a reply takes to a host, at most.
const REPLY_MS: u64 = 50;

/// Bits per second on the UART; 8 bits, no parity, one stop bit.
const BAUD: u32 = 115_200;

/// Both serial ports and the button.
pub struct Ports {
    uart: Uart<'static, Blocking>,
    usb: Lines,
    /// Bytes from USB that were taken together, and how many of them were asked for.
    taken: [u8; 64],
    len: usize,
    next: usize,
    /// True if the last byte came by USB.
    by_usb: bool,
}

impl Ports {
    /// Starts what serves USB and button in the background. To be called once: a second time
    /// panics.
    pub fn start(
        uart: Uart<'static, Blocking>,
        (usb, serial_number): (Peri<'static, USB>, Option<SerialNumber>),
        button: Peri<'static, impl Pin>,
    ) -> Self {
        let tasks = background::spawner();
        let once = "each task is started once";
        tasks.spawn(usb::serve(usb, serial_number).expect(once));
        tasks.spawn(button::watch(Input::new(button, Pull::Up)).expect(once));
        Ports {
            uart,
            usb: Lines::new(),
            taken: [0; 64],
            len: 0,
            next: 0,
            by_usb: false,
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
        if self.next == self.len {
            // A byte that came in broken, as on plugging in, is none.
            if let Ok(byte) = self.uart.read() {
                self.by_usb = false;
                return Some(byte);
            }
            (self.next, self.len) = (0, take(&mut self.taken));
        }
        if self.next < self.len {
            self.by_usb = true;
            let byte = self.taken.get(self.next).copied();
            self.next += 1;
            return byte;
        }
        None
    }

    fn asked(&mut self) -> Option<u8> {
        if was_opened_late() {
            return Some(INTRODUCE);
        }
        PRESSED.swap(false, Ordering::Relaxed).then_some(PRESS)
    }

    fn frame(&mut self, bytes: &[u8]) -> bool {
        match self.by_usb {
            true => frame(bytes),
            false => self.uart.blocking_write(bytes).is_ok(),
        }
    }

    fn has_boot_loader(&self) -> bool {
        true
    }

    fn restart(&mut self) {
        // The answer is on its way.
        block_for(Duration::from_millis(REPLY_MS));
        reset_to_usb_boot(0, 0);
    }
}
