//! Event files of a run for TensorBoard: `train`, `validation` and `test` below its folder, with the
//! tags of TensorFlow's `retrain.py`, and in the folder itself the settings that the run was made with.

use std::path::Path;

use super::confusion_image;
use super::events::{EventError, EventFile, Graph, GraphNode, Hparam, Tagged};
use super::measure::Photos;
use crate::eval::confusion::Confusion;
use crate::train::Features;
use crate::train::observer::{Step, Watch};
use crate::train::qat::Measurement;
use crate::train::sgd::StepReport;
use posy_nn::graph::head::Head;
use posy_nn::graph::head::softmax;
use posy_nn::graph::network::IntNetwork;
use posy_shared::model::{Op, Shape};

/// Writes event files while training goes on. What cannot be written is said at the end.
pub struct Summaries {
    run: EventFile,
    train: EventFile,
    validation: EventFile,
    test: EventFile,
    photos: Option<[Photos; 2]>,
    last_step: usize,
    failure: Option<EventError>,
}

/// Results at the end of a run.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The labels.
    pub labels: &'a [String],
    /// Truth against answer on the test photos.
    pub testing: &'a Confusion,
    /// Truth against answer on the validation photos.
    pub validation: &'a Confusion,
    /// Mean cross entropy of the test photos, nats, where there are any.
    pub cross_entropy: Option<f64>,
}

impl Summaries {
    /// Begins event files below `folder`, which can be watched while training goes on.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn create(
        folder: &Path,
        hparams: &[(&str, Hparam)],
        backbone: &IntNetwork,
        labels: usize,
    ) -> Result<Self, EventError> {
        let mut run = EventFile::create(folder)?;
        run.session(hparams)?;
        run.flush()?;
        let mut train = EventFile::create(&folder.join("train"))?;
        train.graph(&graph(backbone, labels))?;
        train.flush()?;
        Ok(Summaries {
            run,
            train,
            validation: EventFile::create(&folder.join("validation"))?,
            test: EventFile::create(&folder.join("test"))?,
            photos: None,
            last_step: 0,
            failure: None,
        })
    }

    /// Writes how it ended, in place of an earlier run in the same folder.
    ///
    /// # Errors
    /// Where something could not be written, now or earlier.
    pub fn finish(mut self, ending: &Ending<'_>) -> Result<(), EventError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let step = self.last_step;
        let image = |confusion: &Confusion| {
            let (width, height, png) = confusion_image::draw(ending.labels, confusion);
            Tagged::image("confusion_matrix", width, height, png)
        };
        if ending.validation.total() > 0 {
            self.validation
                .summary(step, vec![image(ending.validation)])?;
        }
        if let (Some(accuracy), Some(cross_entropy)) =
            (ending.testing.accuracy().value(), ending.cross_entropy)
        {
            let scalars = fit_of(accuracy, cross_entropy);
            self.test.summary(step, scalars)?;
            self.test.summary(step, vec![image(ending.testing)])?;
        }
        self.run.session_end()?;
        for file in [
            &mut self.run,
            &mut self.train,
            &mut self.validation,
            &mut self.test,
        ] {
            file.flush()?;
        }
        for file in [self.run, self.train, self.validation, self.test] {
            file.finish()?;
        }
        Ok(())
    }

    fn keep(&mut self, written: Result<(), EventError>) {
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }

    fn write_step(&mut self, step: &Step<'_>) -> Result<(), EventError> {
        let Some([training, validation]) = &self.photos else {
            return Ok(());
        };
        let mut values = Vec::new();
        if let Some(measured) = training.measure(&step.head, step.batch) {
            values = fit_of(measured.accuracy, measured.cross_entropy);
            if step.measured {
                values.extend(spread(&step.head, &measured.logits));
            }
        }
        self.train.summary(step.number, values)?;
        // With a batch, the trainer measures itself on validation photos.
        if step.measured
            && step.batch.is_none()
            && let Some(measured) = validation.measure(&step.head, None)
        {
            let values = fit_of(measured.accuracy, measured.cross_entropy);
            self.validation.summary(step.number, values)?;
        }
        Ok(())
    }
}

impl Watch for Summaries {
    fn begins(&mut self, training: &Features, validation: &Features) {
        self.photos = Some([Photos::new(training), Photos::new(validation)]);
    }

    fn measured(&mut self, report: &StepReport) {
        if let Some(validation) = &report.validation {
            let values = fit_of(validation.accuracy, validation.cross_entropy);
            let written = self.validation.summary(report.step, values);
            let written = written.and_then(|()| self.validation.flush());
            self.keep(written);
        }
        let flushed = self.train.flush();
        self.keep(flushed);
    }

    fn epoch(&mut self, measurement: &Measurement) {
        let values = |accuracy, cross_entropy| {
            vec![
                Tagged::scalar("fine_tuning/accuracy", accuracy),
                Tagged::scalar("fine_tuning/cross_entropy", cross_entropy),
            ]
        };
        let Measurement {
            epoch,
            training_loss,
            training_accuracy,
            validation_loss,
            validation_accuracy,
        } = *measurement;
        let written = self
            .train
            .summary(epoch, values(training_accuracy, training_loss));
        let written = written.and_then(|()| self.train.flush());
        self.keep(written);
        if validation_loss.is_finite() {
            let values = values(validation_accuracy, validation_loss);
            let written = self.validation.summary(epoch, values);
            let written = written.and_then(|()| self.validation.flush());
            self.keep(written);
        }
    }

    fn follows(&self) -> bool {
        self.failure.is_none()
    }

    fn stepped(&mut self, step: &Step<'_>) {
        self.last_step = step.number;
        let written = self.write_step(step);
        self.keep(written);
    }
}

fn fit_of(accuracy: f64, cross_entropy: f64) -> Vec<Tagged> {
    vec![
        Tagged::scalar("accuracy_1", accuracy),
        Tagged::scalar("cross_entropy_1", cross_entropy),
    ]
}

/// The summaries of the last layer's weights and biases, and of what it gives.
fn spread(head: &Head, logits: &[f32]) -> Vec<Tagged> {
    let mut values = Vec::new();
    for (name, numbers) in [("weights", &head.weights), ("biases", &head.bias)] {
        let tag = |what: &str| format!("final_training_ops/{name}/summaries/{what}");
        let numbers = numbers.iter().map(|&number| f64::from(number));
        let count = numbers.len().max(1) as f64;
        let mean = numbers.clone().sum::<f64>() / count;
        let squares = numbers.clone().map(|number| (number - mean).powi(2));
        let deviation = (squares.sum::<f64>() / count).sqrt();
        values.extend([
            Tagged::scalar(&tag("mean_1"), mean),
            Tagged::scalar(&tag("stddev_1"), deviation),
            Tagged::scalar(&tag("max_1"), numbers.clone().fold(f64::MIN, f64::max)),
            Tagged::scalar(&tag("min_1"), numbers.clone().fold(f64::MAX, f64::min)),
            Tagged::histogram(&tag("histogram"), numbers),
        ]);
    }
    let numbers = |values: Vec<f32>| values.into_iter().map(f64::from);
    let rows = logits.chunks_exact(head.labels().max(1));
    values.extend([
        Tagged::histogram(
            "final_training_ops/Wx_plus_b/pre_activations",
            numbers(logits.to_vec()),
        ),
        Tagged::histogram("activations", numbers(rows.flat_map(softmax).collect())),
    ]);
    values
}

/// The backbone's layers, then the last layer as it is trained.
fn graph(backbone: &IntNetwork, labels: usize) -> Graph {
    let extents = |shape: Shape| {
        let numbers = [shape.height, shape.width, shape.channels];
        let numbers = numbers.map(i64::from);
        [-1].into_iter().chain(numbers).collect::<Vec<i64>>()
    };
    let node = |name: &str, op, inputs: &[&str], shape: Vec<i64>| GraphNode {
        name: name.to_owned(),
        op,
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        shape,
        strides: Vec::new(),
        int8: false,
    };
    let mut nodes = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut before = "input".to_owned();
    let mut features = 0;
    for (index, layer) in backbone.layers.iter().enumerate() {
        let common = &layer.common;
        if index == 0 {
            let mut input = node("input", "Placeholder", &[], extents(common.input));
            input.int8 = true;
            nodes.push(input);
        }
        let (op, word) = match common.op {
            Op::Conv3x3 => ("Conv2D", "convolution"),
            Op::Depthwise3x3 => ("DepthwiseConv2dNative", "depthwise"),
            Op::Pointwise => ("Conv2D", "pointwise"),
            Op::Add => ("Add", "addition"),
            Op::GlobalAveragePool => ("AvgPool", "pool"),
            Op::Mean => ("Mean", "mean"),
            Op::Flatten => ("Reshape", "flatten"),
            Op::Dense => ("MatMul", "dense"),
        };
        let name = format!("backbone/{index:02}_{word}");
        let mut inputs = vec![before];
        let skip = common.skip.and_then(|skip| names.get(skip));
        inputs.extend(skip.cloned());
        let stride = i64::from(common.stride);
        nodes.push(GraphNode {
            name: name.clone(),
            op,
            inputs,
            shape: extents(common.output),
            strides: match common.op {
                Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise => vec![1, stride, stride, 1],
                _ => Vec::new(),
            },
            int8: true,
        });
        features = common.output.len() as i64;
        names.push(name.clone());
        before = name;
    }
    let count = labels as i64;
    let last = "final_training_ops";
    let (weights, biases, product, sum) = (
        format!("{last}/weights/final_weights"),
        format!("{last}/biases/final_biases"),
        format!("{last}/Wx_plus_b/MatMul"),
        format!("{last}/Wx_plus_b/add"),
    );
    nodes.extend([
        node(&weights, "VariableV2", &[], vec![features, count]),
        node(&biases, "VariableV2", &[], vec![count]),
        node(&product, "MatMul", &[&before, &weights], vec![-1, count]),
        node(&sum, "Add", &[&product, &biases], vec![-1, count]),
        node("final_result", "Softmax", &[&sum], vec![-1, count]),
    ]);
    Graph { nodes }
}
