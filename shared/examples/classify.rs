//! Runs a model on a network's raw input, int8 `[H, W, 3]`, with the reference kernels:
//!
//!     cargo run --release -p posy-shared --features std --example classify -- MODEL.posy INPUT

use std::error::Error;

use posy_shared::engine::{Engine, arena_len};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(input)) = (arguments.next(), arguments.next()) else {
        return Err("usage: classify MODEL.posy INPUT".into());
    };
    let file = std::fs::read(model)?;
    let model = Model::read(&file)?;
    let mut arena = vec![0; arena_len(&model, &Scalar)];
    let mut engine = Engine::new(&model, &mut arena, Scalar)?;
    let input: Vec<i8> = std::fs::read(input)?
        .into_iter()
        .map(|byte| byte as i8)
        .collect();
    for row in input.chunks_exact(model.input_shape().row_len()) {
        engine.push_row(row)?;
    }
    println!("{}", Ranking::<5>::new(&model, engine.finish()?));
    Ok(())
}
