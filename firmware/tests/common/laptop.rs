//! A laptop at the other end of a board's serial line.

use posy_shared::link::{
    Ask, Body, CHUNK, FRAME_LEN, Frame, LyingModel, Message, Received, Receiver, Refusal, Reply,
    Request, Times, VERSION, View, send,
};
use posy_shared::model::slot::{self, Head, Place};
use posy_shared::model::{CRC, PRELUDE_LEN, Prelude};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An answer of the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub frame: u16,
    pub times: Times,
    pub logits: Vec<i8>,
}

/// A picture of the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub frame: Frame,
    pub rows: Vec<Vec<u8>>,
    pub torn: bool,
}

/// A reply, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replied {
    Refused(Refusal, String),
    Done,
    Welcome(u16),
    Identity {
        board: String,
        slot_len: u32,
        sector_len: u32,
        write_len: u32,
        generation: u32,
        base: u32,
        model: Option<LyingModel>,
        runs: bool,
    },
    Checksums(Vec<u32>),
    Logits(Vec<i8>),
}

/// The board is gone.
#[derive(Debug)]
pub struct Gone;

/// A serial line.
pub trait Line {
    /// Sends bytes, and gives what came since the last turn.
    fn turn(&mut self, sent: Vec<u8>) -> Result<Vec<u8>, Gone>;

    /// Takes the board off the line; operations of its flash chip, unless its power had failed.
    fn unplug(self: Box<Self>) -> Option<usize>;

    /// Turns without an answer after which a request is sent again.
    fn patience(&self) -> usize {
        50
    }
}

/// The laptop.
pub struct Laptop {
    line: Box<dyn Line>,
    receiver: Receiver<FRAME_LEN>,
    text: Vec<u8>,
    reply: Option<(u16, Replied)>,
    /// Bytes to send with the next turn.
    sending: Vec<u8>,
    pub epoch: u32,
    pub number: u16,
    pub pictures: Vec<Picture>,
    pub answers: Vec<Answer>,
    /// Frames that came damaged.
    pub damaged: usize,
    /// Requests that were sent again.
    pub repeats: usize,
    /// A byte of so many is damaged, each way.
    pub noise: Option<(u32, ChaCha8Rng)>,
}

impl Laptop {
    /// A laptop at the end of `line`.
    pub fn new(line: impl Line + 'static) -> Self {
        Laptop {
            line: Box::new(line),
            receiver: Receiver::new(),
            text: Vec::new(),
            reply: None,
            sending: Vec::new(),
            epoch: 0,
            number: 0,
            pictures: Vec::new(),
            answers: Vec::new(),
            damaged: 0,
            repeats: 0,
            noise: None,
        }
    }

    /// Unplugs the board; see [`Line::unplug`].
    pub fn unplug(self) -> Option<usize> {
        self.line.unplug()
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        if let Some((rate, random)) = &mut self.noise {
            for at in (0..bytes.len()).rev() {
                if random.random_range(0..*rate) == 0 {
                    match random.random_range(0..3) {
                        0 => bytes[at] ^= 1 << random.random_range(0..8),
                        1 => {
                            bytes.remove(at);
                        }
                        _ => bytes.insert(at, random.random()),
                    }
                }
            }
        }
    }

    /// Until the board asks for input again, and has none.
    pub fn turn(&mut self) -> Result<(), Gone> {
        let mut sent = std::mem::take(&mut self.sending);
        self.damage(&mut sent);
        let mut said = self.line.turn(sent)?;
        self.damage(&mut said);
        for byte in said {
            match self.receiver.push(byte) {
                Received::Text(byte) => self.text.push(byte),
                Received::Frame => self.hear(),
                Received::Damaged => self.damaged += 1,
                Received::Nothing => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self) {
        let Message { epoch, body } = self.receiver.message().expect("a message");
        match body {
            Body::Reply { number, reply } => {
                let refusal = |it: &Reply<'_>| matches!(it, Reply::Refused { .. });
                if epoch == self.epoch || refusal(&reply) {
                    self.reply = Some((number, owned(reply)));
                }
            }
            Body::Frame(frame) => self.pictures.push(Picture {
                frame,
                rows: Vec::new(),
                torn: false,
            }),
            Body::Row {
                frame,
                index,
                bytes,
            } => {
                let last = self.pictures.last_mut();
                if let Some(picture) = last.filter(|last| last.frame.frame == frame)
                    && picture.rows.len() == usize::from(index)
                {
                    assert_eq!(bytes.len(), picture.frame.row_len());
                    picture.rows.push(bytes.to_vec());
                }
            }
            Body::Torn { frame } => {
                let last = self.pictures.last_mut();
                if let Some(last) = last.filter(|last| last.frame.frame == frame) {
                    last.torn = true;
                }
            }
            Body::Answer {
                frame,
                times,
                logits,
            } => {
                let logits = logits.iter().map(|&byte| byte as i8).collect();
                self.answers.push(Answer {
                    frame,
                    times,
                    logits,
                });
            }
        }
    }

    /// Lines of text so far, as a person reads them.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text);
        text.split_terminator("\r\n").map(String::from).collect()
    }

    /// Turns until there are so many lines.
    pub fn until_lines(&mut self, count: usize) -> Vec<String> {
        while self.lines().len() < count {
            self.turn().unwrap();
        }
        self.lines()
    }

    /// Text as a person sends it.
    pub fn type_in(&mut self, text: &str) {
        self.sending.extend(text.as_bytes());
    }

    /// Sends a request, and waits for its reply; sends it again where none comes.
    pub fn ask(&mut self, ask: Ask<'_>) -> Result<Replied, Gone> {
        self.number = self.number.wrapping_add(1);
        self.ask_again(ask)
    }

    /// As [`Laptop::ask`], with the number of the request before.
    pub fn ask_again(&mut self, ask: Ask<'_>) -> Result<Replied, Gone> {
        let (epoch, number) = (self.epoch, self.number);
        for _ in 0..40 {
            self.reply = None;
            let request = Request { epoch, number, ask };
            let sending = &mut self.sending;
            send(&request, &mut |bytes| {
                sending.extend_from_slice(bytes);
                true
            });
            for _ in 0..self.line.patience() {
                self.turn()?;
                if let Some((_, reply)) = self.reply.take_if(|(to, _)| *to == number) {
                    return Ok(reply);
                }
            }
            self.repeats += 1;
        }
        panic!("no reply to {ask:?}");
    }

    /// Begins a connection.
    pub fn hello(&mut self, epoch: u32) -> Result<(), Gone> {
        self.epoch = epoch;
        let version = VERSION;
        let reply = self.ask(Ask::Hello { version })?;
        assert_eq!(reply, Replied::Welcome(VERSION));
        Ok(())
    }

    /// Asks for what is done, or refused.
    pub fn done(&mut self, ask: Ask<'_>) -> Result<(), Gone> {
        let reply = self.ask(ask)?;
        assert_eq!(reply, Replied::Done, "{ask:?}");
        Ok(())
    }

    /// Classifies rows of the laptop's.
    pub fn classify(&mut self, frame: &Frame, rows: &[u8]) -> Result<Replied, Gone> {
        self.done(Ask::Begin {
            width: frame.width,
            height: frame.height,
            pixels: frame.pixels,
        })?;
        for (index, bytes) in (0..).zip(rows.chunks(frame.row_len())) {
            self.done(Ask::Row { index, bytes })?;
        }
        self.ask(Ask::Finish)
    }

    /// The checksum of one sector.
    fn sum(&mut self, first: u32) -> Result<u32, Gone> {
        match self.ask(Ask::Checksums { first, count: 1 })? {
            Replied::Checksums(sums) => Ok(sums[0]),
            other => panic!("{other:?}"),
        }
    }

    /// Writes `bytes` at `start`, sector by sector, those that differ; the first `left_out` stay erased.
    fn write(
        &mut self,
        start: u32,
        bytes: &[u8],
        left_out: usize,
        sizes: [u32; 2],
    ) -> Result<(), Gone> {
        let [sector_len, write_len] = sizes;
        let mut bytes = bytes.to_vec();
        bytes[..left_out].fill(0xFF);
        bytes.resize(bytes.len().next_multiple_of(write_len as usize), 0xFF);
        assert!(start.is_multiple_of(sector_len));
        for (index, part) in (0..).zip(bytes.chunks(sector_len as usize)) {
            let sector = start / sector_len + index;
            let mut whole = part.to_vec();
            whole.resize(sector_len as usize, 0xFF);
            let sum = CRC.checksum(&whole);
            if self.sum(sector)? == sum {
                continue;
            }
            self.done(Ask::Erase { sector })?;
            for (chunk, bytes) in (0..).zip(part.chunks(CHUNK)) {
                // What is written last is not touched before, not even as erased bytes.
                let skipped = if index == 0 && chunk == 0 {
                    left_out
                } else {
                    0
                };
                let bytes = &bytes[skipped..];
                if bytes.iter().any(|&byte| byte != 0xFF) {
                    let offset = sector * sector_len + chunk * CHUNK as u32 + skipped as u32;
                    self.done(Ask::Write { offset, bytes })?;
                }
            }
            assert_eq!(self.sum(sector)?, sum, "sector {sector}");
        }
        Ok(())
    }

    /// Everything of a push but its commit, which is returned: where the head lies, and its prelude.
    pub fn write_model(&mut self, file: &[u8]) -> Result<(Place, [u8; PRELUDE_LEN]), Gone> {
        let prelude = Prelude::parse(file).unwrap();
        let (head, backbone) = file.split_at(prelude.head_len as usize);
        let Replied::Identity {
            slot_len,
            sector_len,
            write_len,
            generation,
            base,
            model,
            ..
        } = self.ask(Ask::Identify)?
        else {
            panic!("no identity");
        };
        let lies = |model: &LyingModel| {
            model.backbone_crc == CRC.checksum(backbone)
                && model.backbone_len as usize == backbone.len()
        };
        let running = model.map(|model| Head {
            at: model.at,
            prelude: Prelude {
                generation: model.generation,
                base: model.base,
                head_len: model.head_len,
                backbone_offset: model.backbone_offset,
                backbone_len: model.backbone_len,
                crc: model.head_crc,
            },
        });
        let same = model.as_ref().is_some_and(lies);
        let place = slot::place(
            slot_len,
            sector_len,
            running.as_ref(),
            prelude.head_len,
            prelude.backbone_len,
            same,
        )
        .expect("room");
        let (mut generation, mut base) = (generation, base);
        if place.clears {
            self.done(Ask::Clear)?;
            // What was there, and counted, is gone.
            let Replied::Identity {
                generation: next,
                base: none,
                model: None,
                ..
            } = self.ask(Ask::Identify)?
            else {
                panic!("not cleared");
            };
            (generation, base) = (next, none);
        }
        let new = Prelude {
            generation,
            base,
            backbone_offset: place.backbone,
            ..prelude
        };
        let first = new.sealed(&head[PRELUDE_LEN..]).to_bytes();
        let sizes = [sector_len, write_len];
        if place.clears || !same {
            self.write(place.backbone, backbone, 0, sizes)?;
        }
        self.write(place.head, head, PRELUDE_LEN, sizes)?;
        Ok((place, first))
    }

    /// Pushes a model.
    pub fn push(&mut self, file: &[u8]) -> Result<Place, Gone> {
        let (place, prelude) = self.write_model(file)?;
        let at = place.head;
        self.done(Ask::Commit {
            at,
            prelude: &prelude,
        })?;
        Ok(place)
    }
}

/// Noise from a seed: one byte of `rate` is damaged.
pub fn noise(rate: u32, seed: u64) -> Option<(u32, ChaCha8Rng)> {
    Some((rate, ChaCha8Rng::seed_from_u64(seed)))
}

/// The camera's frame of the tests.
pub const fn frame(width: u16, height: u16) -> Frame {
    Frame {
        frame: 0,
        view: View::Camera,
        width,
        height,
        pixels: posy_shared::image::PixelFormat::Rgb565Be,
    }
}

fn owned(reply: Reply<'_>) -> Replied {
    match reply {
        Reply::Refused { refusal, reason } => Replied::Refused(refusal, reason.into()),
        Reply::Done => Replied::Done,
        Reply::Welcome { version } => Replied::Welcome(version),
        Reply::Identity(it) => Replied::Identity {
            board: it.board.into(),
            slot_len: it.slot_len,
            sector_len: it.sector_len,
            write_len: it.write_len,
            generation: it.generation,
            base: it.base,
            model: it.model,
            runs: it.runs,
        },
        Reply::Checksums(bytes) => {
            let (sums, _) = bytes.as_chunks();
            Replied::Checksums(sums.iter().copied().map(u32::from_le_bytes).collect())
        }
        Reply::Logits(bytes) => Replied::Logits(bytes.iter().map(|&byte| byte as i8).collect()),
    }
}
