//! Names of architectures and of their files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Architecture, Version};
use crate::near::edit_distance;

/// An unknown architecture name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} Names are mobilenet_<width>_<size> or mobilenet_v1_<width>_<size> \
     with width 0.25, 0.50, 0.75 or 1.0 and size 128, 160, 192 or 224, and mobilenet_v2_<width>_<size> with width \
     also 0.35, 1.3 or 1.4 and size also 96; `posy models` lists them",
    refusal(name, *nearest)
)]
pub struct UnknownArchitecture {
    /// The given name.
    pub name: String,
    /// The closest known name, if one is nearly the same.
    pub nearest: Option<Architecture>,
}

/// Networks of other families that retrain.py and TensorFlow Hub offer, by the beginning of their names.
const OTHERS: [&str; 8] = [
    "inception",
    "resnet",
    "nasnet",
    "pnasnet",
    "efficientnet",
    "vgg",
    "densenet",
    "xception",
];

/// First sentence about a name that is not known.
fn refusal(name: &str, nearest: Option<Architecture>) -> String {
    let lower = name.to_lowercase();
    if OTHERS.iter().any(|other| lower.contains(other)) {
        return format!(
            "{name} is no MobileNet, and too large for a microcontroller; mobilenet_1.0_224 is the MobileNet next to it \
             (for the laptop alone, --backbone takes any classifier in ONNX)."
        );
    }
    match nearest {
        Some(nearest) => format!("no architecture is called \"{name}\"; did you mean {nearest}?"),
        None => format!("no architecture is called \"{name}\"."),
    }
}

impl fmt::Display for Architecture {
    /// Writes the name with its version: `mobilenet_v1_0.50_224`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        let (whole, hundredths) = (self.width_percent / 100, self.width_percent % 100);
        // The codelab writes 0.50, but 1.0.
        match whole {
            0 => write!(f, "mobilenet_v{version}_0.{hundredths:02}_{}", self.size),
            _ => write!(
                f,
                "mobilenet_v{version}_{whole}.{}_{}",
                hundredths / 10,
                self.size
            ),
        }
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    /// Parses the codelab's names (`mobilenet_0.50_224`, `mobilenet_1.0_224_quantized`), file names
    /// (`mobilenet_v1_0.5_224_quant`, `mobilenet_v1_0_5_224`), displayed names, and addresses on
    /// TensorFlow Hub (`https://tfhub.dev/google/imagenet/mobilenet_v1_050_224/feature_vector/5`). A
    /// name without a version means version 1.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let lower = name.trim().to_lowercase().replace('-', "_");
        let known = parse(&lower).or_else(|| lower.split('/').find_map(on_hub));
        known.ok_or_else(|| UnknownArchitecture {
            name: name.into(),
            nearest: nearest(&lower),
        })
    }
}

/// Architecture by its name on TensorFlow Hub, which gives the width in three digits:
/// `mobilenet_v2_035_96`. Behind it there may be more words.
fn on_hub(part: &str) -> Option<Architecture> {
    let (version, rest) = match part.strip_prefix("mobilenet_v1_") {
        Some(rest) => (Version::V1, rest),
        None => (Version::V2, part.strip_prefix("mobilenet_v2_")?),
    };
    let mut words = rest.split('_');
    let (width, size) = (words.next()?, words.next()?);
    let (widths, sizes) = Architecture::choices(version);
    let width_percent = *widths.iter().find(|w| format!("{w:03}") == width)?;
    let size = *sizes.iter().find(|s| s.to_string() == size)?;
    Some(Architecture {
        version,
        width_percent,
        size,
    })
}

fn parse(name: &str) -> Option<Architecture> {
    let rest = name.strip_prefix("mobilenet_")?;
    let rest = rest
        .strip_suffix("_quantized")
        .or_else(|| rest.strip_suffix("_quant"))
        .unwrap_or(rest);
    let (version, rest) = match (rest.strip_prefix("v1_"), rest.strip_prefix("v2_")) {
        (Some(rest), _) => (Version::V1, rest),
        (_, Some(rest)) => (Version::V2, rest),
        _ => (Version::V1, rest),
    };
    let (width, size) = rest.rsplit_once('_')?;
    let (widths, sizes) = Architecture::choices(version);
    let width_percent = *widths
        .iter()
        .find(|w| width_spellings(**w).iter().any(|s| s == width))?;
    let size = *sizes.iter().find(|s| s.to_string() == size)?;
    Some(Architecture {
        version,
        width_percent,
        size,
    })
}

/// Spellings of a width: 0.50, 0.5, 0_50, 0_5; for a whole one also 1.
fn width_spellings(percent: u16) -> Vec<String> {
    let long = format!("{}.{:02}", percent / 100, percent % 100);
    let mut spellings = vec![long.clone()];
    if let Some(short) = long.strip_suffix('0') {
        spellings.insert(0, short.into());
        if let Some(whole) = short.strip_suffix(".0") {
            spellings.push(whole.into());
        }
    }
    let underscored: Vec<String> = spellings.iter().map(|s| s.replace('.', "_")).collect();
    spellings.extend(underscored);
    spellings
}

/// The architecture whose name has the least edit distance from `name`, the first of several;
/// `None` if the distance is large.
fn nearest(name: &str) -> Option<Architecture> {
    let mut all = Architecture::all_v1();
    all.extend(Architecture::family(Version::V2));
    let distance = |architecture: &Architecture| {
        let Architecture {
            version,
            width_percent,
            size,
        } = architecture;
        // Without a version, only version 1 and the widths unique to version 2 are candidates.
        let prefixes: &[&str] = match version {
            Version::V1 => &["mobilenet", "mobilenet_v1"],
            Version::V2 => &["mobilenet_v2", "mobilenet"],
        };
        let widths = width_spellings(*width_percent);
        let names = prefixes
            .iter()
            .flat_map(|p| widths.iter().map(move |w| format!("{p}_{w}_{size}")));
        names.map(|n| edit_distance(name, &n)).min()
    };
    let near = all
        .into_iter()
        .filter_map(|one| Some((distance(&one)?, one)));
    let (letters, nearest) = near.min_by_key(|(letters, _)| *letters)?;
    (letters <= name.chars().count() / 3).then_some(nearest)
}

impl Architecture {
    /// Possible names of a file with this network's quantised weights, commonest first.
    pub fn file_names(&self) -> Vec<String> {
        let version = match self.version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        let size = self.size;
        let with = |ending: &'static str| {
            let name = move |width: &String| {
                format!("mobilenet_v{version}_{width}_{size}_{ending}.tflite")
            };
            width_spellings(self.width_percent)
                .iter()
                .map(name)
                .collect::<Vec<_>>()
        };
        let mut names = with("quant");
        names.extend(with("quant_embedding_extractor"));
        names
    }

    /// The file of this network in `folder`, if present: quantised, or as retrain.py leaves it in its
    /// `--model_dir`, `mobilenet_v1_0.5_224/frozen_graph.pb`.
    pub fn find_file(&self, folder: &Path) -> Option<PathBuf> {
        let quantised = self.file_names().into_iter();
        let version = match self.version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        let widths = width_spellings(self.width_percent).into_iter();
        let retrain_py = widths.map(|width| {
            let name = format!("mobilenet_v{version}_{width}_{}", self.size);
            format!("{name}/frozen_graph.pb")
        });
        quantised
            .chain(retrain_py)
            .map(|name| folder.join(name))
            .find(|path| path.is_file())
    }
}
