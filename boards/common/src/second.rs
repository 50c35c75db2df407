//! Work for a second core: a place where one core leaves it and the other finds it.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, transmute};
use core::sync::atomic::{AtomicBool, Ordering};

use posy_shared::kernels::dual::Second;

/// Work to be done once.
type Work = *mut (dyn FnMut() + Send);

/// The place: one for each second core.
pub struct Mailbox {
    /// True if there is work that is not done yet.
    full: AtomicBool,
    work: UnsafeCell<MaybeUninit<Work>>,
}

// SAFETY: `work` is written by the one partner while it is not `full`, and read by the one server
// while it is, and what it points at may be used by another core. The callers of `partner` and
// `serve` see to it that there is one of each.
unsafe impl Sync for Mailbox {}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Mailbox {
    /// An empty one.
    pub const fn new() -> Self {
        Mailbox {
            full: AtomicBool::new(false),
            work: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The second core's loop: does whatever work there is, for ever.
    ///
    /// # Safety
    /// To be called once for each mailbox.
    pub unsafe fn serve(&self) -> ! {
        loop {
            while !self.full.load(Ordering::Acquire) {
                wait();
            }
            // SAFETY: there is work, written before `full` was; the partner neither touches it nor
            // what it points at, and stays in `both`, where that lives, until it is not full.
            unsafe { (*(*self.work.get()).assume_init())() };
            self.full.store(false, Ordering::Release);
            wake();
        }
    }

    /// The second core, as the first one sees it.
    ///
    /// # Safety
    /// Of each mailbox no more than one partner is in use at a time, and another core serves it or
    /// will.
    pub const unsafe fn partner(&'static self) -> Partner {
        Partner {
            mailbox: self,
            here: PhantomData,
        }
    }
}

/// The second core, as the first one sees it. Stays on its core.
#[derive(Clone, Copy)]
pub struct Partner {
    mailbox: &'static Mailbox,
    here: PhantomData<*mut ()>,
}

impl Second for Partner {
    fn both(&self, there: &mut (dyn FnMut() + Send), here: &mut dyn FnMut()) {
        let Mailbox { full, work } = self.mailbox;
        // SAFETY: only the lifetime changes. The work is used up before this returns; a panic, which
        // would leave earlier, ends a board's program.
        let there: Work = unsafe { transmute::<&mut (dyn FnMut() + Send), Work>(there) };
        // SAFETY: it is not full: what was there has been done when the last call returned.
        unsafe { (*work.get()).write(there) };
        full.store(true, Ordering::Release);
        wake();
        here();
        while full.load(Ordering::Acquire) {
            wait();
        }
    }
}

/// Sleeps until another core wakes this one, or something else does.
fn wait() {
    // SAFETY: this changes no memory and no register.
    unsafe { asm!("wfe", options(nomem, nostack, preserves_flags)) };
}

/// Wakes the other core; where it does not sleep yet, it will not. Memory is written before.
fn wake() {
    // SAFETY: this changes no memory and no register.
    unsafe { asm!("dsb", "sev", options(nostack, preserves_flags)) };
}
