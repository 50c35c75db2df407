//! `posy frames`: photos from videos, with the real ffmpeg if it is installed, and with fakes for
//! its failures.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use posy_tests::scratch::{Outcome, Scratch};
use serde_json::Value;

/// Seconds of the test videos.
const SECONDS: u32 = 6;

/// True if ffmpeg is installed. Otherwise prints that `test` is skipped.
fn ffmpeg(test: &str) -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {test}: the command ffmpeg is not installed (apt-get install ffmpeg)");
    }
    found
}

/// Makes a video of one of ffmpeg's test pictures, 10 frames a second.
fn video(scratch: &Scratch, name: &str, source: &str) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i"])
        .arg(format!("{source}size=320x240:duration={SECONDS}:rate=10"))
        .args(["-c:v", "mpeg4", "-q:v", "3"])
        .arg(scratch.join(name))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn lines(outcome: &Outcome) -> Vec<String> {
    outcome.stdout.lines().map(String::from).collect()
}

#[test]
fn photos_of_a_video_are_whole_and_named_alike() {
    if !ffmpeg("photos_of_a_video_are_whole_and_named_alike") {
        return;
    }
    let scratch = Scratch::new();
    // It moves all the time, and its first frame is like no other.
    video(&scratch, "my rose.mp4", "testsrc2=");
    let cut = |more: &[&str]| {
        let words = ["frames", "my rose.mp4", "--label=roses", "--least-change=0"];
        scratch.posy(words.iter().chain(more)).succeeds()
    };
    let found = lines(&cut(&["--every=1"]));
    assert_eq!(found.len(), SECONDS as usize, "{found:?}");
    let names = scratch.names("photos/roses");
    let moments = names
        .iter()
        .map(|name| name.split_once("_nohash_").unwrap());
    let (groups, moments): (Vec<_>, Vec<_>) = moments.unzip();
    assert!(groups.iter().all(|group| *group == groups[0]), "{names:?}");
    assert!(groups[0].starts_with("my_rose_"), "{names:?}");
    assert_eq!(moments[..2], ["00000000ms.jpg", "00001000ms.jpg"]);
    for path in &found {
        let photo = image::open(scratch.join(path)).unwrap();
        assert_eq!((photo.width(), photo.height()), (320, 240));
    }
    // A second run writes the same files; every 15th of 60 frames gives four other ones.
    assert_eq!(lines(&cut(&["--every=1"])), found);
    assert_eq!(scratch.names("photos/roses"), names);
    let stepped = cut(&["--frame-step=15", "--image-dir=other"]);
    assert_eq!(lines(&stepped).len(), 4, "{stepped}");
    let most = cut(&["--every=1", "--most=2", "--image-dir=most"]);
    assert_eq!(lines(&most).len(), 2);
    most.says(&["--most"]);
}

#[test]
fn nearly_the_same_pictures_are_left_out() {
    if !ffmpeg("nearly_the_same_pictures_are_left_out") {
        return;
    }
    let scratch = Scratch::new();
    // A video that never changes, and one whose colours do.
    video(&scratch, "still.mp4", "color=c=red:");
    video(&scratch, "moving.mp4", "testsrc2=");
    let still = scratch.posy(["frames", "still.mp4", "--label=red"]);
    assert_eq!(lines(&still.succeeds()).len(), 1);
    let every = |change: &str| {
        let option = format!("--least-change={change}");
        let folder = format!("--image-dir=by-{change}");
        let words = ["frames", "moving.mp4", "--label=x", &option, &folder];
        lines(&scratch.posy(words).succeeds()).len()
    };
    let (all, some, one) = (every("0"), every("20"), every("255"));
    assert_eq!((all, one), (2 * SECONDS as usize, 1));
    assert!(one < some && some < all, "{some}");
}

/// Nine videos, three a label: no video's photos are in two parts of the split.
#[test]
fn a_video_stays_on_one_side_of_the_split() {
    if !ffmpeg("a_video_stays_on_one_side_of_the_split") {
        return;
    }
    let scratch = Scratch::new();
    for (label, source) in [
        ("one", "testsrc2="),
        ("two", "testsrc="),
        ("three", "smptebars="),
    ] {
        for number in 0..3 {
            let name = format!("{label}{number}.mp4");
            video(&scratch, &name, source);
            let label = format!("--label={label}");
            // The same content three times: the names tell the videos apart.
            scratch
                .posy(["frames", &name, &label, "--least-change=0"])
                .succeeds();
        }
    }
    let retrain = [
        "retrain",
        "--no-float",
        "--image-dir=photos",
        "--bottleneck-dir=cache",
        "--output-graph=flowers.posy",
    ];
    let mut command = scratch.command(retrain);
    // The embedded network.
    command.env("POSY_DATA", scratch.join("nowhere"));
    Outcome::of(command).succeeds();
    let split: Value = serde_json::from_slice(&scratch.read("flowers.split.json")).unwrap();
    let mut sides = BTreeMap::<String, BTreeSet<String>>::new();
    for parts in split["labels"].as_object().unwrap().values() {
        for part in ["training", "validation", "testing"] {
            for name in parts[part].as_array().unwrap() {
                let (group, _) = name.as_str().unwrap().split_once("_nohash_").unwrap();
                let side = sides.entry(group.to_owned()).or_default();
                side.insert(part.to_owned());
            }
        }
    }
    assert_eq!(sides.len(), 9, "{sides:?}");
    assert!(sides.values().all(|parts| parts.len() == 1), "{sides:?}");
    let used: BTreeSet<_> = sides.values().flatten().collect();
    assert_eq!(used.len(), 3, "every part has a video");
}

#[test]
fn what_is_no_video_is_refused_in_ffmpegs_words() {
    if !ffmpeg("what_is_no_video_is_refused_in_ffmpegs_words") {
        return;
    }
    let scratch = Scratch::new();
    scratch.write("notes.mp4", "these are notes and no video at all");
    let refused = scratch.posy(["frames", "notes.mp4", "--label=roses"]);
    refused.fails(
        1,
        &["notes.mp4: ffmpeg cannot use it", "Invalid data", "plays"],
    );
    // Sound alone has no pictures.
    let sound = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=duration=1",
        ])
        .arg(scratch.join("sound.wav"))
        .status();
    assert!(sound.unwrap().success());
    let refused = scratch.posy(["frames", "sound.wav", "--label=roses"]);
    refused.fails(1, &["sound.wav"]);
    assert!(!scratch.join("photos").exists());
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let scratch = Scratch::new();
    scratch.write("video.mp4", "");
    for label in ["", ".", "..", "a/b", "/roses", ".hidden", "roses/"] {
        let label = format!("--label={label}");
        let refused = scratch.posy(["frames", "video.mp4", &label]);
        refused.fails(2, &["is no name for a folder"]);
    }
    for (option, text) in [
        ("--every=0", "--every 0"),
        ("--every=NaN", "--every NaN"),
        ("--least-change=-1", "--least-change"),
        ("--frame-step=0", "--frame-step"),
        ("--most=0", "--most"),
    ] {
        let refused = scratch.posy(["frames", "video.mp4", "--label=roses", option]);
        refused.fails(2, &[text]);
    }
    let refused = scratch.posy(["frames", "nowhere.mp4", "--label=roses"]);
    refused.fails(1, &["nowhere.mp4: cannot be read"]);
}

/// Runs `posy frames` with an empty path, or with the shell script `script` as `ffmpeg`.
#[cfg(unix)]
fn with_stand_in(scratch: &Scratch, script: Option<&str>) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(scratch.join("bin")).unwrap();
    if let Some(script) = script {
        let path = scratch.write("bin/ffmpeg", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    scratch.write("video.mp4", "a video, as far as the stand-in cares");
    let mut command = scratch.command(["frames", "video.mp4", "--label=roses"]);
    command.env("PATH", scratch.join("bin"));
    Outcome::of(command)
}

#[cfg(unix)]
#[test]
fn without_ffmpeg_it_says_how_to_get_it() {
    let scratch = Scratch::new();
    let texts = [
        "ffmpeg cannot be run",
        "apt-get install ffmpeg",
        "brew install",
    ];
    with_stand_in(&scratch, None).fails(1, &texts);
    assert!(!scratch.join("photos").exists());
}

/// No partial files remain if ffmpeg fails in the middle, writes nothing, or writes garbage.
#[cfg(unix)]
#[test]
fn nothing_half_written_is_left() {
    let run = |script: &str, texts: &[&str]| {
        let scratch = Scratch::new();
        with_stand_in(&scratch, Some(script)).fails(1, texts);
        assert!(!scratch.join("photos/roses").exists(), "{script}");
    };
    let picture = "echo half > 000001.jpg";
    run(
        &format!("{picture}; echo 'Disk on fire' >&2; exit 1"),
        &["video.mp4: ffmpeg cannot use it: Disk on fire"],
    );
    run("exit 3", &["exit status: 3"]);
    run("exit 0", &["found no picture"]);
    run(picture, &["a picture that does not read"]);
}
