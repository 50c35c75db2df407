//! The plan; and on flower photos: a fine-tuned model answers as it was measured, whatever the number of
//! threads, and after a stop.

use std::sync::Arc;

use posy_nn::run::Runner;
use posy_nn::zoo::backbone::Backbone;
use posy_nn::zoo::embedded::last_resort;
use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

use super::*;
use crate::dataset::decode::decode;
use crate::dataset::split::{Percentages, Rule};
use crate::features::cache::Cache;
use crate::features::progress::Silent;
use crate::features::testing::data;
use crate::retrain::{Settings, TrainOptions, TrainedModel, Trainer, prepare, train};
use crate::train::metrics::argmax;
use crate::train::observer::Unwatched;

fn sizes() -> Sizes<'static> {
    Sizes {
        training: 1000,
        validation: 100,
        photos: 1200,
        fewest: ("daisy", 150),
    }
}

#[test]
fn work_follows_from_photos_and_options() {
    let backbone = last_resort().unwrap().unwrap();
    let starts = block_starts(&backbone.int);
    assert!(starts.len() > 4, "{starts:?}");
    let options = FineTuneOptions::default();
    let of = |sizes, options: &FineTuneOptions| plan(&backbone.int, sizes, options);
    let usual = of(sizes(), &options).unwrap();
    assert_eq!((usual.blocks, usual.views), (MOST_BLOCKS, VIEWS));
    assert_eq!(usual.start, starts[MOST_BLOCKS - 1]);
    assert_eq!(usual.epochs, EPOCHS);
    let budget = |options: &FineTuneOptions| u64::from(options.seconds) * PRODUCTS_PER_SECOND;
    assert!(usual.products <= budget(&options));

    let short = FineTuneOptions {
        seconds: 10,
        ..options.clone()
    };
    let brief = of(sizes(), &short).unwrap();
    assert!(brief.products <= budget(&short) && brief.products < usual.products);
    let none = FineTuneOptions {
        seconds: 1,
        ..options.clone()
    };
    assert!(matches!(of(sizes(), &none), Err(Unfit::Time { .. })));
    let few = Sizes {
        fewest: ("roses", 19),
        ..sizes()
    };
    let refused = of(few, &options).unwrap_err().to_string();
    assert!(refused.contains("\"roses\" has 19"), "{refused}");
    let blind = Sizes {
        validation: 39,
        ..sizes()
    };
    assert_eq!(of(blind, &options), Err(Unfit::FewToJudge(39)));
    let asked = FineTuneOptions {
        blocks: Blocks::Last(2),
        ..options.clone()
    };
    assert_eq!(of(few, &asked).unwrap().blocks, 2);
    let all = FineTuneOptions {
        blocks: Blocks::All,
        epochs: Some(1),
        ..options.clone()
    };
    assert_eq!(of(sizes(), &all).unwrap().start, *starts.last().unwrap());
    // So many photos that not all views fit.
    let many = Sizes {
        training: 40_000,
        ..sizes()
    };
    let patient = FineTuneOptions {
        seconds: 3600,
        ..asked
    };
    let tight = of(many, &patient).unwrap();
    assert!(tight.views < VIEWS, "{tight:?}");

    let mut headless = backbone.int.clone();
    headless.layers.pop();
    assert_eq!(plan(&headless, sizes(), &options), Err(Unfit::Network));
}

fn prepared(folder: &std::path::Path, scratch: &std::path::Path) -> Prepared {
    for label in ["daisy", "roses", "tulips"] {
        std::fs::create_dir_all(scratch.join("photos").join(label)).unwrap();
        let mut photos: Vec<_> = folder
            .join("flower_photos")
            .join(label)
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        photos.sort();
        for photo in &photos[..20] {
            let name = photo.file_name().unwrap();
            let copy = scratch.join("photos").join(label).join(name);
            std::fs::copy(photo, copy).unwrap();
        }
    }
    let cache = Cache::open(&scratch.join("cache"), 1 << 30, |text| panic!("{text}"));
    let settings = Settings {
        layout: Default::default(),
        image_dir: scratch.join("photos"),
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        },
        cache: Some(Arc::new(cache)),
        float: false,
        strict: true,
    };
    let network = folder.join("models/mobilenet_v1_0.25_128_quant.tflite");
    let backbone = Backbone::read(&network, "0.25_128").unwrap();
    let silent = |_| Box::new(Silent) as Box<dyn Progress>;
    prepare(&settings, backbone, &silent, &mut |_| {}).unwrap()
}

/// Stops after an epoch, as Ctrl-C does.
struct Stop(usize);

impl Watch for Stop {
    fn epoch(&mut self, measurement: &Measurement) {
        self.0 = self.0.saturating_sub(measurement.epoch);
    }

    fn stopped(&self) -> bool {
        self.0 == 0
    }
}

#[test]
fn a_fine_tuned_model_answers_photos_as_it_was_measured() {
    let Some(folder) = data("fine-tuning on flower photos", "") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let prepared = prepared(&folder, scratch.path());
    let options = FineTuneOptions {
        blocks: Blocks::Last(2),
        epochs: Some(4),
        recipe: Recipe::views(2),
        ..FineTuneOptions::default()
    };
    let percentages = Percentages::new(20, 20).unwrap();
    let rule = Rule::Stable { seed: 1 };
    let options = TrainOptions::new(rule, percentages, Trainer::FineTune(options));
    let of = |watch: &mut dyn Watch| -> TrainedModel { train(&prepared, &options, watch).unwrap() };
    let outcome = of(&mut Unwatched);
    let tuned = outcome.fine_tuned.as_ref().unwrap();
    assert_eq!(tuned.history.len(), 4);
    assert_ne!(tuned.network, prepared.backbone.int);
    let start = tuned.plan.start;
    assert_eq!(
        tuned.network.layers[..start],
        prepared.backbone.int.layers[..start]
    );
    let accuracy = outcome.evaluation.accuracy();
    assert!(accuracy.whole >= 6);
    let runner = Runner::new(Model::read(&outcome.model).unwrap());
    let mut wrong = 0;
    for (label, part) in &outcome.split.labels {
        for relative in &part.testing {
            let path = folder.join("flower_photos").join(relative);
            let photo = decode(&std::fs::read(path).unwrap()).unwrap();
            let answer = argmax(&runner.output(&photo).unwrap());
            wrong += usize::from(prepared.dataset.labels[answer] != *label);
        }
    }
    assert_eq!(wrong, accuracy.rest().part);

    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let again = pool.unwrap().install(|| of(&mut Unwatched));
        assert!(again.model == outcome.model, "{threads} threads");
    }
    let stopped = of(&mut Stop(1));
    assert_eq!(stopped.fine_tuned.unwrap().history.len(), 1);
}
