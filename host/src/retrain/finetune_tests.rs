//! On flower photos: fine-tuned features equal those that the whole model computes from the photo's
//! file.

use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};

use super::*;
use crate::dataset::decode::decode;
use crate::dataset::split::{Percentages, Rule};
use crate::features::progress::Silent;
use crate::features::testing::data;
use crate::retrain::{Tested, Trainer, prepare, train};
use crate::train::metrics::argmax;

fn prepared(folder: &std::path::Path, recipe: Recipe) -> Prepared {
    let scratch = tempfile::tempdir().unwrap();
    for label in ["daisy", "roses", "tulips"] {
        std::fs::create_dir(scratch.path().join(label)).unwrap();
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
            std::fs::copy(photo, scratch.path().join(label).join(name)).unwrap();
        }
    }
    let settings = Settings {
        layout: Default::default(),
        image_dir: scratch.path().to_owned(),
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        },
        cache: None,
        float: false,
        strict: true,
    };
    let network = folder.join("models/mobilenet_v1_0.25_128_quant.tflite");
    let backbone = Backbone::read(&network, "0.25_128").unwrap();
    let silent = |_| Box::new(Silent) as Box<dyn Progress>;
    let mut prepared = prepare(&settings, backbone, &silent, &mut |_| {}).unwrap();
    let variants = prepare_variants(&prepared, &settings, recipe, &Silent).unwrap();
    prepared.variants = Some(variants);
    prepared
}

#[test]
fn an_adjusted_model_answers_photos_as_it_was_measured() {
    let Some(folder) = data("adjusting on flower photos", "") else {
        return;
    };
    let recipe = Recipe {
        count: 2,
        ..Recipe::default()
    };
    let prepared = prepared(&folder, recipe);
    let variants = prepared.variants.as_ref().unwrap();
    // With the original layer, the maps give the features of the whole network.
    let (layer, _) = last(&prepared).unwrap();
    let unchanged = features(
        &prepared,
        &prepared.backbone.int,
        &variants.values,
        layer.common.input,
    )
    .unwrap();
    assert_eq!(unchanged, prepared.int8);

    let options = finetune::Options {
        epochs: 10,
        ..finetune::Options::default()
    };
    let outcome = train(
        &prepared,
        &Rule::Stable { seed: 1 },
        Percentages::new(20, 20).unwrap(),
        &Trainer::Adjust(options),
        Tested::ALL,
        &mut |_| {},
    )
    .unwrap();
    assert!(outcome.int8.photos >= 6);
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
    assert_eq!(wrong, outcome.int8.photos - outcome.int8.right);
    assert_eq!(wrong, outcome.misclassified.len());

    // The network differs from the original, except for the layers before the last.
    let logistic = Trainer::Logistic(logistic::Strength::default());
    let plain = Prepared {
        variants: None,
        ..prepared
    };
    let plain = train(
        &plain,
        &Rule::Stable { seed: 1 },
        Percentages::new(20, 20).unwrap(),
        &logistic,
        Tested::ALL,
        &mut |_| {},
    )
    .unwrap();
    assert_ne!(plain.model, outcome.model);
}
