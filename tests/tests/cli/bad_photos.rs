//! Unusable folders and files: errors by name if there is nothing to train on, else named skips and
//! warnings, which `--strict` turns into errors.

use std::path::Path;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};

/// A folder `flowers` of two labels, `count` photos each; `None` without data.
fn flowers(test: &str, count: usize) -> Option<Scratch> {
    let photos = data(test, "flower_photos")?;
    let scratch = Scratch::new();
    scratch.copy_photos(&photos, "flowers", &["daisy", "roses"], count);
    Some(scratch)
}

/// Bytes of the first photo of `label`.
fn photo(scratch: &Scratch, label: &str) -> Vec<u8> {
    let folder = Path::new("flowers").join(label);
    scratch.read(folder.join(&scratch.names(&folder)[0]))
}

#[test]
fn folders_that_are_no_data_set() {
    let Some(scratch) = flowers("folders_that_are_no_data_set", 2) else {
        return;
    };
    let jpeg = photo(&scratch, "daisy");
    scratch.write("file", "text");
    std::fs::create_dir(scratch.join("empty")).unwrap();
    scratch.write("loose/a.jpg", &jpeg);
    scratch.write("loose/b.jpg", &jpeg);
    scratch.write("one/daisy/a.jpg", &jpeg);
    scratch.write("deep/flowers/daisy/a.jpg", &jpeg);
    scratch.write("deep/flowers/roses/a.jpg", &jpeg);
    std::fs::create_dir_all(scratch.join("hollow/daisy")).unwrap();
    scratch.write("hollow/roses/list.txt", "no photo");
    scratch.write("half/roses/a.heic", b"\0\0\0\x18ftypheic");
    scratch.write("half/daisy/a.jpg", &jpeg);
    let cases: [(&str, &[&str]); 8] = [
        (
            "missing",
            &["no such folder", "one folder of photos for each label"],
        ),
        (
            "file",
            &["not a folder", "one folder of photos for each label"],
        ),
        (
            "empty",
            &["no folders in it", "make a folder for each label"],
        ),
        (
            "loose",
            &["2 photo(s) but no folders", "make a folder for each label"],
        ),
        (
            "one",
            &["only one label has photos (\"daisy\")", "add a folder"],
        ),
        ("deep", &["only one label", "give deep/flowers"]),
        (
            "hollow",
            &["no photos in its 2 folder(s) (1 other file(s))"],
        ),
        (
            "half",
            &[
                "only one label has photos (\"daisy\")",
                "half/roses/a.heic: HEIC photos are not supported",
            ],
        ),
    ];
    for (folder, texts) in cases {
        let outcome = scratch.retrain(folder, &[]);
        let outcome = outcome.fails(1, &[&format!("error: {folder}: ")]);
        outcome.says(texts);
        assert!(!scratch.join("flowers.posy").exists());
    }
}

#[test]
fn files_that_cannot_be_used_are_named_and_skipped() {
    let Some(scratch) = flowers("files_that_cannot_be_used", 8) else {
        return;
    };
    let jpeg = photo(&scratch, "daisy");
    let cases: [(&str, &[u8], &str); 11] = [
        (
            "daisy/cut.jpg",
            &jpeg[..jpeg.len() / 2],
            "the JPEG ends early",
        ),
        ("daisy/stub.jpg", &jpeg[..30], "the JPEG"),
        (
            "daisy/empty.jpg",
            b"",
            "the file is empty; fetch it again or delete it",
        ),
        (
            "daisy/text.jpg",
            b"not a photo\n",
            "it is a text, not a photo",
        ),
        (
            "roses/phone.HEIC",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "HEIC photos are not supported; convert it to JPEG (heif-convert does",
        ),
        (
            "roses/phone.jpg",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "HEIC",
        ),
        (
            "roses/lfs.jpg",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 54321\n",
            "it is a pointer of Git LFS, not the photo itself; run `git lfs pull`",
        ),
        (
            "roses/page.jpg",
            b"\n<!doctype html>\n<html lang=en>404</html>",
            "it is a web page, not a photo; the download went wrong",
        ),
        (
            "roses/new.avif",
            b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
            "AVIF photos are not supported; convert it to JPEG or PNG",
        ),
        (
            "roses/scan.jpg",
            b"II*\0\x08\0\0\0",
            "TIFF (or camera raw) photos are not supported; convert it to JPEG (an image editor",
        ),
        (
            "roses/noise.png",
            &[0x89, 0x12, 0x34, 0x56, 0x78],
            "no known image format",
        ),
    ];
    for (name, bytes, _) in cases {
        scratch.write(Path::new("flowers").join(name), bytes);
    }
    let outcome = scratch.retrain("flowers", &["--json"]).succeeds();
    for (name, _, text) in cases {
        let start = format!("skipped: flowers/{name}: ");
        let line = outcome.stderr.lines().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("{name} is not named in\n{outcome}"));
        assert!(line.contains(text), "{line}");
        assert_eq!(line.matches(name).count(), 1, "{line}");
    }
    let json = outcome.json();
    assert_eq!(json["photos"], 16);
    assert_eq!(json["skipped"].as_array().unwrap().len(), cases.len());
    let outcome = outcome.says(&["11 files skipped"]);
    assert_eq!(outcome.stderr.matches("skipped: ").count(), cases.len());

    // The valid photos alone give the same model.
    let model = scratch.read("flowers.posy");
    std::fs::remove_file(scratch.join("flowers.posy")).unwrap();
    let strict = scratch.retrain("flowers", &["--strict"]);
    let strict = strict.fails(1, &["error: 11 of the files in flowers cannot be used"]);
    strict.says(&["skipped: flowers/daisy/cut.jpg", "leave out --strict"]);
    assert!(!scratch.join("flowers.posy").exists());
    for (name, ..) in cases {
        std::fs::remove_file(scratch.join("flowers").join(name)).unwrap();
    }
    scratch.retrain("flowers", &["--strict"]).succeeds();
    assert_eq!(scratch.read("flowers.posy"), model);
}

/// A label whose photos all fail to decode.
#[test]
fn a_label_of_damaged_photos_is_no_label() {
    let Some(scratch) = flowers("a_label_of_damaged_photos", 5) else {
        return;
    };
    let jpeg = photo(&scratch, "daisy");
    scratch.write("flowers/cut/a.jpg", &jpeg[..jpeg.len() / 2]);
    let outcome = scratch.retrain("flowers", &["--json"]).succeeds();
    assert_eq!(
        outcome.json()["labels"],
        serde_json::json!(["daisy", "roses"])
    );

    std::fs::remove_dir_all(scratch.join("flowers/roses")).unwrap();
    let outcome = scratch.retrain("flowers", &[]);
    outcome.fails(
        1,
        &["error: flowers: photos of fewer than two labels can be read"],
    );
}

#[test]
fn doubtful_folders_give_warnings() {
    let Some(scratch) = flowers("doubtful_folders_give_warnings", 21) else {
        return;
    };
    let jpeg = photo(&scratch, "daisy");
    std::fs::create_dir(scratch.join("flowers/tulips")).unwrap();
    scratch.write("flowers/LICENSE.txt", "of the photos");
    scratch.write("flowers/loose.jpg", &jpeg);
    scratch.write("flowers/few/a.jpg", photo(&scratch, "roses"));
    scratch.write("flowers/few/b.jpg", &jpeg);
    scratch.write("flowers/few/c.jpg", [&jpeg[..], b"\0"].concat());
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    let names = |label: &str| scratch.names(Path::new("flowers").join(label))[0].clone();
    let daisy = format!("daisy/{}, few/b.jpg; keep the right one", names("daisy"));
    let roses = format!("few/a.jpg, roses/{}; keep the right one", names("roses"));
    let outcome = outcome.says(&[
        "warning: folder \"tulips\" has no photos: label left out",
        "warning: label \"few\" has only 3 photos; with fewer than 20",
        "warning: 1 photo(s) beside the label folders are not used, such as flowers/loose.jpg",
        "warning: the same photo under several labels: ",
        &daisy,
        &roses,
    ]);
    let warnings = outcome.stderr.matches("warning: ").count();
    assert_eq!(warnings, 5, "{outcome}");
    assert!(!outcome.stderr.contains("LICENSE"), "{outcome}");
}

/// Labels in any script, and very small data sets.
#[test]
fn few_photos_and_any_script() {
    let Some(scratch) = flowers("few_photos_and_any_script", 2) else {
        return;
    };
    std::fs::rename(scratch.join("flowers/daisy"), scratch.join("flowers/雏菊")).unwrap();
    std::fs::rename(
        scratch.join("flowers/roses"),
        scratch.join("flowers/Róża \"7\""),
    )
    .unwrap();
    scratch.retrain("flowers", &[]).succeeds();
    let json = scratch
        .posy(["inspect", "--json", "flowers.posy"])
        .succeeds();
    assert_eq!(
        json.json()["labels"],
        serde_json::json!(["Róża \"7\"", "雏菊"])
    );

    // A single photo of a label is used in training. retrain.py's rule may leave it for the test.
    let names = scratch.names("flowers/雏菊");
    std::fs::remove_file(scratch.join(format!("flowers/雏菊/{}", names[0]))).unwrap();
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    let outcome = outcome.says(&["label \"雏菊\" has only 1 photo;"]);
    assert!(
        outcome.stdout.contains("Final test accuracy = "),
        "{outcome}"
    );
    let all_tested = ["--split=codelab", "--testing-percentage=89"];
    let outcome = scratch.retrain("flowers", &all_tested);
    outcome.fails(
        1,
        &[
            "error: the split leaves label ",
            "no photo to train on",
            "--split",
        ],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(scratch) = flowers("a_name_that_is_not_utf8", 3) else {
        return;
    };
    let jpeg = photo(&scratch, "daisy");
    let name = Path::new("flowers/daisy").join(OsStr::from_bytes(b"caf\xE9.jpg"));
    scratch.write(&name, [&jpeg[..], b"\0"].concat());
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    outcome.says(&[
        "skipped: flowers/daisy/caf",
        "its name is not UTF-8; rename it",
    ]);
    // Any name will do in a path that is only labelled.
    let mut label = scratch.command(["label", "--model=flowers.posy"]);
    label.arg(&name);
    Outcome::of(label).succeeds();

    let folder = Path::new("flowers").join(OsStr::from_bytes(b"caf\xE9"));
    scratch.write(folder.join("a.jpg"), &jpeg);
    let outcome = scratch.retrain("flowers", &[]);
    let outcome = outcome.fails(1, &["error: flowers/caf", "name is not UTF-8"]);
    outcome.says(&["rename it, since it becomes the label"]);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let test = "what_may_not_be_read_is_named";
    let Some(scratch) = flowers(test, 3) else {
        return;
    };
    let forbid = |path: &Path| {
        let mode = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(path, mode).unwrap();
    };
    let path = scratch.write("flowers/daisy/secret.jpg", photo(&scratch, "daisy"));
    forbid(&path);
    if std::fs::read(&path).is_ok() {
        eprintln!("SKIPPED: {test}: this user may read everything");
        return;
    }
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    outcome.says(&["skipped: flowers/daisy/secret.jpg: cannot be read"]);
    let folder = scratch.join("flowers/daisy");
    forbid(&folder);
    let outcome = scratch.retrain("flowers", &[]);
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    outcome.fails(1, &["flowers/daisy", "cannot be read"]);
}
