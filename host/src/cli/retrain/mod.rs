//! `posy retrain`: from a folder of photos to a model.

mod answers;
mod augmentation;
pub(super) mod files;
mod float;
mod interrupt;
mod loss;
mod next;
mod observers;
mod print;
pub(super) mod record;
mod training;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use posy_nn::atomic;
use posy_nn::dirs::in_data_dir;
use posy_nn::export::Format;
use posy_nn::zoo::Architecture;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

use self::answers::Answers;
use self::augmentation::VariantArguments;
use self::files::{Destinations, Results, model_name};
use self::float::{advised, beyond_boards};
use self::next::{Next, own_words};
use self::observers::{About, WatchArguments};
use self::print::{as_json, print};
use self::record::record;
use self::training::TrainingArguments;
use super::backbone::network;
use super::check::note_brief;
use super::normalisation::PixelArguments;
use super::output::{kib, note, print_json};
use super::page::name_of;
use super::photos::at_hand;
use super::{Failure, cache, usage};
use crate::dataset::Layout;
use crate::dataset::split::{Percentages, Rule};
use crate::eval::run_record::Record;
use crate::features::progress::Bar;
use crate::page::page;
use crate::report::events::Hparam;
use crate::retrain::{Calibration, Settings, TrainOptions, file, planned, prepare, train};

/// Retrains the last layers of a MobileNet on folders of photos and writes a .posy file.
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
    pub(super) image_dir: PathBuf,
    /// Pre-trained network to start from, e.g. mobilenet_0.25_128 (small) or mobilenet_1.0_224
    /// (accurate); the first number is its width, the second the pixels that it looks at
    /// [default: mobilenet_0.50_224].
    #[arg(long, alias = "tfhub_module", value_name = "NAME")]
    pub(super) architecture: Option<Architecture>,
    /// Folder of a SavedModel, which retrain.py also writes.
    #[arg(long, alias = "saved_model_dir", value_name = "FOLDER", hide = true)]
    saved_model_dir: Option<PathBuf>,
    /// File of the pre-trained network, in place of an architecture's own: quantised TensorFlow Lite, or
    /// a float MobileNet in ONNX or TensorFlow's frozen graph, which is quantised with 128 of the
    /// training photos. Any other classifier in ONNX is retrained for the laptop alone, into an .onnx
    /// file (--output-graph).
    #[arg(long, value_name = "FILE")]
    pub(super) backbone: Option<PathBuf>,
    /// Get the codelab's photos of flowers (229 MB) if they are not here; a network that is not here is
    /// fetched anyway.
    #[arg(long)]
    fetch: bool,
    #[command(flatten)]
    pixels: PixelArguments,
    /// Folder with files of pre-trained networks; one that is neither there nor in the usual places
    /// (models in POSY_DATA, or in posy in the user's folder for data) is downloaded into it
    /// [default: the usual places].
    #[arg(long, alias = "model_dir", value_name = "FOLDER")]
    model_dir: Option<PathBuf>,
    /// File to write the model to; its ending says the format: .posy for boards, .tflite (int8), .onnx or .pb
    /// (float) for other tools [default: named after the photos: dogs.posy for dogs or dogs_photos,
    /// flowers.posy for flower_photos].
    #[arg(
        long,
        visible_alias = "output",
        alias = "output_graph",
        value_name = "FILE"
    )]
    pub(super) output_graph: Option<PathBuf>,
    /// Overwrite a model though it was made of other photos.
    #[arg(long)]
    force: bool,
    /// Write an .onnx file in int8 (QuantizeLinear and DequantizeLinear), with the numbers that a
    /// board has; .posy and .tflite are in int8 anyway.
    #[arg(long)]
    int8: bool,
    /// File to write the labels to, one a line, if they are wanted by themselves; the model has them too.
    #[arg(long, alias = "output_labels", value_name = "FILE")]
    output_labels: Option<PathBuf>,
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
    variants: VariantArguments,

    /// Which part of a photo is looked at.
    #[arg(long, value_enum, default_value_t = CropName::Squash)]
    crop: CropName,
    /// Filter that photos are resized with.
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
pub(super) enum SplitRule {
    /// Divides by each photo's path within the data set, every label in every part.
    Stable,
    /// Exactly as retrain.py does, by the path as typed.
    Codelab,
    /// As somebody has divided them: folders train, valid and test in the folder of photos, the labels'
    /// folders in each.
    Folders,
}

impl SplitRule {
    /// The rule, with its seed or the folder as typed.
    pub(super) fn rule(self, seed: u64, image_dir: &Path) -> Rule {
        match self {
            SplitRule::Stable => Rule::Stable { seed },
            SplitRule::Codelab => Rule::Codelab {
                image_dir: image_dir.to_string_lossy().into_owned(),
            },
            SplitRule::Folders => Rule::Folders,
        }
    }
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

    fn backbone(
        &self,
        image_dir: &Path,
        rule: &Rule,
        percentages: Percentages,
    ) -> Result<Backbone, Failure> {
        network(
            self.architecture.as_ref(),
            self.backbone.as_deref(),
            self.model_dir.as_deref(),
            &self.pixels,
            &Calibration {
                image_dir: image_dir.into(),
                input: self.input(),
                rule: rule.clone(),
                percentages,
            },
        )
    }
}

impl Arguments {
    /// Settings that tell this run from others, for TensorBoard's table of runs.
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
    if arguments.saved_model_dir.is_some() {
        return Err(usage(
            "posy writes no SavedModel (--saved_model_dir); --output-graph model.pb writes a frozen graph, model.tflite \
             and model.onnx files for other tools",
        ));
    }
    let image_dir = in_data_dir(&arguments.image_dir);
    let asked = arguments.output_graph.as_deref();
    let model = model_name(asked, &image_dir, arguments.force)?;
    let format = Format::of(&model, arguments.int8).map_err(usage)?;
    let trainer = arguments.training.trainer(&arguments.variants)?;
    let test_set = arguments.training.test_set().map_err(usage)?;
    let rule = arguments
        .split
        .rule(arguments.split_seed, &arguments.image_dir);
    let percentages = Percentages::new(
        arguments.validation_percentage,
        arguments.testing_percentage,
    )
    .map_err(usage)?;
    let mut options = TrainOptions {
        test_set,
        answers: arguments.answers.options(),
        ..TrainOptions::new(rule.clone(), percentages, trainer)
    };
    let watch = &arguments.watch;
    let destinations = Destinations::new(&model, arguments.output_labels.as_deref());
    let page_path = watch.page_path();
    if page_path.is_some() && format != Format::Posy {
        return Err(usage(
            "--page runs a .posy file; write one with --output-graph, or leave --page out",
        ));
    }
    let of_boards = destinations.clone().and_of_boards(
        watch.report_path(&model),
        page_path,
        watch.summaries_dir.as_deref(),
    );
    destinations.check()?;
    let settings = Settings {
        image_dir: at_hand(&arguments.image_dir, arguments.fetch, "--image-dir")?,
        layout: Layout::of(&rule),
        input: arguments.input(),
        cache: Some(cache::open(arguments.bottleneck_dir.as_deref())?),
        float: !arguments.no_float,
        strict: arguments.strict,
    };
    let split_path = &destinations.split.path;
    if let Some(path) = &arguments.backbone
        && let Some(network) = beyond_boards(path, format, &arguments.pixels)?
    {
        note!("backbone: {}", path.display());
        note!("photos: {}", settings.image_dir.display());
        options.earlier = arguments.answers.earlier(split_path);
        return float::run(arguments, network, &settings, &options, &destinations);
    }
    let destinations = of_boards;
    destinations.check()?;
    let backbone = arguments
        .backbone(&settings.image_dir, &rule, percentages)
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
    arguments
        .variants
        .prepare(&mut prepared, &settings, &options.trainer)?;
    if !arguments.no_check {
        note_brief(&prepared, &rule, percentages)?;
    }
    options.earlier = arguments.answers.earlier(&destinations.split.path);
    match planned(&prepared, &options)? {
        Some(Ok(plan)) => note!("{plan}"),
        Some(Err(unfit)) => note!("training the last layer alone: {unfit}"),
        None => {}
    }
    let mut watching = watch.begin(&prepared, &arguments.hparams(&prepared.backbone.name))?;
    let outcome = train(&prepared, &options, &mut watching.all())?;
    if outcome.declined {
        note!(
            "the last layer alone is kept: the validation photos' labels are likelier by it than after \
             fine-tuning"
        );
    }

    // Figures first: whatever cannot be written, they are not lost. A reader that leaves early keeps
    // nothing from being written.
    let next = Next {
        words: &own_words(),
        image_dir: &arguments.image_dir,
        architecture: arguments.architecture.as_ref(),
        backbone: arguments.backbone.as_deref(),
        model: &model,
        format,
    };
    let commands = next.commands(&prepared, &outcome);
    let printed = if arguments.json {
        let mut json = as_json(&prepared, &outcome, &commands, &model);
        json["feature_seconds"] = feature_seconds.into();
        print_json(&json)
    } else {
        let misclassified = arguments.print_misclassified_test_images;
        print(&prepared, &outcome, &commands, misclassified)
    };
    let bytes = file(&prepared, &outcome, format);
    let size = bytes.as_ref().map_or(0, Vec::len);
    let mut results = Results::default();
    results.add(&destinations.model, bytes);
    results.add(&destinations.split, outcome.split.to_bytes());
    if let Some(destination) = &destinations.record {
        let record = record(&prepared, &outcome, &model.to_string_lossy());
        if let (Some(destination), Ok(record)) = (&destinations.page, &record) {
            let html = page(&outcome.model, &name_of(&model), Some(record));
            results.add(destination, html.map(String::into_bytes));
        }
        let bytes = record.and_then(|record| Ok(record.to_bytes()?));
        results.add(destination, bytes);
    }
    if let Some(destination) = &destinations.labels {
        // A board has a verdict of its own; other files have a number for what is none of the labels.
        let count = match format {
            Format::Posy => prepared.known_labels(),
            _ => prepared.dataset.labels.len(),
        };
        let labels = &prepared.dataset.labels[..count];
        results.add(destination, Ok::<_, Failure>(lines_of(labels)));
    }
    let about = About {
        prepared: &prepared,
        outcome: &outcome,
        commands: &commands,
        command: next.own(),
        cache: settings.cache.as_deref(),
    };
    watching.finish(about, &destinations, &mut results);
    let whole = results.place();
    if whole {
        note!(
            "wrote {} ({} KiB), {} and {}",
            model.display(),
            kib(size as u64),
            destinations.split.path.display(),
            Record::path_beside(&model).display()
        );
        if let Some(report) = &destinations.report {
            let report = report.path.display();
            note!("report: {report} (open it in a browser)");
        }
        if let Some(page) = &destinations.page {
            let page = page.path.display();
            note!("page: {page} (open it in a browser)");
        }
        if let Some(first) = commands.using.first() {
            note!("next: {}", first.line);
        }
    }
    printed?;
    loss::settle(arguments, &next, &prepared, &outcome)?;
    Ok(match whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A file of labels, one a line.
pub(super) fn lines_of(labels: &[String]) -> Vec<u8> {
    let lines: String = labels.iter().flat_map(|label| [label, "\n"]).collect();
    lines.into_bytes()
}

/// Writes a file, and names it where that fails.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    atomic::write(path, bytes).map_err(|error| not_written(path, &error))
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    format!("{path}: cannot be written: {error}; give another place for it").into()
}
