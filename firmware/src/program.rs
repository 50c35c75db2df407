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
//! on RAM, `i` for the first line and that on the camera. A laptop speaks in frames between them; see
//! [`crate::link`].

use core::convert::Infallible;
use core::fmt;

use embedded_io::Write;
use posy_shared::engine::{Engine, arena_len};
use posy_shared::kernels::Kernels;
use posy_shared::link::{Ask, Body, Refusal, Request, Times, View};
use posy_shared::model::Model;
use posy_shared::model::slot::Head;
use posy_shared::preprocess::scratch_len;
use posy_shared::shown::Shown;

use crate::camera::{Camera, CameraReport, Clock};
use crate::classify::RowBuffers;
use crate::link::{self, About, Heard, Incoming, Link, Preview};
use crate::report::notice;
use crate::service::{self, Command, Event, Pace, Service};
use crate::slot::{self, SlotError, SlotFlash};
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
    /// The next byte that came in, if there is one. Does not wait. Asked for before each picture, and all
    /// the time while there is nothing to do.
    fn poll(&mut self) -> Option<u8>;

    /// A byte that the board sends itself in a person's place: a press of the button is a `c`. Apart from
    /// [`Console::poll`], since it may come in the middle of a frame.
    fn asked(&mut self) -> Option<u8> {
        None
    }

    /// All logits of a picture, before the line of its answer. Where a person reads along there is
    /// nothing to do; a console that is read by a program can pass them on.
    ///
    /// # Errors
    /// Whatever the serial port says.
    fn logits(&mut self, logits: &[i8]) -> Result<(), Self::Error> {
        let _ = logits;
        Ok(())
    }

    /// Sends a piece of a frame to whoever sent the last byte, waiting for room; `false` where
    /// nobody takes it.
    fn frame(&mut self, bytes: &[u8]) -> bool {
        self.write_all(bytes).is_ok()
    }

    /// True if the board can restart into a boot loader.
    fn has_boot_loader(&self) -> bool {
        false
    }

    /// Restarts into the boot loader; where there is one, this does not return.
    fn restart(&mut self) {}
}

/// Stack usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Bytes at most so far.
    pub used: usize,
    /// Bytes that there are.
    pub size: usize,
}

/// Parts that a board's program runs with.
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
    /// Measures the stack usage.
    pub stack: fn() -> Stack,
    /// Watchdog, LED, and the reason of the last restart.
    pub vitals: Vitals,
}

/// RAM of a program besides its stack: `ARENA` bytes for the network, the rows on their way, and a
/// frame of the link.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Memory<const ARENA: usize> {
    arena: [i8; ARENA],
    scratch: [u32; scratch_len(MAX_WIDTH)],
    raw: [u8; 3 * MAX_WIDTH as usize],
    rgb: [u8; 3 * MAX_WIDTH as usize],
    row: [i8; 3 * MAX_WIDTH as usize],
    incoming: Incoming,
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
            incoming: Incoming::new(),
        }
    }
}

impl<const ARENA: usize> Default for Memory<ARENA> {
    fn default() -> Self {
        Self::new()
    }
}

/// Tasks of the loop around the model.
enum Next {
    /// To read the slot again.
    Read,
    /// To write it, as a laptop asks.
    Push,
    /// To make this model the one that runs, if it was found right.
    Commit(Head, Result<(), SlotError>),
}

/// The parts of the memory that pictures pass through, the link, and the camera's report.
struct Working<'m, 'l> {
    buffers: RowBuffers<'m>,
    link: &'m mut Link<'l>,
    found: &'m mut Option<CameraReport>,
}

/// Checks the model in the slot, then answers picture after picture.
///
/// A slot without a model that can be run is looked at again each second, with a line on what is
/// wrong; a model that is written meanwhile is taken up, as is one that a laptop pushes later. `kernels`
/// makes the board's kernels.
///
/// # Errors
/// Ends only where the console fails, with its error.
pub fn run<C, P, T, F, K, const ARENA: usize>(
    board: &mut Board<C, P, T>,
    flash: &mut F,
    memory: &mut Memory<ARENA>,
    kernels: impl Fn() -> K,
) -> Result<Infallible, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    F: SlotFlash,
    K: Kernels,
{
    let mut about = About {
        name: board.name,
        format: board.camera.format(),
        arena_len: ARENA,
        stack: board.stack,
        runs: false,
    };
    let Vitals {
        feed,
        sign,
        mut restart,
    } = board.vitals;
    let mut link = Link::new(&mut memory.incoming, feed);
    let kernels = || Watched::new(kernels(), feed);
    // A model that was pushed and is to be checked before it is committed, and whether that is done.
    let (mut candidate, mut proven) = (None, false);
    let (mut introduced, mut found) = (false, None);
    loop {
        feed();
        let (arena, row) = (&mut memory.arena, &mut memory.row);
        let mut working = Working {
            buffers: RowBuffers {
                raw: &mut memory.raw,
                rgb: &mut memory.rgb,
                scratch: &mut memory.scratch,
            },
            link: &mut link,
            found: &mut found,
        };
        let next = if let Some(reason) = restart.take() {
            #[cfg(feature = "defmt")]
            defmt::warn!("restarted: {=str}", reason);
            notice(&mut board.console, format_args!("restarted: {reason}"))?;
            // Where the same thing is about to happen again, it is not said without end; and it is out before.
            board.console.flush()?;
            wait::<_, _, _, _, Watched<K>>(board, flash, about, &mut working)?
        } else {
            // Read here, where it stays: a model is 5 kB, and each function that it is handed through
            // takes as much of the stack again.
            let read = match &candidate {
                Some(head) => Model::read_head(flash.bytes(), head),
                None => Model::read_slot(flash.bytes()),
            };
            if let (Ok(model), None, false) = (&read, &candidate, introduced) {
                // Before the check, which takes seconds where a network is large.
                introduce(&mut board.console, board.name, model)?;
                introduced = true;
            }
            let checked = match &read {
                Ok(model) if proven => {
                    let fits = slot::fits(model, ARENA, row.len(), &kernels());
                    fits.map(|()| model)
                }
                Ok(model) => slot::check(model, arena, row, kernels()).map(|()| model),
                Err(error) => Err((*error).into()),
            };
            proven = false;
            about.runs = checked.is_ok();
            match (candidate.take(), checked) {
                (Some(head), checked) => Next::Commit(head, checked.map(|_| ())),
                (None, Ok(model)) => {
                    serve(board, flash, about, model, arena, &mut working, kernels())?
                }
                (None, Err(error)) => {
                    introduced &= read.is_ok();
                    sign(Sign::Waiting);
                    #[cfg(feature = "defmt")]
                    defmt::error!("{}", defmt::Display2Format(&error));
                    notice(&mut board.console, error)?;
                    wait::<_, _, _, _, Watched<K>>(board, flash, about, &mut working)?
                }
            }
        };
        let (console, clock, link) = (&mut board.console, &mut board.clock, working.link);
        match next {
            Next::Read => {}
            Next::Push => {
                introduced = false;
                candidate = link::push(console, clock, flash, link, about);
            }
            Next::Commit(head, checked) => {
                proven = link::commit(console, flash, link, &head, checked);
            }
        }
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
fn serve<C, P, T, F, K>(
    board: &mut Board<C, P, T>,
    flash: &F,
    about: About,
    model: &Model<'_>,
    arena: &mut [i8],
    working: &mut Working<'_, '_>,
    kernels: K,
) -> Result<Next, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    F: SlotFlash,
    K: Kernels,
{
    notice(&mut board.console, "golden check passed")?;
    let needed = arena_len(model, &kernels);
    // The model has run in this memory: the engine has no reason to refuse it now.
    let mut engine = match Engine::new(model, arena, kernels) {
        Ok(engine) => engine,
        Err(error) => {
            notice(&mut board.console, error)?;
            return wait::<_, _, _, _, K>(board, flash, about, working);
        }
    };
    status(&mut board.console, needed, about)?;
    // What was seen before the check, or before another model was written.
    board.camera.discard_next();
    let mut service = Service::<TOP>::new(Pace::Continuous);
    loop {
        loop {
            let now_ms = board.clock.now_ms();
            match working.link.poll(&mut board.console, now_ms) {
                Heard::Nothing => break,
                Heard::Text(STATUS) => status(&mut board.console, needed, about)?,
                Heard::Text(INTRODUCE) => {
                    introduce(&mut board.console, board.name, model)?;
                    if let Some(report) = working.found {
                        notice(&mut board.console, format_args!("camera: {report}"))?;
                    }
                }
                Heard::Text(byte) => {
                    if let Some(command) = Command::from_byte(byte) {
                        service.command(command);
                    }
                }
                Heard::Request => {
                    let engine = Some(&mut engine);
                    if let Some(next) = answer(board, flash, about, working, engine)? {
                        return Ok(next);
                    }
                }
            }
        }
        if !working.link.paused {
            // What is classified is never small.
            board.camera.leave_small();
        }
        if working.link.is_open() {
            linked_step(board, working, &mut service, &mut engine)?;
            continue;
        }
        let (camera, clock) = (&mut board.camera, &mut board.clock);
        let event = service.step(camera, &mut engine, &mut working.buffers, clock);
        show(board.vitals.sign, &event, working.found);
        tell(&mut board.console, &event, &engine)?;
    }
}

/// Shows on the LED what came of a step; keeps the report on the camera.
fn show<E>(sign: fn(Sign), event: &Event<'_, E, TOP>, found: &mut Option<CameraReport>) {
    match event {
        Event::Failed { .. } => sign(Sign::Trouble),
        Event::Camera { report, .. } => *found = Some(*report),
        Event::Answer { .. } => sign(Sign::Answering),
        Event::Idle | Event::Settling => {}
    }
}

/// Says what came of a step.
fn tell<P: Console, E: fmt::Display, K: Kernels>(
    console: &mut P,
    event: &Event<'_, E, TOP>,
    engine: &Engine<'_, '_, K>,
) -> Result<(), P::Error> {
    #[cfg(feature = "defmt")]
    service::log(event);
    if let (Event::Answer { .. }, Some(logits)) = (event, engine.last_output()) {
        #[cfg(feature = "defmt")]
        defmt::debug!("logits {=[?]}", logits);
        console.logits(logits)?;
    }
    service::tell(console, event)
}

/// A step with a laptop connected: a picture is sent, classified, or both, or neither.
fn linked_step<C, P, T, K>(
    board: &mut Board<C, P, T>,
    working: &mut Working<'_, '_>,
    service: &mut Service<TOP>,
    engine: &mut Engine<'_, '_, K>,
) -> Result<(), P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    K: Kernels,
{
    let Board {
        camera,
        console,
        clock,
        vitals,
        ..
    } = board;
    let model = engine.model();
    let view = working.link.view;
    if working.link.paused {
        return match view {
            Some(view) => capture(camera, console, clock, working, Some(model), view),
            None => Ok(()),
        };
    }
    let Working {
        buffers,
        link,
        found,
    } = working;
    // The engine forgets a picture of the laptop's.
    link.finished = None;
    let event = match view {
        Some(view) => {
            let mut preview = Preview::new(console, link, view, Some(model));
            let event = service.step_seen(camera, engine, buffers, clock, &mut preview);
            if !preview.end(matches!(event, Event::Answer { .. })) {
                link.close();
            }
            event
        }
        None => service.step(camera, engine, buffers, clock),
    };
    if let (Event::Answer { times, .. }, Some(logits)) = (&event, engine.last_output()) {
        link.frame = link.frame.wrapping_add(u16::from(view.is_none()));
        let answer = Body::Answer {
            frame: link.frame,
            times: Times {
                capture_ms: times.capture_ms,
                rows_ms: times.rows_ms,
                network_ms: times.network_ms,
                total_ms: times.total_ms,
            },
            logits: bytemuck::cast_slice(logits),
        };
        if link.is_open() && !link.say(console, answer) {
            link.close();
        }
    }
    show(vitals.sign, &event, found);
    tell(console, &event, engine)
}

/// Sends a picture that nothing asked for by number; after a failure of the camera, which is said, waits as after
/// a picture that was to be classified.
fn capture<C, P, T>(
    camera: &mut C,
    console: &mut P,
    clock: &mut T,
    working: &mut Working<'_, '_>,
    model: Option<&Model<'_>>,
    view: View,
) -> Result<(), P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
{
    let Working {
        buffers,
        link,
        found,
    } = working;
    let parts = (model, buffers, &mut **found);
    let Err(error) = link::capture(camera, console, link, view, parts, None) else {
        return Ok(());
    };
    notice(console, error)?;
    let since_ms = clock.now_ms();
    while clock.now_ms().wrapping_sub(since_ms) < service::PAUSE_MS {
        if link.poll(console, clock.now_ms()) == Heard::Request {
            link.hold();
            break;
        }
    }
    Ok(())
}

/// Answers a request; what is to be done in place of going on, if anything.
fn answer<C, P, T, F, K>(
    board: &mut Board<C, P, T>,
    flash: &F,
    about: About,
    working: &mut Working<'_, '_>,
    engine: Option<&mut Engine<'_, '_, K>>,
) -> Result<Option<Next>, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    F: SlotFlash,
    K: Kernels,
{
    let Working {
        buffers,
        link,
        found,
    } = working;
    let Some(request) = link.request() else {
        return Ok(None);
    };
    let Request { epoch, number, ask } = request;
    let console = &mut board.console;
    if link::inform(console, flash, about, request) {
        return Ok(None);
    }
    match ask {
        Ask::Preview {
            view: Some(View::Small),
        }
        | Ask::Capture { view: View::Small }
            if !link.paused || !board.camera.has_small() =>
        {
            let refusal = match link.paused {
                true => Refusal::Unsupported,
                false => Refusal::Order,
            };
            link::settle(console, epoch, number, Err(refusal));
            return Ok(None);
        }
        Ask::Pause => link.paused = true,
        Ask::Resume => {
            link.paused = false;
            link.view = link.view.filter(|view| *view != View::Small);
        }
        Ask::Preview { view } => link.view = view,
        Ask::Capture { view } => {
            let parts = (engine.map(|engine| engine.model()), buffers, &mut **found);
            let camera = &mut board.camera;
            let captured = link::capture(camera, console, link, view, parts, Some(number));
            return match captured {
                Ok(()) => Ok(None),
                Err(error) => notice(console, error).map(|()| None),
            };
        }
        Ask::Begin { .. } | Ask::Row { .. } | Ask::Finish => {
            // It is old once the laptop's picture is done.
            board.camera.discard_next();
            match engine {
                Some(engine) => link::rows(console, &mut board.clock, link, engine, buffers),
                None => {
                    link::settle(console, epoch, number, Err(Refusal::NoModel));
                }
            }
            return Ok(None);
        }
        Ask::Erase { .. } | Ask::Write { .. } | Ask::Clear | Ask::Commit { .. } => {
            return Ok(Some(Next::Push));
        }
        Ask::Restart if console.has_boot_loader() => {
            link::settle(console, epoch, number, Ok(()));
            console.restart();
            return Ok(None);
        }
        _ => {
            link::settle(console, epoch, number, Err(Refusal::Unsupported));
            return Ok(None);
        }
    }
    link::settle(console, epoch, number, Ok(()));
    Ok(None)
}

/// Waits until the same thing may be said again. Without a model a person can ask for nothing, and a
/// laptop for everything but the network.
fn wait<C, P, T, F, K>(
    board: &mut Board<C, P, T>,
    flash: &F,
    about: About,
    working: &mut Working<'_, '_>,
) -> Result<Next, P::Error>
where
    C: Camera<Error: core::fmt::Display>,
    P: Console,
    T: Clock,
    F: SlotFlash,
    K: Kernels,
{
    let since_ms = board.clock.now_ms();
    while board.clock.now_ms().wrapping_sub(since_ms) < REPEAT_MS {
        let now_ms = board.clock.now_ms();
        match working.link.poll(&mut board.console, now_ms) {
            Heard::Request => {
                let none = None::<&mut Engine<'_, '_, K>>;
                if let Some(next) = answer(board, flash, about, working, none)? {
                    return Ok(next);
                }
            }
            Heard::Text(_) => {}
            Heard::Nothing => {
                if let Some(view) = working.link.view {
                    let Board {
                        camera,
                        console,
                        clock,
                        ..
                    } = board;
                    capture(camera, console, clock, working, None, view)?;
                }
            }
        }
    }
    Ok(Next::Read)
}

/// Says what memory is used.
fn status<P: Console>(console: &mut P, needed: usize, about: About) -> Result<(), P::Error> {
    let Stack { used, size } = (about.stack)();
    let room = about.arena_len;
    #[cfg(feature = "defmt")]
    defmt::info!(
        "RAM {=usize} of {=usize} bytes for the network, stack {=usize} of {=usize} bytes so far",
        needed,
        room,
        used,
        size
    );
    notice(
        console,
        format_args!(
            "RAM {needed} of {room} bytes for the network, stack {used} of {size} bytes so far"
        ),
    )
}
