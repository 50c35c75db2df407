//! Classifies what an OV2640 on an ST Nucleo-H743ZI sees.
#![no_std]
#![no_main]

mod axi;
mod button;
mod camera;
mod clocks;
mod flash;
mod memory;
mod pins;
mod uart;
mod vitals;

use cortex_m_rt::entry;
use embassy_time::Delay;
use posy_firmware::camera::ParallelCamera;
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::program::{Board, run};
use posy_ports::{Ports, now_ms};
use posy_shared::kernels::dsp::Dsp;

use pins::pin;

#[cfg(feature = "defmt")]
use defmt_rtt as _;

#[entry]
fn main() -> ! {
    let Some(core) = cortex_m::Peripherals::take() else {
        panic!("main is called once");
    };
    let chip = embassy_stm32::init(clocks::config());
    let memory = memory::start(core);
    clocks::camera(chip.MCO1, pin!(chip, xclk));

    let vitals = vitals::vitals(chip.IWDG1);
    let sensor = camera::sensor(pin!(chip, scl), pin!(chip, sda));
    let port = camera::Port {
        dcmi: chip.DCMI,
        dma: chip.DMA1_CH0,
        d0: pin!(chip, d0),
        d1: pin!(chip, d1),
        d2: pin!(chip, d2),
        d3: pin!(chip, d3),
        d4: pin!(chip, d4),
        d5: pin!(chip, d5),
        d6: pin!(chip, d6),
        d7: pin!(chip, d7),
        vsync: pin!(chip, vsync),
        href: pin!(chip, href),
        pclk: pin!(chip, pclk),
    };
    let mode = Mode::picture(Resolution::Qvga);
    button::start(pin!(chip, button), chip.EXTI13, pin!(chip, led));
    let mut board = Board {
        name: "nucleo-h743zi",
        camera: ParallelCamera::new(sensor, port, Delay, mode, memory.frame),
        console: Ports::new(uart::uart(
            chip.USART3,
            pin!(chip, uart_tx),
            pin!(chip, uart_rx),
        )),
        clock: now_ms,
        stack: posy_board::stack,
        vitals,
    };
    let mut slot = flash::slot(chip.FLASH);
    let Err(error) = run(&mut board, &mut slot, memory.network, || {
        // SAFETY: the STM32H743's Cortex-M7 has the DSP extension and a floating-point unit, which the
        // start-up code for this target switches on.
        unsafe { Dsp::new() }
    });
    panic!("the UART: {error:?}")
}
