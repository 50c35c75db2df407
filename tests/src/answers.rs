//! What the laptop answers: what a board is compared with.

use posy_firmware::camera::StoredFrame;
use posy_firmware::classify::{RowBuffers, classify};
use posy_firmware::program::TOP;
use posy_shared::engine::Engine;
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;
use posy_shared::ranking::{Ranking, Score};
use serde_json::Value;

use crate::frames::{WIDTH, view};
use crate::scratch::Scratch;

/// What a frame was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// All logits.
    pub logits: Vec<i8>,
    /// The printed line without the time: `daisy 97.2%  roses 1.9%`.
    pub ranking: String,
}

/// Retrains `architecture` on the photos in the folder `photos`; the file's name.
pub fn retrain(scratch: &Scratch, architecture: &str) -> String {
    let name = format!("{architecture}.posy");
    let options = ["retrain", "--no-float", "--architecture", architecture];
    let folders = ["--image-dir", "photos", "--bottleneck-dir", "cache"];
    let output = ["--output-graph", &name];
    scratch
        .posy([&options[..], &folders, &output].concat())
        .succeeds();
    name
}

/// What `posy label` says of the images in the folder `frames`, written as a board writes it.
pub fn labelled(scratch: &Scratch, model: &str) -> Vec<Answer> {
    let outcome = scratch
        .posy(["label", "--json", "--model", model, "frames"])
        .succeeds();
    let answer = |line: &str| {
        let json: Value = serde_json::from_str(line).unwrap();
        let logits = json["logits"].as_array().unwrap().iter();
        let unknown = json["unknown"] == true;
        let ranked = json["labels"].as_array().unwrap().iter().map(|ranked| {
            let fine = ranked["score"].as_f64().unwrap() * f64::from(Score::ONE.fine());
            let (whole, tenths) = Score::from_fine(fine as u32).percent();
            format!("{} {whole}.{tenths}%", ranked["label"].as_str().unwrap())
        });
        let words = unknown.then(|| "unknown".to_owned()).into_iter();
        Answer {
            logits: logits.map(|logit| logit.as_i64().unwrap() as i8).collect(),
            ranking: words.chain(ranked).collect::<Vec<_>>().join("  "),
        }
    };
    outcome.stdout.lines().map(answer).collect()
}

/// What the firmware's loop gives on the laptop.
pub fn classified(model: &[u8], frames: &[Vec<u8>]) -> Vec<Answer> {
    let model = Model::read(model).unwrap();
    let mut arena = vec![0; model.plan().arena_len];
    let mut engine = Engine::new(&model, &mut arena, Scalar).unwrap();
    let mut raw = vec![0; 2 * usize::from(WIDTH)];
    let mut rgb = vec![0; 3 * usize::from(WIDTH)];
    let mut scratch = vec![0; scratch_len(model.input_shape().width)];
    let mut buffers = RowBuffers {
        raw: &mut raw,
        rgb: &mut rgb,
        scratch: &mut scratch,
    };
    let answer = |frame: &Vec<u8>| {
        let mut camera = StoredFrame::new(view(frame));
        let logits = classify(&mut camera, &mut engine, &mut buffers).unwrap();
        Answer {
            logits: logits.to_vec(),
            ranking: Ranking::<TOP>::new(&model, logits).to_string(),
        }
    };
    frames.iter().map(answer).collect()
}
