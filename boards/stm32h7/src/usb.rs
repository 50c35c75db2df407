//! The serial port over the chip's own USB.

use embassy_stm32::peripherals::{PA11, PA12, USB_OTG_FS};
use embassy_stm32::uid::uid;
use embassy_stm32::usb::{Config, Driver, InterruptHandler};
use embassy_stm32::{Peri, bind_interrupts};
use posy_ports::SerialNumber;
use posy_ports::usb::{UsbPort, serve};
use static_cell::ConstStaticCell;

use crate::button::spawner;

bind_interrupts!(struct Interrupts {
    OTG_FS => InterruptHandler<USB_OTG_FS>;
});

/// ST's numbers of a serial port.
const VENDOR: u16 = 0x0483;
const PRODUCT: u16 = 0x5740;

/// Packets on their way in.
static RECEIVED: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);

/// The serial port, served in the background. To be called once: a second time panics.
pub fn usb(
    usb: Peri<'static, USB_OTG_FS>,
    plus: Peri<'static, PA12>,
    minus: Peri<'static, PA11>,
) -> UsbPort {
    let mut config = Config::default();
    // The board lives on the cable: where it runs, there is one.
    config.vbus_detection = false;
    let driver = Driver::new_fs(usb, Interrupts, plus, minus, RECEIVED.take(), config);
    spawner().spawn(run(driver).expect("each task is started once"));
    UsbPort::new()
}

#[embassy_executor::task]
async fn run(driver: Driver<'static, USB_OTG_FS>) {
    // The chip's number of 96 bits (reference manual RM0433, 61.1).
    serve(driver, VENDOR, PRODUCT, SerialNumber::new(&uid())).await;
}
