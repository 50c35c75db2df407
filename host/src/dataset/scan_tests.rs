use std::fs;

use super::*;

/// The start of a photo, enough for detection.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";

/// A folder with these files in it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn scan_default(dir: &tempfile::TempDir) -> Result<Dataset, ScanError> {
    scan(dir.path(), &ScanOptions::default())
}

fn message(dir: &tempfile::TempDir) -> String {
    scan_default(dir).unwrap_err().to_string()
}

fn relatives(dataset: &Dataset) -> Vec<&str> {
    dataset.photos.iter().map(|p| p.relative.as_str()).collect()
}

#[test]
fn labels_are_folders_ordered_by_bytes() {
    let dir = folder(&[
        ("roses/b.jpg", JPEG),
        ("roses/A.jpg", JPEG),
        ("roses/a/z.png", b"\x89PNG\r\n\x1a\n"),
        ("roses/a.jpg", JPEG),
        ("Roses/1.jpg", JPEG),
        ("雏菊/照片.jpg", JPEG),
        ("ورد أحمر/١", JPEG),
        ("two words/x.GIF", b"GIF89a"),
        ("LICENSE.txt", b"a licence"),
    ]);
    let dataset = scan_default(&dir).unwrap();
    let labels = ["Roses", "roses", "two words", "ورد أحمر", "雏菊"];
    assert_eq!(dataset.labels, labels);
    assert_eq!(dataset.counts(), [1, 4, 1, 1, 1]);
    assert_eq!(
        relatives(&dataset),
        [
            "Roses/1.jpg",
            "roses/A.jpg",
            "roses/a.jpg",
            "roses/a/z.png",
            "roses/b.jpg",
            "two words/x.GIF",
            "ورد أحمر/١",
            "雏菊/照片.jpg",
        ]
    );
    assert_eq!(dataset.photos[3].format, Format::Png);
    assert_eq!(dataset.photos[3].path, dir.path().join("roses/a/z.png"));
    assert_eq!(dataset.photos[3].label, 1);
    assert_eq!(dataset.skipped, []);
}

#[test]
fn hidden_files_are_passed_over_and_others_named() {
    let dir = folder(&[
        ("a/1.jpg", JPEG),
        ("a/.DS_Store", b"\0\0\0\x01Bud1"),
        ("a/._1.jpg", JPEG),
        ("a/Thumbs.db", b"\xd0\xcf\x11\xe0"),
        ("a/.cache/2.jpg", JPEG),
        ("__MACOSX/a/1.jpg", JPEG),
        (".git/HEAD", b"ref"),
        ("b/1.jpg", JPEG),
        ("b/notes.jpg", b"notes"),
        ("b/photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("b/empty.png", b""),
    ]);
    let dataset = scan_default(&dir).unwrap();
    assert_eq!(dataset.labels, ["a", "b"]);
    assert_eq!(relatives(&dataset), ["a/1.jpg", "b/1.jpg"]);
    let skipped: Vec<_> = dataset.skipped.iter().map(|s| s.to_string()).collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    for (skipped, [name, reason]) in skipped.iter().zip([
        ["b/empty.png", "the file is empty"],
        ["b/notes.jpg", "it is a text"],
        ["b/photo.heic", "HEIC"],
    ]) {
        assert!(
            skipped.contains(name) && skipped.contains(reason),
            "{skipped}"
        );
    }
}

#[test]
fn warnings_say_what_is_odd() {
    let many: Vec<String> = (0..20).map(|i| format!("many/{i}.jpg")).collect();
    let mut files: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), JPEG)).collect();
    files.extend([
        ("few/1.jpg", JPEG),
        ("loose.jpg", JPEG),
        ("none/.keep", b""),
    ]);
    let dir = folder(&files);
    let dataset = scan_default(&dir).unwrap();
    assert_eq!(dataset.labels, ["few", "many"]);
    let warnings: Vec<_> = dataset.warnings.iter().map(|w| w.to_string()).collect();
    assert_eq!(warnings.len(), 3);
    assert!(
        warnings[0].contains("\"few\" has only 1 photo;"),
        "{}",
        warnings[0]
    );
    assert!(
        warnings[1].contains("\"none\" has no photos"),
        "{}",
        warnings[1]
    );
    assert!(warnings[2].contains("loose.jpg"), "{}", warnings[2]);
}

#[test]
fn what_is_no_data_set_is_explained() {
    let dir = folder(&[]);
    let missing = scan(&dir.path().join("none"), &ScanOptions::default());
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("none: no such folder")
    );
    assert!(message(&dir).contains("no folders in it; make a folder for each label"));

    let dir = folder(&[("a.jpg", JPEG), ("b.jpg", JPEG), ("c.txt", b"c")]);
    assert!(message(&dir).contains("2 photo(s) but no folders"));
    let file = scan(&dir.path().join("a.jpg"), &ScanOptions::default());
    assert!(
        file.unwrap_err()
            .to_string()
            .contains("a.jpg: not a folder")
    );

    let dir = folder(&[("a/x.txt", b"text"), ("b/.hidden", b"")]);
    assert!(message(&dir).contains("no photos in its 2 folder(s) (1 other file(s))"));

    let dir = folder(&[("a/x.jpg", JPEG), ("b/.hidden", b"")]);
    let text = message(&dir);
    assert!(text.contains("only one label has photos (\"a\")") && text.ends_with("other photos"));

    let dir = folder(&[("flowers/daisy/x.jpg", JPEG), ("flowers/roses/y.jpg", JPEG)]);
    let inner = dir.path().join("flowers");
    let hint = format!("or if its folders are the labels give {}", inner.display());
    assert!(message(&dir).ends_with(&hint), "{}", message(&dir));
}

/// `re.sub(r'[^a-z0-9]+', ' ', name.lower())` in `retrain.py`.
#[test]
fn labels_are_called_as_in_the_codelab_where_that_is_asked_for() {
    let labels = |files: &[(&str, &[u8])]| {
        let dir = folder(files);
        scan(dir.path(), &ScanOptions::of(Layout::Codelab))
            .unwrap()
            .labels
    };
    let files: [(&str, &[u8]); 3] = [
        ("Red--Rose (2)/x.jpg", JPEG),
        ("_unknown/x.jpg", JPEG),
        ("Älpler/x.jpg", JPEG),
    ];
    assert_eq!(labels(&files), [" lpler", "_unknown", "red rose 2 "]);
    // Two that would be one stay apart.
    let files: [(&str, &[u8]); 2] = [("Rose/x.jpg", JPEG), ("rose/y.jpg", JPEG)];
    assert_eq!(labels(&files), ["Rose", "rose"]);
}

fn scan_parts(dir: &tempfile::TempDir) -> Result<Dataset, ScanError> {
    scan(dir.path(), &ScanOptions::of(Layout::Parts))
}

#[test]
fn parts_of_a_split_are_told_from_labels() {
    let refused = |names: &[&str]| {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, JPEG)).collect();
        let dir = folder(&files);
        scan_default(&dir).err().map(|error| error.to_string())
    };
    for [train, other] in [
        ["train", "test"],
        ["Train", "VALID"],
        ["training", "testing"],
        ["TRAINING", "val"],
        ["train", "Validation"],
    ] {
        let names = [train, other].map(|part| format!("{part}/daisy/x.jpg"));
        let text = refused(&[&names[0], &names[1]]).unwrap();
        assert!(
            text.contains("are parts of a split, with the labels"),
            "{text}"
        );
        assert!(
            text.contains("--split folders") && text.contains(train),
            "{text}"
        );
        let names = [train, other].map(|part| format!("{part}/x.jpg"));
        let text = refused(&[&names[0], &names[1]]).unwrap();
        assert!(text.contains("no folders of labels"), "{text}");
    }
    // A label may have such a name among others, and one alone is no evidence.
    assert_eq!(refused(&["train/x.jpg", "test/x.jpg", "car/x.jpg"]), None);
    assert_eq!(refused(&["train/old/x.jpg", "bus/x.jpg"]), None);
    assert_eq!(refused(&["test/a/x.jpg", "valid/a/x.jpg"]), None);
    let beside = ["train/a/x.jpg", "test/a/x.jpg", "unsorted/x.jpg"];
    assert!(refused(&beside).is_some());
}

#[test]
fn labels_of_all_parts_are_put_together() {
    let dir = folder(&[
        ("train/roses/b.jpg", JPEG),
        ("train/daisy/a.jpg", JPEG),
        ("Test/daisy/old/c.jpg", JPEG),
        ("val/roses/d.jpg", JPEG),
        ("val/roses/text.jpg", b"text"),
        ("val/loose.jpg", JPEG),
        ("unsorted/x/y.jpg", JPEG),
        ("data.yaml", b"names: [daisy, roses]"),
    ]);
    let dataset = scan_parts(&dir).unwrap();
    assert_eq!(dataset.labels, ["daisy", "roses"]);
    let photos = [
        "Test/daisy/old/c.jpg",
        "train/daisy/a.jpg",
        "train/roses/b.jpg",
        "val/roses/d.jpg",
    ];
    assert_eq!(relatives(&dataset), photos);
    assert_eq!(dataset.counts(), [2, 2]);
    assert_eq!(dataset.skipped.len(), 1);
    let warnings: Vec<String> = dataset.warnings.iter().map(ToString::to_string).collect();
    let said = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(
        said("folder \"unsorted\" is none of") && said("val/loose.jpg"),
        "{warnings:?}"
    );
    assert!(!said("no folder test"), "{warnings:?}");

    let rule = crate::dataset::Rule::Folders;
    let split = crate::dataset::split(&dataset, &rule, crate::dataset::Percentages::default());
    use crate::dataset::Bucket::{Testing, Training, Validation};
    assert_eq!(split.buckets(), [Testing, Training, Training, Validation]);

    let dir = folder(&[("daisy/a.jpg", JPEG), ("roses/b.jpg", JPEG)]);
    let text = scan_parts(&dir).unwrap_err().to_string();
    assert!(
        text.contains("wants a folder train") && text.contains("are daisy, roses"),
        "{text}"
    );
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_but_not_round_and_round() {
        let dir = folder(&[("a/1.jpg", JPEG), ("b/1.jpg", JPEG)]);
        let elsewhere = folder(&[("2.jpg", JPEG)]);
        symlink(elsewhere.path(), dir.path().join("c")).unwrap();
        symlink("..", dir.path().join("a/up")).unwrap();
        symlink(".", dir.path().join("b/self")).unwrap();
        symlink("nowhere", dir.path().join("b/broken.jpg")).unwrap();
        let dataset = scan_default(&dir).unwrap();
        assert_eq!(dataset.labels, ["a", "b", "c"]);
        assert_eq!(relatives(&dataset)[2], "c/2.jpg");
        let reasons: Vec<_> = dataset.skipped.iter().map(|s| &s.reason).collect();
        assert!(
            matches!(
                reasons[..],
                [SkipReason::Loop, SkipReason::Dangling, SkipReason::Loop]
            ),
            "{reasons:?}"
        );
    }

    #[test]
    fn names_that_cannot_be_written_are_refused() {
        let dir = folder(&[
            ("a/1.jpg", JPEG),
            ("b/1.jpg", JPEG),
            ("b/line\nbreak.jpg", JPEG),
        ]);
        fs::write(
            dir.path().join("b").join(OsStr::from_bytes(b"\xff.jpg")),
            JPEG,
        )
        .unwrap();
        let dataset = scan_default(&dir).unwrap();
        let reasons: Vec<_> = dataset.skipped.iter().map(|s| s.reason.clone()).collect();
        let faults = [NameFault::ControlCharacter, NameFault::NotUtf8].map(SkipReason::Name);
        assert_eq!(reasons, faults);

        for name in [&b"\xff"[..], b"tab\there"] {
            let dir = folder(&[("a/1.jpg", JPEG), ("b/1.jpg", JPEG)]);
            fs::create_dir(dir.path().join(OsStr::from_bytes(name))).unwrap();
            assert!(message(&dir).contains("rename it, since it becomes the label"));
        }
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let dir = folder(&[("a/1.jpg", JPEG), ("b/1.jpg", JPEG)]);
        // A socket is neither file nor folder, like a pipe, and needs no shell to create.
        let socket = dir.path().join("a/socket");
        let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let dataset = scan_default(&dir).unwrap();
        assert_eq!(dataset.skipped.len(), 1);
        assert_eq!(dataset.skipped[0].path, socket);
    }
}

/// The flower photos: five labels, all photos readable, nothing skipped.
#[test]
fn flower_photos() {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into(),
        PathBuf::from,
    );
    let root = root.join("flower_photos");
    if !root.is_dir() {
        eprintln!(
            "SKIPPED: flower_photos: no data at {}; set POSY_DATA",
            root.display()
        );
        return;
    }
    let dataset = scan(&root, &ScanOptions::default()).unwrap();
    assert_eq!(
        dataset.labels,
        ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
    );
    assert_eq!((dataset.skipped.len(), dataset.warnings.len()), (0, 0));
    assert!(dataset.photos.len() >= 1000);
    for photo in dataset.photos.iter().step_by(10) {
        crate::dataset::load(&photo.path, &crate::dataset::Limits::default()).unwrap();
    }
}
