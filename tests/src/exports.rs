//! Exported files, and other tools to run them: Python packages in virtual environments that
//! `tests/run.sh` creates.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use posy::dataset::decode::Limits;
use posy::dataset::load::load;
use posy::dataset::split::{Percentages, Rule};
use posy::features::progress::{Progress, Silent};
use posy::retrain::{
    Prepared, Settings, TrainOptions, TrainedModel, Trainer, file, prepare, train,
};
use posy::train::logistic::Strength;
use posy::train::observer::Unwatched;
use posy_nn::export::Format;
use posy_nn::run::{Runner, input};
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};
use rayon::prelude::*;
use serde_json::Value;

use crate::data;
use crate::draw::in_full_runs;
use crate::scratch::Scratch;

/// Number of photos per label that networks are retrained on: 200 in all for five labels.
pub const PHOTOS: usize = 40;

/// Image preparation of the retrained networks.
pub const INPUT: InputContract = InputContract {
    crop: Crop::Squash,
    filter: Filter::LegacyBilinear,
    table: None,
};

/// The executables of a virtual environment.
pub struct Python(PathBuf);

impl Python {
    /// Python with LiteRT and ONNX Runtime. Prints that `test` is skipped if it is missing.
    pub fn runtimes(test: &str) -> Option<Self> {
        Self::find(test, "runtimes", "LiteRT and ONNX Runtime")
    }

    /// Python with TensorFlow, for every run. Prints that `test` is skipped if it is missing.
    pub fn tensorflow_always(test: &str) -> Option<Self> {
        Self::find(test, "tensorflow", "TensorFlow")
    }

    /// Python with TensorFlow, for full runs. Prints that `test` is skipped if it is missing.
    pub fn tensorflow(test: &str) -> Option<Self> {
        if !in_full_runs(test) {
            return None;
        }
        Self::find(test, "tensorflow", "TensorFlow")
    }

    fn find(test: &str, folder: &str, what: &str) -> Option<Self> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
        let folder = tools.join(folder);
        // Written once everything is installed.
        if folder.join("installed").is_file() {
            return Some(Python(folder.join("bin/python")));
        }
        eprintln!(
            "SKIPPED: {test}: no {what} at {}; tests/run.sh installs it",
            folder.display()
        );
        None
    }

    /// Output of a script in `tests/exports`.
    pub fn run<A: AsRef<OsStr>>(&self, script: &str, arguments: &[A]) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("exports");
        let mut command = Command::new(&self.0);
        command.arg(folder.join(script)).args(arguments);
        let output = command.output().expect("Python");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {errors}");
        String::from_utf8(output.stdout).expect("output in UTF-8")
    }

    /// Runs `model` on `inputs`, `[N, H, W, 3]`, by a script that takes four files. Returns the
    /// outputs that it writes and the JSON that it prints.
    pub fn outputs(&self, script: &str, model: &Path, inputs: &[i8]) -> (Vec<u8>, Value) {
        let scratch = Scratch::new();
        let bytes: Vec<u8> = inputs.iter().map(|number| *number as u8).collect();
        let inputs = scratch.write("inputs", bytes);
        let [outputs, labels] = ["outputs", "labels"].map(|name| scratch.join(name));
        self.run(script, &[model, &inputs, &outputs, &labels]);
        let labels = serde_json::from_slice(&scratch.read("labels"));
        (scratch.read("outputs"), labels.expect("JSON"))
    }

    /// Logits and scores of each input, written by a script in float32.
    pub fn floats(&self, script: &str, model: &Path, inputs: &[i8]) -> (Vec<f32>, Value) {
        let (outputs, said) = self.outputs(script, model, inputs);
        let (numbers, rest) = outputs.as_chunks::<4>();
        assert!(rest.is_empty() && !numbers.is_empty(), "{}", outputs.len());
        let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
        (numbers.collect(), said)
    }
}

/// Number of photos for a foreign interpreter: `usual`, or `POSY_EXPORT_PHOTOS`.
pub fn photo_count(usual: usize) -> usize {
    let given = std::env::var("POSY_EXPORT_PHOTOS").ok();
    given.map_or(usual, |given| {
        given.parse().expect("POSY_EXPORT_PHOTOS: a number")
    })
}

/// A network retrained on photos.
pub struct Retrained {
    /// Photos and features.
    pub prepared: Prepared,
    /// The trained head and its results.
    pub outcome: TrainedModel,
    scratch: Scratch,
}

impl Retrained {
    /// Retrains the network in the models' file `name`. Prints that `test` is skipped if it or the
    /// photos are missing.
    pub fn of(test: &str, name: &str, float: bool) -> Option<Self> {
        let flowers = data(test, "flower_photos");
        let network = data(test, &format!("models/{name}.tflite"));
        Some(Self::new(&network?, &flowers?, float))
    }

    /// Retrains the network in `backbone` on photos of `flowers`, with calibrated scores.
    fn new(backbone: &Path, flowers: &Path, float: bool) -> Self {
        let scratch = Scratch::new();
        let labels = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
        scratch.copy_photos(flowers, "flowers", &labels, PHOTOS);
        let settings = Settings {
            layout: Default::default(),
            image_dir: scratch.join("flowers"),
            input: INPUT,
            cache: None,
            float,
            strict: true,
        };
        let backbone = Backbone::read(backbone, "backbone").expect("a network");
        let silent = |_| Box::new(Silent) as Box<dyn Progress>;
        let prepared = prepare(&settings, backbone, &silent, &mut |_| {}).expect("photos");
        let mut options = TrainOptions::new(
            Rule::Stable { seed: 0 },
            Percentages::new(10, 10).expect("percentages"),
            Trainer::Logistic(Strength::default()),
        );
        options.answers.calibrate = true;
        let outcome = train(&prepared, &options, &mut Unwatched).expect("training");
        Retrained {
            prepared,
            outcome,
            scratch,
        }
    }

    /// Writes a file of this format; it exists as long as this value.
    pub fn file(&self, format: Format, name: &str) -> PathBuf {
        let bytes = file(&self.prepared, &self.outcome, format).expect("a file");
        self.scratch.write(name, bytes)
    }

    /// `count` of the photos, spread over the labels.
    pub fn photos(&self, count: usize) -> Vec<usize> {
        let all = self.prepared.dataset.photos.len();
        (0..count.min(all))
            .map(|index| index * all / count.min(all))
            .collect()
    }

    /// Inputs of the board's model for photos, `[N, H, W, 3]`, and its logits, one list per photo.
    pub fn board(&self, photos: &[usize]) -> (Vec<i8>, Vec<Vec<i8>>) {
        let model = Model::read(&self.outcome.model).expect("a model");
        let runner = Runner::new(model);
        let pairs: Vec<_> = photos
            .par_iter()
            .map(|&photo| {
                let path = &self.prepared.dataset.photos[photo].path;
                let photo = load(path, &Limits::default()).expect("a photo");
                let input = input(runner.model(), &photo).expect("pixels");
                let mut logits = runner.output_of(&input).expect("logits");
                logits.truncate(runner.model().logit_len());
                (input, logits)
            })
            .collect();
        let (inputs, logits): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        (inputs.concat(), logits)
    }

    /// Logits and scores of posy's float pipeline for photos, in the form of [`Python::floats`].
    pub fn float(&self, photos: &[usize]) -> Vec<f32> {
        let features = self.prepared.float_features.as_ref().expect("features");
        let heads = &self.outcome.heads;
        let head = heads.float.as_ref().expect("a head");
        let mut all = Vec::new();
        for &photo in photos {
            let logits = head.logits(features.row(photo));
            let powers = logits
                .iter()
                .map(|logit| f64::from(logit * heads.beta).exp());
            let sum: f64 = powers.clone().sum();
            let scores: Vec<f32> = powers.map(|power| (power / sum) as f32).collect();
            all.extend(logits.iter().chain(&scores));
        }
        all
    }
}

/// Greatest absolute difference of two lists of equal length.
#[track_caller]
pub fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.iter().chain(b).all(|number| number.is_finite()));
    worst
}
