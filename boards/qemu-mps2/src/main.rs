//! Classifies camera frames on an emulated Cortex-M board.
//!
//! The host passes, by semihosting, a `.posy` file and a file of frames. Each frame takes the road
//! that a camera's frames take on a real board: row by row through
//! [`posy_firmware::classify`], in exactly the memory that the model's plan says. For each frame
//! the program prints its logits and the line of ranked labels.
#![no_std]
#![no_main]

mod failure;
mod files;
mod serial;

// Its critical sections are what the logger asks for.
use cortex_m as _;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use embedded_io::Write;
use posy_firmware::camera::StoredFrame;
use posy_firmware::classify::{RowBuffers, classify};
use posy_firmware::report;
use posy_shared::engine::Engine;
use posy_shared::image::{ImageView, PixelFormat};
use posy_shared::kernels::scalar::Scalar;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;
use posy_shared::ranking::Ranking;
use semihosting::experimental::{env, time::Instant};
use semihosting::io::Read;
use semihosting::{eprintln, process};
use static_cell::ConstStaticCell;

use failure::Failure;
use serial::Serial;
#[cfg(feature = "defmt")]
use {defmt::Display2Format, defmt_semihosting as _};

/// Frames are QVGA, in the format in which the ArduCAM hands them over.
const WIDTH: u16 = 320;
const HEIGHT: u16 = 240;
const PIXELS: PixelFormat = PixelFormat::Rgb565Be;
const ROW_LEN: usize = PIXELS.row_len(WIDTH);
const FRAME_LEN: usize = ROW_LEN * HEIGHT as usize;

/// Room for a model: a real board has it in flash.
const MODEL_LEN: usize = 0x28_0000;
/// Room for the engine: the RAM of the smallest board.
const ARENA_LEN: usize = 264 * 1024;
/// Labels on a line.
const TOP: usize = 5;

/// A model at the alignment that it has in a slot of flash.
#[repr(align(16))]
struct Slot([u8; MODEL_LEN]);

static MODEL: ConstStaticCell<Slot> = ConstStaticCell::new(Slot([0; MODEL_LEN]));
static ARENA: ConstStaticCell<[i8; ARENA_LEN]> = ConstStaticCell::new([0; ARENA_LEN]);
/// What the stored-frame camera shows; a real camera keeps it to itself.
static FRAME: ConstStaticCell<[u8; FRAME_LEN]> = ConstStaticCell::new([0; FRAME_LEN]);

#[entry]
fn main() -> ! {
    match run() {
        Ok(()) => process::exit(0),
        Err(failure) => {
            #[cfg(feature = "defmt")]
            defmt::error!("{}", Display2Format(&failure));
            eprintln!("error: {failure}");
            process::exit(1)
        }
    }
}

/// Classifies every frame.
fn run() -> Result<(), Failure> {
    let mut serial = Serial::open()?;
    let arguments = env::args::<2048>().map_err(|_| Failure::Arguments)?;
    let mut arguments = arguments.skip(1).map_while(Result::ok);
    let (Some(model), Some(frames), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(Failure::Arguments);
    };

    let model = files::read(model, &mut MODEL.take().0).map_err(Failure::ModelFile)?;
    let model = Model::read(model).map_err(Failure::Model)?;
    let (arena_len, input) = (model.plan().arena_len, model.input_shape());
    let architecture = model.provenance().architecture;
    let model_len = model.file_len();
    writeln!(
        serial,
        "model: {architecture}, {model_len} bytes; arena: {arena_len} bytes"
    )?;
    #[cfg(feature = "defmt")]
    defmt::info!(
        "model: {=str}, {=usize} bytes; arena: {=usize} bytes",
        architecture,
        model_len,
        arena_len
    );
    let arena = ARENA.take();
    let arena = arena.get_mut(..arena_len).unwrap_or_default();
    let mut engine = Engine::new(&model, arena, Scalar).map_err(Failure::Engine)?;
    let mut row = [0; 3 * WIDTH as usize];
    let row = row.get_mut(..input.row_len()).ok_or(Failure::Width)?;
    engine.golden_check(row).map_err(Failure::Engine)?;
    writeln!(serial, "golden check: passed")?;

    let mut frames = files::open(frames).map_err(Failure::Frames)?;
    let (mut raw, mut rgb) = ([0; ROW_LEN], [0; 3 * WIDTH as usize]);
    let mut scratch = [0; scratch_len(WIDTH)];
    let mut buffers = RowBuffers {
        raw: &mut raw,
        rgb: &mut rgb,
        scratch: &mut scratch,
    };
    let frame = FRAME.take();
    let mut count = 0_usize;
    while read_frame(&mut frames, frame)? {
        let view = ImageView::packed(WIDTH, HEIGHT, PIXELS, frame);
        let view = view.map_err(|_| Failure::TornFrame)?;
        let mut camera = StoredFrame::new(view);
        let started = Instant::now();
        let logits = classify(&mut camera, &mut engine, &mut buffers).map_err(Failure::Classify)?;
        let time_ms = started.elapsed().as_millis() as u32;
        write!(serial, "logits:")?;
        for logit in logits {
            write!(serial, " {logit}")?;
        }
        writeln!(serial)?;
        let ranking = Ranking::<TOP>::new(&model, logits);
        report::line(&mut serial, &ranking, time_ms)?;
        #[cfg(feature = "defmt")]
        defmt::info!(
            "frame {=usize}: {=[?]}, {}, {=u32} ms",
            count,
            logits,
            Display2Format(&ranking),
            time_ms
        );
        count += 1;
    }
    writeln!(serial, "frames classified: {count}")?;
    Ok(())
}

/// Fills `frame` with the next frame; false at the end of the file.
fn read_frame(frames: &mut impl Read, frame: &mut [u8]) -> Result<bool, Failure> {
    let mut filled = 0;
    while filled < frame.len() {
        let read = frames.read(&mut frame[filled..]);
        match read.map_err(|error| Failure::Frames(error.into()))? {
            0 if filled == 0 => return Ok(false),
            0 => return Err(Failure::TornFrame),
            len => filled += len,
        }
    }
    Ok(true)
}

/// A fault ends the emulator; what cortex-m-rt does by itself is to wait for a debugger. The
/// attribute asks for the `unsafe`.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    eprintln!("error: hard fault at {:#010x}", frame.pc());
    process::exit(1)
}
