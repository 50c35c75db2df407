//! The serial port over the chip's own USB.

use embassy_nrf::peripherals::USBD;
use embassy_nrf::usb::vbus_detect::{self, HardwareVbusDetect};
use embassy_nrf::usb::{self, Driver};
use embassy_nrf::{Peri, bind_interrupts};
use posy_ports::usb::{UsbPort, serve};

use crate::button::spawner;

bind_interrupts!(struct Interrupts {
    USBD => usb::InterruptHandler<USBD>;
    CLOCK_POWER => vbus_detect::InterruptHandler;
});

/// Numbers that a board has on USB: those that its maker gave programs of its users.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    pub vendor: u16,
    pub product: u16,
}

/// The serial port, served in the background. To be called once: a second time panics.
pub fn usb(usb: Peri<'static, USBD>, numbers: Numbers) -> UsbPort {
    let driver = Driver::new(usb, Interrupts, HardwareVbusDetect::new(Interrupts));
    spawner().spawn(run(driver, numbers).expect("each task is started once"));
    UsbPort::new()
}

#[embassy_executor::task]
async fn run(driver: Driver<'static, HardwareVbusDetect>, numbers: Numbers) {
    serve(driver, numbers.vendor, numbers.product).await;
}
