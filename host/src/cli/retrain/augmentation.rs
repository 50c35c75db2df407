//! Options of data augmentation, and of the fine-tuning that uses it.

use clap::Args;

use crate::cli::Failure;
use crate::cli::output::note;
use crate::dataset::augment::Recipe;
use crate::features::progress::Bar;
use crate::retrain::{Prepared, RetrainError, Settings, Trainer, prepare_variants};
use crate::train::{finetune, logistic};

/// Augmentation of training photos. With --trainer adjust and none of these options, the settings
/// that were found best are used.
#[derive(Debug, Args)]
#[command(next_help_heading = "Variants of photos")]
pub(super) struct VariantArguments {
    /// Mirror half of the augmented photos.
    #[arg(long, alias = "flip_left_right")]
    flip_left_right: bool,
    /// Crop by this percentage of each side, at a random place.
    #[arg(long, alias = "random_crop", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_crop: Option<u8>,
    /// Enlarge by up to this percentage, and crop to size.
    #[arg(long, alias = "random_scale", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_scale: Option<u8>,
    /// Brighten or darken by up to this percentage.
    #[arg(long, alias = "random_brightness", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_brightness: Option<u8>,
    /// Simulate a small camera: white balance, blur, noise and RGB565 colours.
    #[arg(long, alias = "camera_effects")]
    camera_effects: bool,
    /// Number of augmented copies of each photo, beside the photo itself.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    variants: Option<u16>,

    /// Epochs of --trainer adjust.
    #[arg(long, alias = "adjust_epochs", value_name = "TIMES", default_value_t = finetune::Options::default().epochs)]
    adjust_epochs: usize,
    /// Initial learning rate of --trainer adjust.
    #[arg(long, alias = "adjust_rate", value_name = "RATE", default_value_t = finetune::Options::default().layer_rate)]
    adjust_rate: f64,
}

impl VariantArguments {
    /// Options of fine-tuning.
    pub(super) fn adjustment(&self, seed: u64) -> finetune::Options {
        finetune::Options {
            epochs: self.adjust_epochs,
            layer_rate: self.adjust_rate,
            seed,
            ..finetune::Options::default()
        }
    }

    /// True if augmentation is asked for.
    pub(super) fn wanted(&self) -> bool {
        self.recipe().is_some()
    }

    /// Augmentation settings, if any are given.
    fn recipe(&self) -> Option<Recipe> {
        let numbers = [self.random_crop, self.random_scale, self.random_brightness];
        let asked = self.flip_left_right
            || self.camera_effects
            || numbers.iter().any(|percent| percent.is_some_and(|p| p > 0));
        let best = Recipe::default();
        let count = self.variants.unwrap_or(best.count);
        let [crop, scale, brightness] = numbers.map(|percent| percent.unwrap_or(0));
        match asked {
            true => Some(Recipe {
                count,
                flip_left_right: self.flip_left_right,
                random_crop: crop,
                random_scale: scale,
                random_brightness: brightness,
                camera: self.camera_effects,
            }),
            false => self.variants.map(|count| Recipe { count, ..best }),
        }
    }

    /// Prepares augmented features if `trainer` or the options ask for them. Returns the trainer to
    /// use: a network whose last layer cannot be fine-tuned stays as it is.
    pub(super) fn prepare(
        &self,
        prepared: &mut Prepared,
        settings: &Settings,
        trainer: Trainer,
    ) -> Result<Trainer, Failure> {
        let adjusting = matches!(trainer, Trainer::Adjust(_));
        let recipe = match (self.recipe(), adjusting) {
            (Some(recipe), _) => recipe,
            (None, true) => Recipe::default(),
            (None, false) => return Ok(trainer),
        };
        match prepare_variants(prepared, settings, recipe, &Bar::new("variants")) {
            Ok(variants) => {
                note!(
                    "variants of {} photos: {} computed, {} from the cache",
                    prepared.dataset.photos.len(),
                    variants.counts.computed,
                    variants.counts.cached
                );
                prepared.variants = Some(variants);
                Ok(trainer)
            }
            Err(error @ RetrainError::NothingToAdjust) if adjusting && self.recipe().is_none() => {
                note!("warning: {error}; so it is now");
                Ok(Trainer::Logistic(logistic::Strength::default()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
