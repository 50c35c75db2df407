//! Messages: requests of a laptop, replies, frames and answers of a board.
//!
//! Written by postcard: the order of variants and fields is the protocol. A new one goes to the end.

use serde::{Deserialize, Serialize, Serializer};

use crate::image::PixelFormat;

/// Serializes bytes in one piece: as a sequence, which looks the same, each would be a call of its own.
fn at_once<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// A message to a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// The connection, a random number of the laptop's that [`Ask::Hello`] makes known; not 0. A
    /// board forgets it when it starts anew: so nothing from before a reset is taken for something
    /// of now.
    pub epoch: u32,
    /// Rises with each request; the same for one that is sent again.
    pub number: u16,
    /// The request itself.
    #[serde(borrow)]
    pub ask: Ask<'a>,
}

/// A request. Each may be sent again without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask<'a> {
    /// Begins a connection. Pictures go on as they were. [`Reply::Welcome`].
    Hello {
        /// [`VERSION`](super::VERSION) of the laptop.
        version: u16,
    },
    /// Board, slot and model. [`Reply::Identity`].
    Identify,
    /// Keeps the connection; see [`SILENCE_MS`](super::SILENCE_MS). [`Reply::Done`].
    KeepAlive,
    /// Classifies no pictures until [`Ask::Resume`] or the end of the connection. [`Reply::Done`].
    Pause,
    /// Classifies again; ends a push. [`Reply::Done`].
    Resume,
    /// Sends pictures from now on, or none. While paused one after another, else those that are
    /// classified. [`Reply::Done`].
    Preview {
        /// Kind of picture; `None` for no pictures.
        view: Option<View>,
    },
    /// Sends one picture. [`Reply::Done`] after its last row.
    Capture {
        /// Kind of picture.
        view: View,
    },
    /// Begins a picture whose rows the laptop sends. [`Reply::Done`].
    Begin {
        /// Pixels in a row.
        width: u16,
        /// Rows.
        height: u16,
        /// Pixel format.
        pixels: PixelFormat,
    },
    /// The next row of that picture. [`Reply::Done`].
    Row {
        /// Index of the row, from 0.
        index: u16,
        /// Its pixels.
        #[serde(serialize_with = "at_once")]
        bytes: &'a [u8],
    },
    /// Ends that picture. [`Reply::Logits`].
    Finish,
    /// CRC-32 of sectors of the slot. [`Reply::Checksums`].
    Checksums {
        /// The first one.
        first: u32,
        /// Number of sectors, at most 64.
        count: u8,
    },
    /// Erases a sector of the slot that the running model does not use. [`Reply::Done`].
    Erase {
        /// Index of the sector.
        sector: u32,
    },
    /// Writes erased bytes of the slot that the running model does not use. [`Reply::Done`], also
    /// where they are written already.
    Write {
        /// Offset from the start of the slot; a multiple of [`Identity::write_len`].
        offset: u32,
        /// At most [`CHUNK`](super::CHUNK), a multiple of [`Identity::write_len`] long.
        #[serde(serialize_with = "at_once")]
        bytes: &'a [u8],
    },
    /// Erases the prelude of every model in the slot: for a push that has no room beside the running
    /// one. [`Reply::Done`].
    Clear,
    /// Reads the model that was written, runs its golden check, then writes its prelude: it is the
    /// one that runs from now on. [`Reply::Done`].
    Commit {
        /// Offset of its head.
        at: u32,
        /// The 32 bytes of its prelude.
        #[serde(serialize_with = "at_once")]
        prelude: &'a [u8],
    },
    /// Restarts into the boot loader. [`Reply::Done`], then silence.
    Restart,
}

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    /// The camera's frame.
    Camera,
    /// The network's input, `[H, W, 3]` int8.
    Input,
    /// A small frame of the camera that comes quickly, for a preview while paused; where the camera has such
    /// frames.
    Small,
}

/// A message of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message<'a> {
    /// The connection; see [`Request::epoch`]. 0 where the board knows of none.
    pub epoch: u32,
    /// The message itself.
    #[serde(borrow)]
    pub body: Body<'a>,
}

/// Contents of a board's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// To a request.
    Reply {
        /// Its number.
        number: u16,
        /// The reply itself.
        #[serde(borrow)]
        reply: Reply<'a>,
    },
    /// A picture begins. Its rows follow, each in a [`Body::Row`]; they are never sent again.
    Frame(Frame),
    /// A row of the picture that has begun.
    Row {
        /// The picture's number.
        frame: u16,
        /// Index of the row, from 0.
        index: u16,
        /// [`Frame::row_len`] bytes.
        #[serde(serialize_with = "at_once")]
        bytes: &'a [u8],
    },
    /// The camera failed in the picture that has begun.
    Torn {
        /// The picture's number.
        frame: u16,
    },
    /// A picture was classified.
    Answer {
        /// The picture's number, also where it was not sent.
        frame: u16,
        /// Times that it took.
        times: Times,
        /// Every output of the model, one byte each (two's complement).
        #[serde(serialize_with = "at_once")]
        logits: &'a [u8],
    },
}

/// A picture that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Its number, one more than that of the picture before; begins anew after 65,535.
    pub frame: u16,
    /// Kind of picture.
    pub view: View,
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Pixel format of the camera's frames; [`View::Input`] has three int8.
    pub pixels: PixelFormat,
}

impl Frame {
    /// Bytes in a row.
    pub const fn row_len(&self) -> usize {
        match self.view {
            View::Camera | View::Small => self.pixels.row_len(self.width),
            View::Input => 3 * self.width as usize,
        }
    }
}

/// Milliseconds that an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Until the frame was there.
    pub capture_ms: u32,
    /// Reading its rows.
    pub rows_ms: u32,
    /// Unpacking, resizing, network, ranking; and sending, where the picture is previewed.
    pub network_ms: u32,
    /// All of it.
    pub total_ms: u32,
}

/// A reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// It is not done.
    Refused {
        /// The kind of reason.
        refusal: Refusal,
        /// The reason in words, where there is more to say; from the board, so to be shown with care.
        reason: &'a str,
    },
    /// It is done.
    Done,
    /// To [`Ask::Hello`].
    Welcome {
        /// [`VERSION`](super::VERSION) of the board.
        version: u16,
    },
    /// To [`Ask::Identify`].
    Identity(#[serde(borrow)] Identity<'a>),
    /// To [`Ask::Checksums`]: four bytes each, little-endian.
    Checksums(#[serde(serialize_with = "at_once")] &'a [u8]),
    /// To [`Ask::Finish`]: every output of the model, one byte each (two's complement).
    Logits(#[serde(serialize_with = "at_once")] &'a [u8]),
}

/// A board and its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity<'a> {
    /// The board's name, as `posy flash --board` takes it.
    pub board: &'a str,
    /// Version of posy that its program is of.
    pub posy_version: &'a str,
    /// Version of the `.posy` format that its program reads.
    pub format_version: u16,
    /// Pixels in a row of the camera.
    pub width: u16,
    /// Rows of the camera.
    pub height: u16,
    /// Pixel format of the camera.
    pub pixels: PixelFormat,
    /// Bytes of RAM for a network.
    pub arena_len: u32,
    /// Bytes of stack used at most so far, and that there are.
    pub stack: (u32, u32),
    /// Bytes of the slot.
    pub slot_len: u32,
    /// Bytes of a sector, which is erased at once.
    pub sector_len: u32,
    /// Bytes that are written at once.
    pub write_len: u32,
    /// Generation of the next model that is pushed.
    pub generation: u32,
    /// [`Prelude::base`](crate::model::Prelude::base) of the next model that is pushed.
    pub base: u32,
    /// The model that the slot holds, if any.
    pub model: Option<LyingModel>,
    /// True if the model runs.
    pub runs: bool,
}

/// The newest model in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LyingModel {
    /// Offset of its head.
    pub at: u32,
    /// Its generation.
    pub generation: u32,
    /// [`Prelude::base`](crate::model::Prelude::base).
    pub base: u32,
    /// Bytes of its head.
    pub head_len: u32,
    /// CRC-32 of its head.
    pub head_crc: u32,
    /// Offset of its backbone.
    pub backbone_offset: u32,
    /// Bytes of its backbone.
    pub backbone_len: u32,
    /// CRC-32 of its backbone, as the head has it.
    pub backbone_crc: u32,
}

/// The kind of reason for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The board speaks another version, this one.
    Version {
        /// [`VERSION`](super::VERSION) of the board.
        speaks: u16,
    },
    /// The board knows nothing of the connection: it has started anew, or heard nothing for too long.
    Epoch,
    /// The board does not know the request.
    Unknown,
    /// The request does not follow from the one before it.
    Order,
    /// Offset, length or count are none that the board has.
    Range,
    /// The running model lies there.
    InUse,
    /// Something else is written there.
    NotErased,
    /// The flash chip failed.
    Flash,
    /// There is no model that runs.
    NoModel,
    /// The model that was pushed is not right, or does not run here.
    Model,
    /// The camera failed.
    Camera,
    /// The board has no such thing.
    Unsupported,
}
