//! Writing the slot. While it lasts no model is read: so nothing can change under one.

use posy_shared::link::{Ask, CHUNK, Refusal, Request};
use posy_shared::model::slot::{self, Head};
use posy_shared::model::{PRELUDE_LEN, Prelude, ReadError};

use super::{About, Heard, Link, inform, refuse_for, settle};
use crate::camera::Clock;
use crate::program::Console;
use crate::slot::{SlotError, SlotFlash};

/// Answers requests that write the slot, the first of which has been heard, and others that can be
/// answered meanwhile. Ends at a commit, with the connection, or at any other request, which is heard
/// again. The head that is to be committed, if one is: its model is to be checked, then [`commit`]
/// answers.
pub fn push<P: Console, T: Clock, F: SlotFlash>(
    console: &mut P,
    clock: &mut T,
    flash: &mut F,
    link: &mut Link<'_>,
    about: About,
) -> Option<Head> {
    let mut running = slot::newest(flash.bytes());
    loop {
        let request = link.request()?;
        let Request { epoch, number, ask } = request;
        let done = match ask {
            Ask::Erase { sector } => {
                let erased = erase(flash, running.as_ref(), sector);
                (link.feed)();
                erased
            }
            Ask::Write { offset, bytes } => write(flash, running.as_ref(), offset, bytes),
            Ask::Clear => {
                let cleared = clear(flash, link, running.as_ref());
                running = slot::newest(flash.bytes());
                cleared
            }
            Ask::Commit { at, prelude } => match candidate(flash, at, prelude) {
                Ok(Some(head)) => return Some(head),
                // Sent again.
                Ok(None) => Ok(()),
                Err(Failed::Refused(refusal)) => Err(refusal),
                Err(Failed::Model(error)) => {
                    refuse_for(console, epoch, number, Refusal::Model, &error);
                    wait(console, clock, link)?;
                    continue;
                }
            },
            _ => {
                if !inform(console, flash, about, request) {
                    link.hold();
                    return None;
                }
                wait(console, clock, link)?;
                continue;
            }
        };
        settle(console, epoch, number, done);
        wait(console, clock, link)?;
    }
}

/// Waits for the next request; `None` where the connection ends.
fn wait<P: Console, T: Clock>(console: &mut P, clock: &mut T, link: &mut Link<'_>) -> Option<()> {
    loop {
        match link.poll(console, clock.now_ms()) {
            Heard::Request => return Some(()),
            Heard::Nothing if !link.is_open() => return None,
            Heard::Nothing | Heard::Text(_) => {}
        }
    }
}

/// Erases a sector that the running model does not use.
fn erase<F: SlotFlash>(flash: &mut F, running: Option<&Head>, sector: u32) -> Result<(), Refusal> {
    let len = u32::try_from(F::ERASE_SIZE).map_err(|_| Refusal::Unsupported)?;
    let start = sector.checked_mul(len).ok_or(Refusal::Range)?;
    let end = start.checked_add(len).ok_or(Refusal::Range)?;
    let bytes = flash.bytes().get(start as usize..end as usize);
    let bytes = bytes.ok_or(Refusal::Range)?;
    if running.is_some_and(|head| head.touches(start, len)) {
        return Err(Refusal::InUse);
    }
    // Erasing takes longest, and wears the sector.
    if is_erased(bytes) {
        return Ok(());
    }
    flash.erase(start, end).map_err(|_| Refusal::Flash)
}

fn is_erased(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0xFF)
}

/// Writes erased bytes that the running model does not use, and reads them back.
fn write<F: SlotFlash>(
    flash: &mut F,
    running: Option<&Head>,
    offset: u32,
    bytes: &[u8],
) -> Result<(), Refusal> {
    let is_whole = |number: usize| number.is_multiple_of(F::WRITE_SIZE);
    let start = offset as usize;
    if bytes.len() > CHUNK || !is_whole(bytes.len()) || !is_whole(start) {
        return Err(Refusal::Range);
    }
    let len = u32::try_from(bytes.len()).map_err(|_| Refusal::Range)?;
    if running.is_some_and(|head| head.touches(offset, len)) {
        return Err(Refusal::InUse);
    }
    match lying(flash, start, bytes.len()) {
        None => Err(Refusal::Range),
        // Sent again.
        Some(lying) if lying == bytes => Ok(()),
        Some(lying) if !is_erased(lying) => Err(Refusal::NotErased),
        Some(_) => program(flash, offset, bytes),
    }
}

fn lying<F: SlotFlash>(flash: &F, start: usize, len: usize) -> Option<&[u8]> {
    flash.bytes().get(start..)?.get(..len)
}

fn program<F: SlotFlash>(flash: &mut F, offset: u32, bytes: &[u8]) -> Result<(), Refusal> {
    flash.write(offset, bytes).map_err(|_| Refusal::Flash)?;
    match lying(flash, offset as usize, bytes.len()) == Some(bytes) {
        true => Ok(()),
        false => Err(Refusal::Flash),
    }
}

/// Erases the prelude of every head, that of the running one last.
fn clear<F: SlotFlash>(
    flash: &mut F,
    link: &Link<'_>,
    running: Option<&Head>,
) -> Result<(), Refusal> {
    let len = u32::try_from(F::ERASE_SIZE).map_err(|_| Refusal::Unsupported)?;
    loop {
        let is_running = |head: &Head| running.is_some_and(|running| head.at == running.at);
        let Some(head) = slot::heads(flash.bytes()).min_by_key(is_running) else {
            return Ok(());
        };
        let start = head.at - head.at % len;
        let end = start.checked_add(len).ok_or(Refusal::Range)?;
        // A sector takes seconds where it is large.
        (link.feed)();
        flash.erase(start, end).map_err(|_| Refusal::Flash)?;
        // Else this would go on for ever.
        if slot::heads(flash.bytes()).any(|left| left.at == head.at) {
            return Err(Refusal::Flash);
        }
    }
}

/// Reasons for which a model was not committed.
enum Failed {
    Refused(Refusal),
    Model(SlotError),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        Self::Model(error.into())
    }
}

/// The head of [`Ask::Commit`], if it is the next one and can be written; `None` if it runs already.
fn candidate<F: SlotFlash>(flash: &F, at: u32, prelude: &[u8]) -> Result<Option<Head>, Failed> {
    let first: &[u8; PRELUDE_LEN] = prelude.try_into().map_err(|_| Refusal::Range)?;
    let prelude = Prelude::parse(first)?;
    if !PRELUDE_LEN.is_multiple_of(F::WRITE_SIZE) {
        return Err(Refusal::Unsupported.into());
    }
    if !(at as usize).is_multiple_of(F::ERASE_SIZE) {
        return Err(Refusal::Range.into());
    }
    let head = Head { at, prelude };
    if slot::newest(flash.bytes()) == Some(head) {
        return Ok(None);
    }
    let base = slot::base(flash.bytes());
    // Where the push itself has written over the file that it began beside, any head counts.
    let is_next = Some(prelude.generation) == slot::next_generation(flash.bytes())
        && (base == 0 || prelude.base == base);
    if !is_next {
        return Err(Refusal::Order.into());
    }
    match lying(flash, at as usize, PRELUDE_LEN) {
        Some(lying) if is_erased(lying) => Ok(Some(head)),
        Some(_) => Err(Refusal::NotErased.into()),
        None => Err(Refusal::Range.into()),
    }
}

/// Answers [`Ask::Commit`], which was heard last: makes the model of `head`, which was `checked`, the one
/// that runs. Whether it is that now.
pub fn commit<P: Console, F: SlotFlash>(
    console: &mut P,
    flash: &mut F,
    link: &Link<'_>,
    head: &Head,
    checked: Result<(), SlotError>,
) -> bool {
    let Some(Request { epoch, number, .. }) = link.request() else {
        return false;
    };
    if let Err(error) = checked {
        refuse_for(console, epoch, number, Refusal::Model, &error);
        return false;
    }
    let written = program(flash, head.at, &head.prelude.to_bytes());
    let is_newest = written.is_ok() && slot::newest(flash.bytes()) == Some(*head);
    let done = match is_newest {
        true => Ok(()),
        false => Err(Refusal::Flash),
    };
    settle(console, epoch, number, done);
    is_newest
}
