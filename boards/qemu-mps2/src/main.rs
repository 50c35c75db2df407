//! Classifies camera frames on an emulated Cortex-M board.
//!
//! The host passes, by semihosting, a `.posy` file and a file of frames. The model lies in memory
//! as it would in a board's flash, the frames come from a camera row by row, and everything
//! between is [`posy_firmware::program::run`], the loop of every board. What a board's lines do not
//! show, all logits of a picture, is printed before its answer.
//!
//! With `--serial` behind both, the machine's UART is the board's serial port, and the model can be
//! replaced over it.
//!
//! Instead of frames the host may ask for the instructions of each layer, or, without a model, for a
//! comparison of the kernels with their reference.
#![no_std]
#![no_main]

mod camera;
mod console;
mod failure;
mod files;
mod flash;
mod profile;
mod uart;

use core::cell::Cell;
use core::convert::Infallible;
use core::fmt;

// Its critical sections are what the logger asks for.
use cortex_m as _;
use cortex_m_rt::{ExceptionFrame, entry, exception};
#[cfg(feature = "defmt")]
use defmt_semihosting as _;
use posy_board::stack;
use posy_firmware::program::{Board, Memory, run};
use posy_firmware::slot::FixedSlot;
#[cfg(feature = "an385")]
use posy_shared::kernels::armv6m::Armv6m;
#[cfg(not(feature = "an385"))]
use posy_shared::kernels::dsp::Dsp;
use semihosting::experimental::{env, time::Instant};
use semihosting::{eprintln, print, process};
use static_cell::ConstStaticCell;

use camera::FrameFile;
use console::Terminal;
use failure::Failure;
use flash::RamFlash;
use uart::Serial;

/// As QEMU calls the machine.
const NAME: &str = if cfg!(feature = "an385") {
    "mps2-an385"
} else if cfg!(feature = "an386") {
    "mps2-an386"
} else if cfg!(feature = "an500") {
    "mps2-an500"
} else {
    "mps2-an505"
};

/// Bytes of the model slot: a real board has it in flash.
const SLOT_LEN: usize = 0x28_0000;
/// Bytes for the network: the RAM of the smallest board.
const ARENA: usize = 264 * 1024;

/// The model slot, at an alignment that it has in flash.
#[repr(align(16))]
struct Slot([u8; SLOT_LEN]);

static SLOT: ConstStaticCell<Slot> = ConstStaticCell::new(Slot([0; SLOT_LEN]));
/// Memory for the network where it runs without the rest of the program.
#[repr(align(16))]
struct Arena([i8; ARENA]);

static BARE: ConstStaticCell<Arena> = ConstStaticCell::new(Arena([0; ARENA]));
static MEMORY: ConstStaticCell<Memory<ARENA>> = ConstStaticCell::new(Memory::new());

#[entry]
fn main() -> ! {
    end(run_arguments())
}

/// Does what the host asks for by arguments.
fn run_arguments() -> Result<(), Failure> {
    let arguments = env::args::<2048>().map_err(|_| Failure::Arguments)?;
    let mut arguments = arguments.skip(1).map_while(Result::ok);
    let arguments = (arguments.next(), arguments.next(), arguments.next());
    match arguments {
        (Some("--check"), None, None) => profile::check(&mut kernels(), &mut Output),
        (Some(model), Some("--profile"), None) => {
            profile::profile(read(model)?, &mut BARE.take().0, kernels(), &mut Output)
        }
        (Some(model), Some(frames), None) => {
            let Err(failure) = classify(read(model)?, frames);
            Err(failure)
        }
        (Some(model), Some(frames), Some("--serial")) => {
            let Err(failure) = serve(read(model)?, frames);
            Err(failure)
        }
        _ => Err(Failure::Arguments),
    }
}

/// The kernels of Armv6-M, which run on any core.
#[cfg(feature = "an385")]
fn kernels() -> Armv6m {
    Armv6m::new()
}

/// The kernels of the emulated cores.
#[cfg(not(feature = "an385"))]
fn kernels() -> Dsp {
    // SAFETY: the emulated cores have the DSP extension and a floating-point unit, which the start-up
    // code for these targets switches on.
    unsafe { Dsp::new() }
}

/// Standard output.
struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

/// The model slot with the file `model` in it.
fn read(model: &str) -> Result<&'static mut [u8], Failure> {
    let slot = &mut SLOT.take().0;
    let written = files::read(model, slot).map_err(Failure::Model)?.len();
    // What is not written of flash is erased.
    slot[written..].fill(0xFF);
    Ok(slot)
}

/// Classifies every frame; the console ends the program then.
fn classify(slot: &[u8], frames: &str) -> Result<Infallible, Failure> {
    let shown = Cell::new(0);
    let camera = FrameFile::open(frames, &shown)?;
    let console = Terminal::open(camera.frames(), &shown)?;
    let started = Instant::now();
    let mut board = Board {
        name: NAME,
        camera,
        console,
        clock: || started.elapsed().as_millis() as u32,
        stack,
    };
    Ok(run(
        &mut board,
        &mut FixedSlot(slot),
        MEMORY.take(),
        kernels,
    )?)
}

/// Classifies the frames over and over, with the UART as the serial port and a slot that can be written.
fn serve(slot: &'static mut [u8], frames: &str) -> Result<Infallible, Failure> {
    let shown = Cell::new(0);
    let camera = FrameFile::open(frames, &shown)?;
    let console = Serial::open(camera.frames(), &shown);
    let started = Instant::now();
    let mut board = Board {
        name: NAME,
        camera,
        console,
        clock: || started.elapsed().as_millis() as u32,
        stack,
    };
    let mut slot = RamFlash(slot);
    Ok(run(&mut board, &mut slot, MEMORY.take(), kernels)?)
}

/// Ends the emulator: with code 0, or with the reason and code 1.
fn end(result: Result<(), Failure>) -> ! {
    let Err(failure) = result else {
        process::exit(0);
    };
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(&failure));
    eprintln!("error: {failure}");
    process::exit(1)
}

/// A fault ends the emulator; what cortex-m-rt does by itself is to wait for a debugger.
///
/// # Safety
/// The processor alone calls it; the attribute asks for the `unsafe`.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    eprintln!("error: hard fault at {:#010x}", frame.pc());
    process::exit(1)
}
