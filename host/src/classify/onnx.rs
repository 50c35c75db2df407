//! Runs ONNX models that posy wrote, by what their metadata say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use posy_shared::model::{InputContract, Shape};
use posy_shared::preprocess::{PixelMap, Preprocessor, Size, scratch_len};
use prost::Message;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::ClassifyError;
use crate::export::facts::{CROP, RESIZE, from_words};
use crate::export::onnx::{CHECKSUM, checksum};
use crate::photos::decode::Rgb;

/// An ONNX classifier, ready to run.
#[derive(Clone)]
pub struct OnnxModel {
    path: PathBuf,
    plan: Arc<TypedRunnableModel>,
    shape: Shape,
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
        let model = ModelProto::decode(bytes)
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
        // Libraries that run models trust them: what is damaged does not get that far.
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
        let tract = |error: TractError| wrong(format!("it does not run: {error:#}"));
        let (plan, shape, classes) = plan(&model).map_err(tract)?;
        let (Some(shape), Some(classes)) = (shape, classes) else {
            let reason = "its input is not float32 [1, 3, H, W], or its output not [1, labels]";
            return Err(wrong(reason.into()));
        };
        if classes != labels.len() {
            let count = labels.len();
            return Err(wrong(format!(
                "it has {classes} outputs and {count} labels"
            )));
        }
        Ok(OnnxModel {
            path: path.into(),
            plan,
            shape,
            input,
            mean,
            std,
            labels,
        })
    }

    /// What its scores stand for.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The photo's pixels that it sees.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The scores of `photo`, one for each label, 1 in all.
    ///
    /// # Errors
    /// [`ClassifyError::Picture`], [`ClassifyError::Onnx`].
    pub fn scores(&self, photo: &Rgb) -> Result<Vec<f32>, ClassifyError> {
        let pixels = self.pixels(photo)?;
        let scores = self.run(&pixels).map_err(|error| ClassifyError::Onnx {
            path: self.path.clone(),
            reason: format!("it does not run: {error:#}"),
        })?;
        Ok(scores)
    }

    /// Pixels of the photo, less 128, as a board has them.
    fn pixels(&self, photo: &Rgb) -> Result<Vec<i8>, ClassifyError> {
        let wrong =
            |error: posy_shared::preprocess::PreprocessError| ClassifyError::Picture(error.into());
        let Shape { height, width, .. } = self.shape;
        let mut scratch = vec![0; scratch_len(width)];
        let mut preprocessor = Preprocessor::new(
            photo.size(),
            self.input.crop,
            self.input.filter,
            Size { width, height },
            PixelMap::Centred,
            &mut scratch,
        )
        .map_err(wrong)?;
        let mut pixels = Vec::with_capacity(self.shape.len());
        for row in photo.rows() {
            let push = preprocessor.push_row(row, |row| pixels.extend_from_slice(row));
            push.map_err(wrong)?;
        }
        preprocessor.finish().map_err(wrong)?;
        Ok(pixels)
    }

    fn run(&self, pixels: &[i8]) -> TractResult<Vec<f32>> {
        let [height, width] = [self.shape.height, self.shape.width].map(usize::from);
        let real = |pixel: &i8| (f32::from(*pixel) + 128.0 - self.mean) / self.std;
        let planar = (0..3).flat_map(|channel| pixels.iter().skip(channel).step_by(3).map(real));
        let planar: Vec<f32> = planar.collect();
        let input = Tensor::from_shape(&[1, 3, height, width], &planar)?;
        let outputs = self.plan.run(tvec!(input.into()))?;
        let view = outputs[0].try_as_plain_ram()?;
        Ok(view.as_slice::<f32>()?.to_vec())
    }
}

impl fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxModel")
            .field("path", &self.path)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

type Plan = (Arc<TypedRunnableModel>, Option<Shape>, Option<usize>);

/// The model from `input` to `final_result`; the shape of the former and the length of the latter.
fn plan(model: &ModelProto) -> TractResult<Plan> {
    let model = tract_onnx::onnx().model_for_proto_model(model)?;
    let model = model
        .with_input_names(["input"])?
        .with_outputs_by_name(["final_result"])?
        .into_optimized()?;
    let extents = |fact: &TypedFact| {
        let whole = fact.datum_type == f32::datum_type();
        fact.shape
            .as_concrete()
            .filter(|_| whole)
            .map(<[usize]>::to_vec)
    };
    let shape = match extents(model.input_fact(0)?).as_deref() {
        Some(&[1, 3, height, width]) => {
            let side = |extent: usize| u16::try_from(extent).ok();
            side(height).zip(side(width)).map(|(height, width)| Shape {
                height,
                width,
                channels: 3,
            })
        }
        _ => None,
    };
    let classes = match extents(model.output_fact(0)?).as_deref() {
        Some(&[1, classes]) => Some(classes),
        _ => None,
    };
    Ok((model.into_runnable()?, shape, classes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::testing::small_float_network;
    use crate::export::Facts;
    use crate::export::onnx::onnx_bytes;

    fn bytes() -> Vec<u8> {
        let facts = Facts {
            labels: &["one".into(), "two".into()],
            beta: 0.75,
            input: from_words(None, None).unwrap(),
        };
        onnx_bytes(&small_float_network(), &facts)
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
