//! Runs ONNX models that posy wrote, configured by their metadata.

use std::fmt;
use std::path::{Path, PathBuf};

use posy_nn::export::metadata::{CROP, RESIZE, from_words};
use posy_nn::export::onnx::{CHECKSUM, checksum};
use posy_nn::rgb::Rgb;
use posy_nn::run;
use posy_nn::runtime::onnx::PixelRunner;
use posy_shared::model::{InputContract, Shape};
use posy_shared::preprocess::PixelMap;
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::ClassifyError;

/// An ONNX classifier prepared to run.
#[derive(Clone)]
pub struct OnnxModel {
    path: PathBuf,
    runner: PixelRunner,
    input: InputContract,
    mean: f32,
    std: f32,
    labels: Vec<String>,
}

impl OnnxModel {
    /// Reads the model in `bytes`, the content of `path`: `input`, float32 `[1, 3, H, W]`, and
    /// `final_result`, with labels, `mean`, `std`, `crop` and `resize` in its metadata.
    ///
    /// # Errors
    /// [`ClassifyError::Onnx`].
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, ClassifyError> {
        let wrong = |reason: String| ClassifyError::Onnx {
            path: path.into(),
            reason,
        };
        let mut model = ModelProto::decode(bytes)
            .map_err(|error| wrong(format!("this is no ONNX model, or it is damaged ({error})")))?;
        let word = |key: &str| {
            let mut entries = model.metadata_props.iter();
            let entry = entries.find(|entry| entry.key == key);
            entry.map(|entry| entry.value.as_str())
        };
        let number = |key: &str| {
            let number = word(key).and_then(|word| word.parse::<f32>().ok());
            let number = number.filter(|number| number.is_finite());
            number.ok_or_else(|| wrong(format!("its metadata do not say {key}")))
        };
        // tract trusts the models it runs, so damaged ones are refused here.
        if word(CHECKSUM) != Some(checksum(&model).as_str()) {
            let reason = "it is damaged, or was not written by posy";
            return Err(wrong(reason.into()));
        }
        let (mean, std) = (number("mean")?, number("std")?);
        if std <= 0.0 {
            return Err(wrong(format!("its metadata say std {std}")));
        }
        let labels = word("labels").ok_or_else(|| wrong("its metadata have no labels".into()))?;
        let labels: Vec<String> = labels.split('\n').map(str::to_owned).collect();
        let input = from_words(word(CROP), word(RESIZE)).ok_or_else(|| {
            wrong("its metadata say in unknown words how pictures are resized".into())
        })?;
        // Of no use to what runs it, and read by it all the same.
        if let Some(graph) = &mut model.graph {
            graph.value_info.clear();
        }
        let runner = PixelRunner::new(&model, "final_result");
        let runner = runner.map_err(|error| wrong(error.to_string()))?;
        let classes = runner.outputs();
        if classes != labels.len() {
            let count = labels.len();
            return Err(wrong(format!(
                "it has {classes} outputs and {count} labels"
            )));
        }
        Ok(OnnxModel {
            path: path.into(),
            runner,
            input,
            mean,
            std,
            labels,
        })
    }

    /// Labels, in the order of the scores.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Shape of the input image, `[H, W, 3]`.
    pub fn shape(&self) -> Shape {
        self.runner.shape()
    }

    /// Preparation of photos.
    pub fn input(&self) -> InputContract {
        self.input
    }

    /// Scores of `photo`, one per label, with sum 1.
    ///
    /// # Errors
    /// [`ClassifyError::Picture`], [`ClassifyError::Onnx`].
    pub fn scores(&self, photo: &Rgb) -> Result<Vec<f32>, ClassifyError> {
        let pixels = run::input_of(photo, self.shape(), self.input, PixelMap::Centred)?;
        let scores = self.runner.run(&pixels, self.mean, self.std);
        scores.map_err(|error| ClassifyError::Onnx {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }
}

impl fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxModel")
            .field("path", &self.path)
            .field("runner", &self.runner)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posy_nn::export::Facts;
    use posy_nn::export::onnx::onnx_bytes;
    use posy_nn::graph::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};
    use posy_shared::model::{Op, Padding, Shape};

    /// Mean colours, and a dense layer.
    fn network() -> FloatNetwork {
        let shape = |side: u16, channels: u16| Shape {
            height: side,
            width: side,
            channels,
        };
        let layer = |op, input, output, weights: &[f32], bias: &[f32]| FloatLayer {
            common: Common {
                name: String::new(),
                op,
                input,
                output,
                stride: 1,
                padding: Padding::default(),
                activation: Activation::None,
                skip: None,
            },
            weights: weights.into(),
            bias: bias.into(),
            range: None,
        };
        let weights = [0.5, -0.25, 0.75, -1.0, 0.125, 0.25];
        let pool = layer(Op::GlobalAveragePool, shape(8, 3), shape(1, 3), &[], &[]);
        let dense = layer(Op::Dense, shape(1, 3), shape(1, 2), &weights, &[0.5, -0.5]);
        FloatNetwork {
            pixels: None,
            input: Quantisation {
                scale: 1.0 / 64.0,
                zero_point: -1,
            },
            layers: vec![pool, dense],
        }
    }

    fn bytes() -> Vec<u8> {
        let facts = Facts {
            labels: &["one".into(), "two".into()],
            beta: 0.75,
            logistic: false,
            input: from_words(None, None).unwrap(),
        };
        onnx_bytes(&network(), &facts)
    }

    fn read(bytes: &[u8]) -> Result<OnnxModel, ClassifyError> {
        OnnxModel::read(Path::new("net.onnx"), bytes)
    }

    fn photo() -> Rgb {
        Rgb {
            width: 9,
            height: 7,
            data: (0..9 * 7 * 3).map(|n| n as u8).collect(),
        }
    }

    #[test]
    fn scores_are_of_the_labels() {
        let model = read(&bytes()).unwrap();
        assert_eq!(model.labels(), ["one", "two"]);
        let scores = model.scores(&photo()).unwrap();
        assert_eq!(scores.len(), 2);
        assert!(
            (scores.iter().sum::<f32>() - 1.0).abs() < 1e-6,
            "{scores:?}"
        );
    }

    #[test]
    fn damage_is_refused() {
        let bytes = bytes();
        for len in (0..bytes.len()).step_by(29) {
            let refused = read(&bytes[..len]).unwrap_err().to_string();
            assert!(refused.starts_with("net.onnx: "), "{refused}");
        }
        for index in (0..bytes.len()).step_by(3) {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << (index % 8);
            let refused = read(&flipped).unwrap_err().to_string();
            assert!(refused.starts_with("net.onnx: "), "{refused}");
        }
    }
}
