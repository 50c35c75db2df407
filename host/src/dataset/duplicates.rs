//! Exact duplicates across labels: the network would learn contradictory labels for one photo.

use std::collections::BTreeMap;
use std::fmt;

use super::scan::Photo;

/// Files with the same bytes, under two labels or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicates {
    /// [`Photo::relative`] of each, in the order of the data set.
    pub photos: Vec<String>,
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the same photo under several labels: {}; keep the right one",
            self.photos.join(", ")
        )
    }
}

/// Groups of identical files with different labels, in the order of each group's first photo.
///
/// `hashes[i]` is the SHA-256 of `photos[i]`; photos beyond the shorter of the two are ignored.
pub fn duplicates_across_labels(photos: &[Photo], hashes: &[[u8; 32]]) -> Vec<Duplicates> {
    let mut by_hash: BTreeMap<&[u8; 32], Vec<&Photo>> = BTreeMap::new();
    let mut order = Vec::new();
    for (photo, hash) in photos.iter().zip(hashes) {
        let group = by_hash.entry(hash).or_default();
        if group.is_empty() {
            order.push(hash);
        }
        group.push(photo);
    }
    order
        .into_iter()
        .filter_map(|hash| by_hash.remove(hash))
        .filter(|group| group.iter().any(|photo| photo.label != group[0].label))
        .map(|group| Duplicates {
            photos: group.iter().map(|photo| photo.relative.clone()).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Format;

    fn photo(label: usize, relative: &str) -> Photo {
        Photo {
            path: relative.into(),
            relative: relative.into(),
            label,
            format: Format::Jpeg,
        }
    }

    #[test]
    fn only_across_labels_and_in_order() {
        let photos = [
            photo(0, "daisy/a"),
            photo(0, "daisy/b"),
            photo(0, "daisy/c"),
            photo(1, "roses/d"),
            photo(1, "roses/e"),
            photo(2, "tulips/f"),
        ];
        let hashes = [[9; 32], [1; 32], [1; 32], [5; 32], [9; 32], [9; 32]];
        let found = duplicates_across_labels(&photos, &hashes);
        let expected = ["daisy/a", "roses/e", "tulips/f"]
            .map(String::from)
            .to_vec();
        assert_eq!(found, [Duplicates { photos: expected }]);
        assert_eq!(
            found[0].to_string(),
            "the same photo under several labels: daisy/a, roses/e, tulips/f; keep the right one"
        );
        assert_eq!(duplicates_across_labels(&photos, &[[0; 32]; 3]), []);
    }
}
