//! A push: a model into the slot of a board, so that power may fail at any byte.

use posy_shared::link::{Ask, CHUNK, LyingModel};
use posy_shared::model::slot::{self, Head, Place};
use posy_shared::model::{CRC, FORMAT_VERSION, Model, PRELUDE_LEN, Prelude};

use super::LinkError;
use super::connection::{BoardInfo, Connection, Replied};

/// Maximum number of sectors whose checksums are asked for at once.
const CHECKSUMS: u32 = 64;

/// The state of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the model that lie in the slot.
    pub done: usize,
    /// Bytes that have to.
    pub all: usize,
}

/// The outcome of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Bytes that had to be sent; what lay there already was not.
    pub sent: usize,
    /// True if the backbone stayed where it was.
    pub head_alone: bool,
    /// True if the model was there already, and nothing was written.
    pub unchanged: bool,
}

/// A part of a model, and its place in the slot.
struct Part<'b> {
    start: u32,
    bytes: &'b [u8],
    /// Bytes at its start that are left erased.
    left_out: usize,
}

impl Connection {
    /// Pushes the bytes of a `.posy` file. Returns once the board has run its golden check and
    /// committed the model: it answers the next picture. Until then the board keeps the model
    /// before, unless the slot has no room for two.
    ///
    /// # Errors
    /// [`LinkError`]. The push can be repeated; sectors that lie there already are not sent again.
    pub fn push(
        &mut self,
        file: &[u8],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Pushed, LinkError> {
        Model::read(file)?;
        let prelude = Prelude::parse(file)?;
        let (head, backbone) = file.split_at(prelude.head_len as usize);
        let mut info = self.identify()?.clone();
        if info.format_version != FORMAT_VERSION {
            return Err(LinkError::Format {
                port: self.port().to_owned(),
                board: info.format_version,
            });
        }
        if self.has(file)? {
            return Ok(Pushed {
                sent: 0,
                head_alone: true,
                unchanged: true,
            });
        }
        if info.sector_len == 0 || info.write_len == 0 || info.slot_len % info.sector_len != 0 {
            return Err(self.nonsense());
        }
        let same = info.model.is_some_and(|model| {
            model.backbone_crc == CRC.checksum(backbone)
                && model.backbone_len as usize == backbone.len()
        });
        let place = slot::place(
            info.slot_len,
            info.sector_len,
            info.model.as_ref().map(head_of).as_ref(),
            prelude.head_len,
            prelude.backbone_len,
            same,
        );
        let place = place.ok_or(LinkError::Slot {
            model: file.len(),
            slot: info.slot_len,
        })?;
        if place.clears {
            self.done(Ask::Clear)?;
            info = self.identify()?.clone();
        }
        let head_alone = same && !place.clears;
        let sent = self.write_parts(&info, place, head, backbone, head_alone, progress)?;
        let sealed = sealed(prelude, head, info.generation, info.base, place.backbone);
        self.done(Ask::Commit {
            at: place.head,
            prelude: &sealed.to_bytes(),
        })?;
        self.done(Ask::Resume)?;
        self.identify()?;
        Ok(Pushed {
            sent,
            head_alone,
            unchanged: false,
        })
    }

    /// Returns true if the model that runs on the board is this file, as of the last
    /// [`Connection::identify`].
    ///
    /// # Errors
    /// [`LinkError::Model`].
    pub fn has(&self, file: &[u8]) -> Result<bool, LinkError> {
        let prelude = Prelude::parse(file)?;
        let (head, backbone) = file.split_at((prelude.head_len as usize).min(file.len()));
        let info = self.info();
        Ok(info.runs
            && info.model.is_some_and(|model| {
                let LyingModel {
                    generation, base, ..
                } = model;
                let sealed = sealed(prelude, head, generation, base, model.backbone_offset);
                model.head_crc == sealed.crc && model.backbone_crc == CRC.checksum(backbone)
            }))
    }

    /// Writes the parts that do not lie there; returns the number of bytes that were sent.
    fn write_parts(
        &mut self,
        info: &BoardInfo,
        place: Place,
        head: &[u8],
        backbone: &[u8],
        head_alone: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<usize, LinkError> {
        let head = Part {
            start: place.head,
            bytes: head,
            left_out: PRELUDE_LEN,
        };
        let backbone = Part {
            start: place.backbone,
            bytes: backbone,
            left_out: 0,
        };
        let parts = match head_alone {
            true => vec![head],
            false => vec![backbone, head],
        };
        let all = parts.iter().map(|part| part.bytes.len()).sum();
        let (mut sent, mut done) = (0, 0);
        progress(Progress { done, all });
        for part in &parts {
            sent += self.write(info, part, &mut |len| {
                done += len;
                progress(Progress { done, all });
            })?;
        }
        Ok(sent)
    }

    /// Writes the sectors of a part that differ; `progress` is told of bytes that lie there.
    fn write(
        &mut self,
        info: &BoardInfo,
        part: &Part<'_>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<usize, LinkError> {
        let sector_len = info.sector_len as usize;
        let mut bytes = part.bytes.to_vec();
        let left_out = part.left_out.min(bytes.len());
        bytes[..left_out].fill(0xFF);
        bytes.resize(bytes.len().next_multiple_of(info.write_len as usize), 0xFF);
        let first = part.start / info.sector_len;
        let sectors: Vec<&[u8]> = bytes.chunks(sector_len).collect();
        let sums: Vec<u32> = sectors
            .iter()
            .map(|sector| checksum(sector, sector_len))
            .collect();
        let lying = self.checksums(first, sums.len())?;
        let mut sent = 0;
        for (index, sector) in sectors.iter().enumerate() {
            if sums[index] != lying[index] {
                // An index of a slot of at most 4 GiB.
                let number = first + index as u32;
                self.done(Ask::Erase { sector: number })?;
                for (chunk, bytes) in sector.chunks(CHUNK).enumerate() {
                    // What the commit writes is not touched before, not even as erased bytes.
                    let skipped = if index == 0 && chunk == 0 {
                        left_out
                    } else {
                        0
                    };
                    let bytes = &bytes[skipped..];
                    if bytes.iter().all(|&byte| byte == 0xFF) {
                        continue;
                    }
                    let offset = number * info.sector_len + (chunk * CHUNK + skipped) as u32;
                    self.done(Ask::Write { offset, bytes })?;
                    sent += bytes.len();
                }
            }
            progress(sector.len());
        }
        let lying = self.checksums(first, sums.len())?;
        match (first..)
            .zip(sums.iter().zip(&lying))
            .find(|(_, (sum, lies))| sum != lies)
        {
            Some((sector, _)) => Err(LinkError::Sector {
                port: self.port().to_owned(),
                sector,
            }),
            None => Ok(sent),
        }
    }

    /// CRC-32 of `count` sectors from `first` on.
    fn checksums(&mut self, first: u32, count: usize) -> Result<Vec<u32>, LinkError> {
        let mut sums = Vec::new();
        while sums.len() < count {
            let left = (count - sums.len()).min(CHECKSUMS as usize);
            let ask = Ask::Checksums {
                first: first + sums.len() as u32,
                count: left as u8,
            };
            match self.ask(ask)? {
                Replied::Checksums(more) if more.len() == left => sums.extend(more),
                _ => return Err(self.nonsense()),
            }
        }
        Ok(sums)
    }
}

/// Checksum of a sector whose first bytes are `bytes`, the rest erased.
fn checksum(bytes: &[u8], sector_len: usize) -> u32 {
    let mut whole = bytes.to_vec();
    whole.resize(sector_len, 0xFF);
    CRC.checksum(&whole)
}

/// The prelude of a head in a slot.
fn sealed(prelude: Prelude, head: &[u8], generation: u32, base: u32, backbone: u32) -> Prelude {
    let new = Prelude {
        generation,
        base,
        backbone_offset: backbone,
        ..prelude
    };
    new.sealed(head.get(PRELUDE_LEN..).unwrap_or_default())
}

fn head_of(model: &LyingModel) -> Head {
    Head {
        at: model.at,
        prelude: Prelude {
            generation: model.generation,
            base: model.base,
            head_len: model.head_len,
            backbone_offset: model.backbone_offset,
            backbone_len: model.backbone_len,
            crc: model.head_crc,
        },
    }
}
