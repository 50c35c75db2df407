//! What runs besides the network: tasks in an interrupt that nothing else uses, so that the network
//! need never give way.

use core::sync::atomic::AtomicBool;

use embassy_executor::{InterruptExecutor, SendSpawner};
use embassy_rp::interrupt;
use embassy_rp::interrupt::{InterruptExt, Priority};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;

/// Bytes from USB that nobody has asked for yet. While there is no room for more, the sender waits.
pub static INPUT: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();

/// Whether the button was pressed since it was last asked.
pub static PRESSED: AtomicBool = AtomicBool::new(false);

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// Starts the executor of the tasks; to be called once.
pub fn start() -> SendSpawner {
    // The lowest: the tasks give way to the interrupts that wake them.
    interrupt::SWI_IRQ_0.set_priority(Priority::P3);
    EXECUTOR.start(interrupt::SWI_IRQ_0)
}

#[interrupt]
fn SWI_IRQ_0() {
    // SAFETY: this is the executor's interrupt, which its `start` lets through for the first time.
    unsafe { EXECUTOR.on_interrupt() }
}
