//! Labels photos with a model of `posy retrain`:
//!
//!     cargo run --release -p posy --example label -- MODEL.posy PHOTO...

use std::error::Error;
use std::path::Path;

use posy::dataset::decode::Limits;
use posy::dataset::for_model::decode_for;
use posy_nn::model_file::ModelFile;
use posy_nn::run::Runner;
use posy_shared::ranking::Ranking;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("usage: label MODEL.posy PHOTO...")?;
    let file = ModelFile::open(Path::new(&model))?;
    let runner = Runner::new(file.classifier()?);
    for path in arguments {
        let photo = decode_for(runner.model(), &std::fs::read(&path)?, &Limits::default())?;
        let logits = runner.output(&photo)?;
        println!("{path}: {}", Ranking::<5>::new(runner.model(), &logits));
    }
    Ok(())
}
