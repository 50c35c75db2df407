//! Classifies what an ArduCAM on an Arduino Nano 33 BLE sees.
#![no_std]
#![no_main]

mod pins;

use cortex_m_rt::entry;
use embedded_hal::digital::PinState;
use posy_firmware::program::Memory;
use posy_nrf::{Numbers, Parts};
use static_cell::ConstStaticCell;

use pins::pin;

/// Bytes for the network. Of the chip's 256 KiB the rest is ports, rows and stack.
const ARENA: usize = 216 * 1024;

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

/// Numbers of Arduino's for programs of the board's users.
const NUMBERS: Numbers = Numbers {
    vendor: 0x2341,
    product: 0x805A,
};

#[entry]
fn main() -> ! {
    let chip = posy_nrf::chip(false);
    let parts = Parts {
        sda: pin!(chip, sda).into(),
        scl: pin!(chip, scl).into(),
        cs: pin!(chip, cs).into(),
        mosi: pin!(chip, mosi).into(),
        miso: pin!(chip, miso).into(),
        sck: pin!(chip, sck).into(),
        button: pin!(chip, button).into(),
        led: pin!(chip, led).into(),
        lit: PinState::Low,
        spi: chip.SPI2,
        watchdog: chip.WDT,
        flash: chip.NVMC,
    };
    let port = posy_nrf::usb(chip.USBD, NUMBERS);
    posy_nrf::run("nano-33-ble", parts, port, MEMORY.take())
}
