//! Label names that become one where the output is poorer than they are.
//!
//! posy keeps a folder's name as it is. What shows it may not: a display or terminal with ASCII
//! alone, a file system that does not tell capitals from small letters, a person who sees two
//! spellings of one character.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What makes names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sameness {
    /// They are spelt with other bytes and look the same (Unicode's canonical equivalence), but
    /// for spaces at the ends.
    Appearance,
    /// They differ in capitals alone.
    Case,
    /// They are one when accents are taken off and what is not ASCII is left out.
    Ascii,
}

/// Names that are one in some respect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    /// In which.
    pub sameness: Sameness,
    /// What they become.
    pub becomes: String,
    /// The names, two or more, as they are.
    pub names: Vec<String>,
}

/// A name with accents taken off (Unicode's compatibility decomposition, without its combining
/// marks) and without what is not ASCII.
fn folded(name: &str) -> String {
    let plain = name.nfkd().filter(|&c| !is_combining_mark(c));
    let ascii: String = plain.filter(char::is_ascii).collect();
    ascii.trim().to_lowercase()
}

/// The bytes that are ASCII and no others.
fn stripped(name: &str) -> String {
    let ascii: String = name.chars().filter(char::is_ascii).collect();
    ascii.trim().to_lowercase()
}

/// What is left of a name.
type View = fn(&str) -> String;

/// Names that collide, each set of names once, in the strictest respect.
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
    // Of each name the collisions that it is in, by their place.
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
            // Whatever is taken away is taken away from these two as well.
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
