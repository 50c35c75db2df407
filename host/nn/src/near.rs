//! Suggestions for misspelt names.

/// The name among `names` that `name` probably stands for, if any: one that contains it or is
/// contained in it, else one at a small edit distance. The first of several.
pub fn meant<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.trim().to_lowercase();
    if name.is_empty() {
        return None;
    }
    let distance = |other: &str| {
        let other = other.to_lowercase();
        let holds = other.contains(&name) || name.contains(&other);
        let letters = edit_distance(&name, &other);
        let few = letters <= other.chars().count().max(name.chars().count()) / 3;
        (holds || few).then_some(letters)
    };
    let near = names
        .into_iter()
        .filter_map(|other| Some((distance(other)?, other)));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Edit distance: number of letters to insert, remove or replace to turn `a` into `b` (Levenshtein
/// 1966).
pub fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(100).collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (i, letter) in b.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in a.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[a.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_none() {
        let boards = ["rp-pico", "rp-pico2", "nucleo-h743zi", "nrf52840-dk"];
        for (name, expected) in [
            ("pico", Some("rp-pico")),
            ("Pico2", Some("rp-pico2")),
            ("pico2", Some("rp-pico2")),
            ("rp-pico-2", Some("rp-pico2")),
            ("rpico", Some("rp-pico")),
            ("nucleo", Some("nucleo-h743zi")),
            ("nrf52", Some("nrf52840-dk")),
            ("nrf52840dk", Some("nrf52840-dk")),
            ("esp32", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(meant(name, boards), expected, "{name}");
        }
        assert_eq!(meant("flower", ["flowers"]), Some("flowers"));
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
