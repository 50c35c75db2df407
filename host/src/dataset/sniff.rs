//! File type detection by the first bytes.

use std::fmt;

use thiserror::Error;

/// Maximum number of bytes from the start of a file that [`sniff`] uses.
pub const SNIFF_LEN: usize = 512;

/// Supported image formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Baseline and progressive JPEG, 8 bits.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossy and lossless.
    WebP,
    /// GIF; the first frame is used.
    Gif,
    /// Windows bitmap.
    Bmp,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
        })
    }
}

/// File types other than a photo of a [`Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAPhoto {
    /// An empty file.
    #[error("the file is empty; fetch it again or delete it")]
    Empty,
    /// A picture in an unsupported format; its name.
    #[error("{0} photos are not supported; convert it to JPEG or PNG")]
    OtherPicture(&'static str),
    /// A picture of a phone or a camera that can write JPEG as well: its format, and the setting
    /// for JPEG.
    #[error("{0} photos are not supported; convert it to JPEG ({1})")]
    OfCamera(&'static str, &'static str),
    /// Another kind of file; its name.
    #[error("it is {0}, not a photo (JPEG, PNG, WebP, GIF or BMP)")]
    OtherFile(&'static str),
    /// A Git LFS pointer.
    #[error(
        "it is a pointer of Git LFS, not the photo itself; run `git lfs pull` in the folder that it \
         was cloned into"
    )]
    LfsPointer,
    /// A web page, which a server sent in place of the photo.
    #[error(
        "it is a web page, not a photo; the download went wrong: fetch the photo by its own address"
    )]
    WebPage,
    /// An unknown type.
    #[error("its first bytes are of no known image format (JPEG, PNG, WebP, GIF or BMP)")]
    Unknown,
}

impl NotAPhoto {
    /// A special file, which is never opened: reading it could block forever.
    pub const NOT_A_FILE: Self = NotAPhoto::OtherFile("a pipe, socket or device");
    const HEIC: Self = NotAPhoto::OfCamera(
        "HEIC",
        "heif-convert does; an iPhone takes JPEG by Settings, Camera, Formats, Most Compatible",
    );
    const RAW: Self = NotAPhoto::OfCamera("camera raw", "the camera's own program exports it");
    const TIFF: Self = NotAPhoto::OfCamera(
        "TIFF (or camera raw)",
        "an image editor or the camera's own program exports it",
    );
}

/// Detects the format of a file by its start: the first [`SNIFF_LEN`] bytes, or all of a shorter
/// file.
///
/// # Errors
/// [`NotAPhoto`] says what the file is instead.
pub fn sniff(start: &[u8]) -> Result<Format, NotAPhoto> {
    let start = &start[..start.len().min(SNIFF_LEN)];
    if start.is_empty() {
        return Err(NotAPhoto::Empty);
    }
    if start.starts_with(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if start.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Png);
    }
    if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
        return Ok(Format::WebP);
    }
    if start.starts_with(b"GIF87a") || start.starts_with(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if is_bmp(start) {
        return Ok(Format::Bmp);
    }
    Err(other(start))
}

/// "BM" alone could begin a text: the length of the second header must be one that exists.
fn is_bmp(start: &[u8]) -> bool {
    const HEADER_LENGTHS: [u32; 7] = [12, 40, 52, 56, 64, 108, 124];
    let header_len = start.get(14..18).and_then(|b| b.try_into().ok());
    start.starts_with(b"BM")
        && header_len.is_some_and(|b| HEADER_LENGTHS.contains(&u32::from_le_bytes(b)))
}

fn other(start: &[u8]) -> NotAPhoto {
    use NotAPhoto::{OtherFile, OtherPicture};
    /// Types that the first bytes alone identify.
    const MAGIC: &[(&[u8], NotAPhoto)] = &[
        (b"II*\0", NotAPhoto::TIFF),
        (b"MM\0*", NotAPhoto::TIFF),
        (b"II+\0", OtherPicture("TIFF")),
        (b"MM\0+", OtherPicture("TIFF")),
        (b"FUJIFILM", NotAPhoto::RAW),
        (b"FOVb", NotAPhoto::RAW),
        (b"\0MRM", NotAPhoto::RAW),
        (b"IIRO", NotAPhoto::RAW),
        (b"IIRS", NotAPhoto::RAW),
        (b"MMOR", NotAPhoto::RAW),
        (b"IIU\0", NotAPhoto::RAW),
        (b"\xff\x0a", OtherPicture("JPEG XL")),
        (b"\0\0\0\x0cJXL \r\n\x87\n", OtherPicture("JPEG XL")),
        (b"\0\0\0\x0cjP  \r\n\x87\n", OtherPicture("JPEG 2000")),
        (b"\xff\x4f\xff\x51", OtherPicture("JPEG 2000")),
        (b"8BPS", OtherPicture("Photoshop")),
        (b"\0\0\x01\0", OtherPicture("icon")),
        (b"qoif", OtherPicture("QOI")),
        (b"v/1\x01", OtherPicture("OpenEXR")),
        (b"gimp xcf", OtherPicture("GIMP")),
        (b"%PDF", OtherFile("a PDF document")),
        (b"PK\x03\x04", OtherFile("a ZIP archive")),
        (b"\x1f\x8b", OtherFile("a gzip archive")),
        (b"7z\xbc\xaf\x27\x1c", OtherFile("a 7z archive")),
        (b"Rar!", OtherFile("a RAR archive")),
        (b"\x1a\x45\xdf\xa3", OtherFile("a video (Matroska or WebM)")),
        (b"\x89HDF", OtherFile("an HDF5 file")),
        (b"SQLite format 3\0", OtherFile("a database")),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
        return *kind;
    }
    if start.starts_with(b"RIFF") {
        return OtherFile("a video or sound");
    }
    if start.get(4..8) == Some(b"ftyp") {
        return iso_media(start);
    }
    if is_text(start) {
        return text(start);
    }
    NotAPhoto::Unknown
}

/// ISO base media files (ISO/IEC 14496-12): the brands after "ftyp" tell pictures from videos.
fn iso_media(start: &[u8]) -> NotAPhoto {
    let box_len = start.first_chunk().map_or(0, |b| u32::from_be_bytes(*b)) as usize;
    let brands = start.get(8..box_len.clamp(8, start.len())).unwrap_or(&[]);
    let has = |brand: &[u8; 4]| brands.chunks(4).any(|b| b == brand);
    if has(b"avif") || has(b"avis") {
        NotAPhoto::OtherPicture("AVIF")
    } else if [
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1",
    ]
    .map(has)
    .contains(&true)
    {
        NotAPhoto::HEIC
    } else if has(b"crx ") {
        NotAPhoto::RAW
    } else {
        NotAPhoto::OtherFile("a video (MP4 or QuickTime)")
    }
}

/// Returns true if the bytes are UTF-8 (except for a character cut at the end) without control
/// characters other than white space.
fn is_text(start: &[u8]) -> bool {
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid
            .chars()
            .all(|c| !c.is_control() || c.is_ascii_whitespace())
}

fn text(start: &[u8]) -> NotAPhoto {
    let lower = String::from_utf8_lossy(start).to_lowercase();
    let lower = lower.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    if lower.starts_with("version https://git-lfs") {
        NotAPhoto::LfsPointer
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        NotAPhoto::WebPage
    } else if lower.contains("<svg") {
        NotAPhoto::OtherPicture("SVG")
    } else {
        NotAPhoto::OtherFile("a text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formats_that_are_read() {
        let bmp = [&b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0"[..], &[40, 0, 0, 0]].concat();
        let cases: [(&[u8], Format); 6] = [
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Format::Jpeg),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", Format::Png),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Format::WebP),
            (b"GIF89a", Format::Gif),
            (b"GIF87a", Format::Gif),
            (&bmp, Format::Bmp),
        ];
        for (start, format) in cases {
            assert_eq!(sniff(start), Ok(format));
        }
    }

    #[test]
    fn others_are_named() {
        let cases: [(&[u8], &str); 22] = [
            (b"", "empty"),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
                "HEIC photos are not supported; convert",
            ),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x18ftypmsf1\0\0\0\0hevc", "HEIC"),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:8a2\n",
                "git lfs pull",
            ),
            (b"<html><svg></svg></html>", "web page"),
            (b"FUJIFILMCCD-RAW 0201", "camera raw"),
            (b"II*\0\x08\0\0\0", "TIFF"),
            (b"MM\0*\0\0\0\x08", "TIFF"),
            (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
            (b"%PDF-1.7\n%", "PDF"),
            (b"PK\x03\x04\x14\0", "ZIP"),
            (b"RIFF\x24\0\0\0AVI LIST", "video"),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns", "SVG"),
            (b"BM is how this letter begins", "text"),
            ("花の写真について\n".as_bytes(), "text"),
            (&"花".as_bytes()[..2], "no known"),
            (b"\0\0\0\0\0\0", "no known"),
            (b"\x89PNG", "no known"),
            (b"\xff\xd8", "no known"),
        ];
        for (start, part) in cases {
            let message = sniff(start).unwrap_err().to_string();
            assert!(message.contains(part), "{message} lacks {part}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = sniff(&bytes);
            let _ = sniff(&[b"\0\0\0\x18ftyp", &bytes[..]].concat());
            let _ = sniff(&[b"BM", &bytes[..]].concat());
        }
    }
}
