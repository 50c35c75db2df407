//! Continues an earlier split: photos keep their bucket when others are added.

use std::collections::BTreeMap;

use super::scan::Dataset;
use super::split::{Bucket, Percentages, Rule, Split, group_name};
use super::split_file::SplitFile;

impl SplitFile {
    /// Returns `split` with the photos of this file in their recorded buckets. A new photo of a
    /// recorded group joins its group; other new photos stay as in `split`. A file with another
    /// rule or other shares is ignored.
    pub fn keep(
        &self,
        dataset: &Dataset,
        rule: &Rule,
        percentages: Percentages,
        split: Split,
    ) -> Split {
        // With folders, the user's own choice of folder counts.
        if self.rule != *rule || self.percentages != percentages || *rule == Rule::Folders {
            return split;
        }
        let mut photos: BTreeMap<&str, Bucket> = BTreeMap::new();
        let mut groups: BTreeMap<&str, Bucket> = BTreeMap::new();
        for label in self.labels.values() {
            for (list, bucket) in [
                (&label.training, Bucket::Training),
                (&label.validation, Bucket::Validation),
                (&label.testing, Bucket::Testing),
            ] {
                for photo in list {
                    photos.insert(photo, bucket);
                    groups.insert(group_name(photo), bucket);
                }
            }
        }
        let buckets = dataset.photos.iter().zip(split.buckets());
        let kept = buckets.map(|(photo, &bucket)| {
            let name = photo.relative.as_str();
            let known = photos.get(name).or_else(|| groups.get(group_name(name)));
            known.copied().unwrap_or(bucket)
        });
        Split::from_buckets(kept.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::split;
    use super::super::split::tests::named;
    use super::*;

    const RULE: Rule = Rule::Stable { seed: 4 };

    #[test]
    fn photos_keep_their_part_when_a_label_is_added() {
        let photos = |label, from: usize, to: usize| {
            (from..to).map(move |index| (label, format!("{index}.jpg")))
        };
        let first = named(&photos("a", 0, 9).collect::<Vec<_>>());
        let more: Vec<_> = photos("a", 0, 30).chain(photos("b", 0, 9)).collect();
        let shares = Percentages::default();
        // Every photo in another bucket than the rule gives.
        let turned = split(&first, &RULE, shares)
            .buckets()
            .iter()
            .map(|bucket| match bucket {
                Bucket::Training => Bucket::Testing,
                Bucket::Validation => Bucket::Training,
                Bucket::Testing => Bucket::Validation,
            })
            .collect();
        let turned = Split::from_buckets(turned);
        let file = SplitFile::new(&first, RULE, shares, &turned);
        let second = named(&more);
        let by_rule = split(&second, &RULE, shares);
        let kept = file.keep(&second, &RULE, shares, by_rule.clone());
        for (index, photo) in second.photos.iter().enumerate() {
            let old = first
                .photos
                .iter()
                .position(|p| p.relative == photo.relative);
            let expected = match old {
                Some(old) => turned.buckets()[old],
                None => by_rule.buckets()[index],
            };
            assert_eq!(kept.buckets()[index], expected, "{}", photo.relative);
        }
        // Another seed or other shares ask for another split.
        let other = Rule::Stable { seed: 5 };
        assert_eq!(file.keep(&second, &other, shares, by_rule.clone()), by_rule);
        let fewer = Percentages::new(10, 5).unwrap();
        assert_eq!(file.keep(&second, &RULE, fewer, by_rule.clone()), by_rule);
    }

    #[test]
    fn a_new_photo_of_a_known_group_stays_with_it() {
        let photos = |names: &[&str]| {
            let photos = names.iter().map(|name| ("a", (*name).to_owned()));
            named(&photos.collect::<Vec<_>>())
        };
        let first = photos(&["x_nohash_0", "y", "z"]);
        let buckets = vec![Bucket::Testing, Bucket::Training, Bucket::Validation];
        let shares = Percentages::default();
        let file = SplitFile::new(&first, RULE, shares, &Split::from_buckets(buckets));
        let second = photos(&["x_nohash_0", "x_nohash_1", "y", "z"]);
        let kept = file.keep(&second, &RULE, shares, split(&second, &RULE, shares));
        assert_eq!(kept.buckets()[..2], [Bucket::Testing; 2]);
    }
}
