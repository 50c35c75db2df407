//! The button: to the supply. The LED: to ground. And the tasks that run besides the network.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{InterruptExecutor, SendSpawner};
use embassy_stm32::exti::{ExtiInput, InterruptHandler};
use embassy_stm32::gpio::{Level, Output, Pin, Pull, Speed};
use embassy_stm32::interrupt::{InterruptExt, Priority};
use embassy_stm32::mode::Async;
use embassy_stm32::peripherals::{EXTI13, PC13};
use embassy_stm32::{Peri, bind_interrupts, interrupt};
use embedded_hal::digital::PinState;

bind_interrupts!(struct Interrupts {
    EXTI15_10 => InterruptHandler<interrupt::typelevel::EXTI15_10>;
});

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();
/// True once the executor runs.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Spawner of tasks in an interrupt that nothing else uses.
pub fn spawner() -> SendSpawner {
    if STARTED.swap(true, Ordering::Relaxed) {
        return EXECUTOR.spawner();
    }
    // The lowest: it gives way to the interrupts that wake it.
    interrupt::CEC.set_priority(Priority::P15);
    EXECUTOR.start(interrupt::CEC)
}

/// Watches the button, to whose pin a resistor to ground belongs: `pull` where the board has none. Blinks
/// the LED. To be called once: a second time panics.
pub fn start(
    pin: Peri<'static, PC13>,
    line: Peri<'static, EXTI13>,
    pull: Pull,
    led: Peri<'static, impl Pin>,
) {
    let button = ExtiInput::new(pin, line, pull, Interrupts);
    let led = Output::new(led, Level::Low, Speed::Low);
    let once = "each task is started once";
    let tasks = spawner();
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
