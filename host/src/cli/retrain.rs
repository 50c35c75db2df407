//! `posy retrain`: from a folder of photos to a model.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

use super::check::note_brief;
use super::network::network;
use super::output::{kib, note, print_json};
use super::pixels::PixelArguments;
use super::retrain_answers::Answers;
use super::retrain_float::{self, Job, advised, beyond_boards};
use super::retrain_next::{Next, own_words};
use super::retrain_record::record;
use super::retrain_results::{as_json, print};
use super::retrain_watch::WatchArguments;
use super::training::TrainingArguments;
use super::variants::VariantArguments;
use super::{Failure, usage};
use crate::atomic;
use crate::backbone::load::Backbone;
use crate::backbone::zoo::Architecture;
use crate::data::{cache_dir, in_data_dir};
use crate::export::Format;
use crate::features::progress::Bar;
use crate::photos::split::{Percentages, Rule};
use crate::record::Record;
use crate::report::events::Hparam;
use crate::retrain::{Calibration, Settings, file, prepare, train_with};

/// Retrains the last layer of a MobileNet on folders of photos and writes a .posy file.
#[derive(Debug, Args)]
#[command(after_help = "The spellings of retrain.py with underscores (--image_dir) work too.")]
pub(super) struct Arguments {
    /// Folder of photos to learn from: one sub-folder for each label, named like it, full of photos.
    #[arg(
        long,
        alias = "image_dir",
        value_name = "FOLDER",
        default_value = "flower_photos"
    )]
    image_dir: PathBuf,
    /// Pre-trained network to start from, e.g. mobilenet_0.25_128 (small) or mobilenet_1.0_224
    /// (accurate); the first number is its width, the second the pixels that it looks at
    /// [default: mobilenet_0.50_224].
    #[arg(long, value_name = "NAME")]
    architecture: Option<Architecture>,
    /// File of the pre-trained network, in place of an architecture's own: quantised TensorFlow Lite, or
    /// a float MobileNet in ONNX or TensorFlow's frozen graph, which is quantised with 128 of the
    /// training photos. Any other classifier in ONNX is retrained for the laptop alone, into an .onnx
    /// file (--output-graph).
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    #[command(flatten)]
    pixels: PixelArguments,
    /// Folder with files of pre-trained networks; one that is neither there nor in the usual places
    /// (models in POSY_DATA, posy/models in the user's cache folder) is downloaded into it
    /// [default: the usual places].
    #[arg(long, alias = "model_dir", value_name = "FOLDER")]
    model_dir: Option<PathBuf>,
    /// Where to write the model; the ending says what: .posy for boards, .tflite (int8), .onnx or .pb
    /// (float) for other tools.
    #[arg(
        long,
        visible_alias = "output",
        alias = "output_graph",
        value_name = "FILE",
        default_value = "flowers.posy"
    )]
    pub(super) output_graph: PathBuf,
    /// Write an .onnx file in int8 (QuantizeLinear and DequantizeLinear), with the numbers that a
    /// board has; .posy and .tflite are in int8 anyway.
    #[arg(long)]
    int8: bool,
    /// Where to write the labels, one a line, if they are wanted by themselves; the model has them too.
    #[arg(long, alias = "output_labels", value_name = "FILE")]
    pub(super) output_labels: Option<PathBuf>,
    /// Folder where what the network sees in each photo is kept, so that the next run is quicker
    /// (the codelab calls these bottlenecks) [default: posy in the user's cache folder].
    #[arg(long, alias = "bottleneck_dir", value_name = "FOLDER")]
    bottleneck_dir: Option<PathBuf>,

    /// Percentage of photos that are kept back to measure the accuracy on at the end.
    #[arg(
        long,
        alias = "testing_percentage",
        value_name = "PERCENT",
        default_value_t = 10
    )]
    testing_percentage: u8,
    /// Percentage of photos that are kept back to choose settings on while training.
    #[arg(
        long,
        alias = "validation_percentage",
        value_name = "PERCENT",
        default_value_t = 10
    )]
    validation_percentage: u8,
    /// Rule by which photos are divided.
    #[arg(long, value_enum, default_value_t = SplitRule::Stable)]
    split: SplitRule,
    /// Another number gives another division.
    #[arg(long, alias = "split_seed", value_name = "NUMBER", default_value_t = 0)]
    split_seed: u64,

    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    pub(super) variants: VariantArguments,

    /// Which part of a photo is looked at.
    #[arg(long, value_enum, default_value_t = CropName::Squash)]
    crop: CropName,
    /// How a photo is resized.
    #[arg(long, value_enum, default_value_t = FilterName::Area)]
    resize: FilterName,

    #[command(flatten)]
    watch: WatchArguments,

    /// Do not run the float network for comparison.
    #[arg(long, alias = "no_float")]
    no_float: bool,
    #[command(flatten)]
    answers: Answers,
    /// Treat a file that cannot be used as an error.
    #[arg(long)]
    strict: bool,
    /// Do not look for wrong labels and copies among the photos.
    #[arg(long, alias = "no_check")]
    no_check: bool,
    /// List the test photos that are named wrongly.
    #[arg(long, alias = "print_misclassified_test_images")]
    pub(super) print_misclassified_test_images: bool,
    /// Print the results as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitRule {
    /// By each photo's path within the data set, every label in every part.
    Stable,
    /// Exactly as retrain.py does, by the path as typed.
    Codelab,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CropName {
    /// All of it, squashed to the network's shape, as the codelab does.
    Squash,
    /// The largest centred part of the network's shape.
    Centre,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FilterName {
    /// Averaging over the area of each pixel.
    Area,
    /// TensorFlow 1's bilinear sampling, as the codelab does.
    LegacyBilinear,
}

impl Arguments {
    fn input(&self) -> InputContract {
        InputContract {
            crop: match self.crop {
                CropName::Squash => Crop::Squash,
                CropName::Centre => Crop::Centre,
            },
            filter: match self.resize {
                FilterName::Area => Filter::Area,
                FilterName::LegacyBilinear => Filter::LegacyBilinear,
            },
            table: None,
        }
    }

    fn backbone(&self, rule: &Rule, percentages: Percentages) -> Result<Backbone, Failure> {
        network(
            self.architecture.as_ref(),
            self.backbone.as_deref(),
            self.model_dir.as_deref(),
            &self.pixels,
            &Calibration {
                image_dir: in_data_dir(&self.image_dir),
                input: self.input(),
                rule: rule.clone(),
                percentages,
            },
        )
    }
}

impl Arguments {
    /// What tells this run from others, for TensorBoard's table of runs.
    /// `name` is the network's.
    fn hparams(&self, name: &str) -> Vec<(&'static str, Hparam)> {
        let word = |value: &dyn std::fmt::Debug| Hparam::Text(format!("{value:?}").to_lowercase());
        let mut hparams = vec![
            ("architecture", Hparam::Text(name.to_owned())),
            ("split", word(&self.split)),
            ("split_seed", Hparam::Number(self.split_seed as f64)),
            (
                "validation_percentage",
                Hparam::Number(self.validation_percentage.into()),
            ),
            (
                "testing_percentage",
                Hparam::Number(self.testing_percentage.into()),
            ),
            ("crop", word(&self.crop)),
            ("resize", word(&self.resize)),
        ];
        if let Some(path) = &self.backbone {
            hparams[0] = ("backbone", Hparam::Text(path.display().to_string()));
        }
        hparams.extend(self.training.hparams());
        hparams
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let format = Format::of(&arguments.output_graph, arguments.int8).map_err(usage)?;
    let trainer = arguments.training.trainer(&arguments.variants)?;
    let tested = arguments.training.tested().map_err(usage)?;
    let rule = match arguments.split {
        SplitRule::Stable => Rule::Stable {
            seed: arguments.split_seed,
        },
        SplitRule::Codelab => Rule::Codelab {
            image_dir: arguments.image_dir.to_string_lossy().into_owned(),
        },
    };
    let percentages = Percentages::new(
        arguments.validation_percentage,
        arguments.testing_percentage,
    )
    .map_err(usage)?;
    let results = [
        Some(&arguments.output_graph),
        arguments.output_labels.as_ref(),
    ];
    for path in results.into_iter().flatten() {
        atomic::could_write(path).map_err(|error| not_written(path, &error))?;
    }
    let cache_folder = arguments.bottleneck_dir.clone().unwrap_or_else(cache_dir);
    let settings = Settings {
        image_dir: in_data_dir(&arguments.image_dir),
        input: arguments.input(),
        cache: Some(cache_folder.join("features.redb")),
        float: !arguments.no_float,
        strict: arguments.strict,
    };
    let split_path = arguments.output_graph.with_extension("split.json");
    if let Some(path) = &arguments.backbone
        && let Some(network) = beyond_boards(path, format, &arguments.pixels)?
    {
        note!("backbone: {}", path.display());
        note!("photos: {}", settings.image_dir.display());
        let job = Job {
            rule: &rule,
            percentages,
            trainer: &trainer,
            tested,
            earlier: arguments.answers.more(&split_path).earlier,
        };
        return retrain_float::run(arguments, network, &settings, &job);
    }
    let backbone = arguments
        .backbone(&rule, percentages)
        .map_err(|failure| advised(failure, arguments.backbone.as_deref()))?;
    note!("backbone: {} ({})", backbone.name, backbone.path.display());
    note!("photos: {}", settings.image_dir.display());
    let started = Instant::now();
    let mut prepared = prepare(
        &settings,
        backbone,
        &|what| Box::new(Bar::new(what)),
        &mut |notice| note!("{notice}"),
    )?;
    let feature_seconds = started.elapsed().as_secs_f64();
    note!(
        "features of {} photos: {} computed, {} from the cache, {} files skipped, {feature_seconds:.1} s",
        prepared.dataset.photos.len(),
        prepared.counts.computed,
        prepared.counts.cached,
        prepared.skipped.len()
    );
    let trainer = arguments
        .variants
        .prepare(&mut prepared, &settings, trainer)?;
    if !arguments.no_check {
        note_brief(&prepared, &rule, percentages)?;
    }
    let more = arguments.answers.more(&split_path);
    let mut watching = arguments
        .watch
        .begin(&prepared, &arguments.hparams(&prepared.backbone.name))?;
    let watch = &mut watching.all();
    let outcome = train_with(
        &prepared,
        &rule,
        percentages,
        &trainer,
        tested,
        &more,
        watch,
    )?;
    arguments.answers.check(&outcome)?;

    let bytes = file(&prepared, &outcome, format)?;
    write(&arguments.output_graph, &bytes)?;
    outcome.split.write(&split_path)?;
    let model_name = arguments.output_graph.to_string_lossy();
    let record_path = Record::path_beside(&arguments.output_graph);
    record(&prepared, &outcome, &model_name)?.write(&record_path)?;
    if let Some(path) = &arguments.output_labels {
        // A board has a verdict of its own; other files have a number for what is none of the labels.
        let count = match format {
            Format::Posy => prepared.known_labels(),
            _ => prepared.dataset.labels.len(),
        };
        let lines: String = prepared.dataset.labels[..count]
            .iter()
            .flat_map(|label| [label, "\n"])
            .collect();
        write(path, lines.as_bytes())?;
    }
    note!(
        "wrote {} ({} KiB), {} and {}",
        arguments.output_graph.display(),
        kib(bytes.len() as u64),
        split_path.display(),
        record_path.display()
    );
    let cache = settings.cache.as_deref();
    let next = Next {
        words: &own_words(),
        image_dir: &arguments.image_dir,
        backbone: arguments.backbone.as_deref(),
        model: &arguments.output_graph,
        format,
    };
    let (judgement, commands) = watching.finish(&prepared, &outcome, &next, cache)?;
    if let Some(first) = commands.using.first() {
        note!("next: {}", first.line);
    }
    if arguments.json {
        let mut json = as_json(
            &prepared,
            &outcome,
            &judgement,
            &commands,
            &arguments.output_graph,
        );
        json["feature_seconds"] = feature_seconds.into();
        print_json(&json)?;
    } else {
        print(
            &prepared,
            &outcome,
            &judgement,
            &commands,
            arguments.print_misclassified_test_images,
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file, and names it where that fails.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    atomic::write(path, bytes).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    format!("{path}: cannot be written: {error}; give another place for it").into()
}
