//! Synthetic archives, valid and hostile.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

/// A compressed archive written by `fill`, in a temporary folder to unpack it in.
fn archive(fill: impl FnOnce(&mut Builder<GzEncoder<File>>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photos.tgz");
    let file = File::create(&path).unwrap();
    let mut builder = Builder::new(GzEncoder::new(file, Compression::fast()));
    fill(&mut builder);
    builder.into_inner().unwrap().finish().unwrap();
    (folder, path)
}

/// A header with an unchecked path.
fn header(path: &str, kind: EntryType, len: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(len);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn refusal(fill: impl FnOnce(&mut Builder<GzEncoder<File>>), limits: &Limits) -> String {
    let (folder, path) = archive(fill);
    let target = folder.path().join("flowers");
    let message = unpack(&path, "flowers", &target, limits)
        .unwrap_err()
        .to_string();
    assert!(message.contains("photos.tgz"), "{message}");
    assert!(message.contains("nothing was unpacked"), "{message}");
    let left: Vec<_> = folder.path().read_dir().unwrap().collect();
    assert_eq!(left.len(), 1, "something was left: {left:?}");
    message
}

#[test]
fn a_sound_archive_is_unpacked_whole() {
    let (folder, path) = archive(|builder| {
        let folder = header("flowers/", EntryType::Directory, 0);
        builder.append(&folder, io::empty()).unwrap();
        for (name, text) in [("flowers/daisy/1.jpg", "one"), ("./flowers/LICENSE", "two")] {
            let header = header(name, EntryType::Regular, 3);
            builder.append(&header, text.as_bytes()).unwrap();
        }
    });
    let target = folder.path().join("here/my flowers");
    unpack(&path, "flowers", &target, &Limits::default()).unwrap();
    assert_eq!(fs::read(target.join("daisy/1.jpg")).unwrap(), b"one");
    assert_eq!(fs::read(target.join("LICENSE")).unwrap(), b"two");
    let left: Vec<_> = folder.path().join("here").read_dir().unwrap().collect();
    assert_eq!(left.len(), 1);
    let again = unpack(&path, "flowers", &target, &Limits::default());
    let message = again.unwrap_err().to_string();
    assert!(message.contains("is there already"), "{message}");
    assert_eq!(
        member(&path, "LICENSE", &Limits::default()).unwrap(),
        b"two"
    );
    let missing = member(&path, "LICENCE", &Limits::default()).unwrap_err();
    assert!(missing.to_string().contains("no file \"LICENCE\" inside"));
}

#[test]
fn paths_that_lead_outside_are_refused_by_name() {
    for path in [
        "flowers/../../evil",
        "../evil",
        "/tmp/evil",
        "flowers/a/../../../evil",
    ] {
        let message = refusal(
            |builder| {
                builder
                    .append(&header(path, EntryType::Regular, 4), &b"evil"[..])
                    .unwrap();
            },
            &Limits::default(),
        );
        assert!(
            message.contains(&format!("{path:?} leads outside")),
            "{message}"
        );
    }
}

#[test]
fn links_and_devices_are_refused_by_name() {
    let kinds = [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
    ];
    for (kind, name) in kinds {
        let message = refusal(
            |builder| {
                let mut link = header("flowers/link", kind, 0);
                link.set_link_name("/etc/passwd").unwrap();
                link.set_cksum();
                builder.append(&link, io::empty()).unwrap();
                // A file that would be written through the link.
                let through = header("flowers/link/file", EntryType::Regular, 4);
                builder.append(&through, &b"evil"[..]).unwrap();
            },
            &Limits::default(),
        );
        assert!(
            message.contains(&format!("\"flowers/link\" is {name}")),
            "{message}"
        );
    }
}

#[test]
fn a_million_entries_are_refused() {
    let message = refusal(
        |builder| {
            // The same header again and again; its path need not differ.
            let header = header("flowers/", EntryType::Directory, 0);
            for _ in 0..1_000_000 {
                builder.get_mut().write_all(header.as_bytes()).unwrap();
            }
        },
        &Limits::default(),
    );
    assert!(message.contains("more than 100000 entries"), "{message}");
}

/// Zeros compress to a thousandth of their size.
#[test]
fn a_bomb_is_refused() {
    let limits = Limits {
        bytes: 64 << 20,
        decompressed: 80 << 20,
        ..Limits::default()
    };
    let zeros = |len: u64| io::repeat(0).take(len);
    // A header with the true size.
    let message = refusal(
        |builder| {
            let len = 65 << 20;
            let header = header("flowers/zeros", EntryType::Regular, len);
            builder.append(&header, zeros(len)).unwrap();
        },
        &limits,
    );
    assert!(
        message.contains("unpacks to more than 67108864 bytes"),
        "{message}"
    );
    // An endless stream behind the last entry.
    let message = refusal(
        |builder| {
            builder
                .append(&header("flowers/a", EntryType::Regular, 1), &b"a"[..])
                .unwrap();
            let mut junk = header("flowers/b", EntryType::XGlobalHeader, 90 << 20);
            junk.set_cksum();
            builder.append(&junk, zeros(90 << 20)).unwrap();
        },
        &limits,
    );
    assert!(
        message.contains("more than") || message.contains("damaged"),
        "{message}"
    );
}

#[test]
fn a_truncated_or_other_file_is_called_damaged() {
    let (folder, path) = archive(|builder| {
        let random: Vec<u8> = (0..100_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let header = header("flowers/a", EntryType::Regular, random.len() as u64);
        builder.append(&header, &random[..]).unwrap();
    });
    let bytes = fs::read(&path).unwrap();
    let target = folder.path().join("flowers");
    for bytes in [&bytes[..bytes.len() / 2], b"<html>no archive</html>", b""] {
        fs::write(&path, bytes).unwrap();
        let message = unpack(&path, "flowers", &target, &Limits::default()).unwrap_err();
        let message = message.to_string();
        assert!(message.contains("damaged"), "{message}");
        assert!(!target.exists());
    }
}
