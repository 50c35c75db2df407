//! What a float network is given for a pixel, as options of a command.

use clap::{Args, ValueEnum};

use super::{Failure, usage};
use crate::backbone::pixels::Normalisation;

/// What a float network wants for a pixel. A quantised one says so itself.
#[derive(Clone, Debug, Args)]
pub(super) struct PixelArguments {
    /// What a float network of --backbone wants for a pixel.
    #[arg(long, visible_alias = "normalization", value_enum, default_value_t = Name::Auto)]
    normalisation: Name,
    /// Grey level, 0 to 255, that a float network wants as zero: one number, or three with commas
    /// between for red, green and blue. In place of --normalisation, with --input-std.
    #[arg(
        long,
        alias = "input_mean",
        value_name = "LEVELS",
        value_delimiter = ',',
        allow_negative_numbers = true,
        requires = "input_std",
        conflicts_with = "normalisation"
    )]
    input_mean: Option<Vec<f64>>,
    /// Grey levels that a float network wants as one, as --input-mean.
    #[arg(
        long,
        alias = "input_std",
        value_name = "LEVELS",
        value_delimiter = ',',
        requires = "input_mean"
    )]
    input_std: Option<Vec<f64>>,
    /// Side in pixels of the picture that an .onnx network reads, where its file leaves that open and no
    /// board is to run it [default: 224].
    #[arg(
        long,
        alias = "input_size",
        value_name = "PIXELS",
        value_parser = clap::value_parser!(u16).range(8..=2048)
    )]
    input_size: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// What the file scales itself, else torch for PyTorch's files and tensorflow for others.
    Auto,
    /// -1 to 1.
    Tensorflow,
    /// Less ImageNet's mean, divided by its standard deviation, for each channel.
    Torch,
    /// 0 to 1.
    Unit,
    /// 0 to 255.
    Raw,
}

impl PixelArguments {
    /// Whether any of the options was given.
    pub(super) fn given(&self) -> bool {
        self.normalisation != Name::Auto || self.input_mean.is_some()
    }

    /// Side of the picture where the file leaves it open.
    pub(super) fn input_size(&self) -> Option<u16> {
        self.input_size
    }

    /// What was asked for; none to go by the file.
    pub(super) fn normalisation(&self) -> Result<Option<Normalisation>, Failure> {
        if let (Some(mean), Some(std)) = (&self.input_mean, &self.input_std) {
            let normalisation = Normalisation {
                mean: of_each("--input-mean", mean)?,
                std: of_each("--input-std", std)?,
            };
            return match normalisation.is_sound() {
                true => Ok(Some(normalisation)),
                false => Err(usage(
                    "--input-mean and --input-std are grey levels, and no --input-std may be zero",
                )),
            };
        }
        Ok(match self.normalisation {
            Name::Auto => None,
            Name::Tensorflow => Some(Normalisation::TENSORFLOW),
            Name::Torch => Some(Normalisation::TORCH),
            Name::Unit => Some(Normalisation::UNIT),
            Name::Raw => Some(Normalisation::RAW),
        })
    }
}

fn of_each(option: &str, numbers: &[f64]) -> Result<[f64; 3], Failure> {
    match *numbers {
        [all] => Ok([all; 3]),
        [red, green, blue] => Ok([red, green, blue]),
        _ => Err(usage(format!(
            "{option} has {} numbers; give one, or three for red, green and blue",
            numbers.len()
        ))),
    }
}
