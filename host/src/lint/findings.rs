//! The kinds of findings in a data set, and the report that lists them.

use serde::Serialize;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Certainly wrong: fix it before training.
    Error,
    /// Probably wrong or harmful: inspect it.
    Warning,
    /// Unusual, and handled: no action is needed.
    Note,
}

/// Kind of a finding, most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file that cannot be used.
    Unreadable,
    /// A picture under two labels.
    DuplicateAcrossLabels,
    /// A photo that looks as if it belonged to another label.
    Mislabelled,
    /// A picture both in the training part and in the validation or test part.
    DuplicateAcrossSplit,
    /// A photo of nearly one brightness throughout.
    Blank,
    /// A label folder without photos.
    EmptyLabel,
    /// A label with few photos.
    FewPhotos,
    /// A label with far fewer photos than another.
    Imbalance,
    /// The only label whose photos are greyscale.
    GreyscaleLabel,
    /// A greyscale photo among colour photos.
    Greyscale,
    /// A photo much smaller than the network's input.
    Small,
    /// Labels whose names become equal where the output is limited, for example to ASCII.
    NameCollision,
    /// Photos outside the label folders.
    Loose,
    /// A picture several times under one label and in one part of the split.
    Duplicate,
    /// A label with few test photos.
    FewTested,
    /// A photo that its EXIF orientation rotates or mirrors.
    ExifRotated,
    /// A file whose format differs from its name's ending.
    Misnamed,
    /// A photo in CMYK or YCCK.
    Cmyk,
    /// A photo of 16 bits a channel.
    #[serde(rename = "16-bit")]
    Deep,
    /// A very large photo.
    Large,
    /// An animated picture.
    Animated,
    /// A photo that resizing to a square distorts strongly.
    Stretched,
}

impl Kind {
    /// Severity of this kind.
    pub const fn severity(self) -> Severity {
        use Kind::{
            Blank, DuplicateAcrossLabels, DuplicateAcrossSplit, EmptyLabel, FewPhotos, Greyscale,
            GreyscaleLabel, Imbalance, Loose, Mislabelled, NameCollision, Small, Unreadable,
        };
        match self {
            Unreadable | DuplicateAcrossLabels => Severity::Error,
            Mislabelled | DuplicateAcrossSplit | Blank | EmptyLabel | FewPhotos | Imbalance
            | GreyscaleLabel | Greyscale | Small | NameCollision | Loose => Severity::Warning,
            _ => Severity::Note,
        }
    }

    /// Heading that follows the number of findings, and the advice.
    pub const fn heading(self) -> (&'static str, &'static str) {
        match self {
            Kind::Unreadable => ("file(s) cannot be used", "mend or remove them"),
            Kind::DuplicateAcrossLabels => (
                "picture(s) are under two labels",
                "keep the copies under the right label and remove the others",
            ),
            Kind::Mislabelled => (
                "photo(s) look like another label's, most suspect first",
                "look at each, and move it where its label is wrong; a right one may stay",
            ),
            Kind::DuplicateAcrossSplit => (
                "picture(s) are in two parts of the split, so that accuracy looks better than it is",
                "keep one photo of each, or name all alike up to `_nohash_`, which keeps them \
                 together: plant7_nohash_1.jpg, plant7_nohash_2.jpg",
            ),
            Kind::Blank => ("picture(s) show nothing", "remove them"),
            Kind::EmptyLabel => ("label(s) have no photos", "add photos or remove the folder"),
            Kind::FewPhotos => ("label(s) have few photos", "add photos"),
            Kind::Imbalance => (
                "label(s) have far fewer photos than another",
                "add photos to the small one",
            ),
            Kind::GreyscaleLabel => (
                "label(s) alone have greyscale photos, and the network may learn that in place of \
                 what they show",
                "add colour photos",
            ),
            Kind::Greyscale => (
                "greyscale photo(s) are among colour photos",
                "replace them, if the camera has colour",
            ),
            Kind::Small => (
                "photo(s) are much smaller than the network's input",
                "take them larger",
            ),
            Kind::NameCollision => (
                "set(s) of labels have names that become equal on a plain display",
                "posy keeps them apart; rename them if they are shown on such a display",
            ),
            Kind::Loose => (
                "set(s) of photos lie beside the label folders",
                "move each into the folder of its label",
            ),
            Kind::Duplicate => (
                "picture(s) occur more than once under one label",
                "one is enough",
            ),
            Kind::FewTested => (
                "label(s) have few test photos, so that their accuracy is a rough figure",
                "add photos",
            ),
            Kind::ExifRotated => ("photo(s) are turned upright by their EXIF orientation", ""),
            Kind::Misnamed => (
                "photo(s) have another format than their names say, which posy detects",
                "",
            ),
            Kind::Cmyk => ("photo(s) are in CMYK, and converted to RGB", ""),
            Kind::Deep => ("photo(s) have 16 bits a channel, of which 8 are used", ""),
            Kind::Large => ("photo(s) are very large, and slow to read", ""),
            Kind::Animated => ("photo(s) are animated, and their first frame is used", ""),
            Kind::Stretched => ("photo(s) are long or tall, and squashed to a square", ""),
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Kind.
    pub kind: Kind,
    /// Severity.
    pub severity: Severity,
    /// The files concerned; for duplicates, all files of the group.
    pub paths: Vec<String>,
    /// The labels concerned: for a mislabelled photo, its own and the one that it looks like; for
    /// duplicates, the label of each file.
    pub labels: Vec<String>,
    /// Details in words; may be empty.
    pub detail: String,
    /// Numeric measure. For a mislabelled photo: the other label's score less its own label's. For
    /// duplicates: the least cosine similarity between the features of the group's first photo and
    /// another's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<f32>,
}

impl Finding {
    /// A finding about `paths`.
    pub fn new(kind: Kind, paths: Vec<String>, detail: impl Into<String>) -> Self {
        Finding {
            kind,
            severity: kind.severity(),
            paths,
            labels: Vec::new(),
            detail: detail.into(),
            measure: None,
        }
    }

    /// Adds the labels concerned.
    #[must_use]
    pub fn with_labels(self, labels: Vec<String>) -> Self {
        Finding { labels, ..self }
    }

    /// Adds the measure.
    #[must_use]
    pub fn with_measure(self, measure: f32) -> Self {
        let measure = Some(measure);
        Finding { measure, ..self }
    }
}

/// Maximum number of files that a line names. Of a longer list, the first file of each label comes
/// first.
const NAMED: usize = 4;

/// The finding in one line: its files, or else its labels, then the details.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (names, all) = match self.paths.is_empty() {
            false => (self.named(), self.paths.len()),
            true => (self.labels.iter().collect(), self.labels.len()),
        };
        let mut names = names.into_iter();
        if let Some(first) = names.next() {
            write!(f, "{first}")?;
        }
        let mut left = all.saturating_sub(1);
        for name in names {
            write!(f, " = {name}")?;
            left -= 1;
        }
        if left > 0 {
            write!(f, " and {left} more")?;
        }
        match self.detail.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.detail),
        }
    }
}

impl Finding {
    /// The files that a line names.
    fn named(&self) -> Vec<&String> {
        if self.paths.len() <= NAMED {
            return self.paths.iter().collect();
        }
        let begins =
            |&place: &usize| place == 0 || self.labels.get(place) != self.labels.get(place - 1);
        let (firsts, others): (Vec<usize>, Vec<usize>) =
            (0..self.paths.len()).partition(|place| begins(place));
        let mut named: Vec<usize> = firsts.into_iter().chain(others).take(NAMED).collect();
        named.sort_unstable();
        named.into_iter().map(|place| &self.paths[place]).collect()
    }
}

/// All findings, most serious first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Number of usable photos.
    pub photos: usize,
    /// Number of labels.
    pub labels: usize,
    /// True if label noise was searched for: that takes two labels with enough photos.
    pub labels_judged: bool,
    /// The findings, sorted by [`Kind`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// Number of findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// Iterates over the findings, grouped by kind.
    pub fn groups(&self) -> impl Iterator<Item = &[Finding]> {
        self.findings.chunk_by(|one, other| one.kind == other.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_few_files_and_every_label() {
        let names = |count: usize| (0..count).map(|number| format!("{number}.jpg")).collect();
        let labels = |of: &[(&str, usize)]| -> Vec<String> {
            let labels = of.iter();
            let repeated = labels.flat_map(|&(label, count)| std::iter::repeat_n(label, count));
            repeated.map(str::to_owned).collect()
        };
        let line = |count, of: &[(&str, usize)]| {
            let finding = Finding::new(Kind::DuplicateAcrossLabels, names(count), "turned");
            finding.with_labels(labels(of)).to_string()
        };
        assert_eq!(line(2, &[("a", 1), ("b", 1)]), "0.jpg = 1.jpg: turned");
        assert_eq!(
            line(6000, &[("a", 5998), ("b", 2)]),
            "0.jpg = 1.jpg = 2.jpg = 5998.jpg and 5996 more: turned"
        );
        let collision = Finding::new(Kind::NameCollision, vec![], "");
        assert_eq!(
            collision.with_labels(labels(&[("a", 6)])).to_string(),
            "a = a = a = a = a = a"
        );
    }
}
