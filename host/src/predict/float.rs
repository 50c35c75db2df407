//! Runs float classifiers: frozen TensorFlow graphs, as the codelab's `label_image.py` does, and float
//! TensorFlow Lite files.

use std::path::{Path, PathBuf};

use posy_nn::graph::network::{FloatNetwork, Quantisation, Scoring};
use posy_nn::import::float_file::FloatFile;
use posy_nn::import::tensorflow::{self, Part};
use posy_nn::import::tflite;
use posy_nn::rgb::Rgb;
use posy_nn::runtime::float::{FloatError, FloatRunner};
use posy_nn::runtime::hybrid::HybridRunner;
use posy_shared::model::Shape;

use super::pixels::bilinear;
use super::{ClassifyError, Reading};

/// A float classifier, ready to run.
#[derive(Clone, Debug)]
pub struct FloatClassifier {
    path: PathBuf,
    runner: RealRunner,
    shape: Shape,
    classes: usize,
    /// Arithmetic from pixels to the input of the first layer, per channel.
    input: Vec<FromPixel>,
    scoring: Scoring,
    /// Labels in the order of the scores; `None` if the file does not carry them.
    labels: Option<Vec<String>>,
    /// True for a frozen graph.
    graph: bool,
}

/// Arithmetic on a pixel in single precision, in the order in which Keras' `preprocess_input` and then the file compute
/// it: a dynamic-range network rounds what differs by a last bit to other integers.
#[derive(Clone, Copy, Debug)]
struct FromPixel {
    /// Divisor, and what is subtracted from the quotient.
    std: f32,
    less: f32,
    /// Factor and offset of the file's own scaling.
    own: Option<(f32, f32)>,
}

impl FromPixel {
    fn of(self, level: f32) -> f32 {
        let fed = level / self.std - self.less;
        self.own.map_or(fed, |(factor, added)| fed * factor + added)
    }
}

/// Runs a network on real values.
#[derive(Clone, Debug)]
enum RealRunner {
    Float(FloatRunner),
    /// A dynamic-range network.
    Hybrid(HybridRunner),
}

impl RealRunner {
    fn new(file: &FloatFile) -> Result<Self, FloatError> {
        if !file.hybrids.is_empty() {
            return HybridRunner::new(&file.layers, &file.hybrids).map(RealRunner::Hybrid);
        }
        let network = FloatNetwork {
            // Unused: inputs are given as real values.
            input: Quantisation {
                scale: 1.0,
                zero_point: 0,
            },
            pixels: None,
            layers: file.layers.clone(),
        };
        FloatRunner::new(&network).map(RealRunner::Float)
    }

    fn run(&self, input: &[f32]) -> Result<Vec<f32>, FloatError> {
        match self {
            RealRunner::Float(runner) => Ok(runner.run_real(input)?.concat()),
            RealRunner::Hybrid(runner) => runner.run_real(input),
        }
    }
}

impl FloatClassifier {
    /// Reads the frozen graph in `bytes`, the content of `path`.
    ///
    /// # Errors
    /// [`ClassifyError::Frozen`], [`ClassifyError::Float`].
    pub fn read_graph(
        path: &Path,
        bytes: &[u8],
        reading: &Reading<'_>,
    ) -> Result<Self, ClassifyError> {
        let part = Part {
            input: Some(reading.input),
            output: Some(reading.output),
            size: reading.size,
        };
        let file = tensorflow::read_part(bytes, &part).map_err(|source| ClassifyError::Frozen {
            path: path.into(),
            source,
        })?;
        let mean_and_std = (reading.mean.unwrap_or(128.0), reading.std.unwrap_or(128.0));
        let classifier = Self::new(path, &file, |_| mean_and_std, None)?;
        Ok(FloatClassifier {
            graph: true,
            ..classifier
        })
    }

    /// Prepares the float TensorFlow Lite file `file`, read from `bytes`, the content of `path`. What a
    /// pixel is, `reading` says, or the file as far as its own scaling tells.
    ///
    /// # Errors
    /// [`ClassifyError::Tflite`], [`ClassifyError::Float`].
    pub fn of_tflite(
        path: &Path,
        bytes: &[u8],
        file: &FloatFile,
        reading: &Reading<'_>,
    ) -> Result<Self, ClassifyError> {
        let extras = tflite::extras(bytes).map_err(|source| ClassifyError::Tflite {
            path: path.into(),
            source,
        })?;
        let usual = file.usual_normalisation();
        let mean_and_std = |channel| {
            let (mean, std) = usual.of_channel(channel, file.input.len());
            let mean = reading.mean.unwrap_or(mean as f32);
            (mean, reading.std.unwrap_or(std as f32))
        };
        Self::new(path, file, mean_and_std, extras.labels)
    }

    fn new(
        path: &Path,
        file: &FloatFile,
        mean_and_std: impl Fn(usize) -> (f32, f32),
        labels: Option<Vec<String>>,
    ) -> Result<Self, ClassifyError> {
        let (Some(scoring), Some(shape), Some(last)) =
            (file.scoring, file.input_shape(), file.layers.last())
        else {
            return Err(ClassifyError::NoScores(path.into()));
        };
        let runner = RealRunner::new(file).map_err(|source| ClassifyError::Float {
            path: path.into(),
            source,
        })?;
        let pairs = file.input.iter().enumerate();
        let from_pixel = |(channel, (factor, added)): (usize, &(f64, f64))| {
            let (mean, std) = mean_and_std(channel);
            let is_own = (*factor, *added) != (1.0, 0.0);
            FromPixel {
                std,
                less: mean / std,
                own: is_own.then_some((*factor as f32, *added as f32)),
            }
        };
        let classes = last.common.output.len();
        Ok(FloatClassifier {
            path: path.into(),
            runner,
            shape,
            classes,
            input: pairs.map(from_pixel).collect(),
            scoring,
            labels: labels.filter(|labels| labels.len() == classes),
            graph: false,
        })
    }

    /// Shape of the input image, `[H, W, C]`.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// True for a frozen graph, whose labels lie in a file of their own.
    pub fn is_graph(&self) -> bool {
        self.graph
    }

    /// Number of scores.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Labels in the order of the scores; `None` if the file does not carry them.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Scores of `photo`, one per label. The whole photo is stretched to the input size with
    /// TensorFlow 1's resizing.
    ///
    /// # Errors
    /// [`ClassifyError::Float`].
    pub fn scores(&self, photo: &Rgb) -> Result<Vec<f32>, ClassifyError> {
        let mut numbers = bilinear(photo, self.shape);
        for (number, from_pixel) in numbers.iter_mut().zip(self.input.iter().cycle()) {
            *number = from_pixel.of(*number);
        }
        let logits = self.runner.run(&numbers);
        let logits = logits.map_err(|source| ClassifyError::Float {
            path: self.path.clone(),
            source,
        })?;
        Ok(match self.scoring {
            Scoring::Softmax { beta } => softmax(&logits, beta),
            Scoring::Logistic => logits.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
        })
    }
}

/// Softmax of logits multiplied by `beta`.
fn softmax(logits: &[f32], beta: f32) -> Vec<f32> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.iter().map(|logit| ((logit - greatest) * beta).exp());
    let powers: Vec<f32> = powers.collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
