//! Learning curves, gathered while training goes on.

use posy_nn::graph::head::Head;

use super::measure::Photos;
use crate::train::Features;
use crate::train::logistic::Candidate;
use crate::train::observer::{Step, Watch};
use crate::train::qat::Measurement;
use crate::train::sgd::StepReport;

/// Maximum number of a solver's heads that are kept; when there are more, every other one is dropped.
const KEPT: usize = 96;
/// Maximum number of products to measure the heads that are kept; with many labels, fewer heads are kept, though never
/// fewer than [`FEWEST`].
const PRODUCTS: u64 = 1 << 34;
const FEWEST: usize = 12;
/// Photos of each part that curves are measured on, at most.
const PHOTOS: usize = 4096;

/// Accuracy and cross entropy on some photos.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Share that is right, `0..=1`.
    pub accuracy: f64,
    /// Mean cross entropy, nats.
    pub cross_entropy: f64,
}

/// A point of the curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The step, from 0.
    pub step: usize,
    /// On the training photos that the step looked at.
    pub training: Fit,
    /// On validation photos, where there are any.
    pub validation: Option<Fit>,
}

/// Curves, as training left them.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// In order of their steps.
    pub points: Vec<Point>,
    /// The strengths of the penalty that were tried.
    pub candidates: Vec<Candidate>,
    /// Measurements after each epoch of fine-tuning.
    pub epochs: Vec<Measurement>,
}

/// Gathers [`Curves`]. Of a solver it keeps some of the heads, and measures them at the end.
#[derive(Default)]
pub struct CurveWatch {
    photos: Option<[Photos; 2]>,
    points: Vec<Point>,
    candidates: Vec<Candidate>,
    epochs: Vec<Measurement>,
    heads: Vec<(usize, Head)>,
    stride: usize,
    last: Option<(usize, Head)>,
}

impl CurveWatch {
    /// The curves.
    pub fn finish(mut self) -> Curves {
        let last = self.last.take();
        let kept = self.heads.last().map(|(number, _)| *number);
        self.heads
            .extend(last.filter(|(number, _)| Some(*number) > kept));
        if let Some([training, validation]) = &self.photos {
            for (step, head) in &self.heads {
                let fit = |photos: &Photos| {
                    let measured = photos.measure(head, None)?;
                    Some(Fit {
                        accuracy: measured.accuracy,
                        cross_entropy: measured.cross_entropy,
                    })
                };
                if let Some(found) = fit(training) {
                    self.points.push(Point {
                        step: *step,
                        training: found,
                        validation: fit(validation),
                    });
                }
            }
        }
        Curves {
            points: self.points,
            candidates: self.candidates,
            epochs: self.epochs,
        }
    }
}

impl Watch for CurveWatch {
    fn begins(&mut self, training: &Features, validation: &Features) {
        // What counts is the last training that begins.
        *self = CurveWatch {
            photos: Some([training, validation].map(|photos| Photos::some(photos, PHOTOS))),
            stride: 1,
            ..Self::default()
        };
    }

    fn measured(&mut self, report: &StepReport) {
        self.points.push(Point {
            step: report.step,
            training: Fit {
                accuracy: report.train_accuracy,
                cross_entropy: report.cross_entropy,
            },
            validation: report.validation.as_ref().map(|validation| Fit {
                accuracy: validation.accuracy,
                cross_entropy: validation.cross_entropy,
            }),
        });
    }

    fn tried(&mut self, candidate: &Candidate) {
        self.candidates.push(*candidate);
    }

    fn epoch(&mut self, measurement: &Measurement) {
        self.epochs.push(*measurement);
    }

    fn follows(&self) -> bool {
        true
    }

    fn stepped(&mut self, step: &Step<'_>) {
        // Gradient descent, which looks at a batch, measures itself.
        if step.batch.is_some() || !step.measured {
            return;
        }
        if step.number.is_multiple_of(self.stride.max(1)) {
            self.heads.push((step.number, step.head.clone()));
        }
        self.last = Some((step.number, step.head.clone()));
        let photos = self.photos.iter().flatten();
        let products = photos.map(|photos| photos.products(step.head.labels()));
        let kept = PRODUCTS / products.sum::<u64>().max(1);
        if self.heads.len() > (kept as usize).clamp(FEWEST, KEPT) {
            self.stride *= 2;
            let stride = self.stride;
            self.heads
                .retain(|(number, _)| number.is_multiple_of(stride));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::logistic::{Strength, train_watched};
    use crate::train::sgd;

    fn features() -> Features {
        let values = (0..400).map(|i| ((i * i * 31 + i * 7) % 101) as f32 / 20.0);
        let labels = (0..100).map(|i| (i * i % 7) % 3).collect();
        Features::new(4, values.collect(), labels).unwrap()
    }

    #[test]
    fn a_solvers_curve_ends_at_its_head() {
        let features = features();
        let mut watch = CurveWatch::default();
        let trained =
            train_watched(&features, &features, 3, Strength::default(), &mut watch).unwrap();
        let curves = watch.finish();
        assert!(curves.points.len() > 5);
        assert!(curves.points.len() <= KEPT + 1, "{}", curves.points.len());
        assert!(curves.points.is_sorted_by(|a, b| a.step < b.step));
        assert_eq!(curves.candidates, trained.candidates);
        let last = curves.points.last().unwrap();
        assert_eq!(last.step as u64 + 1, trained.steps);
        let expected = Photos::new(&features).measure(&trained.head, None).unwrap();
        assert!((last.training.cross_entropy - expected.cross_entropy).abs() < 1e-4);
        assert_eq!(last.validation, Some(last.training));
    }

    #[test]
    fn gradient_descents_own_measurements_are_taken() {
        let features = features();
        let options = sgd::Options {
            how_many_training_steps: 25,
            ..sgd::Options::default()
        };
        let mut watch = CurveWatch::default();
        sgd::train_watched(&features, &features, 3, &options, &mut watch).unwrap();
        let steps: Vec<usize> = watch.finish().points.iter().map(|p| p.step).collect();
        assert_eq!(steps, [0, 10, 20, 24]);
    }

    #[test]
    fn long_walks_are_thinned() {
        let features = features();
        let head = Head {
            weights: vec![0.0; 12],
            bias: vec![0.0; 3],
        };
        let mut watch = CurveWatch::default();
        watch.begins(&features, &features);
        for number in 0..1000 {
            watch.stepped(&Step {
                number,
                batch: None,
                measured: true,
                head: head.clone(),
            });
        }
        let points = watch.finish().points;
        assert!((KEPT / 2..=KEPT + 1).contains(&points.len()));
        assert_eq!((points[0].step, points[points.len() - 1].step), (0, 999));
    }
}
