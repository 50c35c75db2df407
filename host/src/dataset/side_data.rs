//! Side data of a PNG, WebP or GIF: found without unpacking, and removed before a decoder sees the
//! file.
//!
//! Colour profiles and texts may be compressed, and decoders unpack them even where they are not
//! needed: a megabyte becomes a gigabyte. posy needs only the EXIF orientation and the number of
//! frames.

use std::borrow::Cow;

use super::sniff::Format;

/// A file without its side data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture<'a> {
    /// The picture alone, in the file's own format; for an animated GIF the first frame.
    pub(super) bytes: Cow<'a, [u8]>,
    /// EXIF, if any, perhaps with the prefix that it has in a JPEG.
    pub(super) exif: Option<&'a [u8]>,
    /// True if there is more than one frame.
    pub(super) animated: bool,
    /// True if the file is shorter than it claims.
    pub(super) cut_short: bool,
    /// Width and height of the first frame, for formats where they may differ from the picture's.
    pub(super) frame: Option<(u16, u16)>,
}

impl<'a> Picture<'a> {
    const fn plain(bytes: &'a [u8]) -> Self {
        Picture {
            bytes: Cow::Borrowed(bytes),
            exif: None,
            animated: false,
            cut_short: false,
            frame: None,
        }
    }
}

/// Removes the side data from a file of this format. A truncated file stays truncated.
pub(super) fn without_side_data(bytes: &[u8], format: Format) -> Picture<'_> {
    match format {
        Format::Png => png(bytes),
        Format::WebP => webp(bytes),
        Format::Gif => gif(bytes),
        // A JPEG has its own parser; a bitmap's decoder reads no profile.
        Format::Jpeg | Format::Bmp => Picture::plain(bytes),
    }
}

/// PNG (specification, section 5.3): chunks of length, name, body and checksum. Of the ancillary
/// chunks only the one for transparency stays.
fn png(bytes: &[u8]) -> Picture<'_> {
    const SIGNATURE: usize = 8;
    const AROUND_BODY: usize = 12;
    let mut picture = Picture::plain(bytes);
    let mut kept = Vec::new();
    let mut at = SIGNATURE.min(bytes.len());
    kept.extend_from_slice(&bytes[..at]);
    while let Some((head, body)) = bytes[at..].split_first_chunk::<8>() {
        let &[a, b, c, d, name @ ..] = head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let end = at.saturating_add(length).saturating_add(AROUND_BODY);
        let end = end.min(bytes.len());
        let is_needed = name[0].is_ascii_uppercase() || &name == b"tRNS";
        match &name {
            b"eXIf" => picture.exif = body.get(..length).or(picture.exif),
            b"acTL" => picture.animated = true,
            _ if is_needed => kept.extend_from_slice(&bytes[at..end]),
            _ => (),
        }
        at = end;
        if &name == b"IEND" {
            break;
        }
    }
    picture.bytes = match kept.len() == bytes.len() {
        true => Cow::Borrowed(bytes),
        false => Cow::Owned(kept),
    };
    picture
}

/// WebP (RFC 9649, section 2.7): chunks of name, length and body, padded to an even length. Its
/// decoder reads side data only on request, so all bytes stay.
fn webp(bytes: &[u8]) -> Picture<'_> {
    const HEADER: usize = 12;
    /// The animation flag in the first byte of the extended header.
    const ANIMATION: u8 = 2;
    let mut picture = Picture::plain(bytes);
    let said = bytes.get(4..).and_then(|rest| rest.first_chunk());
    let said = said.map_or(0, |length| u32::from_le_bytes(*length) as usize);
    // The last byte may be padding to an even length.
    picture.cut_short = bytes.len().saturating_add(1) < said.saturating_add(8);
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let &[name @ .., a, b, c, d] = head;
        let name: [u8; 4] = name;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        match (&name, body.get(..length)) {
            (b"EXIF", Some(exif)) if picture.exif.is_none() => picture.exif = Some(exif),
            (b"VP8X", Some([flags, ..])) => picture.animated = flags & ANIMATION != 0,
            _ => (),
        }
        rest = body
            .get(length.saturating_add(length % 2)..)
            .unwrap_or_default();
    }
    picture
}

/// GIF (89a, appendix B): a header and blocks. Only the first picture and its display settings
/// stay.
fn gif(bytes: &[u8]) -> Picture<'_> {
    let mut picture = Picture::plain(bytes);
    let mut kept = Vec::new();
    // A truncated file keeps the bytes that it has.
    match gif_blocks(bytes, &mut kept, &mut picture) {
        Some(()) if !kept.is_empty() => picture.bytes = Cow::Owned(kept),
        _ => (),
    }
    picture
}

/// Reads blocks up to the second picture; `None` if the file ends before the first is complete.
fn gif_blocks<'a>(bytes: &'a [u8], kept: &mut Vec<u8>, picture: &mut Picture<'a>) -> Option<()> {
    const HEADER: usize = 13;
    const EXTENSION: u8 = 0x21;
    const GRAPHIC_CONTROL: u8 = 0xf9;
    const IMAGE: u8 = 0x2c;
    const TRAILER: u8 = 0x3b;
    /// Length of a colour table by its packed fields, bytes.
    const fn table(packed: u8) -> usize {
        match packed & 0x80 {
            0 => 0,
            _ => 3 << ((packed & 7) + 1),
        }
    }
    let mut at = HEADER + table(*bytes.get(10)?);
    kept.extend_from_slice(bytes.get(..at)?);
    loop {
        let from = at;
        match bytes.get(at).copied() {
            Some(EXTENSION) => {
                let label = *bytes.get(at + 1)?;
                at = after_sub_blocks(bytes, at + 2)?;
                if label == GRAPHIC_CONTROL && picture.frame.is_none() {
                    kept.extend_from_slice(&bytes[from..at]);
                }
            }
            Some(IMAGE) if picture.frame.is_some() => {
                picture.animated = true;
                return Some(());
            }
            Some(IMAGE) => {
                let &[a, b, c, d, packed] = bytes.get(at + 5..)?.first_chunk()?;
                let extent = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                picture.frame = Some(extent);
                at = after_sub_blocks(bytes, at + 11 + table(packed))?;
                kept.extend_from_slice(&bytes[from..at]);
                kept.push(TRAILER);
            }
            // After the first picture the end may be missing.
            _ => return picture.frame.map(|_| ()),
        }
        if picture.frame.is_some() && bytes.len() <= at {
            return Some(());
        }
    }
}

/// The position after sub-blocks, each a length and as many bytes; the last has length zero.
fn after_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/photos");
        std::fs::read(format!("{folder}/{name}")).unwrap()
    }

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        // The checksum of a removed chunk is never checked.
        [&(body.len() as u32).to_be_bytes(), &name[..], body, &[0; 4]].concat()
    }

    #[test]
    fn a_plain_png_stays_as_it_is_and_chunks_beside_it_go() {
        let plain = fixture("rgb.png");
        let picture = without_side_data(&plain, Format::Png);
        assert!(matches!(picture.bytes, Cow::Borrowed(_)));
        let (start, rest) = plain.split_at(8 + 25);
        let beside = [
            chunk(b"iCCP", b"x\0\0z"),
            chunk(b"zTXt", b"t"),
            chunk(b"eXIf", b"II*\0"),
            chunk(b"acTL", &[0; 8]),
        ];
        let more = [start, &beside.concat(), rest].concat();
        let picture = without_side_data(&more, Format::Png);
        assert_eq!(*picture.bytes, plain);
        assert_eq!(picture.exif, Some(&b"II*\0"[..]));
        assert!(picture.animated);
        // A chunk that claims more bytes than there are ends with the file.
        let cut = &more[..more.len() - 20];
        let picture = without_side_data(cut, Format::Png);
        assert_eq!(*picture.bytes, plain[..plain.len() - 20]);
    }

    #[test]
    fn of_a_gif_the_first_frame_stays() {
        let bytes = fixture("animated.gif");
        let picture = without_side_data(&bytes, Format::Gif);
        assert!(picture.animated && picture.bytes.len() < bytes.len());
        assert_eq!(picture.frame, Some((40, 28)));
        let again = without_side_data(&picture.bytes, Format::Gif);
        assert!(!again.animated);
        assert_eq!(again.bytes, picture.bytes);
        let still = fixture("transparent.gif");
        assert!(!without_side_data(&still, Format::Gif).animated);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            for (format, name) in [
                (Format::Png, "rgb.png"), (Format::WebP, "animated.webp"), (Format::Gif, "animated.gif"),
            ] {
                without_side_data(&bytes, format);
                let mut damaged = fixture(name);
                for (place, value) in &places {
                    let at = place.index(damaged.len());
                    damaged[at] = *value;
                }
                without_side_data(&damaged, format);
            }
        }
    }
}
