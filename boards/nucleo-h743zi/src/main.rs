//! Classifies what an OV2640 on an ST Nucleo-H743ZI sees.
#![no_std]
#![no_main]

mod button;
mod camera;
mod clocks;
mod flash;
mod memory;
mod uart;

use cortex_m_rt::entry;
use embassy_time::Delay;
use posy_firmware::camera::ParallelCamera;
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::program::{Board, run};
use posy_ports::{Ports, now_ms};
use posy_shared::kernels::dsp::Dsp;

#[cfg(not(feature = "defmt"))]
use panic_halt as _;
#[cfg(feature = "defmt")]
use {defmt_rtt as _, panic_probe as _};

#[entry]
fn main() -> ! {
    let Some(core) = cortex_m::Peripherals::take() else {
        panic!("main is called once");
    };
    let chip = embassy_stm32::init(clocks::config());
    let memory = memory::start(core);
    clocks::camera(chip.MCO1, chip.PA8);

    let sensor = camera::sensor(chip.I2C1, chip.PB8, chip.PB9);
    let port = camera::Port {
        dcmi: chip.DCMI,
        dma: chip.DMA1_CH0,
        d0: chip.PC6,
        d1: chip.PC7,
        d2: chip.PC8,
        d3: chip.PC9,
        d4: chip.PE4,
        d5: chip.PD3,
        d6: chip.PE5,
        d7: chip.PE6,
        vsync: chip.PG9,
        href: chip.PA4,
        pclk: chip.PA6,
    };
    let mode = Mode::picture(Resolution::Qvga);
    button::start(chip.PC13, chip.EXTI13);
    let mut board = Board {
        name: "nucleo-h743zi",
        camera: ParallelCamera::new(sensor, port, Delay, mode, memory.frame),
        console: Ports::new(uart::uart(chip.USART3, chip.PD8, chip.PD9)),
        clock: now_ms,
        stack: posy_board::stack,
    };
    let mut slot = flash::slot(chip.FLASH);
    let Err(error) = run(&mut board, &mut slot, memory.network, || {
        // SAFETY: the STM32H743's Cortex-M7 has the DSP extension and a floating-point unit, which the
        // start-up code for this target switches on.
        unsafe { Dsp::new() }
    });
    panic!("the UART: {error:?}")
}
