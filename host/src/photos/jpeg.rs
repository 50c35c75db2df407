//! Whether a JPEG is all there.
//!
//! The decoder fills what is missing with grey and says nothing, so that half a photo would be
//! learned as a whole one. A JPEG that was cut off lacks its end marker: this walks from marker to
//! marker (ITU-T T.81, section B.1) and looks for it.

use memchr::memchr;

/// Whether an end-of-image marker follows a scan. `jpeg` begins with the start-of-image marker;
/// what comes after the end marker does not count.
pub(super) fn is_complete(jpeg: &[u8]) -> bool {
    const START_OF_IMAGE: u8 = 0xd8;
    const END_OF_IMAGE: u8 = 0xd9;
    const START_OF_SCAN: u8 = 0xda;
    const TEMPORARY: u8 = 0x01;
    const RESTARTS: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;

    let mut rest = jpeg;
    let mut scans = 0;
    loop {
        // A marker is 0xff, any number of 0xff more, and a code other than 0; 0xff 0 is a byte of a
        // scan's data, and so is whatever else lies between markers.
        let Some(at) = memchr(0xff, rest) else {
            return false;
        };
        let Some(code_at) = rest[at..].iter().position(|&byte| byte != 0xff) else {
            return false;
        };
        let code = rest[at + code_at];
        rest = &rest[at + code_at + 1..];
        match code {
            0 | TEMPORARY | START_OF_IMAGE => continue,
            code if RESTARTS.contains(&code) => continue,
            END_OF_IMAGE => return scans > 0,
            START_OF_SCAN => scans += 1,
            _ => (),
        }
        // Every other marker begins a segment that says its length, itself included.
        let Some((length, _)) = rest.split_first_chunk() else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes(*length)).max(2);
        let Some(after) = rest.get(length..) else {
            return false;
        };
        rest = after;
    }
}

/// Channels that the first frame header names (ITU-T T.81, section B.2.2): 1 of grey, 3 of colour, 4
/// of inks. None where there is no such header.
pub(super) fn channels(jpeg: &[u8]) -> Option<u8> {
    let mut at = 2;
    loop {
        let marker = *jpeg.get(at + 1)?;
        match (jpeg.get(at)?, marker) {
            // Fill bytes may stand before a marker.
            (0xff, 0xff) => at += 1,
            // Of the codes of frames these three are tables and an extension.
            (0xff, 0xc0..=0xcf) if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                return jpeg.get(at + 9).copied();
            }
            (0xff, 0xda) => return None,
            (0xff, _) => {
                let length = jpeg.get(at + 2..)?.first_chunk()?;
                at += 2 + usize::from(u16::from_be_bytes(*length)).max(2);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{channels, is_complete};
    use proptest::prelude::*;

    const SCAN: &[u8] = b"\xff\xda\0\x03\0\x12\xff\0\x34\xff\xd0\x56";

    #[test]
    fn ends_are_found() {
        let whole = [b"\xff\xd8", SCAN, SCAN, b"\xff\xff\xd9 and more"].concat();
        assert!(is_complete(&whole));
        for len in 0..whole.len() - b" and more".len() {
            assert!(!is_complete(&whole[..len]), "{len}");
        }
    }

    #[test]
    fn an_end_within_a_segment_is_not_one() {
        let thumbnail = b"\xff\xe1\0\x0a\xff\xd8\xff\xda\0\x02\xff\xd9";
        assert!(!is_complete(&[b"\xff\xd8", &thumbnail[..], SCAN].concat()));
        assert!(is_complete(
            &[b"\xff\xd8", &thumbnail[..], SCAN, b"\xff\xd9"].concat()
        ));
        assert!(!is_complete(b"\xff\xd8\xff\xd9"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..60)) {
            is_complete(&bytes);
            channels(&bytes);
        }
    }
}
