//! `posy check`: faults that were planted among real photos are found and named.

use std::path::Path;

use posy_tests::data;
use posy_tests::planted::{LABELS, plant};
use posy_tests::scratch::{ARCHITECTURE, Outcome, Scratch};
use serde_json::json;

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos")
}

/// All photos with the default network. Other seeds: `src/bin/xtask/label_noise.rs`.
#[test]
fn planted_faults_are_found() {
    let Some(flowers) = data("planted_faults_are_found", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    let planted = plant(&flowers, &scratch.join("photos"), &fixtures(), 1);
    let check = |more: &[&str]| {
        let arguments = ["check", "photos", "--bottleneck-dir", "cache"];
        scratch.posy(arguments.iter().chain(more))
    };
    let outcome = check(&["--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let report = outcome.json();
    let judgement = planted.judge(&report);
    eprintln!("{judgement:?}");
    assert!(judgement.suspected >= 15, "{judgement:?}");
    assert!(judgement.copies >= 9, "{judgement:?}");
    assert!(judgement.false_pairs.len() <= 1, "{judgement:?}");
    assert_eq!(planted.unnamed(&report), []);

    // Labels as written; the two that coincide in ASCII, and the two of which nothing is left.
    let findings = report["findings"].as_array().unwrap();
    let collisions: Vec<_> = findings
        .iter()
        .filter(|finding| finding["kind"] == "name-collision")
        .map(|finding| &finding["labels"])
        .collect();
    assert_eq!(
        collisions,
        [&json!(["توليب", "雏菊"]), &json!(["fleur è", "fleur é"])]
    );
    assert_eq!(report["labels"], LABELS.len());
    // The most serious come first, and the count of each severity is printed.
    let order = ["error", "warning", "note"];
    let place =
        |finding: &serde_json::Value| order.iter().position(|name| finding["severity"] == *name);
    assert!(findings.is_sorted_by_key(|finding| place(finding).unwrap()));
    for name in order {
        let count = findings
            .iter()
            .filter(|finding| finding["severity"] == name)
            .count();
        assert_eq!(report["counts"][name], count);
    }

    // Text output: each error by name, from the cache.
    let outcome = check(&["--all"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    for (name, reason) in &planted.unusable {
        let line = outcome.stdout.lines().find(|line| line.contains(name));
        assert!(
            line.is_some_and(|line| line.contains(reason)),
            "{name}\n{outcome}"
        );
    }
    let at = |text: &str| {
        outcome
            .stdout
            .find(text)
            .unwrap_or_else(|| panic!("{text}\n{outcome}"))
    };
    let groups = [
        "error: 5 file(s) cannot be used",
        "picture(s) are under two labels",
        "look like",
    ];
    assert!(groups.map(at).is_sorted());
    // Without --all only the first of many.
    let short = check(&[]);
    assert!(short.stdout.lines().count() < outcome.stdout.lines().count());
    assert!(short.stdout.contains("more, which --all prints"), "{short}");

    // `retrain` keeps the labels apart, with a warning.
    let arguments = ["--output-labels", "labels.txt"];
    let retrained = scratch.retrain("photos", &arguments).succeeds();
    let retrained = retrained.says(&["check: 2 set(s) of labels have names that become equal"]);
    let labels = String::from_utf8(scratch.read("labels.txt")).unwrap();
    let mut names = LABELS.map(|(_, name)| name);
    names.sort_unstable();
    assert_eq!(labels.lines().collect::<Vec<_>>(), names, "{retrained}");
}

fn flowers(test: &str, count: usize) -> Option<Scratch> {
    let photos = data(test, "flower_photos")?;
    let scratch = Scratch::new();
    scratch.copy_photos(&photos, "flowers", &["daisy", "roses"], count);
    Some(scratch)
}

fn check(scratch: &Scratch, more: &[&str]) -> Outcome {
    let arguments = ["check", "flowers", "--architecture", ARCHITECTURE];
    scratch.posy(arguments.iter().chain(more))
}

/// Exit codes: notes and warnings are no errors, unless `--strict` makes them so.
#[test]
fn exit_codes_say_how_serious_it_is() {
    let Some(scratch) = flowers("exit_codes_say_how_serious_it_is", 30) else {
        return;
    };
    let clean = check(&scratch, &[]).succeeds();
    assert!(
        clean.stdout.contains("60 photos of 2 labels: 0 errors"),
        "{clean}"
    );
    for name in scratch.names("flowers/roses").iter().skip(5) {
        std::fs::remove_file(scratch.join("flowers/roses").join(name)).unwrap();
    }
    let few = check(&scratch, &[]).succeeds();
    assert!(
        few.stdout.contains("warning: 1 label(s) have few photos"),
        "{few}"
    );
    assert!(
        few.stdout.contains("Wrong labels were not looked for"),
        "{few}"
    );
    assert_eq!(check(&scratch, &["--strict"]).code, Some(1));
    scratch.write("flowers/daisy/empty.jpg", b"");
    let unreadable = check(&scratch, &[]);
    assert_eq!(unreadable.code, Some(1), "{unreadable}");
    assert!(
        unreadable
            .stdout
            .contains("daisy/empty.jpg: the file is empty"),
        "{unreadable}"
    );

    scratch
        .posy(["check", "missing"])
        .fails(1, &["error: missing: no such folder"]);
    let arguments = [
        "check",
        "flowers",
        "--testing-percentage=99",
        "--validation-percentage=9",
    ];
    scratch
        .posy(arguments)
        .fails(2, &["leave nothing to train on"]);
}

/// `retrain` prints a few lines of findings from its features, and nothing on standard output.
#[test]
fn retrain_warns_in_passing() {
    let Some(scratch) = flowers("retrain_warns_in_passing", 30) else {
        return;
    };
    let daisies = scratch.names("flowers/daisy");
    for name in &daisies[..2] {
        let from = scratch.join("flowers/daisy").join(name);
        std::fs::rename(from, scratch.join("flowers/roses").join(name)).unwrap();
    }
    let outcome = scratch.retrain("flowers", &[]).succeeds();
    let line = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("check: "));
    let line = line.unwrap_or_else(|| panic!("{outcome}"));
    assert!(line.contains("photos look like another label's"), "{line}");
    assert!(!outcome.stdout.contains("check:"), "{outcome}");
    let quiet = scratch.retrain("flowers", &["--no-check"]).succeeds();
    assert!(!quiet.stderr.contains("check:"), "{quiet}");
    // The commands to go on with repeat the option.
    assert_eq!(quiet.stdout.replace(" --no-check", ""), outcome.stdout);
}
