//! One run, one set of figures: terminal, JSON, report, run record and `posy compare` agree.

use posy_tests::scratch::{Outcome, Scratch};
use serde_json::Value;

/// Bins of the calibration error.
const BINS: usize = 15;

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn counted(figure: &Value, part: &str, whole: &str) -> (u64, u64) {
    let count = |key: &str| figure[key].as_u64().expect("a number");
    (count(part), count(whole))
}

fn share((part, whole): (u64, u64)) -> f64 {
    part as f64 / whole as f64
}

/// Figures of the photos that a record lists: right, and answered `unknown` of the labels and of
/// `_unknown`, each of how many; and the expected calibration error, by its definition.
fn figures_of(record: &Value) -> ([(u64, u64); 3], f64) {
    let labels = record["labels"].as_array().expect("labels");
    let photos = record["photos"].as_array().expect("photos");
    let other = labels.iter().position(|label| label == "_unknown");
    let mut figures = [(0, 0); 3];
    let mut bins = [(0.0, 0.0); BINS];
    for photo in photos {
        let truth = photo["truth"].as_u64().map(|truth| truth as usize);
        let scores = photo["scores"].as_array().expect("scores").iter();
        let scores: Vec<f64> = scores
            .map(|score| score.as_f64().expect("a score"))
            .collect();
        let top = scores.iter().copied().fold(0.0, f64::max);
        let likeliest = scores.iter().position(|&score| score == top);
        let (is_other, unknown) = (truth == other, photo["answer"].is_null());
        let right = likeliest == truth || is_other && unknown;
        for (figure, counts, of) in [
            (0, right, true),
            (1, unknown, !is_other),
            (2, unknown, is_other),
        ] {
            figures[figure].0 += u64::from(counts && of);
            figures[figure].1 += u64::from(of);
        }
        let bin = ((top * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += top;
        bins[bin].1 += f64::from(u8::from(likeliest == truth));
    }
    let gaps = bins.iter().map(|(scores, right)| f64::abs(scores - right));
    (figures, gaps.sum::<f64>() / photos.len() as f64)
}

/// The value and the note of a figure on the report's page.
fn on_page<'a>(page: &'a str, name: &str) -> (&'a str, &'a str) {
    let heading = format!("<dt>{name}</dt><dd>");
    let (_, rest) = page.split_once(&heading).expect(name);
    let (value, rest) = rest.split_once("<small>").expect(name);
    (value, rest.split_once("</small>").expect(name).0)
}

#[test]
fn all_that_a_run_writes_has_the_same_figures() {
    let scratch = Scratch::new();
    scratch.draw_photos("flowers", 30);
    let tulips = scratch.join("flowers/tulips");
    std::fs::rename(tulips, scratch.join("flowers/_unknown")).unwrap();
    let options = [
        "--testing-percentage=40",
        "--unknown-percentage=30",
        "--output-graph=flowers.posy",
    ];
    let run = |more: &[&str]| {
        let options = [&options, more].concat();
        Outcome::of(scratch.retrain_drawings("flowers", &options)).succeeds()
    };
    let text = run(&[]).stdout;
    let json = run(&["--json"]).json();
    let record: Value = serde_json::from_slice(&scratch.read("flowers.run.json")).unwrap();
    let page = String::from_utf8(scratch.read("flowers.report.html")).unwrap();
    let compare = |more: &[&str]| {
        let words = [&["compare", "flowers.posy", "flowers.posy"], more].concat();
        scratch.posy(words).succeeds()
    };
    let (compared, table) = (compare(&["--json"]).json(), compare(&[]).stdout);
    let compared = &compared["runs"][0];

    let ([accuracy, rejected, found], error) = figures_of(&record);
    let photos = accuracy.1;
    assert!(rejected.0 > 0 && found.0 > 0, "{rejected:?} {found:?}");
    assert!(accuracy.0 < photos, "no photo is wrong");
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!((value - expected).abs() < 1e-6, "{value} {expected}");
    };

    // Accuracy.
    assert_eq!(counted(&record["int8"], "right", "photos"), accuracy);
    near(&json["int8_test_accuracy"], share(accuracy));
    near(&compared["int8"]["share"], share(accuracy));
    let wrong = json["misclassified"].as_array().unwrap().len() as u64;
    assert_eq!(wrong, photos - accuracy.0);
    let cells = json["confusion"].as_array().unwrap().iter().enumerate();
    let diagonal: u64 = cells.map(|(label, row)| row[label].as_u64().unwrap()).sum();
    assert_eq!(diagonal, accuracy.0);
    let shown = percent(share(accuracy));
    assert!(
        text.contains(&format!("Final test accuracy = {shown} (N={photos})")),
        "{text}"
    );
    assert!(page.contains(&format!("flowers.posy: {shown}</title>")));
    assert!(page.contains(&format!("{} of {photos}", accuracy.0)));

    // Calibration error.
    near(&json["expected_calibration_error"], error);
    near(&json["answers"]["calibration_error_test"]["after"], error);
    assert_eq!(json["answers"]["calibration_bins"], BINS);
    near(&compared["expected_calibration_error"], error);
    let off = percent(error);
    assert!(
        text.contains(&format!(
            "by {off} as calibrated (calibration error in 15 bins)"
        )),
        "{text}"
    );
    assert_eq!(on_page(&page, "scores are off by").0, off);

    // The answer unknown.
    let answers = &json["answers"];
    assert_eq!(
        counted(&answers["tested_known"], "rejected", "photos"),
        rejected
    );
    let accepted = counted(&answers["tested_unknown"], "accepted", "photos");
    assert_eq!(accepted, (found.1 - found.0, found.1));
    let by_label = json["by_label"].as_array().unwrap().iter();
    let unknown: u64 = by_label
        .map(|label| label["unknown"].as_u64().unwrap())
        .sum();
    assert_eq!(unknown, rejected.0 + found.0);
    near(&compared["unknown"]["share"], share(rejected));
    let shown = percent(share(rejected));
    let counts = format!("{} of {}", rejected.0, rejected.1);
    assert!(
        text.contains(&format!(
            "unknown: said of {shown} of the test photos ({counts};"
        )),
        "{text}"
    );
    let (value, note) = on_page(&page, "said to be unknown");
    assert_eq!(value, shown);
    assert!(note.contains(&counts), "{note}");
    assert_eq!(
        on_page(&page, "_unknown found out").0,
        percent(share(found))
    );

    let row = table.lines().nth(1).expect("a row of the table");
    let row: Vec<&str> = row.split_whitespace().collect();
    for figure in [percent(share(accuracy)), shown, off] {
        assert!(row.contains(&&*figure), "{figure}: {row:?}");
    }
}
