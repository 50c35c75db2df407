//! A connection: numbered requests, and what a board says besides.

use std::collections::VecDeque;
use std::thread::sleep;
use std::time::{Duration, Instant};

use posy_shared::image::PixelFormat;
use posy_shared::link::{
    Ask, Body, FRAME_LEN, Identity, LyingModel, Message, Received, Receiver, Refusal, Reply,
    Request, SILENCE_MS, Times, VERSION, View, send,
};
use posy_shared::shown::Shown;

use super::LinkError;
use super::picture::{Assembly, Picture};
use crate::device::port::{Port, PortError};
use crate::device::protocol::{Line, Lines};

/// Time-outs of a request and of its repetitions.
const PATIENCE: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
    Duration::from_millis(4000),
];

/// Interval of requests that keep a connection; a board forgets it after [`SILENCE_MS`].
const KEEP: Duration = Duration::from_millis(SILENCE_MS as u64 / 4);

/// Longest wait for the model of a board that has just started, and interval of looks.
const START: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(100);

/// Events that are kept for who asks for them; older ones are dropped.
const EVENTS: usize = 64;

/// Tries of a picture.
const PICTURES: u32 = 3;

/// A board, and the model in its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardInfo {
    /// The board's name, as `posy flash --board` takes it, without control characters.
    pub board: String,
    /// Version of posy that its program is of.
    pub posy_version: String,
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
    /// Bytes of the slot.
    pub slot_len: u32,
    /// Bytes of a sector.
    pub sector_len: u32,
    /// Bytes that are written at once.
    pub write_len: u32,
    /// Generation of the next model that is pushed.
    pub generation: u32,
    /// Base of the next model that is pushed.
    pub base: u32,
    /// The model in the slot, if any.
    pub model: Option<LyingModel>,
    /// True if it runs.
    pub runs: bool,
}

impl From<Identity<'_>> for BoardInfo {
    fn from(it: Identity<'_>) -> Self {
        BoardInfo {
            board: Shown::name(it.board).to_string(),
            posy_version: Shown::name(it.posy_version).to_string(),
            format_version: it.format_version,
            width: it.width,
            height: it.height,
            pixels: it.pixels,
            arena_len: it.arena_len,
            slot_len: it.slot_len,
            sector_len: it.sector_len,
            write_len: it.write_len,
            generation: it.generation,
            base: it.base,
            model: it.model,
            runs: it.runs,
        }
    }
}

/// An answer of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of its picture.
    pub picture: u16,
    /// Milliseconds of each stage.
    pub times: Times,
    /// Every output of the model.
    pub logits: Vec<i8>,
}

/// An event besides replies.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A line of text.
    Line(Line),
    /// A whole picture.
    Picture(Picture),
    /// An answer.
    Answer(Answer),
}

/// A reply, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Replied {
    Refused(Refusal, String),
    Done,
    Welcome(u16),
    Identity(Box<BoardInfo>),
    Checksums(Vec<u32>),
    Logits(Vec<i8>),
}

/// A board at the other end of a serial port.
pub struct Connection {
    port: Port,
    receiver: Receiver<FRAME_LEN>,
    lines: Lines,
    events: VecDeque<Event>,
    assembly: Option<Assembly>,
    /// Number and reply that came last.
    reply: Option<(u16, Replied)>,
    epoch: u32,
    number: u16,
    sent: Instant,
    info: BoardInfo,
    /// Factor of time-outs.
    slow: u32,
}

impl Connection {
    /// Begins a connection on the serial port `name`. Time-outs are a board's, or `slow` times as long: for one
    /// that is emulated.
    ///
    /// # Errors
    /// [`LinkError::Port`], [`LinkError::Silent`], [`LinkError::Version`].
    pub fn open(name: &str, baud: u32, slow: u32) -> Result<Self, LinkError> {
        let mut connection = Connection {
            port: Port::open(name, baud)?,
            receiver: Receiver::new(),
            lines: Lines::default(),
            events: VecDeque::new(),
            assembly: None,
            reply: None,
            // 0 stands for no connection.
            epoch: rand::random::<u32>().max(1),
            number: 0,
            sent: Instant::now(),
            slow,
            info: BoardInfo {
                board: String::new(),
                posy_version: String::new(),
                format_version: 0,
                width: 0,
                height: 0,
                pixels: PixelFormat::Grey8,
                arena_len: 0,
                slot_len: 0,
                sector_len: 0,
                write_len: 0,
                generation: 0,
                base: 0,
                model: None,
                runs: false,
            },
        };
        let port = name.to_owned();
        match connection.ask(Ask::Hello { version: VERSION }) {
            Ok(Replied::Welcome(_)) => {}
            Ok(_) => return Err(LinkError::Nonsense { port }),
            Err(LinkError::Refused {
                refusal: Refusal::Version { speaks },
                ..
            }) => {
                let board = speaks;
                return Err(LinkError::Version { port, board });
            }
            Err(LinkError::NoReply { .. }) => return Err(LinkError::Silent { port }),
            Err(error) => return Err(error),
        }
        connection.identify()?;
        // A board that has just started anew says why, before it looks at its model.
        let end = Instant::now() + START * slow;
        while connection.info.model.is_some() && !connection.info.runs && Instant::now() < end {
            sleep(LOOK);
            connection.identify()?;
        }
        Ok(connection)
    }

    /// Name of the serial port.
    pub fn port(&self) -> &str {
        self.port.name()
    }

    /// The board, as of the last [`Connection::identify`].
    pub const fn info(&self) -> &BoardInfo {
        &self.info
    }

    /// Asks the board what it is and has.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn identify(&mut self) -> Result<&BoardInfo, LinkError> {
        match self.ask(Ask::Identify)? {
            Replied::Identity(info) => self.info = *info,
            _ => return Err(self.nonsense()),
        }
        Ok(&self.info)
    }

    /// Stops classifying, or goes on.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn pause(&mut self, pause: bool) -> Result<(), LinkError> {
        self.done(match pause {
            true => Ask::Pause,
            false => Ask::Resume,
        })
    }

    /// Has the board send pictures from now on, or none.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn preview(&mut self, view: Option<View>) -> Result<(), LinkError> {
        self.done(Ask::Preview { view })
    }

    /// Takes one picture. A torn one is taken again.
    ///
    /// # Errors
    /// [`LinkError::Torn`] and others.
    pub fn capture(&mut self, view: View) -> Result<Picture, LinkError> {
        for _ in 0..PICTURES {
            self.events
                .retain(|event| !matches!(event, Event::Picture(_)));
            self.done(Ask::Capture { view })?;
            let wanted = |event: &Event| matches!(event, Event::Picture(it) if it.view == view);
            if let Some(at) = self.events.iter().rposition(wanted)
                && let Some(Event::Picture(picture)) = self.events.remove(at)
            {
                return Ok(picture);
            }
        }
        Err(LinkError::Torn {
            port: self.port().to_owned(),
            tries: PICTURES,
        })
    }

    /// The next event, if one comes within `wait`. Keeps the connection.
    ///
    /// # Errors
    /// [`LinkError::Port`] if the port is gone, [`LinkError::Restarted`] if the board has started anew.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Event>, LinkError> {
        let end = Instant::now() + wait;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.sent.elapsed() >= KEEP {
                self.done(Ask::KeepAlive)?;
                continue;
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            self.receive()?;
        }
    }

    /// Sends a request that [`Reply::Done`] answers.
    pub(super) fn done(&mut self, ask: Ask<'_>) -> Result<(), LinkError> {
        match self.ask(ask)? {
            Replied::Done => Ok(()),
            _ => Err(self.nonsense()),
        }
    }

    /// Sends a request, again where no reply comes, and returns the reply. A refusal is an error.
    pub(super) fn ask(&mut self, ask: Ask<'_>) -> Result<Replied, LinkError> {
        self.number = self.number.wrapping_add(1);
        let (epoch, number) = (self.epoch, self.number);
        let mut frame = Vec::new();
        send(&Request { epoch, number, ask }, &mut |bytes| {
            frame.extend_from_slice(bytes);
            true
        });
        let port = || self.port.name().to_owned();
        let (gone, restarted) = (port(), port());
        self.reply = None;
        for patience in PATIENCE.map(|patience| patience * self.slow) {
            self.port.send_all(&frame)?;
            self.sent = Instant::now();
            let mut end = Instant::now() + patience;
            while Instant::now() < end {
                // A picture that is on its way comes before the reply.
                if self.receive()? && self.assembly.is_some() {
                    end = Instant::now() + patience;
                }
                match self.reply.take_if(|(to, _)| *to == number) {
                    None => {}
                    Some((_, Replied::Refused(Refusal::Epoch, _))) => {
                        return Err(LinkError::Restarted { port: restarted });
                    }
                    Some((_, Replied::Refused(refusal, reason))) => {
                        return Err(LinkError::Refused {
                            port: restarted,
                            refusal,
                            reason,
                        });
                    }
                    Some((_, reply)) => return Ok(reply),
                }
            }
        }
        Err(LinkError::NoReply { port: gone })
    }

    pub(super) fn nonsense(&self) -> LinkError {
        LinkError::Nonsense {
            port: self.port().to_owned(),
        }
    }

    /// Takes what has come; waits a tenth of a second for it. Returns true if something has.
    fn receive(&mut self) -> Result<bool, PortError> {
        let mut bytes = [0; 4096];
        let len = self.port.read(&mut bytes)?;
        for byte in &bytes[..len] {
            match self.receiver.push(*byte) {
                Received::Text(byte) => {
                    for line in self.lines.push(&[byte]) {
                        self.keep(Event::Line(line));
                    }
                }
                Received::Frame => self.hear(),
                Received::Nothing | Received::Damaged => {}
            }
        }
        Ok(len > 0)
    }

    /// Takes the message that has come; one of another connection is left out, but for refusals.
    fn hear(&mut self) {
        let Some(Message { epoch, body }) = self.receiver.message() else {
            return;
        };
        let is_ours = epoch == self.epoch;
        match body {
            Body::Reply { number, reply } => {
                if is_ours || matches!(reply, Reply::Refused { .. }) {
                    self.reply = Some((number, owned(reply)));
                }
            }
            _ if !is_ours => {}
            Body::Frame(frame) => self.assembly = Assembly::begin(frame),
            Body::Row {
                frame,
                index,
                bytes,
            } => {
                let assembly = self.assembly.take();
                let pushed = assembly.and_then(|assembly| assembly.push(frame, index, bytes));
                match pushed.map(Assembly::finish) {
                    None => {}
                    Some(Ok(picture)) => self.keep(Event::Picture(picture)),
                    Some(Err(assembly)) => self.assembly = Some(assembly),
                }
            }
            Body::Torn { .. } => self.assembly = None,
            Body::Answer {
                frame,
                times,
                logits,
            } => {
                let answer = Answer {
                    picture: frame,
                    times,
                    logits: logits.iter().map(|&byte| byte as i8).collect(),
                };
                self.keep(Event::Answer(answer));
            }
        }
    }

    fn keep(&mut self, event: Event) {
        // The newest wins.
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

fn owned(reply: Reply<'_>) -> Replied {
    match reply {
        Reply::Refused { refusal, reason } => {
            Replied::Refused(refusal, Shown::line(reason).to_string())
        }
        Reply::Done => Replied::Done,
        Reply::Welcome { version } => Replied::Welcome(version),
        Reply::Identity(identity) => Replied::Identity(Box::new(identity.into())),
        Reply::Checksums(bytes) => {
            let (sums, _) = bytes.as_chunks();
            Replied::Checksums(sums.iter().copied().map(u32::from_le_bytes).collect())
        }
        Reply::Logits(bytes) => Replied::Logits(bytes.iter().map(|&byte| byte as i8).collect()),
    }
}
