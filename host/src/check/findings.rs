//! What there is to find in a data set, and how it is told.

use serde::Serialize;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Certainly wrong: mend it before training.
    Error,
    /// Probably wrong or harmful: look at it.
    Warning,
    /// Odd, and seen to: nothing needs doing.
    Note,
}

/// What was found, most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file that cannot be used.
    Unreadable,
    /// One picture under two labels.
    DuplicateAcrossLabels,
    /// A photo that looks as if it had another label's.
    Mislabelled,
    /// One picture both trained on and measured on.
    DuplicateAcrossSplit,
    /// A picture of nothing.
    Blank,
    /// A label folder without photos.
    EmptyLabel,
    /// A label with few photos.
    FewPhotos,
    /// A label with far fewer photos than another.
    Imbalance,
    /// A label that is the only one without colour.
    GreyscaleLabel,
    /// A photo without colour among photos with it.
    Greyscale,
    /// A photo much smaller than what the network looks at.
    Small,
    /// Labels whose names become one.
    NameCollision,
    /// Photos outside the label folders.
    Loose,
    /// One picture more than once under one label and in one part of the split.
    Duplicate,
    /// A label with few test photos.
    FewTested,
    /// A photo that EXIF turns.
    ExifRotated,
    /// A file of another format than its name says.
    Misnamed,
    /// A photo in inks.
    Cmyk,
    /// A photo of 16 bits a channel.
    #[serde(rename = "16-bit")]
    Deep,
    /// A very large photo.
    Large,
    /// A photo that moves.
    Animated,
    /// A photo that is squashed a lot.
    Stretched,
}

impl Kind {
    /// How much it matters.
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

    /// What it is, behind a number, and what to do.
    pub const fn heading(self) -> (&'static str, &'static str) {
        match self {
            Kind::Unreadable => ("file(s) cannot be used", "mend or remove them"),
            Kind::DuplicateAcrossLabels => (
                "picture(s) stand under two labels",
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
                "label(s) alone have photos without colour, which may be learned in place of what \
                 they show",
                "add photos with colour",
            ),
            Kind::Greyscale => (
                "photo(s) without colour stand among photos with colour",
                "replace them, if the camera sees colour",
            ),
            Kind::Small => (
                "photo(s) are much smaller than what the network looks at",
                "take them larger",
            ),
            Kind::NameCollision => (
                "set(s) of labels become one where their names are shown poorly",
                "posy tells them apart; rename them if they are shown on a plain display",
            ),
            Kind::Loose => (
                "set(s) of photos lie beside the label folders",
                "move each into the folder of its label",
            ),
            Kind::Duplicate => (
                "picture(s) are there more than once under one label",
                "one is enough",
            ),
            Kind::FewTested => (
                "label(s) are measured on few photos, so that their accuracy is a rough figure",
                "add photos",
            ),
            Kind::ExifRotated => ("photo(s) are turned upright as EXIF says", ""),
            Kind::Misnamed => (
                "photo(s) are of another format than their names say, and read as what they are",
                "",
            ),
            Kind::Cmyk => ("photo(s) are in inks (CMYK), and read as colours", ""),
            Kind::Deep => ("photo(s) have 16 bits a channel, of which 8 are used", ""),
            Kind::Large => ("photo(s) are very large, and read slowly", ""),
            Kind::Animated => ("photo(s) move, and their first picture is used", ""),
            Kind::Stretched => ("photo(s) are long or tall, and squashed to a square", ""),
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// The files that it is about; of a picture that is there more than once all of them.
    pub paths: Vec<String>,
    /// The labels that it is about: of a mislabelled photo its own, and that which it looks like; of a
    /// picture that is there more than once that of each file.
    pub labels: Vec<String>,
    /// More about it; may be empty.
    pub detail: String,
    /// Of a mislabelled photo by how much the other label's score exceeds its own's; of a
    /// picture that is there more than once the least cosine of its first photo's features and another's.
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

    /// The same about labels too.
    #[must_use]
    pub fn with_labels(self, labels: Vec<String>) -> Self {
        Finding { labels, ..self }
    }

    /// The same with its measure.
    #[must_use]
    pub fn with_measure(self, measure: f32) -> Self {
        let measure = Some(measure);
        Finding { measure, ..self }
    }
}

/// Files that a line names; of more the first of each label, then others.
const NAMED: usize = 4;

/// The finding in a line: its files, or else its labels, and more about it.
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

/// All that was found, most serious first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Photos that can be used.
    pub photos: usize,
    /// Labels.
    pub labels: usize,
    /// Whether wrong labels were looked for; not where fewer than two labels have enough photos.
    pub labels_judged: bool,
    /// What was found, in order of [`Kind`].
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings matter as much.
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// The findings of one kind after the other.
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
