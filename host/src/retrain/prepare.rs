//! What does not depend on the split: photos, backbone, features.

use posy_shared::model::InputContract;

use super::gather::{Gathered, Notice, Settings, Skipped, Source};
use super::{RetrainError, Variants};
use crate::backbone::float::FloatRunner;
use crate::backbone::load::Backbone;
use crate::features::extract::{Counts, Extraction, PhotoFault};
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
    let mut int = match &pair {
        Some(pair) => source.extract(&pair.integer(), &*progress("features"))?,
        None => source.extract(&int_extractor, &*progress("features"))?,
    };
    let float = match &pair {
        Some(pair) => {
            let float = source.extract(&pair.float(), &*progress("float reference"))?;
            Some(of_both(&mut int, float))
        }
        None => None,
    };
    let Gathered {
        dataset,
        values,
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
    let float_features = float
        .map(|values| Features::new(width, values, truth))
        .transpose()?;
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

/// The float features of the photos that have both kinds, one after the other. A photo that went away or
/// changed between the two passes loses its integer ones too, for a reason of its own.
fn of_both(int: &mut Extraction, float: Extraction) -> Vec<f32> {
    let mut values = Vec::new();
    for (int, float) in int.photos.iter_mut().zip(float.photos) {
        let Ok(seen) = int else {
            continue;
        };
        match float {
            Ok(float) if float.content == seen.content => {
                let (numbers, _) = float.values.as_chunks::<4>();
                values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
            }
            Ok(_) => *int = Err(PhotoFault::Changed),
            Err(fault) => *int = Err(fault),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::extract::{Extracted, Source};

    fn extracted(content: u8, values: &[f32]) -> Extracted {
        Extracted {
            content: [content; 32],
            values: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            source: Source::Computed,
        }
    }

    #[test]
    fn a_photo_that_goes_or_changes_between_the_passes_is_dropped_from_both() {
        let gone = || PhotoFault::Unreadable(std::io::ErrorKind::NotFound.into());
        let mut int = Extraction {
            photos: vec![
                Ok(extracted(1, &[0.0])),
                Ok(extracted(2, &[0.0])),
                Err(PhotoFault::NotAFile),
                Ok(extracted(4, &[0.0])),
                Ok(extracted(5, &[0.0])),
            ],
        };
        let float = Extraction {
            photos: vec![
                Ok(extracted(1, &[1.0, 2.0])),
                Err(gone()),
                Ok(extracted(3, &[9.0, 9.0])),
                Ok(extracted(0, &[9.0, 9.0])),
                Ok(extracted(5, &[5.0, 6.0])),
            ],
        };
        assert_eq!(of_both(&mut int, float), [1.0, 2.0, 5.0, 6.0]);
        let said: Vec<String> = int
            .photos
            .iter()
            .map(|photo| photo.as_ref().map_or_else(ToString::to_string, |_| String::new()))
            .collect();
        assert!(said[1].contains("cannot be read"), "{said:?}");
        assert_eq!(said[2], "is not a file");
        assert!(said[3].contains("changed while posy ran"), "{said:?}");
        assert_eq!([&said[0], &said[4]], ["", ""]);
    }
}
