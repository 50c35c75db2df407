//! Classifies what an ArduCAM on a Raspberry Pi Pico sees.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use posy_firmware::program::{Board, Memory, run};
use posy_rp::{Ports, pin};
use posy_shared::kernels::armv6m::Armv6m;
#[cfg(feature = "both-cores")]
use posy_shared::kernels::dual::Dual;
use static_cell::ConstStaticCell;

/// Bytes for the network. Of the chip's 264 KiB, rows take 11, ports 5, code 5 and the stacks 27.
const ARENA: usize = 216 * 1024;

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    let mut chip = embassy_rp::init(embassy_rp::config::Config::default());
    let vitals = posy_rp::vitals(chip.WATCHDOG, pin!(chip, led));
    let sensor = posy_rp::sensor(pin!(chip, sda), pin!(chip, scl));
    let frame_buffer = posy_rp::frame_buffer(
        chip.SPI0,
        pin!(chip, sck),
        pin!(chip, mosi),
        pin!(chip, miso),
        pin!(chip, cs),
        (chip.DMA_CH0, chip.DMA_CH1),
    );
    let uart = posy_rp::uart(chip.UART0, pin!(chip, uart_tx), pin!(chip, uart_rx));
    // Before the second core runs: flash cannot be read meanwhile.
    let serial_number = posy_rp::serial_number(chip.FLASH.reborrow());
    let mut board = Board {
        name: "rp-pico",
        camera: posy_rp::camera(sensor, frame_buffer),
        console: Ports::start(uart, (chip.USB, serial_number), pin!(chip, button)),
        clock: posy_rp::now_ms,
        stack: posy_board::stack,
        vitals,
    };
    let mut slot = posy_rp::slot(chip.FLASH);
    let kernels = Armv6m::new;
    #[cfg(feature = "both-cores")]
    let kernels = {
        let second = posy_rp::second_core(chip.CORE1);
        move || Dual::new(kernels(), second)
    };
    let Err(error) = run(&mut board, &mut slot, MEMORY.take(), kernels);
    panic!("the UART: {error:?}")
}
