//! Learning curves.

use super::chart::{self, Axes, Series};
use super::{ChartFigure, Report};
use crate::report::curves::Point;
use crate::train::qat::Measurement;

impl Report<'_> {
    /// True if the curves are the path of a solver, which few look at.
    pub(super) fn is_solved(&self) -> bool {
        !self.curves.candidates.is_empty()
    }

    pub(super) fn curve_figures(&self) -> Vec<ChartFigure> {
        let points = &self.curves.points;
        let line = |of: &dyn Fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
            let points = points.iter();
            let points = points.filter_map(|point| Some((point.step as f64, of(point)?)));
            points.collect()
        };
        let two = |title,
                   percent,
                   training: &dyn Fn(&Point) -> Option<f64>,
                   validation: &dyn Fn(&Point) -> Option<f64>| {
            let axes = Axes {
                title,
                x_name: "step",
                percent,
                log: false,
                mark: None,
            };
            let series = [
                Series {
                    name: "training",
                    class: "first",
                    points: line(training),
                },
                Series {
                    name: "validation",
                    class: "second",
                    points: line(validation),
                },
            ];
            chart::lines(&axes, &series)
        };
        let accuracy = two(
            "Accuracy",
            true,
            &|point| Some(point.training.accuracy),
            &|point| Some(point.validation?.accuracy),
        );
        let loss = two(
            "Cross entropy",
            false,
            &|point| Some(point.training.cross_entropy),
            &|point| Some(point.validation?.cross_entropy),
        );
        let tried = self.curves.candidates.iter();
        let strengths = Series {
            name: "validation",
            class: "second",
            points: tried.map(|tried| (tried.c, tried.cross_entropy)).collect(),
        };
        let axes = Axes {
            title: "Cross entropy by penalty",
            x_name: "C (to the right, a weaker penalty)",
            percent: false,
            log: true,
            mark: self.outcome.c,
        };
        let stage = |title, percent, values: [&dyn Fn(&Measurement) -> f64; 2]| {
            let axes = Axes {
                title,
                x_name: "epoch",
                percent,
                log: false,
                mark: None,
            };
            let names = [("training", "first"), ("validation", "second")];
            let series = [0, 1].map(|which| Series {
                name: names[which].0,
                class: names[which].1,
                points: self
                    .curves
                    .epochs
                    .iter()
                    .map(|epoch| (epoch.epoch as f64, values[which](epoch)))
                    .filter(|(_, value)| value.is_finite())
                    .collect(),
            });
            chart::lines(&axes, &series)
        };
        let tuned = [
            stage(
                "Accuracy in fine-tuning",
                true,
                [&|epoch| epoch.training_accuracy, &|epoch| {
                    epoch.validation_accuracy
                }],
            ),
            stage(
                "Cross entropy in fine-tuning",
                false,
                [&|epoch| epoch.training_loss, &|epoch| epoch.validation_loss],
            ),
        ];
        let [tuned_accuracy, tuned_loss] = tuned;
        let figure = |caption: &str| {
            let caption = caption.to_owned();
            move |svg| ChartFigure { svg, caption }
        };
        let charts = [
            accuracy.map(figure("Share of photos that are right.")),
            loss.map(figure("Mean cross entropy in nats; lower is better.")),
            chart::lines(&axes, &[strengths]).map(figure(
                "The strength that was chosen is marked by the dashed line.",
            )),
            tuned_accuracy.map(figure(
                "Training photos are varied and mixed two by two, so that they are harder.",
            )),
            tuned_loss.map(figure(
                "Of mixtures against smoothed labels in training, of photos as they are in validation.",
            )),
        ];
        charts.into_iter().flatten().collect()
    }

    pub(super) fn curves_note(&self) -> String {
        let counts = self.outcome.counts;
        let walk = match (self.curves.points.len(), self.curves.candidates.is_empty()) {
            (0, _) => return "The trainer left no curves.".to_owned(),
            (_, false) => {
                " The solver walks from the strongest penalty to the weakest, each solution being \
                 the start of the next, and then from the best one to its end."
            }
            (_, true) => "",
        };
        format!(
            "Trained on {} photos; choices were made by {} validation photos.{walk} Where \
             training goes on to improve and validation does not, more photos help more than more \
             training.",
            counts[0], counts[1]
        )
    }
}
