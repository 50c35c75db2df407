//! The blue button, B1: to the supply, with the board's resistor to ground. The green LED, LD1: to ground.

use embassy_executor::InterruptExecutor;
use embassy_stm32::exti::{ExtiInput, InterruptHandler};
use embassy_stm32::gpio::{Level, Output, Pull, Speed};
use embassy_stm32::interrupt::{InterruptExt, Priority};
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals::{EXTI13, PB0, PC13};
use embassy_stm32::{Peri, bind_interrupts, interrupt};
use embedded_hal::digital::PinState;

bind_interrupts!(struct Interrupts {
    EXTI15_10 => InterruptHandler<interrupt::typelevel::EXTI15_10>;
});

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// Watches the button and blinks the LED in an interrupt that nothing else uses. To be called once: a
/// second time panics.
pub fn start(pin: Peri<'static, PC13>, line: Peri<'static, EXTI13>, led: Peri<'static, PB0>) {
    // The lowest: it gives way to the interrupts that wake it.
    interrupt::CEC.set_priority(Priority::P15);
    let button = ExtiInput::new(pin, line, Pull::None, Interrupts);
    let led = Output::new(led, Level::Low, Speed::Low);
    let once = "each task is started once";
    let tasks = EXECUTOR.start(interrupt::CEC);
    tasks.spawn(watch(button).expect(once));
    tasks.spawn(blink(led).expect(once));
}

#[embassy_executor::task]
async fn watch(button: ExtiInput<'static, Async>) {
    posy_ports::watch(button, PinState::High).await;
}

#[embassy_executor::task]
async fn blink(led: Output<'static>) {
    posy_ports::blink(led, false).await;
}

#[interrupt]
fn CEC() {
    // SAFETY: this is the executor's interrupt, which its `start` lets through for the first time.
    unsafe { EXECUTOR.on_interrupt() }
}
