//! The button: to ground, with the chip's pull-up. The LED. And the tasks that run besides the network.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{InterruptExecutor, SendSpawner};
use embassy_nrf::Peri;
use embassy_nrf::gpio::{AnyPin, Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::interrupt;
use embassy_nrf::interrupt::{InterruptExt, Priority};
use embedded_hal::digital::PinState;

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// True once the executor runs.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Spawner of tasks in an interrupt that nothing else uses.
pub fn spawner() -> SendSpawner {
    if STARTED.swap(true, Ordering::Relaxed) {
        return EXECUTOR.spawner();
    }
    // The lowest: it gives way to the interrupts that wake it.
    interrupt::EGU0_SWI0.set_priority(Priority::P7);
    EXECUTOR.start(interrupt::EGU0_SWI0)
}

/// Watches the button and blinks the LED, which `lit` lights. To be called once: a second time panics.
pub fn start(pin: Peri<'static, AnyPin>, led: Peri<'static, AnyPin>, lit: PinState) {
    let button = Input::new(pin, Pull::Up);
    let led = Output::new(
        led,
        Level::from(lit == PinState::Low),
        OutputDrive::Standard,
    );
    let once = "each task is started once";
    let tasks = spawner();
    tasks.spawn(watch(button).expect(once));
    tasks.spawn(blink(led, lit == PinState::Low).expect(once));
}

#[embassy_executor::task]
async fn watch(button: Input<'static>) {
    posy_ports::watch(button, PinState::Low).await;
}

#[embassy_executor::task]
async fn blink(led: Output<'static>, is_lit_by_low: bool) {
    posy_ports::blink(led, is_lit_by_low).await;
}

#[interrupt]
fn EGU0_SWI0() {
    // SAFETY: this is the executor's interrupt, which its `start` lets through for the first time.
    unsafe { EXECUTOR.on_interrupt() }
}
