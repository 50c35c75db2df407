//! The same photo under several labels: the network is told two things about one picture.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::scan::Photo;

/// SHA-256 of a file's bytes, read piece by piece.
///
/// # Errors
/// What the file system says.
pub fn hash_file(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match io::Read::read(&mut file, &mut piece) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(len) => hasher.update(&piece[..len]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

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

/// Groups of equal files that have different labels, in the order of each group's first photo.
///
/// `hashes[i]` is the SHA-256 of `photos[i]`; photos beyond the shorter of the two are not looked at.
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
    use crate::photos::Format;

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

    /// FIPS 180-2, appendix B: SHA-256 of "abc" and of a million "a".
    #[test]
    fn hashes_are_sha_256() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("photo");
        let hex = |hash: [u8; 32]| hash.map(|byte| format!("{byte:02x}")).concat();
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(
            hex(hash_file(&path).unwrap()),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(
            hex(hash_file(&path).unwrap()),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        assert!(hash_file(&dir.path().join("none")).is_err());
    }
}
