//! What does not depend on the split: photos, backbone, features.

use posy_shared::model::InputContract;

use super::gather::{Gathered, Notice, Settings, Skipped, Source};
use super::{RetrainError, Variants};
use crate::backbone::float::FloatRunner;
use crate::backbone::load::Backbone;
use crate::features::extract::{Counts, Extraction};
use crate::features::extractors::{FloatExtractor, IntExtractor};
use crate::features::pair::Pair;
use crate::features::progress::Progress;
use crate::head::Features;
use crate::photos::Dataset;
use crate::verdict::UNKNOWN;

/// Photos and their features.
#[derive(Debug)]
pub struct Prepared {
    /// The backbone.
    pub backbone: Backbone,
    /// How pictures become input rows.
    pub input: InputContract,
    /// The labels and the photos that have features.
    pub dataset: Dataset,
    /// Features as the board computes them, one list a photo.
    pub int8: Vec<Vec<i8>>,
    /// The same features as the real numbers that they stand for.
    pub int8_features: Features,
    /// Features of the float network, where it ran.
    pub float_features: Option<Features>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
    /// Where the features came from.
    pub counts: Counts,
    /// Variants of the photos, where they are wanted; see [`prepare_variants`](super::prepare_variants).
    pub variants: Option<Variants>,
}

/// Finds the photos, and computes or recalls their features.
///
/// # Errors
/// See [`RetrainError`]. What was computed until then is in the cache.
pub fn prepare(
    settings: &Settings,
    backbone: Backbone,
    progress: &dyn Fn(&'static str) -> Box<dyn Progress>,
    notify: &mut dyn FnMut(Notice),
) -> Result<Prepared, RetrainError> {
    let source = Source::open(settings, notify)?;
    let extractor_bytes = backbone.extractor(settings.input)?;
    let int_extractor = IntExtractor::new(&extractor_bytes)?;
    let float_extractor = if settings.float {
        let runner = FloatRunner::new(&backbone.float)?;
        let sha256 = &backbone.sha256;
        Some(FloatExtractor::new(&extractor_bytes, runner, sha256)?)
    } else {
        None
    };
    let pair = float_extractor
        .as_ref()
        .map(|float| Pair::new(&int_extractor, float));
    let int = match &pair {
        Some(pair) => source.extract(&pair.integer(), &*progress("features")),
        None => source.extract(&int_extractor, &*progress("features")),
    };
    let Gathered {
        dataset,
        values,
        kept,
        skipped,
        counts,
    } = source.keep(int, settings, notify)?;
    let values = values
        .iter()
        .map(|values| values.iter().map(|&byte| byte as i8).collect());
    let int8: Vec<Vec<i8>> = values.collect();
    let photos = dataset.photos.iter();
    let truth: Vec<usize> = photos.map(|photo| photo.label).collect();
    let flat: Vec<i8> = int8.concat();
    let width = flat.len() / truth.len().max(1);
    let int8_features = Features::from_int8(width, &flat, truth.clone(), backbone.features())?;
    let float_features = match &pair {
        Some(pair) => {
            let float = source.extract(&pair.float(), &*progress("float reference"));
            Some(float_features(float, &kept, width, truth)?)
        }
        None => None,
    };
    Ok(Prepared {
        backbone,
        input: settings.input,
        dataset,
        int8,
        int8_features,
        float_features,
        skipped,
        counts,
        variants: None,
    })
}

impl Prepared {
    /// Labels that have a name; photos of [`UNKNOWN`] come after them.
    pub fn known_labels(&self) -> usize {
        let labels = &self.dataset.labels;
        labels.len() - usize::from(labels.last().is_some_and(|label| label == UNKNOWN))
    }
}

/// The float features of the photos that have integer ones.
fn float_features(
    float: Extraction,
    kept: &[usize],
    width: usize,
    truth: Vec<usize>,
) -> Result<Features, RetrainError> {
    let mut values = Vec::new();
    let mut photos: Vec<_> = float.photos.into_iter().map(Some).collect();
    for &index in kept {
        // A photo that was read a moment ago is read again; if it is gone now, so is its row, and
        // the shape check below fails.
        if let Some(Ok(extracted)) = photos[index].take() {
            let (numbers, _) = extracted.values.as_chunks::<4>();
            values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
    }
    Ok(Features::new(width, values, truth)?)
}
