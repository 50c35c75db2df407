//! The serial port over the chip's own USB.

use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_rp::{Peri, bind_interrupts};
use posy_ports::SerialNumber;

/// Raspberry Pi.
const VENDOR: u16 = 0x2e8a;
/// "Pico SDK CDC", in Raspberry Pi's list of its product numbers (github.com/raspberrypi/usb-pid).
const PRODUCT: u16 = if cfg!(feature = "rp2040") {
    0x000a
} else {
    0x0009
};

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

/// Serves the port for ever.
#[embassy_executor::task]
pub async fn serve(usb: Peri<'static, USB>, serial_number: Option<SerialNumber>) {
    let driver = Driver::new(usb, Interrupts);
    posy_ports::usb::serve(driver, VENDOR, PRODUCT, serial_number).await;
}
