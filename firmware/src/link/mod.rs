//! The board's side of the link: requests of a laptop between the bytes of the console.
//!
//! | to change | open |
//! |---|---|
//! | when a connection begins and ends | here |
//! | pictures on their way to a laptop | `pictures.rs` |
//! | pictures that a laptop sends | `rows.rs` |
//! | writing the slot | `push.rs` |
//!
//! A board waits for a laptop no longer than [`SILENCE_MS`], and sends nothing while none is connected.

mod pictures;
mod push;
mod rows;

use core::fmt::{self, Write as _};

pub use pictures::{Preview, capture};
pub use push::{commit, push};
pub use rows::rows;

use heapless::String;
use posy_shared::link::{
    Ask, Body, FRAME_LEN, Identity, LyingModel, Message, Received, Receiver, Refusal, Reply,
    Request, SILENCE_MS, VERSION, View, send,
};
use posy_shared::model::{CRC, FORMAT_VERSION, slot};

use crate::camera::FrameFormat;
use crate::program::{Console, Stack};
use crate::slot::SlotFlash;

/// Maximum number of sectors whose checksums are sent at once.
const CHECKSUMS: usize = 64;

/// Bytes of a reason at most.
const REASON: usize = 160;

/// Offset of the backbone's CRC-32 in a head.
const BACKBONE_CRC: usize = 36;

/// Input from the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No more input for now.
    Nothing,
    /// A byte of a person's.
    Text(u8),
    /// A request of the connection: [`Link::request`].
    Request,
}

/// Room for the frame that is coming in. Zeros at first: in a static it takes no room in flash.
pub type Incoming = Receiver<FRAME_LEN>;

/// The state of the link.
#[derive(Debug)]
pub struct Link<'m> {
    receiver: &'m mut Incoming,
    /// Feeds the watchdog.
    pub feed: fn(),
    /// The connection; 0 for none.
    epoch: u32,
    /// When its last request came.
    heard_ms: u32,
    /// True if the request in the receiver is to be heard again.
    held: bool,
    /// True while pictures are left unclassified.
    pub paused: bool,
    /// Kind of pictures that are sent as they are taken, if any.
    pub view: Option<View>,
    /// Number of the last picture.
    pub frame: u16,
    /// Number of the request that ended a picture of the laptop's, while the engine has its logits.
    pub finished: Option<u16>,
}

impl<'m> Link<'m> {
    /// Without a connection; `feed` feeds the watchdog.
    pub const fn new(receiver: &'m mut Incoming, feed: fn()) -> Self {
        Link {
            receiver,
            feed,
            epoch: 0,
            heard_ms: 0,
            held: false,
            paused: false,
            view: None,
            frame: 0,
            finished: None,
        }
    }

    /// True if a laptop is connected.
    pub const fn is_open(&self) -> bool {
        self.epoch != 0
    }

    /// Forgets the connection, and what it asked for.
    pub const fn close(&mut self) {
        self.epoch = 0;
        self.held = false;
        self.paused = false;
        self.view = None;
        self.finished = None;
    }

    /// Takes bytes of the console up to the next that means something.
    pub fn poll<P: Console>(&mut self, console: &mut P, now_ms: u32) -> Heard {
        (self.feed)();
        if self.held {
            self.held = false;
            return Heard::Request;
        }
        while let Some(byte) = console.poll() {
            match self.receiver.push(byte) {
                Received::Text(byte) => return Heard::Text(byte),
                Received::Frame => return self.admit(console, now_ms),
                Received::Nothing | Received::Damaged => {}
            }
        }
        if let Some(byte) = console.asked() {
            return Heard::Text(byte);
        }
        if self.is_open() && now_ms.wrapping_sub(self.heard_ms) >= SILENCE_MS {
            self.close();
        }
        Heard::Nothing
    }

    /// The request that was heard last; to be asked for before the next one is.
    pub fn request(&self) -> Option<Request<'_>> {
        self.receiver.message()
    }

    /// Lets the request that was heard last be heard again.
    pub const fn hold(&mut self) {
        self.held = true;
    }

    /// Answers what concerns the connection alone; lets through what else is of this connection.
    fn admit<P: Console>(&mut self, console: &mut P, now_ms: u32) -> Heard {
        let Some((epoch, number)) = self.receiver.start::<(u32, u16)>() else {
            return Heard::Nothing;
        };
        let ask = self.request().map(|request| request.ask);
        if let (Some(Ask::Hello { version }), true) = (ask, epoch != 0) {
            if version != VERSION {
                let refusal = Refusal::Version { speaks: VERSION };
                refuse(console, epoch, number, refusal);
                return Heard::Nothing;
            }
            if epoch != self.epoch {
                self.close();
                self.epoch = epoch;
            }
            self.heard_ms = now_ms;
            reply(console, epoch, number, Reply::Welcome { version: VERSION });
            return Heard::Nothing;
        }
        let (is_known, is_silent) = (ask.is_some(), matches!(ask, Some(Ask::KeepAlive)));
        if epoch != self.epoch || epoch == 0 {
            refuse(console, self.epoch, number, Refusal::Epoch);
            return Heard::Nothing;
        }
        self.heard_ms = now_ms;
        match (is_known, is_silent) {
            (false, _) => refuse(console, epoch, number, Refusal::Unknown),
            (true, true) => reply(console, epoch, number, Reply::Done),
            (true, false) => return Heard::Request,
        };
        Heard::Nothing
    }

    /// Says something of this connection.
    pub fn say<P: Console>(&self, console: &mut P, body: Body<'_>) -> bool {
        let epoch = self.epoch;
        let message = Message { epoch, body };
        send(&message, &mut |bytes| console.frame(bytes))
    }
}

/// Sends a reply; whether it was taken.
fn reply<P: Console>(console: &mut P, epoch: u32, number: u16, reply: Reply<'_>) -> bool {
    let body = Body::Reply { number, reply };
    send(&Message { epoch, body }, &mut |bytes| console.frame(bytes))
}

/// Refuses a request without more words.
fn refuse<P: Console>(console: &mut P, epoch: u32, number: u16, refusal: Refusal) -> bool {
    let reason = "";
    reply(console, epoch, number, Reply::Refused { refusal, reason })
}

/// Sends [`Reply::Done`], or the refusal.
pub fn settle<P: Console>(
    console: &mut P,
    epoch: u32,
    number: u16,
    done: Result<(), Refusal>,
) -> bool {
    match done {
        Ok(()) => reply(console, epoch, number, Reply::Done),
        Err(refusal) => refuse(console, epoch, number, refusal),
    }
}

/// A refusal with an error's words.
pub fn refuse_for<P: Console>(
    console: &mut P,
    epoch: u32,
    number: u16,
    refusal: Refusal,
    error: &dyn fmt::Display,
) -> bool {
    let mut reason = String::<REASON>::new();
    // What does not fit is cut off; a camera's and a slot's errors fit.
    let _ = write!(reason, "{error}");
    let reason = reason.as_str();
    reply(console, epoch, number, Reply::Refused { refusal, reason })
}

/// Facts that a board states about itself besides its slot.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The board's name.
    pub name: &'static str,
    /// The camera's frames.
    pub format: FrameFormat,
    /// Bytes for the network.
    pub arena_len: usize,
    /// The stack.
    pub stack: fn() -> Stack,
    /// True if a model runs.
    pub runs: bool,
}

/// Answers a request that needs neither camera nor network, nor changes the slot; whether it was one.
pub fn inform<P: Console, F: SlotFlash>(
    console: &mut P,
    flash: &F,
    about: About,
    Request { epoch, number, ask }: Request<'_>,
) -> bool {
    match ask {
        Ask::Identify => {
            let identity = identity(flash, about);
            reply(console, epoch, number, Reply::Identity(identity));
        }
        Ask::Checksums { first, count } => {
            let mut sums = [0; 4 * CHECKSUMS];
            match checksums(flash, first, count, &mut sums) {
                Some(sums) => reply(console, epoch, number, Reply::Checksums(sums)),
                None => refuse(console, epoch, number, Refusal::Range),
            };
        }
        _ => return false,
    }
    true
}

fn identity<F: SlotFlash>(flash: &F, about: About) -> Identity<'static> {
    let bytes = flash.bytes();
    let Stack { used, size } = (about.stack)();
    let short = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let lying = |head: slot::Head| {
        let at = (head.at as usize).saturating_add(BACKBONE_CRC);
        let crc = bytes.get(at..).and_then(|rest| rest.first_chunk());
        LyingModel {
            at: head.at,
            generation: head.prelude.generation,
            base: head.prelude.base,
            head_len: head.prelude.head_len,
            head_crc: head.prelude.crc,
            backbone_offset: head.prelude.backbone_offset,
            backbone_len: head.prelude.backbone_len,
            backbone_crc: crc.copied().map_or(0, u32::from_le_bytes),
        }
    };
    Identity {
        board: about.name,
        posy_version: env!("CARGO_PKG_VERSION"),
        format_version: FORMAT_VERSION,
        width: about.format.width,
        height: about.format.height,
        pixels: about.format.pixels,
        arena_len: short(about.arena_len),
        stack: (short(used), short(size)),
        slot_len: short(bytes.len()),
        sector_len: short(F::ERASE_SIZE),
        write_len: short(F::WRITE_SIZE),
        generation: slot::next_generation(bytes).unwrap_or(0),
        base: slot::base(bytes),
        model: slot::newest(bytes).map(lying),
        runs: about.runs,
    }
}

/// CRC-32 of `count` sectors from `first` on, four bytes each.
fn checksums<'s, F: SlotFlash>(
    flash: &F,
    first: u32,
    count: u8,
    sums: &'s mut [u8; 4 * CHECKSUMS],
) -> Option<&'s [u8]> {
    let sums = sums.get_mut(..4 * usize::from(count))?;
    let start = (first as usize).checked_mul(F::ERASE_SIZE)?;
    let len = usize::from(count).checked_mul(F::ERASE_SIZE)?;
    let bytes = flash.bytes().get(start..)?.get(..len)?;
    for (place, sector) in sums.chunks_exact_mut(4).zip(bytes.chunks(F::ERASE_SIZE)) {
        place.copy_from_slice(&CRC.checksum(sector).to_le_bytes());
    }
    Some(sums)
}
