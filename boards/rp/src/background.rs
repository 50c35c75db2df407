//! Background tasks: they run in an interrupt that nothing else uses, so that the network
//! need never give way.

use embassy_executor::{InterruptExecutor, SendSpawner};
use embassy_rp::interrupt;
use embassy_rp::interrupt::{InterruptExt, Priority};
use portable_atomic::{AtomicBool, Ordering};

/// True if the button was pressed since it was last asked.
pub static PRESSED: AtomicBool = AtomicBool::new(false);

/// True once the executor runs.
static STARTED: AtomicBool = AtomicBool::new(false);
static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// Spawner of tasks. To be called before there is a second core.
pub fn spawner() -> SendSpawner {
    if STARTED.swap(true, Ordering::Relaxed) {
        return EXECUTOR.spawner();
    }
    // The lowest: the tasks give way to the interrupts that wake them.
    interrupt::SWI_IRQ_0.set_priority(Priority::P3);
    EXECUTOR.start(interrupt::SWI_IRQ_0)
}

#[interrupt]
fn SWI_IRQ_0() {
    // SAFETY: this is the executor's interrupt, which its `start` lets through for the first time.
    unsafe { EXECUTOR.on_interrupt() }
}
