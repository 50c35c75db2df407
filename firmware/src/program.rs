//! A board's whole program: what its `main` calls once clocks, pins and ports are up.
//!
//! ```text
//! posy: rp-pico, mobilenet_v1_0.25_128, 5 labels, 234413 bytes
//! posy: golden check passed
//! posy: RAM 18176 of 237568 bytes for the network, stack 12480 of 26112 bytes so far
//! posy: camera: OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 153,608 bytes
//! daisy 97.2%  roses 1.9%  412 ms
//! ```
//!
//! Bytes that come in: `c` asks for one answer, `r` for one after another again, `s` for the line
//! on RAM, `i` for the first line and that on the camera.

use core::convert::Infallible;

use embedded_io::Write;
use posy_shared::engine::{Engine, arena_len};
use posy_shared::kernels::Kernels;
use posy_shared::model::Model;
use posy_shared::preprocess::scratch_len;
use posy_shared::shown::Shown;

use crate::camera::{Camera, Clock};
use crate::classify::RowBuffers;
use crate::report::notice;
use crate::service::{self, Command, Event, Pace, Service};
use crate::slot;
use crate::vitals::{Sign, Vitals};
use crate::watched::Watched;

/// Pixels in the longest row that a program has room for: of a camera's frame, and of a network's
/// input.
pub const MAX_WIDTH: u16 = 320;

/// Labels on a line.
pub const TOP: usize = 5;

/// Milliseconds between two lines on what is wrong with the model slot.
pub const REPEAT_MS: u32 = 1000;

/// Asks for the line on RAM.
const STATUS: u8 = b's';

/// Asks for the board's introduction: what a program that has opened a port late has missed.
pub const INTRODUCE: u8 = b'i';

/// The serial ports of a board, all of them at once, and its button.
pub trait Console: Write {
    /// The next byte that a person sent, if there is one; a press of the button is a `c`. Does not
    /// wait. Asked for before each picture, and all the time while there is nothing to do.
    fn poll(&mut self) -> Option<u8>;

    /// All logits of a picture, before the line of its answer. Where a person reads along there is
    /// nothing to do; a console that is read by a program can pass them on.
    ///
    /// # Errors
    /// Whatever the serial port says.
    fn logits(&mut self, logits: &[i8]) -> Result<(), Self::Error> {
        let _ = logits;
        Ok(())
    }
}

/// How much of the stack has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Bytes at most so far.
    pub used: usize,
    /// Bytes that there are.
    pub size: usize,
}

/// What a board's program runs with.
#[derive(Debug)]
pub struct Board<C, P, T> {
    /// The board's name, as `posy flash --board` takes it.
    pub name: &'static str,
    /// The camera.
    pub camera: C,
    /// Serial ports and button.
    pub console: P,
    /// Milliseconds.
    pub clock: T,
    /// How much of the stack has been used.
    pub stack: fn() -> Stack,
    /// Watchdog, LED, and the reason of the last restart.
    pub vitals: Vitals,
}

/// RAM of a program besides its stack: `ARENA` bytes for the network, and the rows on their way.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Memory<const ARENA: usize> {
    arena: [i8; ARENA],
    scratch: [u32; scratch_len(MAX_WIDTH)],
    raw: [u8; 3 * MAX_WIDTH as usize],
    rgb: [u8; 3 * MAX_WIDTH as usize],
    row: [i8; 3 * MAX_WIDTH as usize],
}

impl<const ARENA: usize> Memory<ARENA> {
    /// Zeros.
    pub const fn new() -> Self {
        Memory {
            arena: [0; ARENA],
            scratch: [0; scratch_len(MAX_WIDTH)],
            raw: [0; 3 * MAX_WIDTH as usize],
            rgb: [0; 3 * MAX_WIDTH as usize],
            row: [0; 3 * MAX_WIDTH as usize],
        }
    }
}

impl<const ARENA: usize> Default for Memory<ARENA> {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks the model in `slot`, then answers picture after picture.
///
/// A slot without a model that can be run is looked at again each second, with a line on what is
/// wrong; a model that is written meanwhile is taken up. `kernels` makes the board's kernels.
///
/// # Errors
/// Ends only where the console fails, with its error.
pub fn run<C, P, T, K, const ARENA: usize>(
    board: &mut Board<C, P, T>,
    slot: &[u8],
    memory: &mut Memory<ARENA>,
    kernels: impl Fn() -> K,
) -> Result<Infallible, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    K: Kernels,
{
    let Vitals {
        feed,
        sign,
        restart,
    } = board.vitals;
    if let Some(reason) = restart {
        #[cfg(feature = "defmt")]
        defmt::warn!("restarted: {=str}", reason);
        notice(&mut board.console, format_args!("restarted: {reason}"))?;
        // Where the same thing is about to happen again, it is not said without end; and it is out before.
        board.console.flush()?;
        wait(board);
    }
    let mut introduced = false;
    let kernels = || Watched::new(kernels(), feed);
    loop {
        feed();
        // Read here, where it stays: a model is 5 kB, and each function that it is handed through
        // takes as much of the stack again.
        let read = Model::read_slot(slot);
        let checked = match &read {
            Ok(model) => {
                // Before the check, which takes seconds where a network is large.
                if !introduced {
                    introduce(&mut board.console, board.name, model)?;
                    introduced = true;
                }
                slot::check(model, &mut memory.arena, &mut memory.row, kernels()).map(|()| model)
            }
            Err(error) => Err((*error).into()),
        };
        match checked {
            Ok(model) => return serve(board, model, memory, kernels()),
            Err(error) => {
                introduced &= read.is_ok();
                sign(Sign::Waiting);
                #[cfg(feature = "defmt")]
                defmt::error!("{}", defmt::Display2Format(&error));
                notice(&mut board.console, error)?;
            }
        }
        wait(board);
    }
}

/// Says which board this is and which model it has.
fn introduce<P: Console>(console: &mut P, name: &str, model: &Model<'_>) -> Result<(), P::Error> {
    let architecture = Shown::name(model.provenance().architecture);
    let (labels, len) = (model.labels().count(), model.file_len());
    #[cfg(feature = "defmt")]
    defmt::info!(
        "{=str}, {}, {=usize} bytes",
        name,
        defmt::Display2Format(&architecture),
        len
    );
    notice(
        console,
        format_args!("{name}, {architecture}, {labels} labels, {len} bytes"),
    )
}

/// Classifies with a model that has been checked.
fn serve<C, P, T, K, const ARENA: usize>(
    board: &mut Board<C, P, T>,
    model: &Model<'_>,
    memory: &mut Memory<ARENA>,
    kernels: K,
) -> Result<Infallible, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    K: Kernels,
{
    let Vitals { feed, sign, .. } = board.vitals;
    notice(&mut board.console, "golden check passed")?;
    let needed = arena_len(model, &kernels);
    // The model has run in this memory: the engine has no reason to refuse it now.
    let mut engine = match Engine::new(model, &mut memory.arena, kernels) {
        Ok(engine) => engine,
        Err(error) => loop {
            notice(&mut board.console, error)?;
            wait(board);
        },
    };
    let mut buffers = RowBuffers {
        raw: &mut memory.raw,
        rgb: &mut memory.rgb,
        scratch: &mut memory.scratch,
    };
    status::<_, ARENA>(&mut board.console, needed, (board.stack)())?;
    let mut service = Service::<TOP>::new(Pace::Continuous);
    let mut found = None;
    loop {
        feed();
        while let Some(byte) = board.console.poll() {
            if byte == STATUS {
                status::<_, ARENA>(&mut board.console, needed, (board.stack)())?;
            } else if byte == INTRODUCE {
                introduce(&mut board.console, board.name, model)?;
                if let Some(report) = found {
                    notice(&mut board.console, format_args!("camera: {report}"))?;
                }
            } else if let Some(command) = Command::from_byte(byte) {
                service.command(command);
            }
        }
        let (camera, clock) = (&mut board.camera, &mut board.clock);
        let event = service.step(camera, &mut engine, &mut buffers, clock);
        match event {
            Event::Failed { .. } => sign(Sign::Trouble),
            Event::Camera { report, .. } => found = Some(report),
            Event::Answer { .. } => sign(Sign::Answering),
            _ => {}
        }
        #[cfg(feature = "defmt")]
        service::log(&event);
        if let (Event::Answer { .. }, Some(logits)) = (&event, engine.last_output()) {
            #[cfg(feature = "defmt")]
            defmt::debug!("logits {=[?]}", logits);
            board.console.logits(logits)?;
        }
        service::tell(&mut board.console, &event)?;
    }
}

/// Waits until the same thing may be said again. Without a model nothing can be asked for.
fn wait<C, P: Console, T: Clock>(board: &mut Board<C, P, T>) {
    let since_ms = board.clock.now_ms();
    while board.clock.now_ms().wrapping_sub(since_ms) < REPEAT_MS {
        (board.vitals.feed)();
        while board.console.poll().is_some() {}
    }
}

/// Says what memory is used.
fn status<P: Console, const ARENA: usize>(
    console: &mut P,
    needed: usize,
    Stack { used, size }: Stack,
) -> Result<(), P::Error> {
    #[cfg(feature = "defmt")]
    defmt::info!(
        "RAM {=usize} of {=usize} bytes for the network, stack {=usize} of {=usize} bytes so far",
        needed,
        ARENA,
        used,
        size
    );
    notice(
        console,
        format_args!(
            "RAM {needed} of {ARENA} bytes for the network, stack {used} of {size} bytes so far"
        ),
    )
}
