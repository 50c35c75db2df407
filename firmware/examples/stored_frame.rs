//! Classifies a frame in memory as a board would:
//!
//!     cargo run --release -p posy-firmware --example stored_frame -- MODEL.posy FRAME
//!
//! `FRAME` is 320 x 240 pixels of RGB565, high byte first, as the ArduCAM writes them.

use std::error::Error;

use posy_firmware::camera::StoredFrame;
use posy_firmware::classify::{RowBuffers, classify};
use posy_shared::engine::{Engine, arena_len};
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;
use posy_shared::ranking::Ranking;

const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(frame)) = (arguments.next(), arguments.next()) else {
        return Err("usage: stored_frame MODEL.posy FRAME".into());
    };
    let (file, pixels) = (std::fs::read(model)?, std::fs::read(frame)?);
    let model = Model::read(&file)?;
    let format = PixelFormat::Rgb565Be;
    let stride = format.row_len(WIDTH);
    let mut camera = StoredFrame::new(ImageView::new(WIDTH, HEIGHT, stride, format, &pixels)?);

    let mut arena = vec![0; arena_len(&model, &Scalar)];
    let mut engine = Engine::new(&model, &mut arena, Scalar)?;
    let mut buffers = RowBuffers {
        raw: &mut vec![0; stride],
        rgb: &mut vec![0; 3 * usize::from(WIDTH)],
        scratch: &mut vec![0; scratch_len(model.input_shape().width)],
    };
    let logits = classify(&mut camera, &mut engine, &mut buffers)?;
    println!("{}", Ranking::<5>::new(&model, logits));
    Ok(())
}
