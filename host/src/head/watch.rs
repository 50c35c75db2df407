//! Watching training while it goes on: for progress, learning curves and event files.
//!
//! A trainer tells a [`Watch`] of its steps. It makes the head of a step only for one that
//! [follows](Watch::follows), so that training unwatched costs nothing more.

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
