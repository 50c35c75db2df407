//! The conformance cases with two workers.

use core::cell::Cell;

use super::*;
use crate::kernels::conformance;

/// Runs both parts on this thread, one after the other.
#[derive(Default)]
struct InTurn {
    /// Number of calls for the second worker.
    asked: Cell<usize>,
}

impl Second for &InTurn {
    fn both(&self, there: &mut (dyn FnMut() + Send), here: &mut dyn FnMut()) {
        self.asked.set(self.asked.get() + 1);
        there();
        here();
    }
}

#[test]
#[cfg_attr(miri, ignore = "plain code, many times over")]
fn both_parts_make_the_row_of_one() {
    let second = InTurn::default();
    let mut kernels = Dual::new(Scalar, &second);
    let cases = conformance::check(&mut kernels).unwrap();
    // Most rows are cut.
    assert!(
        2 * second.asked.get() > cases,
        "{} of {cases}",
        second.asked.get()
    );
}

/// A worker that leaves its part undone.
struct Idle;

impl Second for Idle {
    fn both(&self, _: &mut (dyn FnMut() + Send), here: &mut dyn FnMut()) {
        here();
    }
}

#[test]
#[cfg_attr(miri, ignore = "plain code, many times over")]
fn a_part_that_is_not_done_is_caught() {
    assert!(conformance::check(&mut Dual::new(Scalar, Idle)).is_err());
}

#[cfg(feature = "std")]
#[test]
#[cfg_attr(miri, ignore = "plain code, many times over")]
fn two_threads_make_the_row_of_one() {
    extern crate std;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::thread;

    /// Runs each part on a thread of its own.
    struct Thread;

    impl Second for Thread {
        fn both(&self, there: &mut (dyn FnMut() + Send), here: &mut dyn FnMut()) {
            thread::scope(|scope| {
                scope.spawn(there);
                here();
            });
        }
    }

    /// Kernels that wait for one another: the test ends only if two run at once.
    struct Met {
        to: [SyncSender<()>; 2],
        from: std::sync::Mutex<[Option<Receiver<()>>; 2]>,
    }
    let (a, b) = (sync_channel(1), sync_channel(1));
    let met = Met {
        to: [a.0, b.0],
        from: std::sync::Mutex::new([Some(b.1), Some(a.1)]),
    };
    let meet = |index: usize| {
        let from = met.from.lock().unwrap()[index].take().unwrap();
        met.to[index].send(()).unwrap();
        from.recv().unwrap();
    };
    Thread.both(&mut || meet(0), &mut || meet(1));

    assert!(conformance::check(&mut Dual::new(Scalar, Thread)).is_ok());
}
