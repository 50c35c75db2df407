//! Training of the last layer, its metrics, and its int8 form.
//!
//! A trainer turns [`Features`] into a [`Head`]: [`logistic`] (solved to convergence; the default)
//! or [`sgd`] (gradient descent with the procedure of TensorFlow's `retrain.py`). Features of the
//! integer pipeline and of the float pipeline are treated alike; [`Features::from_int8`]
//! dequantises the former. [`qat`] is fine-tuning: it trains the last blocks of the network as well.
//! [`int8`] quantises a head for the board.

pub mod int8;
mod lbfgs;
pub mod logistic;
pub mod metrics;
mod objective;
pub mod observer;
mod precondition;
mod products;
pub mod qat;
pub mod rounding;
pub(crate) mod scatter;
pub mod sgd;

use posy_nn::graph::head::Head;
use posy_nn::graph::network::Quantisation;
use rayon::prelude::*;
use thiserror::Error;

/// Errors of features and of training a head.
#[derive(Debug, Error, PartialEq)]
pub enum HeadError {
    /// The number of values is not photos x width.
    #[error("{values} feature values do not make {photos} photos of {width} features each")]
    Shape {
        /// Number of values.
        values: usize,
        /// Number of photos, by their labels.
        photos: usize,
        /// Features per photo.
        width: usize,
    },
    /// Features of two sets differ in width.
    #[error("features of {found} values meet features of {expected}: they are of two networks")]
    Width {
        /// Width of the training features.
        expected: usize,
        /// Width of the other features.
        found: usize,
    },
    /// A label index is not below the number of labels.
    #[error("photo {photo} has label number {label}, but there are only {labels} labels")]
    UnknownLabel {
        /// Index of the photo in its set.
        photo: usize,
        /// Label of the photo.
        label: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A feature is NaN or infinite.
    #[error(
        "feature {feature} of photo {photo} is not a number: the network or its input is damaged"
    )]
    NotFinite {
        /// Index of the photo in its set.
        photo: usize,
        /// Index of the feature.
        feature: usize,
    },
    /// Fewer than two labels.
    #[error("training needs two labels or more, and there are {labels}")]
    TooFewLabels {
        /// Number of labels.
        labels: usize,
    },
    /// A label without training photos.
    #[error("label number {label} has no training photo: add photos of it or remove its folder")]
    LabelWithoutPhotos {
        /// The label.
        label: usize,
    },
    /// An option is out of its range.
    #[error("{option} is {value}, but must be {must}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Given value.
        value: String,
        /// Permitted values.
        must: &'static str,
    },
    /// The weights diverged.
    #[error(
        "training diverged at step {step}: the learning rate {learning_rate} is too high; \
         give a lower one"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// Learning rate at that step.
        learning_rate: f64,
    },
    /// The solver failed.
    #[error("training did not run: {0}")]
    Solver(String),
}

/// Features of a set of photos, and each photo's label.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    width: usize,
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl Features {
    /// Features from `values`, row-major `[N, D]` with D = `width`, and one label index for each
    /// of the N photos. Every value must be finite.
    pub fn new(width: usize, values: Vec<f32>, labels: Vec<usize>) -> Result<Self, HeadError> {
        let photos = labels.len();
        if width == 0 || photos.checked_mul(width) != Some(values.len()) {
            return Err(HeadError::Shape {
                values: values.len(),
                photos,
                width,
            });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(HeadError::NotFinite {
                photo: at / width,
                feature: at % width,
            });
        }
        Ok(Self {
            width,
            values,
            labels,
        })
    }

    /// Features from the integer pipeline: each value is `scale * (q - zero_point)`.
    pub fn from_int8(
        width: usize,
        values: &[i8],
        labels: Vec<usize>,
        quantisation: Quantisation,
    ) -> Result<Self, HeadError> {
        let real = |&q: &i8| quantisation.scale * (i32::from(q) - quantisation.zero_point) as f32;
        Self::new(width, values.iter().map(real).collect(), labels)
    }

    /// Number of photos, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns true if there are no photos.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features per photo, D.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All values, row-major `[N, D]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The photos' labels, `[N]`.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The features of one photo, `[D]`; `photo` must be below [`Features::len`].
    pub fn row(&self, photo: usize) -> &[f32] {
        &self.values[photo * self.width..][..self.width]
    }

    /// The features of all photos, in order, each with its label.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&[f32], usize)> {
        self.values
            .chunks_exact(self.width)
            .zip(self.labels.iter().copied())
    }

    /// The photos with these indices, in this order; each index must be below [`Features::len`].
    pub fn select(&self, photos: &[usize]) -> Self {
        Self {
            width: self.width,
            values: photos
                .iter()
                .flat_map(|&photo| self.row(photo).iter().copied())
                .collect(),
            labels: photos.iter().map(|&photo| self.labels[photo]).collect(),
        }
    }

    /// The logits of every photo by `head`, row-major `[N, K]`.
    pub fn logits(&self, head: &Head) -> Vec<f32> {
        let labels = head.labels();
        let mut logits = vec![0.0; self.len() * labels];
        logits
            .par_chunks_mut(labels.max(1))
            .zip(self.values.par_chunks(self.width))
            .for_each(|(logits, row)| logits.copy_from_slice(&head.logits(row)));
        logits
    }

    /// Checks that a head of `labels` labels can be trained on these photos.
    fn check_trainable(&self, labels: usize) -> Result<(), HeadError> {
        if labels < 2 {
            return Err(HeadError::TooFewLabels { labels });
        }
        self.check_labels(labels)?;
        let mut has_photos = vec![false; labels];
        self.labels
            .iter()
            .for_each(|&label| has_photos[label] = true);
        match has_photos.iter().position(|has| !has) {
            Some(label) => Err(HeadError::LabelWithoutPhotos { label }),
            None => Ok(()),
        }
    }

    /// Checks that every label is below `labels`.
    fn check_labels(&self, labels: usize) -> Result<(), HeadError> {
        match self.labels.iter().position(|&label| label >= labels) {
            Some(photo) => Err(HeadError::UnknownLabel {
                photo,
                label: self.labels[photo],
                labels,
            }),
            None => Ok(()),
        }
    }

    /// Checks that another set of photos matches a training set in width and labels.
    fn check_against(&self, training: &Self, labels: usize) -> Result<(), HeadError> {
        if self.width != training.width {
            return Err(HeadError::Width {
                expected: training.width,
                found: self.width,
            });
        }
        self.check_labels(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_finiteness_are_checked() {
        assert!(matches!(
            Features::new(2, vec![0.0; 5], vec![0, 1]),
            Err(HeadError::Shape { values: 5, .. })
        ));
        assert!(Features::new(0, vec![], vec![]).is_err());
        assert_eq!(
            Features::new(2, vec![0.0, 1.0, f32::NAN, 0.0], vec![0, 1]),
            Err(HeadError::NotFinite {
                photo: 1,
                feature: 0
            })
        );
    }

    #[test]
    fn int8_features_become_what_they_stand_for() {
        let quantisation = Quantisation {
            scale: 0.5,
            zero_point: -128,
        };
        let features = Features::from_int8(3, &[-128, -127, 127], vec![0], quantisation).unwrap();
        assert_eq!(features.values(), [0.0, 0.5, 127.5]);
    }

    #[test]
    fn logits_are_row_by_row() {
        let head = Head {
            weights: vec![1.0, 2.0, -1.0, 0.5],
            bias: vec![0.25, -4.0],
        };
        assert_eq!(head.logits(&[3.0, 4.0]), [11.25, -5.0]);
        assert_eq!(head.width(), 2);
    }

    #[test]
    fn logits_of_many_labels_are_those_of_each() {
        let number = |at: usize| ((at * 37 % 101) as f32).sin();
        let head = Head {
            weights: (0..19 * 5).map(number).collect(),
            bias: (100..119).map(number).collect(),
        };
        let features = Features::new(5, (7..37).map(number).collect(), vec![0; 6]).unwrap();
        let rows = features.rows();
        let expected = rows.flat_map(|(row, _)| {
            let weights = head.weights.chunks_exact(5).zip(&head.bias);
            weights.map(move |(weights, &bias)| {
                let products = weights.iter().zip(row);
                let sum: f64 = products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                (sum + f64::from(bias)) as f32
            })
        });
        assert_eq!(features.logits(&head), expected.collect::<Vec<f32>>());
    }

    #[test]
    fn untrainable_sets_are_named() {
        let features = Features::new(1, vec![0.0; 3], vec![0, 0, 2]).unwrap();
        assert_eq!(
            features.check_trainable(3),
            Err(HeadError::LabelWithoutPhotos { label: 1 })
        );
        assert!(matches!(
            features.check_trainable(2),
            Err(HeadError::UnknownLabel { photo: 2, .. })
        ));
        assert!(matches!(
            features.check_trainable(1),
            Err(HeadError::TooFewLabels { labels: 1 })
        ));
    }
}
