//! Summary at the end of `retrain`: accuracy by label, confusions, and advice.

use posy_tests::data;
use posy_tests::scratch::Scratch;

#[test]
fn a_label_with_few_photos_and_what_it_is_taken_for_are_named() {
    let Some(flowers) = data("the_brief_end", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &["daisy", "roses"], 80);
    scratch.copy_photos(&flowers, "flowers", &["tulips"], 38);
    let more = ["--testing-percentage", "40"];
    let said = scratch.retrain("flowers", &more).succeeds();
    let json = scratch
        .retrain("flowers", &["--testing-percentage", "40", "--json"])
        .succeeds()
        .json();

    let advice = json["advice"].as_array().unwrap();
    let few = "tulips: 38 photos, where labels usually have 80 here; add more";
    // It has fewer than half as many photos as the others, so the advice names it with these
    // numbers.
    assert_eq!(advice[0], few, "{json}");
    let end = said.stdout.split_once("to try next:\n").unwrap().1;
    let printed: Vec<&str> = end
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    assert_eq!(advice.len(), printed.len());
    assert!(advice.iter().zip(&printed).all(|(a, b)| a == b), "{said}");

    // Largest confusions by the matrix.
    let labels = ["daisy", "roses", "tulips"];
    let mut expected = Vec::new();
    for truth in 0..3 {
        let row = |answer: usize| json["confusion"][truth][answer].as_u64().unwrap();
        let of: u64 = (0..3).map(row).sum();
        assert_eq!(json["by_label"][truth]["recall"]["whole"], of);
        assert_eq!(json["by_label"][truth]["recall"]["part"], row(truth));
        for answer in (0..3).filter(|&answer| answer != truth && row(answer) > 0) {
            expected.push((
                row(answer),
                format!("{} for {}", labels[truth], labels[answer]),
                of,
            ));
        }
    }
    let counts = |lines: &[(u64, String, u64)]| {
        let mut counts: Vec<u64> = lines.iter().map(|line| line.0).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.truncate(3);
        counts
    };
    assert!(!expected.is_empty(), "no mistake to look at: {said}");
    let confused = said
        .stdout
        .split_once("most often taken for another:\n")
        .unwrap()
        .1;
    let shown: Vec<&str> = confused
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert_eq!(shown.len(), expected.len().min(3));
    for (line, count) in shown.iter().zip(counts(&expected)) {
        let found = expected
            .iter()
            .find(|(photos, pair, of)| line.trim() == format!("{pair}: {photos} of {of}"));
        assert_eq!(found.map(|found| found.0), Some(count), "{line}");
    }
}
