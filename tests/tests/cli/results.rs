//! Output files: their locations, and no lost results if some cannot be written.

use posy_tests::scratch::{Outcome, Scratch};

fn retrain(scratch: &Scratch, more: &[&str]) -> Outcome {
    Outcome::of(scratch.retrain_drawings("flowers", more))
}

/// A folder of photos with names of their own.
fn other_photos(scratch: &Scratch, folder: &str) {
    scratch.draw_photos(folder, 6);
    for label in scratch.names(folder) {
        for name in scratch.names(format!("{folder}/{label}")) {
            let at = |name: &str| scratch.join(format!("{folder}/{label}/{name}"));
            std::fs::rename(at(&name), at(&format!("{folder}-{name}"))).unwrap();
        }
    }
}

/// Unwritable outputs are reported before photos are looked at.
#[test]
fn every_result_is_tried_for_writing_beforehand() {
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 6);
    let folders = ["run.json", "split.json", "report.html"];
    for ending in folders {
        let name = format!("flowers.{ending}");
        std::fs::create_dir(scratch.join(&name)).unwrap();
        let outcome = retrain(&scratch, &[]);
        let outcome = outcome.fails(1, &[&name, "it is a folder", "give another place"]);
        assert!(!outcome.stderr.contains("features of"), "{outcome}");
        std::fs::remove_dir(scratch.join(&name)).unwrap();
    }
    scratch.write("file", "");
    for (option, text) in [
        ("--summaries-dir=file/logs", "--summaries-dir"),
        ("--summaries-dir=file", "--summaries-dir"),
        ("--report=file/page.html", "--report"),
        ("--output-labels=file/labels.txt", "--output-labels"),
        ("--output-graph=file/flowers.posy", "--output-graph"),
    ] {
        let outcome = retrain(&scratch, &[option]);
        let outcome = outcome.fails(1, &["error: file", "is not a folder", text]);
        assert!(!outcome.stderr.contains("features of"), "{outcome}");
    }
    assert_eq!(scratch.names("."), ["file", "flowers", "network.tflite"]);
    // A device is not replaced by a file.
    #[cfg(unix)]
    retrain(&scratch, &["--report=/dev/null"]).fails(1, &["/dev/null", "it is not a file"]);
}

/// A disk with room for the model and its small companions, but not for the report.
#[test]
fn what_cannot_be_written_loses_nothing_else() {
    let test = "what_cannot_be_written_loses_nothing_else";
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 12);
    retrain(&scratch, &[]).succeeds();
    let model = scratch.read("flowers.posy");
    let size = model.len() / 1024 + 40;
    scratch.write("small/.keep", "");
    let run = |before: &str| {
        format!(
            "mount -t tmpfs -o size={size}k none small; {before}
             code=0
             $POSY retrain --no-float --backbone=network.tflite --image-dir=flowers --bottleneck-dir=cache \
               --output-graph=small/flowers.posy || code=$?
             rm -rf kept; cp -a small kept; exit $code"
        )
    };
    let Some(outcome) = scratch.in_namespace(test, &run("")) else {
        return;
    };
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stdout.contains("Final test accuracy"), "{outcome}");
    let texts = [
        "error: small/flowers.report.html",
        "No space left",
        "--report",
    ];
    let outcome = outcome.says(&texts);
    assert!(!outcome.stderr.contains("next: "), "{outcome}");
    let written = ["flowers.posy", "flowers.run.json", "flowers.split.json"];
    assert_eq!(scratch.names("kept"), written);
    assert_eq!(scratch.read("kept/flowers.posy"), model);

    // Files of an earlier run do not pass for results of this one.
    let earlier = run("echo earlier > small/flowers.report.html");
    let outcome = scratch.in_namespace(test, &earlier).unwrap();
    assert_eq!(outcome.code, Some(1), "{outcome}");
    outcome.says(&["that of an earlier run is now small/flowers.report.html.old"]);
    assert_eq!(scratch.read("kept/flowers.report.html.old"), b"earlier\n");
    assert!(!scratch.join("kept/flowers.report.html").exists());
}

#[test]
fn results_are_named_after_the_photos() {
    let scratch = Scratch::new();
    other_photos(&scratch, "dogs");
    let run = |folder: &str, more: &[&str]| {
        Outcome::of(scratch.retrain_drawings(folder, more)).succeeds()
    };
    run("dogs", &[]).says(&[
        "wrote dogs.posy",
        "dogs.report.html",
        "posy label --model dogs.posy",
    ]);
    std::fs::rename(scratch.join("dogs"), scratch.join("flower_photos")).unwrap();
    run("flower_photos", &[]).says(&["wrote flowers.posy"]);
    std::fs::rename(scratch.join("flower_photos"), scratch.join("cat_photos")).unwrap();
    run("cat_photos/", &["--no-report"]).says(&["wrote cat.posy"]);
    let mut names = scratch.names(".");
    names.retain(|name| name.contains('.') && name != "network.tflite");
    let expected = [
        "cat.posy",
        "cat.run.json",
        "cat.split.json",
        "dogs.posy",
        "dogs.report.html",
        "dogs.run.json",
        "dogs.split.json",
        "flowers.posy",
        "flowers.report.html",
        "flowers.run.json",
        "flowers.split.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn models_of_other_photos_are_not_overwritten() {
    let scratch = Scratch::new();
    other_photos(&scratch, "here");
    other_photos(&scratch, "there");
    for (from, to) in [("here", "a/dogs"), ("there", "b/dogs")] {
        std::fs::create_dir(scratch.join(&to[..1])).unwrap();
        std::fs::rename(scratch.join(from), scratch.join(to)).unwrap();
    }
    let run = |folder: &str, more: &[&str]| Outcome::of(scratch.retrain_drawings(folder, more));
    run("a/dogs", &[]).succeeds();
    let first = scratch.read("dogs.posy");
    // If the default name is taken, a free one is used with a note; the next run finds its own
    // again.
    for _ in 0..2 {
        let outcome = run("b/dogs", &[]).succeeds();
        let texts = [
            "dogs.posy is not of these photos",
            "dogs-2.posy",
            "--force",
            "--output-graph",
        ];
        outcome.says(&texts);
        assert_eq!(scratch.read("dogs.posy"), first);
    }
    let second = scratch.read("dogs-2.posy");
    assert!(!scratch.join("dogs-3.posy").exists());
    let again = run("a/dogs", &[]).succeeds();
    assert!(!again.stderr.contains("dogs-2"), "{again}");
    // A given name that is taken is refused before anything is computed.
    let outcome = run("b/dogs", &["--output-graph=dogs.posy"]);
    let texts = [
        "dogs.posy: is a model of other photos",
        "0 are in b/dogs",
        "--force",
    ];
    let outcome = outcome.fails(2, &texts);
    assert!(!outcome.stderr.contains("features of"), "{outcome}");
    assert_eq!(scratch.read("dogs.posy"), first);
    run("b/dogs", &["--output-graph=dogs.posy", "--force"]).succeeds();
    assert_eq!(scratch.read("dogs.posy"), second);
    // Adding or removing photos leaves it the same data set.
    let label = &scratch.names("b/dogs")[0];
    let photos = scratch.names(format!("b/dogs/{label}"));
    std::fs::remove_file(scratch.join(format!("b/dogs/{label}/{}", photos[0]))).unwrap();
    let outcome = run("b/dogs", &[]).succeeds();
    assert!(outcome.stderr.contains("wrote dogs.posy"), "{outcome}");
    // A model of unknown origin keeps its name too.
    scratch.write("c.posy", "somebody's");
    std::fs::rename(scratch.join("a/dogs"), scratch.join("c")).unwrap();
    run("c", &[])
        .succeeds()
        .says(&["c.posy is not of these photos", "wrote c-2.posy"]);
    assert_eq!(scratch.read("c.posy"), b"somebody's");
}

/// Commands of every kind remove temporary files of killed ones from their output folders, and
/// nothing else.
#[test]
fn what_killed_commands_left_is_cleared() {
    let scratch = Scratch::new();
    scratch.write("mine.tgz", "no archive");
    scratch.draw_photos("flowers", 6);
    let commands: [&[&str]; 2] = [
        &["photos", "fetch", "--archive=mine.tgz", "--into=."],
        &["retrain", "--image-dir=flowers", "--backbone=mine.tgz"],
    ];
    for command in commands {
        scratch.write(".posy-dead01.tmp", "half a model");
        scratch.write(
            ".posy-dead02.tmp/flower_photos/roses/1.jpg",
            "half an archive",
        );
        scratch.write(".tmpA1b2C3", "another program's");
        scratch.posy(command).fails(1, &["mine.tgz"]);
        let names = scratch.names(".");
        assert!(
            !names.iter().any(|name| name.starts_with(".posy-")),
            "{names:?}"
        );
        assert!(names.contains(&".tmpA1b2C3".to_owned()), "{names:?}");
    }
}
