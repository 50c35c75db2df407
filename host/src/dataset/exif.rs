//! EXIF orientation.

use image::metadata::Orientation;

/// Prefix of a JPEG's EXIF block; libvips and older Pillow write it into WebP and PNG too, where it
/// does not belong.
pub(super) const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation tag (EXIF 2.3, section 4.6.4).
const ORIENTATION: u16 = 0x0112;

/// The orientation of a photo; `None` if EXIF does not say, or is damaged.
pub(super) fn orientation(exif: &[u8]) -> Option<Orientation> {
    let tiff = exif.strip_prefix(PREFIX).unwrap_or(exif);
    let read = match tiff.first_chunk()? {
        b"II*\0" => Reader {
            tiff,
            big_endian: false,
        },
        b"MM\0*" => Reader {
            tiff,
            big_endian: true,
        },
        _ => return None,
    };
    let directory = read.long(4)? as usize;
    let entries = usize::from(read.short(directory)?);
    let entry = (0..entries)
        .map(|index| directory + 2 + 12 * index)
        .find(|&entry| read.short(entry) == Some(ORIENTATION))?;
    // Some programs write another integer type than EXIF requires.
    let value = match read.short(entry + 2)? {
        1 => u32::from(*tiff.get(entry + 8)?),
        3 => u32::from(read.short(entry + 8)?),
        4 => read.long(entry + 8)?,
        _ => return None,
    };
    Orientation::from_exif(u8::try_from(value).ok()?)
}

struct Reader<'a> {
    tiff: &'a [u8],
    big_endian: bool,
}

impl Reader<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.tiff.get(at..)?.first_chunk()?;
        Some(match self.big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.tiff.get(at..)?.first_chunk()?;
        Some(match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// EXIF with one entry.
    fn exif(big_endian: bool, kind: u16, value: &[u8]) -> Vec<u8> {
        let short = |number: u16| match big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        };
        let long = |number: u32| match big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        };
        let mut bytes = Vec::from(if big_endian { b"MM" } else { b"II" });
        bytes.extend(short(42));
        bytes.extend(long(8));
        bytes.extend(short(1));
        bytes.extend([short(ORIENTATION), short(kind)].concat());
        bytes.extend(long(1));
        bytes.extend(value);
        bytes.resize(8 + 2 + 12 + 4, 0);
        bytes
    }

    #[test]
    fn both_orders_of_bytes_and_three_types() {
        let six = Some(Orientation::Rotate90);
        assert_eq!(orientation(&exif(false, 3, &[6, 0])), six);
        assert_eq!(orientation(&exif(true, 3, &[0, 6])), six);
        assert_eq!(orientation(&exif(false, 4, &[6, 0, 0, 0])), six);
        assert_eq!(orientation(&exif(true, 4, &[0, 0, 0, 6])), six);
        assert_eq!(orientation(&exif(true, 1, &[6])), six);
        let prefixed = [PREFIX, &exif(false, 3, &[6, 0])].concat();
        assert_eq!(orientation(&prefixed), six);
        for other in [
            exif(false, 3, &[9, 0]),
            exif(false, 4, &[6, 1, 0, 0]),
            exif(false, 2, b"6\0"),
            PREFIX.to_vec(),
            Vec::new(),
        ] {
            assert_eq!(orientation(&other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0..26usize, value: u8) {
            orientation(&bytes);
            let mut damaged = exif(true, 3, &[0, 6]);
            damaged[at] = value;
            orientation(&damaged);
        }
    }
}
