use proptest::prelude::*;

use super::*;

/// A frame of 16 x 16 pixels with these sampling factors, and one scan of all its channels.
fn file(process: u8, samplings: &[u8], scan: &[u8]) -> Vec<u8> {
    let count = samplings.len() as u8;
    let mut bytes = b"\xff\xd8".to_vec();
    bytes.extend([0xff, process, 0, 8 + 3 * count, 8, 0, 16, 0, 16, count]);
    for (id, &sampling) in samplings.iter().enumerate() {
        bytes.extend([id as u8, sampling, 0]);
    }
    bytes.extend([0xff, 0xda, 0, 6 + 2 * count, count]);
    bytes.extend((0..count).flat_map(|id| [id, 0]));
    bytes.extend([0, 63, 0]);
    bytes.extend(scan);
    bytes.extend(b"\xff\xd9");
    bytes
}

fn fault(bytes: &[u8]) -> String {
    match Jpeg::read(bytes) {
        Err(Fault::Truncated) => "truncated".to_owned(),
        Err(Fault::Refused(text)) => text.into_owned(),
        Ok(_) => "fine".to_owned(),
    }
}

#[test]
fn ends_are_found() {
    let whole = file(0xc0, &[0x11], b"\x12\xff\0\x34");
    assert_eq!(fault(&whole), "fine");
    assert_eq!(fault(&[&whole, &b" and more"[..]].concat()), "fine");
    for len in 2..whole.len() {
        assert_eq!(fault(&whole[..len]), "truncated", "{len}");
    }
    assert_eq!(fault(b"\xff\xd8\xff\xd9"), "truncated");
}

#[test]
fn what_is_no_part_of_the_picture_goes_and_an_end_within_it_is_not_one() {
    let plain = file(0xc0, &[0x11], b"\x12\x34");
    let beside = b"\xff\xe1\0\x0a\xff\xd8\xff\xda\0\x02\xff\xd9\xff\xfe\0\x05abc\xff\xe2\0\x04xy\
        \xff\xe1\0\x0bExif\0\0abc";
    let more = [&plain[..2], beside, &plain[2..]].concat();
    let jpeg = Jpeg::read(&more).unwrap();
    assert_eq!(jpeg.picture(), plain);
    assert_eq!(jpeg.exif, Some(&b"Exif\0\0abc"[..]));
    assert_eq!(jpeg.size(), (16, 16));
    assert_eq!(fault(&more[..more.len() - 2]), "truncated");
}

#[test]
fn markers_that_mean_nothing_are_refused_by_name() {
    for code in 0..=255u8 {
        let scan = [0x12, 0x34, 0xff, code, 0x56];
        let expected = match code {
            0 => "fine",
            // The end, or a segment that exceeds the file.
            0xd9 => "fine",
            0xc0..=0xc2 | 0xc4 | 0xda..=0xdd | 0xe0..=0xef | 0xfe => "truncated",
            0xd0..=0xd7 => "restart markers",
            0xd8 => "second picture",
            0xc3 => "lossless",
            0xc9..=0xca | 0xcc => "arithmetic",
            0xc5..=0xc7 | 0xcb | 0xcd..=0xcf | 0xde | 0xdf => "not supported",
            _ => "damaged",
        };
        let text = fault(&file(0xc0, &[0x11], &scan));
        assert!(
            text.contains(expected),
            "{code:02x}: {text} lacks {expected}"
        );
    }
}

#[test]
fn restart_markers_are_counted() {
    let with_interval = |interval: u8, scan: &[u8]| {
        let plain = file(0xc0, &[0x11], scan);
        let interval = [0xff, 0xdd, 0, 4, 0, interval];
        [&plain[..2], &interval[..], &plain[2..]].concat()
    };
    // Four blocks: an interval of one gives three markers, of three gives one.
    let three = b"a\xff\xd0b\xff\xd1c\xff\xd2d";
    assert_eq!(fault(&with_interval(1, three)), "fine");
    assert_eq!(
        fault(&with_interval(1, b"a\xff\xd0b\xff\xd1c")),
        "truncated"
    );
    assert_eq!(fault(&with_interval(3, b"a\xff\xd0b")), "fine");
    assert_eq!(fault(&with_interval(3, b"a")), "truncated");
    assert!(fault(&with_interval(1, b"a\xff\xd1b")).contains("out of order"));
}

#[test]
fn other_processes_are_named() {
    assert!(fault(&file(0xc9, &[0x11], b"a")).contains("arithmetic"));
    let mut deep = file(0xc1, &[0x11], b"a");
    deep[6] = 12;
    assert!(fault(&deep).contains("12 bits"));
    assert!(fault(&file(0xc0, &[0x11, 0x11], b"a")).contains("2 channels"));
    assert!(fault(&file(0xc0, &[0x51], b"a")).contains("sampled"));
}

#[test]
fn usual_files_are_told_from_others() {
    let usual = |process, samplings: &[u8]| {
        let bytes = file(process, samplings, b"a");
        Jpeg::read(&bytes).unwrap().is_usual()
    };
    assert!(usual(0xc0, &[0x22, 0x11, 0x11]));
    assert!(usual(0xc2, &[0x21, 0x11, 0x11]));
    assert!(!usual(0xc0, &[0x11, 0x22, 0x22]));
    assert!(!usual(0xc0, &[0x31, 0x11, 0x11]));
    let bytes = file(0xc0, &[0x22, 0x11, 0x11], b"a");
    let jpeg = Jpeg::read(&bytes).unwrap();
    assert!(!jpeg.is_buffered());
    assert_eq!(jpeg.samples(), 6 * 64);
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(prop_oneof![Just(0xff), any::<u8>()], 0..60)) {
        let _ = Jpeg::read(&bytes);
        let _ = Jpeg::read(&[&file(0xc0, &[0x22, 0x11], &bytes)[..20], &bytes].concat());
    }
}
