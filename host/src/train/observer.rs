//! Observers of training: for progress, learning curves and event files.
//!
//! A trainer reports its steps to a [`Watch`]. It builds the head after a step only for an observer
//! that [follows](Watch::follows), so that training without one costs nothing more.

use std::sync::Arc;

use posy_nn::graph::head::Head;

use super::Features;
use super::logistic::Candidate;
use super::qat::Measurement;
use super::sgd::StepReport;

/// A step of a trainer, already taken.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Number of the step, from 0, over the whole training.
    pub number: usize,
    /// Training photos in the step's batch; `None` for all.
    pub batch: Option<&'a [usize]>,
    /// True if progress is measured at this step.
    pub measured: bool,
    /// The head after the step, for raw features.
    pub head: Head,
}

/// Parts that one training takes on a [`Meter`].
pub const PARTS: usize = 1000;

/// Displays the progress of all trainings. Several threads call it at once.
pub trait Meter: Send + Sync {
    /// Announces the number of parts in the work ahead.
    fn begin(&self, parts: usize) {
        let _ = parts;
    }

    /// Reports further finished parts.
    fn advance(&self, parts: usize) {
        let _ = parts;
    }

    /// Reports the end of the work.
    fn end(&self) {}
}

/// A meter that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmetered;

impl Meter for Unmetered {}

/// Progress of one training with an unknown number of steps: each step takes a share of the
/// remaining parts.
pub(crate) struct Approach<'a> {
    meter: &'a dyn Meter,
    left: usize,
}

impl<'a> Approach<'a> {
    /// Divisor of the remaining parts: a step takes 1/16 of them.
    const SHARE: usize = 16;

    pub(crate) const fn new(meter: &'a dyn Meter, parts: usize) -> Self {
        Approach { meter, left: parts }
    }

    /// Counts a step.
    pub(super) fn step(&mut self) {
        let parts = self.left / Self::SHARE;
        self.left -= parts;
        self.meter.advance(parts);
    }

    /// Counts up to `done` of `steps`, where their number is known.
    pub(crate) fn reach(&mut self, parts: usize, (done, steps): (usize, usize)) {
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

/// Observer of training. It never affects the result.
pub trait Watch {
    /// Called at the start, with the training photos and the `validation` photos, by which choices
    /// are made.
    fn begins(&mut self, training: &Features, validation: &Features) {
        let _ = (training, validation);
    }

    /// Called with each measurement of gradient descent.
    fn measured(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// Called with each candidate regularisation strength.
    fn tried(&mut self, candidate: &Candidate) {
        let _ = candidate;
    }

    /// The meter of all trainings, including those without an observer.
    fn meter(&self) -> Arc<dyn Meter> {
        Arc::new(Unmetered)
    }

    /// Called before the first epoch of fine-tuning (true), and after the last one (false).
    fn fine_tuning(&mut self, begins: bool) {
        let _ = begins;
    }

    /// Called where fine-tuning goes on after this many epochs of a run that was killed.
    fn resumed(&mut self, epochs: usize) {
        let _ = epochs;
    }

    /// Called after each epoch of fine-tuning.
    fn epoch(&mut self, measurement: &Measurement) {
        let _ = measurement;
    }

    /// Returns true if fine-tuning should end with the best parameters so far.
    fn stopped(&self) -> bool {
        false
    }

    /// Returns true if [`Watch::stepped`] should be called.
    fn follows(&self) -> bool {
        false
    }

    /// Called after a step.
    fn stepped(&mut self, step: &Step<'_>) {
        let _ = step;
    }
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// An observer that only has a meter.
pub struct Metered(pub Arc<dyn Meter>);

impl Watch for Metered {
    fn meter(&self) -> Arc<dyn Meter> {
        Arc::clone(&self.0)
    }
}

/// Calls a closure on each measurement.
#[derive(Debug)]
pub struct OnMeasured<F>(pub F);

impl<F: FnMut(&StepReport)> Watch for OnMeasured<F> {
    fn measured(&mut self, report: &StepReport) {
        (self.0)(report);
    }
}

/// Several observers, called in their order.
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

    /// The first observer's meter.
    fn meter(&self) -> Arc<dyn Meter> {
        let first = self.0.first();
        first.map_or_else(
            || Arc::new(Unmetered) as Arc<dyn Meter>,
            |watch| watch.meter(),
        )
    }

    fn fine_tuning(&mut self, begins: bool) {
        for watch in &mut self.0 {
            watch.fine_tuning(begins);
        }
    }

    fn resumed(&mut self, epochs: usize) {
        for watch in &mut self.0 {
            watch.resumed(epochs);
        }
    }

    fn epoch(&mut self, measurement: &Measurement) {
        for watch in &mut self.0 {
            watch.epoch(measurement);
        }
    }

    fn stopped(&self) -> bool {
        self.0.iter().any(|watch| watch.stopped())
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
