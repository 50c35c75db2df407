//! Preparation for any split: photos, backbone, features.

use std::sync::Arc;

use posy_nn::runtime::float::FloatRunner;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;

use super::dataset_features::{Gathered, Notice, Settings, Skipped, Source};
use super::{RetrainError, Variants};
use crate::dataset::Dataset;
use crate::eval::UNKNOWN;
use crate::features::cache::Cache;
use crate::features::extract::{Counts, Extraction, PhotoFault};
use crate::features::extractors::{FloatExtractor, IntExtractor};
use crate::features::pair::Pair;
use crate::features::progress::Progress;
use crate::train::Features;

/// Photos and their features.
#[derive(Debug)]
pub struct Prepared {
    /// The backbone.
    pub backbone: Backbone,
    /// Preprocessing of pictures.
    pub input: InputContract,
    /// The labels, and the photos that have features.
    pub dataset: Dataset,
    /// Int8 features as the board computes them, one row per photo.
    pub int8: Vec<Vec<i8>>,
    /// Features of `int8`, dequantised.
    pub int8_features: Features,
    /// Features of the float network, if it ran.
    pub float_features: Option<Features>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
    /// Numbers of computed and cached photos.
    pub counts: Counts,
    /// Augmented variants of the photos, if requested; see
    /// [`prepare_variants`](super::prepare_variants).
    pub variants: Option<Variants>,
    /// The cache; `None` computes everything anew.
    pub cache: Option<Arc<Cache>>,
}

/// Finds the photos, and computes their features or reads them from the cache.
///
/// # Errors
/// See [`RetrainError`]. Features computed before an error are in the cache.
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
        Some(pair) => source.extract(&pair.integer(), &*progress("features")),
        None => source.extract(&int_extractor, &*progress("features")),
    };
    let float = match &pair {
        Some(pair) => {
            let float = source.extract(&pair.float(), &*progress("float reference"));
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
        cache: settings.cache.clone(),
    })
}

impl Prepared {
    /// Number of named labels; photos of [`UNKNOWN`] have the number after them.
    pub fn known_labels(&self) -> usize {
        let labels = &self.dataset.labels;
        labels.len() - usize::from(labels.last().is_some_and(|label| label == UNKNOWN))
    }
}

/// Concatenated float features of the photos that have both kinds. A photo that disappeared or
/// changed between the two passes loses its integer features too, with its own reason.
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
    use posy_shared::preprocess::{Crop, Filter};

    use super::*;
    use crate::features::extract::{Extracted, Source};
    use crate::features::progress::Silent;
    use posy_nn::zoo::embedded::last_resort;

    /// Between the passes one photo disappears and another is replaced by a third; the run
    /// continues without them and names them.
    #[test]
    fn photos_that_go_or_change_between_the_passes_are_named_and_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let picture = |value: u8| {
            let image = image::RgbImage::from_fn(40, 30, |x, y| {
                image::Rgb([value, (x * 6) as u8, (y * 8) as u8])
            });
            let mut bytes = std::io::Cursor::new(Vec::new());
            image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
            bytes.into_inner()
        };
        for (index, label) in ["a", "b"].into_iter().enumerate() {
            std::fs::create_dir(path(label)).unwrap();
            for photo in 0..4 {
                let bytes = picture((100 * index + 20 * photo) as u8);
                std::fs::write(path(&format!("{label}/{photo}.png")), bytes).unwrap();
            }
        }
        let settings = Settings {
            image_dir: dir.path().to_owned(),
            layout: Default::default(),
            input: InputContract {
                crop: Crop::Squash,
                filter: Filter::Area,
                table: None,
            },
            cache: None,
            float: true,
            strict: false,
        };
        let progress = |what: &'static str| {
            if what == "float reference" {
                std::fs::remove_file(path("a/1.png")).unwrap();
                std::fs::write(path("b/2.png"), picture(255)).unwrap();
            }
            Box::new(Silent) as Box<dyn Progress>
        };
        let backbone = last_resort().unwrap().unwrap();
        let mut said = Vec::new();
        let prepared = prepare(&settings, backbone, &progress, &mut |notice| {
            said.push(notice.to_string());
        });
        let prepared = prepared.unwrap();
        let kept: Vec<&str> = prepared
            .dataset
            .photos
            .iter()
            .map(|p| &*p.relative)
            .collect();
        let expected = [
            "a/0.png", "a/2.png", "a/3.png", "b/0.png", "b/1.png", "b/3.png",
        ];
        assert_eq!(kept, expected);
        assert_eq!(prepared.int8.len(), 6);
        assert_eq!(
            prepared.float_features.unwrap().labels(),
            [0, 0, 0, 1, 1, 1]
        );
        let lines = said.iter().filter(|line| line.starts_with("skipped: "));
        let lines: Vec<&String> = lines.collect();
        assert_eq!(lines.len(), 2, "{said:?}");
        assert!(lines[0].contains("a/1.png: cannot be read"), "{said:?}");
        assert!(
            lines[1].contains("b/2.png: was changed while posy ran"),
            "{said:?}"
        );
    }

    fn extracted(content: u8, values: &[f32]) -> Extracted {
        Extracted {
            content: [content; 32],
            values: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
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
            .map(|photo| {
                photo
                    .as_ref()
                    .map_or_else(ToString::to_string, |_| String::new())
            })
            .collect();
        assert!(said[1].contains("cannot be read"), "{said:?}");
        assert_eq!(said[2], "is not a file");
        assert!(said[3].contains("changed while posy ran"), "{said:?}");
        assert_eq!([&said[0], &said[4]], ["", ""]);
    }
}
