//! The options of variants of photos, and of the adjustment that is trained on them.

use clap::Args;

use super::Failure;
use super::output::note;
use crate::features::progress::Bar;
use crate::head::{logistic, tune};
use crate::photos::augment::Recipe;
use crate::retrain::{Prepared, RetrainError, Settings, Trainer, prepare_variants};

/// Variants of photos to train on. With --trainer adjust and none of them given, they are those
/// that were found best.
#[derive(Debug, Args)]
#[command(next_help_heading = "Variants of photos")]
pub(super) struct VariantArguments {
    /// Mirror half of the variants.
    #[arg(long, alias = "flip_left_right")]
    flip_left_right: bool,
    /// Cut away this percentage of each side, at a random place.
    #[arg(long, alias = "random_crop", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_crop: Option<u8>,
    /// Enlarge by up to this percentage, and cut to size.
    #[arg(long, alias = "random_scale", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_scale: Option<u8>,
    /// Make lighter or darker by up to this percentage.
    #[arg(long, alias = "random_brightness", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    random_brightness: Option<u8>,
    /// Add the white balance, blur, noise and RGB565 colours of a small camera.
    #[arg(long, alias = "camera_effects")]
    camera_effects: bool,
    /// Variants of each photo, beside the photo itself.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    variants: Option<u16>,

    /// Times that --trainer adjust sees each photo.
    #[arg(long, alias = "adjust_epochs", value_name = "TIMES", default_value_t = tune::Options::default().epochs)]
    adjust_epochs: usize,
    /// Size of the first steps of --trainer adjust.
    #[arg(long, alias = "adjust_rate", value_name = "RATE", default_value_t = tune::Options::default().layer_rate)]
    adjust_rate: f64,
}

impl VariantArguments {
    /// How the layer is adjusted.
    pub(super) fn adjustment(&self, seed: u64) -> tune::Options {
        tune::Options {
            epochs: self.adjust_epochs,
            layer_rate: self.adjust_rate,
            seed,
            ..tune::Options::default()
        }
    }

    /// Whether variants are asked for.
    pub(super) fn wanted(&self) -> bool {
        self.recipe().is_some()
    }

    /// The variants that are asked for, if any are.
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

    /// Prepares the variants that `trainer` wants or that are asked for. The trainer that can be
    /// used: a network whose last layer cannot be adjusted is left as it is.
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
