//! A memory budget for decoded photos, shared by all threads.
//!
//! Every decoder states its greatest need in advance, and waits until so much is free. A photo
//! larger than the whole budget waits until it is alone. So all cores decode photos of usual sizes
//! in parallel, and very large ones a few at a time.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes for decoders and decoded photos: 16 threads decode photos of 12 megapixels without
/// waiting, and the largest, of 512 MiB each, two at a time.
const TOTAL: u64 = 5 << 28;

/// The budget of this process.
pub(super) static PHOTOS: Budget = Budget::new(TOTAL);

/// A memory budget, handed out in shares.
pub(super) struct Budget {
    total: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// A share of a [`Budget`], returned on drop.
#[derive(Debug)]
pub(super) struct Share {
    budget: &'static Budget,
    bytes: u64,
    /// Number of shares held by the thread that took this one.
    of_thread: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Budget of {} bytes", self.total)
    }
}

thread_local! {
    static OWN: RefCell<Arc<AtomicUsize>> = RefCell::default();
}

impl Budget {
    pub(super) const fn new(total: u64) -> Self {
        Budget {
            total,
            taken: Mutex::new(0),
            given_back: Condvar::new(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, u64> {
        // A panicking thread leaves the count consistent.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `bytes` are free, or nothing is taken. A thread that holds a share already does
    /// not wait, since it might wait for itself.
    pub(super) fn take(&'static self, bytes: u64) -> Share {
        let of_thread = OWN.with_borrow(Arc::clone);
        let mut taken = self.taken();
        while *taken > 0
            && taken.saturating_add(bytes) > self.total
            && of_thread.load(Ordering::Relaxed) == 0
        {
            let woken = self.given_back.wait(taken);
            taken = woken.unwrap_or_else(PoisonError::into_inner);
        }
        *taken = taken.saturating_add(bytes);
        of_thread.fetch_add(1, Ordering::Relaxed);
        drop(taken);
        Share {
            budget: self,
            bytes,
            of_thread,
        }
    }
}

impl Share {
    /// Returns all but `bytes` to the budget.
    pub(super) fn shrink(&mut self, bytes: u64) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        *self.budget.taken() -= freed;
        self.budget.given_back.notify_all();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(0);
        self.of_thread.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::thread;

    use super::*;

    #[test]
    fn threads_together_stay_below_the_total() {
        static BUDGET: Budget = Budget::new(100);
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for index in 0..16 {
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    for step in 0..50 {
                        let bytes = 1 + (index * 7 + step * 13) % 60;
                        let mut share = BUDGET.take(bytes);
                        most.fetch_max(
                            now.fetch_add(bytes, Ordering::SeqCst) + bytes,
                            Ordering::SeqCst,
                        );
                        thread::yield_now();
                        now.fetch_sub(bytes - 1, Ordering::SeqCst);
                        share.shrink(1);
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let most = most.load(Ordering::SeqCst);
        assert!((61..=100).contains(&most), "{most}");
        assert_eq!(*BUDGET.taken(), 0);
    }

    #[test]
    fn what_is_larger_than_all_is_alone_and_a_thread_does_not_wait_for_itself() {
        static BUDGET: Budget = Budget::new(100);
        let large = BUDGET.take(500);
        // Waiting here would deadlock this thread.
        let more = BUDGET.take(80);
        let waiting = thread::spawn(|| {
            let share = BUDGET.take(1);
            let taken = *BUDGET.taken();
            drop(share);
            taken
        });
        thread::sleep(std::time::Duration::from_millis(20));
        drop(more);
        drop(large);
        assert_eq!(waiting.join().unwrap(), 1);
    }
}
