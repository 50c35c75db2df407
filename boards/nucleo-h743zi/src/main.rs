//! Classifies what an OV2640 on an ST Nucleo-H743ZI sees.
#![no_std]
#![no_main]

mod pins;

use cortex_m_rt::entry;
use embassy_stm32::gpio::Pull;
use posy_ports::Ports;
use posy_stm32h7::Parts;

use pins::pin;

#[entry]
fn main() -> ! {
    let (chip, rooms) = posy_stm32h7::chip();
    let sensor = posy_stm32h7::sensor(pin!(chip, scl), pin!(chip, sda));
    let port = posy_stm32h7::port!(chip, pin);
    let uart = posy_stm32h7::uart(chip.USART3, pin!(chip, uart_tx), pin!(chip, uart_rx));
    let console = Ports::new(uart);
    let parts = Parts {
        clock: (chip.MCO1, pin!(chip, xclk)),
        button: (pin!(chip, button), chip.EXTI13, Pull::None),
        led: pin!(chip, led),
        watchdog: chip.IWDG1,
        flash: chip.FLASH,
    };
    posy_stm32h7::run("nucleo-h743zi", parts, (sensor, port), console, rooms)
}
