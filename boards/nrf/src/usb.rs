//! The serial port over the chip's own USB.

use embassy_nrf::peripherals::USBD;
use embassy_nrf::usb::vbus_detect::{self, HardwareVbusDetect};
use embassy_nrf::usb::{self, Driver};
use embassy_nrf::{Peri, bind_interrupts, pac};
use posy_ports::SerialNumber;
use posy_ports::usb::{Numbers, UsbPort, serve};

use crate::button::spawner;

bind_interrupts!(struct Interrupts {
    USBD => usb::InterruptHandler<USBD>;
    CLOCK_POWER => vbus_detect::InterruptHandler;
});

/// The vendor's and the product's number of a board: those that its maker gave programs of its users.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    pub vendor: u16,
    pub product: u16,
}

/// The chip's number (nRF52840 product specification, FICR, DEVICEID).
fn serial_number() -> Option<SerialNumber> {
    let word = |index| pac::FICR.deviceid(index).read();
    let id = (u64::from(word(1)) << 32 | u64::from(word(0))).to_be_bytes();
    SerialNumber::new(&id)
}

/// The serial port, served in the background. To be called once: a second time panics.
pub fn usb(usb: Peri<'static, USBD>, maker: Maker) -> UsbPort {
    let driver = Driver::new(usb, Interrupts, HardwareVbusDetect::new(Interrupts));
    let numbers = Numbers {
        vendor: maker.vendor,
        product: maker.product,
        serial: serial_number(),
    };
    spawner().spawn(run(driver, numbers).expect("each task is started once"));
    UsbPort::new()
}

#[embassy_executor::task]
async fn run(driver: Driver<'static, HardwareVbusDetect>, numbers: Numbers) {
    serve(driver, numbers).await;
}
