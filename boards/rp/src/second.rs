//! The second core: half of each of the network's rows is its.

use embassy_rp::Peri;
use embassy_rp::multicore::{Stack, spawn_core1};
use embassy_rp::peripherals::CORE1;
use posy_board::{Mailbox, Partner};
use static_cell::ConstStaticCell;

/// Bytes of its stack: the kernels', with room for the interrupts that the core is woken by.
const STACK: usize = 4096;

static STACK_OF_ITS_OWN: ConstStaticCell<Stack<STACK>> = ConstStaticCell::new(Stack::new());
static WORK: Mailbox = Mailbox::new();

/// Starts the second core, which from then on waits for work; to be called once: a second time
/// panics.
pub fn second_core(core: Peri<'static, CORE1>) -> Partner {
    spawn_core1(core, STACK_OF_ITS_OWN.take(), || {
        // SAFETY: this core, which is started once, is the only one that serves.
        unsafe { WORK.serve() }
    });
    // SAFETY: this function is called once, or panics above; so there is one partner, and copies of
    // it are on one core. They are used one at a time: none of them is used in an interrupt.
    unsafe { WORK.partner() }
}
