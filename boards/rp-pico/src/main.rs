//! Classifies what an ArduCAM on a Raspberry Pi Pico sees.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use posy_firmware::program::{Board, Memory, run};
use posy_rp::Ports;
#[cfg(feature = "bare-camera")]
use posy_rp::bare_pin as pin;
#[cfg(not(feature = "bare-camera"))]
use posy_rp::pin;
use posy_shared::kernels::armv6m::Armv6m;
#[cfg(feature = "both-cores")]
use posy_shared::kernels::dual::Dual;
use static_cell::ConstStaticCell;

/// Bytes for the network. Of the chip's 264 KiB, rows take 11, ports 5, code 5 and the stacks 27.
#[cfg(not(feature = "bare-camera"))]
const ARENA: usize = 216 * 1024;
/// A frame of a camera without a buffer, and what it leaves.
#[cfg(feature = "bare-camera")]
const ARENA: usize = 1024 * (216 - 38);
#[cfg(feature = "bare-camera")]
static FRAME: ConstStaticCell<[u32; 9_600]> = ConstStaticCell::new([0; 9_600]);

static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    let mut chip = embassy_rp::init(embassy_rp::config::Config::default());
    let vitals = posy_rp::vitals(chip.WATCHDOG, pin!(chip, led));
    #[cfg(not(feature = "bare-camera"))]
    let camera = {
        let sensor = posy_rp::sensor(pin!(chip, sda), pin!(chip, scl));
        let frame_buffer = posy_rp::frame_buffer(
            chip.SPI0,
            pin!(chip, sck),
            pin!(chip, mosi),
            pin!(chip, miso),
            pin!(chip, cs),
            (chip.DMA_CH0, chip.DMA_CH1),
        );
        posy_rp::camera(sensor, frame_buffer)
    };
    #[cfg(feature = "bare-camera")]
    let camera = {
        let sensor = posy_rp::sensor(pin!(chip, sda), pin!(chip, scl));
        let clock = (chip.PWM_SLICE1, pin!(chip, xclk));
        let port = posy_rp::port(chip.PIO0, posy_rp::bare_lines!(chip), clock, chip.DMA_CH0);
        posy_rp::bare_camera(sensor, port, FRAME.take())
    };
    let uart = posy_rp::uart(chip.UART0, pin!(chip, uart_tx), pin!(chip, uart_rx));
    // Before the second core runs: flash cannot be read meanwhile.
    let serial_number = posy_rp::serial_number(chip.FLASH.reborrow());
    let mut board = Board {
        name: "rp-pico",
        camera,
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
