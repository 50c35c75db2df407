//! Button 1: to ground, with the chip's pull-up. LED 1: from the supply, so that low lights it.

use embassy_executor::InterruptExecutor;
use embassy_nrf::Peri;
use embassy_nrf::gpio::{Input, Level, Output, OutputDrive, Pin, Pull};
use embassy_nrf::interrupt;
use embassy_nrf::interrupt::{InterruptExt, Priority};
use embedded_hal::digital::PinState;

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// Watches the button and blinks the LED in an interrupt that nothing else uses. To be called once: a
/// second time panics.
pub fn start(pin: Peri<'static, impl Pin>, led: Peri<'static, impl Pin>) {
    // The lowest: it gives way to the interrupts that wake it.
    interrupt::EGU0_SWI0.set_priority(Priority::P7);
    let button = Input::new(pin, Pull::Up);
    let led = Output::new(led, Level::High, OutputDrive::Standard);
    let once = "each task is started once";
    let tasks = EXECUTOR.start(interrupt::EGU0_SWI0);
    tasks.spawn(watch(button).expect(once));
    tasks.spawn(blink(led).expect(once));
}

#[embassy_executor::task]
async fn watch(button: Input<'static>) {
    posy_ports::watch(button, PinState::Low).await;
}

#[embassy_executor::task]
async fn blink(led: Output<'static>) {
    posy_ports::blink(led, true).await;
}

#[interrupt]
fn EGU0_SWI0() {
    // SAFETY: this is the executor's interrupt, which its `start` lets through for the first time.
    unsafe { EXECUTOR.on_interrupt() }
}
