//! Options for the pixel normalisation of float networks.

use clap::{Args, ValueEnum};
use posy_nn::import::normalisation::Normalisation;

use super::{Failure, usage};

/// Pixel normalisation of a float network. A quantised network carries its own.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PixelArguments {
    /// Pixel normalisation of a float network in --backbone.
    #[arg(long, visible_alias = "normalization", value_enum, default_value_t = Name::Auto)]
    normalisation: Name,
    /// Mean of a float network's pixel normalisation, grey level 0 to 255: one number, or three
    /// with commas between for red, green and blue. In place of --normalisation, with --input-std.
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
    /// Standard deviation of a float network's pixel normalisation, grey levels; numbers as for
    /// --input-mean.
    #[arg(
        long,
        alias = "input_std",
        value_name = "LEVELS",
        value_delimiter = ',',
        requires = "input_mean"
    )]
    input_std: Option<Vec<f64>>,
    /// Input width and height in pixels of a network whose file leaves them open: a .pb or a .tflite
    /// file, or an .onnx file that no board is to run [default there: 224].
    #[arg(
        long,
        alias = "input_size",
        value_name = "PIXELS",
        value_parser = clap::value_parser!(u16).range(8..=2048)
    )]
    input_size: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The file's own scaling, else torch for PyTorch's files and tensorflow for others.
    #[default]
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
    /// True if any of the options was given.
    pub(super) fn given(&self) -> bool {
        self.normalisation != Name::Auto || self.input_mean.is_some()
    }

    /// Input width and height for a file that leaves them open.
    pub(super) fn input_size(&self) -> Option<u16> {
        self.input_size
    }

    /// The requested normalisation; `None` to guess it from the file.
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
