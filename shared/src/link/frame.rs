//! Frames between lines of text: `00 FF`, COBS of message and checksum, `00`.
//!
//! Text has no 00, and COBS takes it out of frames; so a 00 always ends what came before it. The FF
//! behind it, which never begins UTF-8, tells a frame from text.

use serde::{Deserialize, Serialize};

use crate::model::CRC;

/// Ends whatever came before it.
pub const DELIMITER: u8 = 0;

/// Follows a [`DELIMITER`] where a frame begins.
pub const MARK: u8 = 0xFF;

/// Bytes of the checksum.
const CRC_LEN: usize = 4;

/// Sends a message as a frame, in pieces of at most 255 bytes; nothing is held but one of them.
/// `sink` returns `false` where it gives up. Returns whether everything was taken.
pub fn send<T: Serialize>(message: &T, sink: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    if !sink(&[DELIMITER, MARK]) {
        return false;
    }
    let encoder = Encoder {
        sink,
        block: [0; 255],
        len: 1,
        crc: CRC.digest(),
    };
    postcard::serialize_with_flavor(message, encoder).is_ok()
}

/// Encodes a message on its way out.
struct Encoder<'s> {
    sink: &'s mut dyn FnMut(&[u8]) -> bool,
    /// Block of COBS: a place for its code, then bytes that are not zero.
    block: [u8; 255],
    /// Bytes in the block, code included; at least 1, less than 255.
    len: u8,
    crc: crc::Digest<'static, u32>,
}

impl Encoder<'_> {
    /// Ends the block.
    fn end_block(&mut self) -> postcard::Result<()> {
        self.block[0] = self.len;
        let block = self.block.get(..self.len.into()).unwrap_or_default();
        self.len = 1;
        match (self.sink)(block) {
            true => Ok(()),
            false => Err(postcard::Error::SerializeBufferFull),
        }
    }

    /// Takes bytes, run by run between zeros: byte by byte a small core is slower than its camera.
    fn put(&mut self, mut bytes: &[u8]) -> postcard::Result<()> {
        while !bytes.is_empty() {
            let place = self.block.get_mut(usize::from(self.len)..);
            let place = place.unwrap_or_default();
            let near = bytes.get(..place.len()).unwrap_or(bytes);
            let zero = near.iter().position(|&byte| byte == 0);
            let run = near.get(..zero.unwrap_or(near.len())).unwrap_or(near);
            if let Some(place) = place.get_mut(..run.len()) {
                place.copy_from_slice(run);
            }
            // At most 254 bytes fit.
            self.len = self.len.saturating_add(run.len() as u8);
            let taken = run.len() + usize::from(zero.is_some());
            bytes = bytes.get(taken..).unwrap_or_default();
            if zero.is_some() || self.len == u8::MAX {
                self.end_block()?;
            }
        }
        Ok(())
    }
}

impl postcard::ser_flavors::Flavor for Encoder<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.crc.update(data);
        self.put(data)
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.try_extend(&[data])
    }

    fn finalize(mut self) -> postcard::Result<()> {
        let crc = self.crc.clone().finalize().to_le_bytes();
        self.put(&crc)?;
        self.end_block()?;
        match (self.sink)(&[DELIMITER]) {
            true => Ok(()),
            false => Err(postcard::Error::SerializeBufferFull),
        }
    }
}

/// The outcome of a byte that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// More is to come.
    Nothing,
    /// The byte is text.
    Text(u8),
    /// A frame is whole and its checksum right: [`Receiver::message`] reads it, until the next byte.
    Frame,
    /// A frame was torn, damaged or too long.
    Damaged,
}

/// The part of the line that a receiver is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Text.
    Text,
    /// Behind a delimiter.
    Delimited,
    /// A frame, so far sound.
    Frame,
    /// A frame that is longer than `N` bytes.
    TooLong,
}

/// Takes frames of at most `N` bytes, checksum included, out of text.
#[derive(Clone, Debug)]
pub struct Receiver<const N: usize> {
    bytes: [u8; N],
    len: usize,
    state: State,
    /// Bytes to come of a COBS block.
    left: u8,
    /// True if a zero follows the block, unless it is the last.
    zero: bool,
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Receiver<N> {
    /// At the start of a line.
    pub const fn new() -> Self {
        Receiver {
            bytes: [0; N],
            len: 0,
            state: State::Text,
            left: 0,
            zero: false,
        }
    }

    /// Takes the next byte of the line.
    pub fn push(&mut self, byte: u8) -> Received {
        let state = self.state;
        if byte == DELIMITER {
            self.state = State::Delimited;
            return match state {
                State::Frame if self.left == 0 && self.is_right() => Received::Frame,
                State::Frame | State::TooLong => Received::Damaged,
                State::Text | State::Delimited => Received::Nothing,
            };
        }
        match state {
            State::Delimited if byte == MARK => {
                self.state = State::Frame;
                (self.len, self.left, self.zero) = (0, 0, false);
                Received::Nothing
            }
            State::Text | State::Delimited => {
                self.state = State::Text;
                Received::Text(byte)
            }
            State::Frame => {
                self.decode(byte);
                Received::Nothing
            }
            State::TooLong => Received::Nothing,
        }
    }

    /// Takes a byte of COBS, which is not zero.
    fn decode(&mut self, byte: u8) {
        if self.left > 0 {
            self.left -= 1;
            self.append(byte);
            return;
        }
        if self.zero {
            self.append(0);
        }
        self.left = byte.saturating_sub(1);
        self.zero = byte != 255;
    }

    fn append(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.state = State::TooLong,
        }
    }

    /// Message and checksum of the frame that has come.
    fn parts(&self) -> Option<(&[u8], u32)> {
        let bytes = self.bytes.get(..self.len)?;
        let (message, crc) = bytes.split_last_chunk::<CRC_LEN>()?;
        Some((message, u32::from_le_bytes(*crc)))
    }

    fn is_right(&self) -> bool {
        let parts = self.parts();
        parts.is_some_and(|(message, crc)| CRC.checksum(message) == crc)
    }

    /// The message in the frame that has come last; `None` where the frame holds another, as of a newer
    /// version. To be called before the next byte.
    pub fn message<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        let (message, _) = self.parts()?;
        let (message, rest) = postcard::take_from_bytes(message).ok()?;
        rest.is_empty().then_some(message)
    }

    /// Start of the message in the frame that has come last, read as `T`.
    pub fn start<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        postcard::take_from_bytes(self.parts()?.0)
            .ok()
            .map(|(start, _)| start)
    }
}
