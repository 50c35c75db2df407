//! Classifies what an OV2640 on a WeAct MiniSTM32H743VI sees.
#![no_std]
#![no_main]

mod pins;

use cortex_m_rt::entry;
use embassy_stm32::gpio::{Level, Output, Pull, Speed};
use posy_stm32h7::Parts;

use pins::pin;

#[entry]
fn main() -> ! {
    let (chip, rooms) = posy_stm32h7::chip();
    let sensor = posy_stm32h7::sensor(pin!(chip, scl), pin!(chip, sda));
    let port = posy_stm32h7::port!(chip, pin);
    // High, it would put the camera to sleep.
    let _awake = Output::new(pin!(chip, pwdn), Level::Low, Speed::Low);
    let console = posy_stm32h7::usb(chip.USB_OTG_FS, pin!(chip, usb_plus), pin!(chip, usb_minus));
    let parts = Parts {
        clock: (chip.MCO1, pin!(chip, xclk)),
        button: (pin!(chip, button), chip.EXTI13, Pull::Down),
        led: pin!(chip, led),
        watchdog: chip.IWDG1,
        flash: chip.FLASH,
    };
    posy_stm32h7::run("weact-h743vi", parts, (sensor, port), console, rooms)
}
