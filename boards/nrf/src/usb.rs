//! The serial port over the chip's own USB.

use embassy_nrf::peripherals::USBD;
use embassy_nrf::usb::vbus_detect::{self, HardwareVbusDetect};
use embassy_nrf::usb::{self, Driver};
use embassy_nrf::{Peri, bind_interrupts, pac};
use posy_ports::SerialNumber;
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
    serve(driver, numbers.vendor, numbers.product, serial_number()).await;
}

/// The chip's number (nRF52840 product specification, FICR, DEVICEID), the upper half first, as Arduino's and
/// Adafruit's programs and boot loaders say it.
fn serial_number() -> Option<SerialNumber> {
    let [low, high] = [0, 1].map(|half| pac::FICR.deviceid(half).read());
    let number = u64::from(high) << 32 | u64::from(low);
    SerialNumber::new(&number.to_be_bytes())
}
