//! Label names that become equal where the output is limited.
//!
//! posy keeps a folder's name as it is. Its readers may not: a display or terminal may show ASCII
//! alone, a file system may ignore case, and a person sees two spellings of one character as equal.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Kind of equality between names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sameness {
    /// Different bytes that look alike (Unicode's canonical equivalence), also ignoring spaces at
    /// the ends.
    Appearance,
    /// Equal except for case.
    Case,
    /// Equal once accents are removed and non-ASCII characters are dropped.
    Ascii,
}

/// Names that are equal in some respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// Kind of equality.
    pub sameness: Sameness,
    /// The name that they all become.
    pub becomes: String,
    /// The colliding names, two or more, unchanged.
    pub names: Vec<String>,
}

/// A name without accents (Unicode's compatibility decomposition without combining marks) and
/// without non-ASCII characters.
fn folded(name: &str) -> String {
    let plain = name.nfkd().filter(|&c| !is_combining_mark(c));
    let ascii: String = plain.filter(char::is_ascii).collect();
    ascii.trim().to_lowercase()
}

/// The ASCII characters of a name.
fn stripped(name: &str) -> String {
    let ascii: String = name.chars().filter(char::is_ascii).collect();
    ascii.trim().to_lowercase()
}

/// A reduced form of a name.
type View = fn(&str) -> String;

/// Colliding names: each set of names once, by the strictest kind of equality.
pub fn collisions(names: &[String]) -> Vec<Collision> {
    let views: [(Sameness, View); 4] = [
        (Sameness::Appearance, |name| name.trim().nfc().collect()),
        (Sameness::Case, |name| {
            name.trim().nfc().collect::<String>().to_lowercase()
        }),
        (Sameness::Ascii, folded),
        (Sameness::Ascii, stripped),
    ];
    let mut found: Vec<Collision> = Vec::new();
    // For each name, the indices of the collisions that it is in.
    let mut known: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (sameness, view) in views {
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in names {
            groups.entry(view(name)).or_default().push(name.clone());
        }
        for (becomes, names) in groups {
            let first = names.first().and_then(|name| known.get(name));
            let is_known = first.into_iter().flatten().any(|&place| {
                let other: BTreeSet<&String> = found[place].names.iter().collect();
                names.iter().all(|name| other.contains(name))
            });
            if names.len() > 1 && !is_known {
                for name in &names {
                    known.entry(name.clone()).or_default().push(found.len());
                }
                found.push(Collision {
                    sameness,
                    becomes,
                    names,
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_collide_as_they_are_shown() {
        type Case = (&'static [&'static str], &'static [(Sameness, &'static str)]);
        let cases: [Case; 8] = [
            (&["roses", "tulips"], &[]),
            (
                &["caf\u{e9}", "cafe\u{301}"],
                &[(Sameness::Appearance, "caf\u{e9}")],
            ),
            (&["Roses", "roses"], &[(Sameness::Case, "roses")]),
            (&["fleur é", "fleur è"], &[(Sameness::Ascii, "fleur e")]),
            (&["Müller", "Muller"], &[(Sameness::Ascii, "muller")]),
            // Nothing remains of these two in ASCII.
            (&["雏菊", "توليب"], &[(Sameness::Ascii, "")]),
            (&["雏菊 1", "月季 1", "月季 2"], &[(Sameness::Ascii, "1")]),
            (&["Größe", "Gre"], &[(Sameness::Ascii, "gre")]),
        ];
        for (names, expected) in cases {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let found = collisions(&names);
            let found: Vec<_> = found
                .iter()
                .map(|collision| (collision.sameness, &*collision.becomes))
                .collect();
            assert_eq!(found, expected, "{names:?}");
        }
    }
}
