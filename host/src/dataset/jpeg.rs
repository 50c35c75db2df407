//! The structure of a JPEG: its frame, its scans, and the parts that make up the picture.
//!
//! Decoders silently fill missing or damaged data with grey, so that a network would train on half
//! a photo. This parser walks from marker to marker (ITU-T T.81, section B.1) before a decoder sees
//! the file. It rejects what libjpeg rejects (markers that are reserved or belong to another
//! process), and also restart markers that are missing or out of order. Only the parts that make up
//! the picture are passed on: profiles, thumbnails and comments are never read.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// Maximum number of scans in a file; libjpeg's own progressive files have ten.
const MOST_SCANS: usize = 100;

/// Errors in the structure of a JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Data is missing.
    Truncated,
    /// Damaged or unsupported data, with the reason.
    Refused(Cow<'static, str>),
}

/// A channel of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Component {
    id: u8,
    /// Horizontal and vertical sampling factors.
    sampling: (u8, u8),
}

/// The frame header (ITU-T T.81, section B.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    progressive: bool,
    width: u16,
    height: u16,
    components: Vec<Component>,
}

/// The structure of a JPEG that can be decoded, as far as its markers tell.
#[derive(Clone, Debug)]
pub(super) struct Jpeg<'a> {
    bytes: &'a [u8],
    frame: Frame,
    /// Number of channels in the first scan.
    first_scan: usize,
    /// Byte ranges that make up the picture, in the file's order.
    parts: Vec<Range<usize>>,
    /// The first EXIF block, if any.
    pub(super) exif: Option<&'a [u8]>,
}

mod marker {
    use std::ops::RangeInclusive;

    pub(super) const TEMPORARY: u8 = 0x01;
    pub(super) const HUFFMAN_TABLES: u8 = 0xc4;
    pub(super) const RESTARTS: RangeInclusive<u8> = 0xd0..=0xd7;
    pub(super) const START_OF_IMAGE: u8 = 0xd8;
    pub(super) const END_OF_IMAGE: u8 = 0xd9;
    pub(super) const START_OF_SCAN: u8 = 0xda;
    pub(super) const QUANTISATION_TABLES: u8 = 0xdb;
    pub(super) const NUMBER_OF_LINES: u8 = 0xdc;
    pub(super) const RESTART_INTERVAL: u8 = 0xdd;
    pub(super) const JFIF: u8 = 0xe0;
    pub(super) const EXIF: u8 = 0xe1;
    pub(super) const ADOBE: u8 = 0xee;
    pub(super) const APPLICATIONS: RangeInclusive<u8> = 0xe0..=0xef;
    pub(super) const COMMENT: u8 = 0xfe;
}

/// A parser's position and state.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    restart_interval: u32,
    scans: usize,
    first_scan: usize,
    parts: Vec<Range<usize>>,
    exif: Option<&'a [u8]>,
}

fn refused<T>(what: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
    Err(Fault::Refused(what.into()))
}

impl<'a> Jpeg<'a> {
    /// Parses `bytes`, which begin with the start-of-image marker; bytes after the end marker are
    /// ignored.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut walk = Walk {
            bytes,
            at: 2,
            frame: None,
            restart_interval: 0,
            scans: 0,
            first_scan: 0,
            parts: Vec::new(),
            exif: None,
        };
        walk.keep(0..2.min(bytes.len()));
        while let Some(code) = walk.next_marker()? {
            walk.segment(code)?;
        }
        // An end before any scan means that the middle of the file is missing.
        match walk.frame {
            Some(frame) if walk.scans > 0 => Ok(Jpeg {
                bytes,
                frame,
                first_scan: walk.first_scan,
                parts: walk.parts,
                exif: walk.exif,
            }),
            _ => Err(Fault::Truncated),
        }
    }

    /// Width and height in pixels, as stored.
    pub(super) const fn size(&self) -> (u32, u32) {
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Number of channels: 1 for grey, 3 for colour, 4 for CMYK.
    pub(super) const fn channels(&self) -> usize {
        self.frame.components.len()
    }

    /// The file without side data.
    pub(super) fn picture(&self) -> Vec<u8> {
        let mut picture = Vec::with_capacity(self.parts.iter().map(Range::len).sum());
        for part in &self.parts {
            picture.extend_from_slice(&self.bytes[part.clone()]);
        }
        picture
    }

    /// Returns true if decoders buffer all blocks before the first pixel: in progressive files, and
    /// where channels have separate scans.
    pub(super) fn is_buffered(&self) -> bool {
        self.frame.progressive || self.first_scan < self.channels()
    }

    /// Samples of all channels, in whole units.
    pub(super) fn samples(&self) -> u64 {
        let (across, down) = self.frame.greatest_sampling();
        let units = |length: u16, sampling: u8| u64::from(length).div_ceil(8 * u64::from(sampling));
        let units = units(self.frame.width, across) * units(self.frame.height, down);
        let blocks = |c: &Component| u64::from(c.sampling.0) * u64::from(c.sampling.1);
        units * 64 * self.frame.components.iter().map(blocks).sum::<u64>()
    }

    /// Returns true for the usual layouts, which the faster decoder supports: progressive or in one
    /// scan, with the first channel at the highest resolution and the others at a half, a quarter
    /// or the like.
    pub(super) fn is_usual(&self) -> bool {
        let (across, down) = self.frame.greatest_sampling();
        let mut components = self.frame.components.iter();
        let is_finest = |c: &Component| c.sampling == (across, down);
        (self.frame.progressive || self.first_scan >= self.channels())
            && components.clone().next().is_some_and(is_finest)
            && components.all(|c| c.sampling.0.is_power_of_two() && c.sampling.1.is_power_of_two())
    }
}

impl Frame {
    fn greatest_sampling(&self) -> (u8, u8) {
        let sampling = || self.components.iter().map(|c| c.sampling);
        let across = sampling().map(|(across, _)| across).max().unwrap_or(1);
        (across, sampling().map(|(_, down)| down).max().unwrap_or(1))
    }

    /// Minimum number of restart markers within a scan of these channels.
    fn restarts(&self, channels: &[u8], interval: u32) -> u64 {
        let (across, down) = self.greatest_sampling();
        let lengths = (u64::from(self.width), u64::from(self.height));
        let unit = match channels {
            // A scan of one channel has blocks for units, and none beyond its own edge.
            [one] => self.components.iter().find(|c| c.id == *one),
            _ => None,
        };
        let (unit_across, unit_down) = unit.map_or((1, 1), |unit| unit.sampling);
        let units = |length: u64, sampling: u8, greatest: u8| {
            (length * u64::from(sampling)).div_ceil(8 * u64::from(greatest))
        };
        let units = units(lengths.0, unit_across, across) * units(lengths.1, unit_down, down);
        match interval {
            0 => 0,
            interval => units.div_ceil(interval.into()).saturating_sub(1),
        }
    }
}

impl<'a> Walk<'a> {
    fn keep(&mut self, part: Range<usize>) {
        match self.parts.last_mut() {
            Some(last) if last.end == part.start => last.end = part.end,
            _ => self.parts.push(part),
        }
    }

    /// The code of the next marker; `None` at the end of the image. A marker is 0xff, any number of
    /// further 0xff, and a code other than 0. Bytes before it are skipped, as libjpeg does.
    fn next_marker(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let rest = self.bytes.get(self.at..).ok_or(Fault::Truncated)?;
            let from = memchr(0xff, rest).ok_or(Fault::Truncated)?;
            let more = rest[from..].iter().position(|&byte| byte != 0xff);
            let code_at = from + more.ok_or(Fault::Truncated)?;
            self.at += code_at + 1;
            match rest[code_at] {
                0 => (),
                marker::END_OF_IMAGE => {
                    self.keep(self.at - 2..self.at);
                    return Ok(None);
                }
                code => return Ok(Some(code)),
            }
        }
    }

    /// Reads the segment after a marker.
    fn segment(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            code if marker::RESTARTS.contains(&code) => return Ok(()),
            marker::TEMPORARY => return Ok(()),
            marker::START_OF_IMAGE => return refused("a second picture begins within it"),
            0xc3 => return refused("it is lossless, which is not supported"),
            0xc5..=0xc7 | 0xde | 0xdf => {
                return refused("it is hierarchical, which is not supported");
            }
            0xc9 | 0xca | 0xcc => {
                return refused("it has arithmetic coding, which is not supported");
            }
            0xcb | 0xcd..=0xcf => {
                return refused("its coding is not supported (lossless or hierarchical)");
            }
            0x02..=0xbf | 0xc8 | 0xf0..=0xfd => {
                return refused(format!("it is damaged: marker ff{code:02x} means nothing"));
            }
            _ => (),
        }
        let header = self.bytes.get(self.at..).ok_or(Fault::Truncated)?;
        let (length, _) = header.split_first_chunk().ok_or(Fault::Truncated)?;
        // The length includes itself.
        let length = usize::from(u16::from_be_bytes(*length)).max(2);
        let body = header.get(2..length).ok_or(Fault::Truncated)?;
        let whole = self.at - 2..self.at + length;
        self.at += length;
        match code {
            0xc0..=0xc2 => {
                if self.frame.is_some() {
                    return refused("it has two frame headers");
                }
                self.frame = Some(frame(body, code == 0xc2)?);
                self.keep(whole);
            }
            marker::RESTART_INTERVAL => {
                let interval = body.first_chunk().ok_or(Fault::Truncated)?;
                self.restart_interval = u16::from_be_bytes(*interval).into();
                self.keep(whole);
            }
            marker::HUFFMAN_TABLES | marker::QUANTISATION_TABLES => self.keep(whole),
            marker::JFIF if body.starts_with(b"JFIF\0") || body.starts_with(b"AVI1") => {
                self.keep(whole);
            }
            marker::ADOBE if body.starts_with(b"Adobe") => self.keep(whole),
            marker::EXIF if body.starts_with(super::exif::PREFIX) => {
                self.exif.get_or_insert(body);
            }
            code if marker::APPLICATIONS.contains(&code) => (),
            marker::COMMENT | marker::NUMBER_OF_LINES => (),
            marker::START_OF_SCAN => self.scan(body, whole.start)?,
            _ => return refused(format!("it is damaged: marker ff{code:02x} means nothing")),
        }
        Ok(())
    }

    /// Skips a scan's data, up to the first marker that does not belong to a scan.
    fn scan(&mut self, header: &[u8], from: usize) -> Result<(), Fault> {
        let Some(frame) = &self.frame else {
            return refused("a scan comes before the frame header");
        };
        let count = usize::from(*header.first().ok_or(Fault::Truncated)?);
        let channels = header.get(1..1 + 2 * count).ok_or(Fault::Truncated)?;
        let channels: Vec<u8> = channels.chunks(2).map(|channel| channel[0]).collect();
        let least = frame.restarts(&channels, self.restart_interval);
        self.scans += 1;
        match self.scans {
            1 => self.first_scan = channels.len(),
            0..=MOST_SCANS => (),
            _ => return refused(format!("it has more than {MOST_SCANS} scans")),
        }
        let mut restarts = 0;
        loop {
            let rest = self.bytes.get(self.at..).ok_or(Fault::Truncated)?;
            let found = memchr(0xff, rest).ok_or(Fault::Truncated)?;
            let more = rest[found..].iter().position(|&byte| byte != 0xff);
            let code_at = found + more.ok_or(Fault::Truncated)?;
            match rest[code_at] {
                0 => self.at += code_at + 1,
                code if marker::RESTARTS.contains(&code) => {
                    let expected = marker::RESTARTS.start() + (restarts % 8) as u8;
                    if self.restart_interval == 0 || code != expected {
                        return refused("it is damaged: its restart markers are out of order");
                    }
                    restarts += 1;
                    self.at += code_at + 1;
                }
                marker::TEMPORARY => {
                    return refused("it is damaged: marker ff01 within the picture's data");
                }
                _ => {
                    // Fill bytes belong to the marker.
                    self.at += found;
                    break;
                }
            }
        }
        if restarts < least {
            return Err(Fault::Truncated);
        }
        self.keep(from..self.at);
        Ok(())
    }
}

fn frame(body: &[u8], progressive: bool) -> Result<Frame, Fault> {
    let (header, rest) = body.split_first_chunk::<6>().ok_or(Fault::Truncated)?;
    let &[
        precision,
        height_high,
        height_low,
        width_high,
        width_low,
        count,
    ] = header;
    if precision != 8 {
        return refused(format!(
            "it has {precision} bits a channel, of which 8 are read"
        ));
    }
    if ![1, 3, 4].contains(&count) {
        return refused(format!(
            "it has {count} channels, of which 1, 3 or 4 are read"
        ));
    }
    let components = rest.get(..3 * usize::from(count)).ok_or(Fault::Truncated)?;
    let components = components
        .as_chunks()
        .0
        .iter()
        .map(|&[id, sampling, _]| Component {
            id,
            sampling: (sampling >> 4, sampling & 15),
        });
    let frame = Frame {
        progressive,
        width: u16::from_be_bytes([width_high, width_low]),
        height: u16::from_be_bytes([height_high, height_low]),
        components: components.collect(),
    };
    let valid = |sampling| (1..=4).contains(&sampling);
    if !frame
        .components
        .iter()
        .all(|c| valid(c.sampling.0) && valid(c.sampling.1))
    {
        return refused("its channels are sampled in a way that JPEG does not have");
    }
    Ok(frame)
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
mod tests;
