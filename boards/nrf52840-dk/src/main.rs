//! Classifies what an ArduCAM on a Nordic nRF52840-DK sees.
#![no_std]
#![no_main]

mod pins;

use cortex_m_rt::entry;
use embedded_hal::digital::PinState;
use posy_firmware::program::Memory;
use posy_ports::Ports;
use static_cell::ConstStaticCell;

use pins::pin;

/// Bytes for the network. Of the chip's 256 KiB the rest is ports, rows and stack.
const ARENA: usize = 216 * 1024;

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    let chip = posy_nrf::chip(true);
    // LED 1 hangs on the supply.
    let parts = posy_nrf::parts!(chip, pin, PinState::Low);
    let uart = posy_nrf::uart(
        chip.UARTE0,
        chip.TIMER1,
        (chip.PPI_CH0, chip.PPI_CH1, chip.PPI_GROUP0),
        pin!(chip, uart_tx),
        pin!(chip, uart_rx),
    );
    posy_nrf::run("nrf52840-dk", parts, Ports::new(uart), MEMORY.take())
}
