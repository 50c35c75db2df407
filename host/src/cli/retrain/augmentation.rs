//! Options of data augmentation, and of the fine-tuning that uses it.

use clap::Args;

use crate::cli::Failure;
use crate::cli::output::note;
use crate::dataset::augment::Recipe;
use crate::features::progress::Bar;
use crate::retrain::{Blocks, FineTuneOptions, Prepared, Settings, Trainer, prepare_variants};
use crate::train::qat;

/// Augmentation of training photos. Fine-tuning without any of these options uses the settings that
/// were found best.
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

    /// Epochs of fine-tuning.
    #[arg(long, alias = "adjust_epochs", value_name = "TIMES", hide = true)]
    adjust_epochs: Option<usize>,
    /// Learning rate of fine-tuning.
    #[arg(long, alias = "adjust_rate", value_name = "RATE", hide = true)]
    adjust_rate: Option<f64>,
}

impl VariantArguments {
    /// Options of fine-tuning.
    pub(super) fn fine_tuning(&self, blocks: Blocks, seconds: u32, seed: u64) -> FineTuneOptions {
        let usual = FineTuneOptions::default();
        FineTuneOptions {
            blocks,
            seconds,
            epochs: self.adjust_epochs,
            recipe: self.recipe(usual.recipe).unwrap_or(usual.recipe),
            trainer: qat::Options {
                epochs: self.adjust_epochs.unwrap_or(usual.trainer.epochs),
                rate: self.adjust_rate.unwrap_or(usual.trainer.rate),
                seed,
                ..usual.trainer
            },
            ..usual
        }
    }

    /// True if augmentation is asked for.
    pub(super) fn wanted(&self) -> bool {
        self.recipe(Recipe::default()).is_some()
    }

    /// Augmentation settings, if any are given; `best` are those that are used with a number of
    /// variants alone.
    fn recipe(&self, best: Recipe) -> Option<Recipe> {
        let numbers = [self.random_crop, self.random_scale, self.random_brightness];
        let asked = self.flip_left_right
            || self.camera_effects
            || numbers.iter().any(|percent| percent.is_some_and(|p| p > 0));
        let count = self.variants.unwrap_or(best.count);
        let [crop, scale, brightness] = numbers.map(|percent| percent.unwrap_or(0));
        match asked {
            true => Some(Recipe {
                count,
                flip_left_right: self.flip_left_right,
                random_crop: crop,
                random_scale: scale,
                random_brightness: brightness,
                random_aspect: 0,
                random_colour: 0,
                camera: self.camera_effects,
            }),
            false => self.variants.map(|count| Recipe { count, ..best }),
        }
    }

    /// Prepares augmented features if the options ask for them and the head alone is trained.
    pub(super) fn prepare(
        &self,
        prepared: &mut Prepared,
        settings: &Settings,
        trainer: &Trainer,
    ) -> Result<(), Failure> {
        let (Some(recipe), false) = (
            self.recipe(Recipe::default()),
            matches!(trainer, Trainer::FineTune(_)),
        ) else {
            return Ok(());
        };
        let variants = prepare_variants(prepared, settings, recipe, &Bar::new("variants"))?;
        note!(
            "variants of {} photos: {} computed, {} from the cache",
            prepared.dataset.photos.len(),
            variants.counts.computed,
            variants.counts.cached
        );
        prepared.variants = Some(variants);
        Ok(())
    }
}
