//! Classifies what an ArduCAM on a Nordic nRF52840-DK sees.
#![no_std]
#![no_main]

mod pins;

use cortex_m_rt::entry;
use embedded_hal::digital::PinState;
use posy_firmware::program::Memory;
use posy_nrf::Parts;
use posy_ports::Ports;
use static_cell::ConstStaticCell;

use pins::pin;

/// Bytes for the network. Of the chip's 256 KiB the rest is ports, rows and stack.
const ARENA: usize = 216 * 1024;

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    let chip = posy_nrf::chip(true);
    let parts = Parts {
        sda: pin!(chip, sda).into(),
        scl: pin!(chip, scl).into(),
        cs: pin!(chip, cs).into(),
        mosi: pin!(chip, mosi).into(),
        miso: pin!(chip, miso).into(),
        sck: pin!(chip, sck).into(),
        button: pin!(chip, button).into(),
        led: pin!(chip, led).into(),
        // LED 1 hangs on the supply.
        lit: PinState::Low,
        spi: chip.SPI2,
        watchdog: chip.WDT,
        flash: chip.NVMC,
    };
    let uart = posy_nrf::uart(
        chip.UARTE0,
        chip.TIMER1,
        (chip.PPI_CH0, chip.PPI_CH1, chip.PPI_GROUP0),
        pin!(chip, uart_tx),
        pin!(chip, uart_rx),
    );
    posy_nrf::run("nrf52840-dk", parts, Ports::new(uart), MEMORY.take())
}
