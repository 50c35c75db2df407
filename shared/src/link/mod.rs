//! The link: framed messages between board and laptop on the serial line that carries text.
//!
//! A laptop speaks first ([`Ask::Hello`]) and numbers its requests; a board answers each by a
//! [`Reply`], and sends frames of its camera and answers besides. A frame that is torn or damaged costs
//! itself and nothing behind it; a request without a reply is sent again. `PROTOCOL.md` beside this
//! module describes it for another program.
//!
//! | to change | open |
//! |---|---|
//! | bytes on the line: delimiters, COBS, checksum | `frame.rs` |
//! | what can be asked and answered | `message.rs` |

mod frame;
mod message;

pub use frame::{DELIMITER, MARK, Received, Receiver, send};
pub use message::{
    Ask, Body, Frame, Identity, LyingModel, Message, Refusal, Reply, Request, Times, View,
};

/// The version of the protocol. Any change of a message but one more at its end raises it.
pub const VERSION: u16 = 1;

/// Maximum size of a flash chunk or of a row in one message, bytes.
pub const CHUNK: usize = 1024;

/// Bytes that a receiver must have room for: a message with a chunk, and its checksum.
pub const FRAME_LEN: usize = CHUNK + 32;

/// Milliseconds without a valid request after which a board takes its laptop for gone: it forgets
/// the connection and goes on as before it.
pub const SILENCE_MS: u32 = 10_000;
