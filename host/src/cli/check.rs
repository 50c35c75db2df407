//! `posy check`: problems in a folder of photos.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use posy_nn::shell::quoted_path;
use posy_nn::zoo::Architecture;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};
use serde_json::json;

use super::backbone::network;
use super::normalisation::PixelArguments;
use super::output::{Out, note, print_json};
use super::photos::at_hand;
use super::retrain::SplitRule;
use super::{Failure, cache, usage};
use crate::dataset::Layout;
use crate::dataset::split::{Bucket, Percentages, Rule, split};
use crate::features::cache::Cache;
use crate::features::extract::{Options, extract};
use crate::features::extractors::IntExtractor;
use crate::features::progress::Bar;
use crate::lint::appearance::{Look, LookExtractor};
use crate::lint::{Kind, Report, Severity, Subject, brief, check};
use crate::retrain::{Calibration, Prepared, Settings, prepare};
use crate::train::Features;

/// Maximum number of findings printed per kind without `--all`.
const LINES: usize = 30;

/// Looks for problems in a folder of photos and prints the most serious first.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 if there are no errors (there may be warnings), 1 if there are (or the photos could \
not be checked, and then standard output is empty), 2 if arguments are invalid. With --strict \
warnings count as errors.

Errors are files that cannot be used, and pictures under two labels. Warnings are photos that look \
like another label's, pictures in two parts of the split, labels with few photos, and the like: look \
at them and decide. Notes need no action.")]
pub(super) struct Arguments {
    /// Folder whose sub-folders are labels, each full of photos.
    #[arg(value_name = "PHOTOS", default_value = "flower_photos")]
    image_dir: PathBuf,
    /// Pre-trained network whose features are compared [default: mobilenet_0.50_224].
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
    /// File of the pre-trained network, in place of an architecture's own; see posy retrain.
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    #[command(flatten)]
    pixels: PixelArguments,
    /// Folder with files of pre-trained networks [default: models in POSY_DATA, or in posy in
    /// the user's data folder].
    #[arg(long, alias = "model_dir", value_name = "FOLDER")]
    model_dir: Option<PathBuf>,
    /// Folder for the cache of features [default: posy in the user's cache folder].
    #[arg(long, alias = "bottleneck_dir", value_name = "FOLDER")]
    bottleneck_dir: Option<PathBuf>,
    /// Percentage of test photos.
    #[arg(
        long,
        alias = "testing_percentage",
        value_name = "PERCENT",
        default_value_t = 10
    )]
    testing_percentage: u8,
    /// Percentage of validation photos.
    #[arg(
        long,
        alias = "validation_percentage",
        value_name = "PERCENT",
        default_value_t = 10
    )]
    validation_percentage: u8,
    /// Rule by which photos are split; see posy retrain.
    #[arg(long, value_enum, default_value_t = SplitRule::Stable)]
    split: SplitRule,
    /// Seed of the split.
    #[arg(long, alias = "split_seed", value_name = "NUMBER", default_value_t = 0)]
    split_seed: u64,
    /// Treat warnings as errors.
    #[arg(long)]
    strict: bool,
    /// Print every finding, not only the first 30 of each kind.
    #[arg(long)]
    all: bool,
    /// Print JSON, with every finding.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let percentages = Percentages::new(
        arguments.validation_percentage,
        arguments.testing_percentage,
    )
    .map_err(usage)?;
    let image_dir = at_hand(&arguments.image_dir, false, "posy check")?;
    let input = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let rule = arguments
        .split
        .rule(arguments.split_seed, &arguments.image_dir);
    let backbone = network(
        arguments.architecture.as_ref(),
        arguments.backbone.as_deref(),
        arguments.model_dir.as_deref(),
        &arguments.pixels,
        &Calibration {
            image_dir: image_dir.clone(),
            input,
            rule: rule.clone(),
            percentages,
        },
    )?;
    let cache = cache::open(arguments.bottleneck_dir.as_deref())?;
    let settings = Settings {
        image_dir,
        layout: Layout::of(&rule),
        input,
        cache: Some(cache.clone()),
        float: false,
        strict: false,
    };
    note!("photos: {}", settings.image_dir.display());
    let prepared = prepare(
        &settings,
        backbone,
        &|what| Box::new(Bar::new(what)),
        // Warnings are in the report.
        &mut |_| {},
    )?;
    let photos = prepared.dataset.photos.iter();
    let paths: Vec<PathBuf> = photos.map(|photo| photo.path.clone()).collect();
    let looks = looks(&paths, &cache);
    let centres = centres(&prepared, &paths, &cache)?;
    let split = split(&prepared.dataset, &rule, percentages);
    let skipped: Vec<(String, String)> = prepared
        .skipped
        .iter()
        .map(|file| (file.path.display().to_string(), file.reason.clone()))
        .collect();
    let layers = prepared.backbone.int.layers.first();
    let side = layers.map_or(0, |first| {
        let input = first.common.input;
        u32::from(input.width.min(input.height))
    });
    let subject = subject(&prepared, centres.as_ref(), split.buckets());
    let report = check(&subject, &looks, &skipped, side, &Bar::of_steps("check"))?;
    if arguments.json {
        let mut json = serde_json::to_value(&report)?;
        json["folder"] = settings.image_dir.to_string_lossy().into();
        json["counts"] = json!({
            "error": report.count(Severity::Error),
            "warning": report.count(Severity::Warning),
            "note": report.count(Severity::Note),
        });
        print_json(&json)?;
    } else {
        print(&report, if arguments.all { usize::MAX } else { LINES })?;
    }
    let serious = report.count(Severity::Error) > 0
        || arguments.strict && report.count(Severity::Warning) > 0;
    Ok(ExitCode::from(u8::from(serious)))
}

fn subject<'a>(
    prepared: &'a Prepared,
    centres: Option<&'a Features>,
    buckets: &'a [Bucket],
) -> Subject<'a> {
    Subject {
        dataset: &prepared.dataset,
        features: &prepared.int8_features,
        centres,
        buckets,
    }
}

/// Features of the photos' central squares; `None` for a photo that no longer exists.
fn centres(
    prepared: &Prepared,
    paths: &[PathBuf],
    cache: &Cache,
) -> Result<Option<Features>, Failure> {
    let input = InputContract {
        crop: Crop::Centre,
        ..prepared.input
    };
    let bytes = prepared.backbone.extractor(input)?;
    let extractor = IntExtractor::new(&bytes)?;
    let bar = Bar::new("centres");
    let found = extract(paths, &extractor, Some(cache), &Options::default(), &bar);
    let mut values = Vec::new();
    for photo in found.photos {
        match photo {
            Ok(photo) => values.extend(photo.values.into_iter().map(|byte| byte as i8)),
            Err(_) => return Ok(None),
        }
    }
    let (whole, scale) = (&prepared.int8_features, prepared.backbone.features());
    let labels = whole.labels().to_vec();
    let features = Features::from_int8(whole.width(), &values, labels, scale)?;
    Ok(Some(features))
}

fn looks(paths: &[PathBuf], cache: &Cache) -> Vec<Option<Look>> {
    let bar = Bar::new("files");
    let found = extract(
        paths,
        &LookExtractor,
        Some(cache),
        &Options::default(),
        &bar,
    );
    let looks = found.photos.into_iter();
    looks
        .map(|look| Look::from_bytes(&look.ok()?.values))
        .collect()
}

fn print(report: &Report, most: usize) -> Result<(), Failure> {
    let mut out = Out::lock();
    for group in report.groups() {
        let kind = group[0].kind;
        let (heading, advice) = kind.heading();
        let severity = match kind.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let advice = match advice {
            "" => String::new(),
            advice => format!(": {advice}"),
        };
        writeln!(out, "{severity}: {} {heading}{advice}", group.len())?;
        for finding in group.iter().take(most) {
            writeln!(out, "  {finding}")?;
        }
        if group.len() > most {
            let more = group.len() - most;
            writeln!(out, "  and {more} more, which --all prints")?;
        }
        writeln!(out)?;
    }
    if !report.labels_judged {
        writeln!(
            out,
            "Wrong labels were not looked for: fewer than two labels have photos enough to judge by.\n"
        )?;
    }
    writeln!(
        out,
        "{} photos of {} labels: {} errors, {} warnings, {} notes",
        report.photos,
        report.labels,
        report.count(Severity::Error),
        report.count(Severity::Warning),
        report.count(Severity::Note),
    )?;
    Ok(())
}

/// Findings of `posy retrain`, a line per kind, from the features that it has computed.
pub(super) fn note_brief(
    prepared: &Prepared,
    rule: &Rule,
    percentages: Percentages,
) -> Result<(), Failure> {
    let split = split(&prepared.dataset, rule, percentages);
    let subject = subject(prepared, None, split.buckets());
    let report = brief(&subject, &Bar::of_steps("check"))?;
    let mut told = 0;
    for group in report.groups() {
        if group[0].kind.severity() < Severity::Note {
            let (heading, _) = group[0].kind.heading();
            // `posy check` looks at the photos more closely and ends with another list of suspects,
            // so their number is left out.
            match group[0].kind {
                Kind::Mislabelled => note!(
                    "check: photos look like another label's, most suspect first: {}",
                    group[0]
                ),
                _ => note!("check: {} {heading}: first {}", group.len(), group[0]),
            }
            told += 1;
        }
    }
    if told > 0 {
        let folders = match rule {
            Rule::Folders => " --split folders",
            Rule::Stable { .. } | Rule::Codelab { .. } => "",
        };
        note!(
            "check: `posy check {}{folders}` looks closer, at the middle of each photo too, and names all; \
             --no-check leaves this out",
            quoted_path(&prepared.dataset.root)
        );
    }
    Ok(())
}
