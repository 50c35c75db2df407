//! Watching training while it goes on: for progress, learning curves and event files.
//!
//! A trainer tells a [`Watch`] of its steps. It makes the head of a step only for one that
//! [follows](Watch::follows), so that training unwatched costs nothing more.

use std::sync::Arc;

use super::logistic::Candidate;
use super::sgd::StepReport;
use super::{Features, Head};

/// One step of a trainer, already taken.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Number of the step, from 0, over the whole training.
    pub number: usize,
    /// Training photos that the step looked at; `None` for all.
    pub batch: Option<&'a [usize]>,
    /// Whether this is a step at which progress is measured.
    pub measured: bool,
    /// The head after it, for features as they are.
    pub head: Head,
}

/// Parts that one training counts for on a [`Meter`].
pub const PARTS: usize = 1000;

/// Shows how far all that is to be trained has come. Is told from several threads at once.
pub trait Meter: Send + Sync {
    /// Work of so many parts begins.
    fn begin(&self, parts: usize) {
        let _ = parts;
    }

    /// So many parts more are done.
    fn advance(&self, parts: usize) {
        let _ = parts;
    }

    /// All is done.
    fn end(&self) {}
}

/// Nobody looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmetered;

impl Meter for Unmetered {}

/// The parts of one training on their way to a meter, where it is not known how many steps there will be:
/// each step takes a share of what is left.
pub(super) struct Approach<'a> {
    meter: &'a dyn Meter,
    left: usize,
}

impl<'a> Approach<'a> {
    /// Share of what is left that a step takes.
    const SHARE: usize = 16;

    pub(super) const fn new(meter: &'a dyn Meter, parts: usize) -> Self {
        Approach { meter, left: parts }
    }

    /// A step is done.
    pub(super) fn step(&mut self) {
        let parts = self.left / Self::SHARE;
        self.left -= parts;
        self.meter.advance(parts);
    }

    /// So many of `steps` are done, where that is known.
    pub(super) fn reach(&mut self, parts: usize, (done, steps): (usize, usize)) {
        let left = parts - parts * done / steps.max(1);
        self.meter.advance(self.left.saturating_sub(left));
        self.left = self.left.min(left);
    }
}

impl Drop for Approach<'_> {
    fn drop(&mut self) {
        self.meter.advance(self.left);
    }
}

/// Hears of training. Whatever it does changes nothing about the result.
pub trait Watch {
    /// Training begins, on these photos; those of `validation` are what choices are made by.
    fn begins(&mut self, training: &Features, validation: &Features) {
        let _ = (training, validation);
    }

    /// Gradient descent has measured itself.
    fn measured(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// A strength of the penalty has been tried.
    fn tried(&mut self, candidate: &Candidate) {
        let _ = candidate;
    }

    /// What shows how far all trainings have come, those among them that nobody else watches.
    fn meter(&self) -> Arc<dyn Meter> {
        Arc::new(Unmetered)
    }

    /// Whether [`Watch::stepped`] is wanted.
    fn follows(&self) -> bool {
        false
    }

    /// A step has been taken.
    fn stepped(&mut self, step: &Step<'_>) {
        let _ = step;
    }
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// A training that nobody watches, but for a meter.
pub struct Metered(pub Arc<dyn Meter>);

impl Watch for Metered {
    fn meter(&self) -> Arc<dyn Meter> {
        Arc::clone(&self.0)
    }
}

/// One who wants to hear of measurements alone.
#[derive(Debug)]
pub struct OnMeasured<F>(pub F);

impl<F: FnMut(&StepReport)> Watch for OnMeasured<F> {
    fn measured(&mut self, report: &StepReport) {
        (self.0)(report);
    }
}

/// Several at once, in their order.
pub struct All<'a>(pub Vec<&'a mut dyn Watch>);

impl Watch for All<'_> {
    fn begins(&mut self, training: &Features, validation: &Features) {
        for watch in &mut self.0 {
            watch.begins(training, validation);
        }
    }

    fn measured(&mut self, report: &StepReport) {
        for watch in &mut self.0 {
            watch.measured(report);
        }
    }

    fn tried(&mut self, candidate: &Candidate) {
        for watch in &mut self.0 {
            watch.tried(candidate);
        }
    }

    /// Of the first.
    fn meter(&self) -> Arc<dyn Meter> {
        let first = self.0.first();
        first.map_or_else(
            || Arc::new(Unmetered) as Arc<dyn Meter>,
            |watch| watch.meter(),
        )
    }

    fn follows(&self) -> bool {
        self.0.iter().any(|watch| watch.follows())
    }

    fn stepped(&mut self, step: &Step<'_>) {
        for watch in &mut self.0 {
            if watch.follows() {
                watch.stepped(step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Sum(AtomicUsize);

    impl Meter for Sum {
        fn advance(&self, parts: usize) {
            self.0.fetch_add(parts, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_training_counts_for_its_parts_however_many_steps_it_takes() {
        for steps in [0, 1, 7, 500] {
            let sum = Sum::default();
            let mut approach = Approach::new(&sum, PARTS);
            (0..steps).for_each(|_| approach.step());
            drop(approach);
            assert_eq!(sum.0.into_inner(), PARTS);
        }
        let sum = Sum::default();
        let mut approach = Approach::new(&sum, 90);
        for step in 0..7 {
            approach.reach(90, (step + 1, 14));
        }
        assert_eq!(sum.0.load(Ordering::Relaxed), 45);
        drop(approach);
        assert_eq!(sum.0.into_inner(), 90);
    }
}
