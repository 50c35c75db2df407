//! The laptop's side of the link: a connection to a board on a serial port.
//!
//! | to change | open |
//! |---|---|
//! | requests, time-outs, what comes in between | `connection.rs` |
//! | pictures of a board | `picture.rs` |
//! | writing a model into the slot | `push.rs` |
//! | comparing logits | `verify.rs` |
//! | unplugging and plugging in | `finder.rs` |
//!
//! The protocol is described in `shared/src/link/PROTOCOL.md`. Every byte of a board is a stranger's:
//! it is checked here once, and text loses its control characters.

mod connection;
mod finder;
mod picture;
mod push;
mod verify;

pub use connection::{Answer, BoardInfo, Connection, Event};
pub use finder::Finder;
pub use picture::Picture;
pub use push::{Progress, Pushed};
pub use verify::{MOST, fitted};

use posy_shared::link::{Refusal, VERSION};
use posy_shared::model::{FORMAT_VERSION, ReadError};

use super::port::PortError;

/// Errors of a connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The serial port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Silence: no answer over the link on this port.
    #[error(
        "{port}: the board does not answer; is posy's program on it, and not one from before the link? \
         `posy flash` writes it anew"
    )]
    Silent {
        /// The port.
        port: String,
    },
    /// The board stopped answering.
    #[error(
        "{port}: the board answers no more; unplug it, plug it in again, and repeat the command"
    )]
    NoReply {
        /// The port.
        port: String,
    },
    /// Board and laptop speak different versions.
    #[error(
        "{port}: the board speaks version {board} of the link, this posy version {VERSION}; write its \
         program anew with this posy's `posy flash`"
    )]
    Version {
        /// The port.
        port: String,
        /// Version of the board.
        board: u16,
    },
    /// The board has started anew, or was taken over by another program.
    #[error("{port}: the board has started anew; repeat the command")]
    Restarted {
        /// The port.
        port: String,
    },
    /// The board refused a request.
    #[error("{port}: the board refuses: {}", refused(*.refusal, .reason))]
    Refused {
        /// The port.
        port: String,
        /// Its reason.
        refusal: Refusal,
        /// Its reason in its own words, without control characters; may be empty.
        reason: String,
    },
    /// The board's program reads another version of the file format.
    #[error(
        "{port}: the board's program reads models of format {board}, this posy writes format \
         {FORMAT_VERSION}; write its program anew with this posy's `posy flash`"
    )]
    Format {
        /// The port.
        port: String,
        /// Version that it reads.
        board: u16,
    },
    /// The file is not a model.
    #[error("the model cannot be pushed: {0}")]
    Model(#[from] ReadError),
    /// The slot is too small.
    #[error("the model has {model} bytes, the board's slot {slot}; choose a smaller network")]
    Slot {
        /// Bytes of the model.
        model: usize,
        /// Bytes of the slot.
        slot: u32,
    },
    /// A sector reads back other than it was written.
    #[error("{port}: sector {sector} of the board's flash is not as it was written; push again")]
    Sector {
        /// The port.
        port: String,
        /// Index of the sector.
        sector: u32,
    },
    /// Several pictures in a row were incomplete.
    #[error("{port}: no whole picture came in {tries} tries; use a shorter cable, or another port")]
    Torn {
        /// The port.
        port: String,
        /// Number of tries.
        tries: u32,
    },
    /// The board sent a reply of the wrong kind.
    #[error("{port}: the board's reply makes no sense; write its program anew with `posy flash`")]
    Nonsense {
        /// The port.
        port: String,
    },
}

impl LinkError {
    /// Returns true if the board went away, or has started anew: another try may find it again.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Port(PortError::None | PortError::Gone { .. } | PortError::Open { .. })
                | Self::Restarted { .. }
                | Self::NoReply { .. }
                | Self::Silent { .. }
        )
    }
}

/// A refusal in words.
fn refused(refusal: Refusal, reason: &str) -> String {
    if !reason.is_empty() {
        return reason.to_owned();
    }
    let words = match refusal {
        Refusal::Version { speaks } => return format!("it speaks version {speaks} of the link"),
        Refusal::Epoch => "it has started anew",
        Refusal::Unknown => {
            "it does not know the request; write its program anew with `posy flash`"
        }
        Refusal::Order => "requests came out of order; repeat the command",
        Refusal::Range => "a size or place is none that it has",
        Refusal::InUse => "the running model lies there",
        Refusal::NotErased => "the flash is written already; repeat the command",
        Refusal::Flash => "its flash failed; repeat the command",
        Refusal::NoModel => "it has no model that runs; push one",
        Refusal::Model => "the model does not run there",
        Refusal::Camera => "its camera failed; look at the cable between board and camera",
        Refusal::Unsupported => "it has no such thing",
    };
    words.to_owned()
}
