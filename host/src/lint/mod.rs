//! Problems in a data set, found before or during training.
//!
//! [`check`] inspects everything: files, thumbnails ([`appearance`]) and features. [`brief`] inspects the
//! features alone, which training has at hand. Both give a [`Report`], which names photos by path.

pub mod appearance;
mod components;
mod findings;
mod forest;
mod kernel_regression;
mod label_noise;
mod names;
mod near_duplicates;

pub use findings::{Finding, Kind, Report, Severity};
pub use label_noise::{Suspect, suspects};
pub use names::{Collision, Sameness, collisions};
pub use near_duplicates::{Group, groups, groups_by_features};

use appearance::Look;

use crate::dataset::headers::{claimed_format, claims_other_picture};
use crate::dataset::split::Bucket;
use crate::dataset::{Dataset, Photo, ScanWarning};
use crate::features::progress::Progress;
use crate::train::{Features, HeadError};

/// Ratio of two labels' photo counts from which on the data set is imbalanced.
const IMBALANCE: usize = 4;
/// Number of test photos below which a label's accuracy is a rough figure.
const FEW_TESTED: usize = 10;
/// Pixels from which on a photo is slow to decode.
const LARGE_PIXELS: u64 = 24_000_000;
/// Aspect ratio from which on a photo is strongly distorted.
const STRETCHED: u32 = 2;

/// The data set to inspect.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Labels and photos.
    pub dataset: &'a Dataset,
    /// Features of the photos, in their order.
    pub features: &'a Features,
    /// Features of the photos' central squares, where they are at hand: both views together find
    /// label noise more reliably.
    pub centres: Option<&'a Features>,
    /// The split part of each photo.
    pub buckets: &'a [Bucket],
}

impl Subject<'_> {
    fn path(&self, photo: usize) -> String {
        self.dataset.photos[photo].path.display().to_string()
    }

    fn label(&self, photo: usize) -> &str {
        &self.dataset.labels[self.dataset.photos[photo].label]
    }

    fn photo_label(&self, photo: usize) -> usize {
        self.dataset.photos[photo].label
    }

    fn report(&self, labels_judged: bool, mut findings: Vec<Finding>) -> Report {
        // A stable sort: findings of one kind keep their order.
        findings.sort_by_key(|finding| finding.kind);
        Report {
            photos: self.dataset.photos.len(),
            labels: self.dataset.labels.len(),
            labels_judged,
            findings,
        }
    }
}

/// Inspects files, thumbnails and features. `looks` belong to the photos in their order; `skipped`
/// are unusable files, each with the reason; `side` is the shorter side of the network's input in
/// pixels.
///
/// # Errors
/// Returns an error if features are damaged.
pub fn check(
    subject: &Subject<'_>,
    looks: &[Option<Look>],
    skipped: &[(String, String)],
    side: u32,
    progress: &dyn Progress,
) -> Result<Report, HeadError> {
    progress.begin(near_duplicates::steps(looks.len(), true) + label_noise::steps(looks.len()));
    let mut findings: Vec<Finding> = skipped
        .iter()
        .map(|(path, reason)| Finding::new(Kind::Unreadable, vec![path.clone()], reason))
        .collect();
    of_labels(subject, &mut findings);
    of_colour(subject, looks, &mut findings);
    for (photo, look) in looks.iter().enumerate() {
        if let Some(look) = look {
            of_photo(&subject.dataset.photos[photo], look, side, &mut findings);
        }
    }
    let groups = groups(looks, subject.features, progress);
    findings.extend(groups.iter().map(|group| of_group(subject, group)));
    let blank = |photo: usize| looks[photo].as_ref().is_some_and(Look::is_blank);
    let judged = of_suspects(subject, &groups, blank, progress, &mut findings)?;
    progress.end();
    Ok(subject.report(judged, findings))
}

/// Inspects the features alone.
///
/// # Errors
/// Returns an error if features are damaged.
pub fn brief(subject: &Subject<'_>, progress: &dyn Progress) -> Result<Report, HeadError> {
    let photos = subject.features.len();
    progress.begin(near_duplicates::steps(photos, false) + label_noise::steps(photos));
    let mut findings = Vec::new();
    of_names(subject, &mut findings);
    let groups = groups_by_features(subject.features, progress);
    findings.extend(groups.iter().map(|group| of_group(subject, group)));
    let judged = of_suspects(subject, &groups, |_| false, progress, &mut findings)?;
    progress.end();
    Ok(subject.report(judged, findings))
}

fn of_labels(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let dataset = subject.dataset;
    let about = |kind, label: &str, detail: String| {
        Finding::new(kind, Vec::new(), detail).with_labels(vec![label.to_owned()])
    };
    for warning in &dataset.warnings {
        findings.push(match warning {
            ScanWarning::EmptyLabel { label } => {
                about(Kind::EmptyLabel, label, "the label is left out".into())
            }
            // Reported below, counting usable photos only.
            ScanWarning::FewPhotos { .. } => continue,
            ScanWarning::LoosePhotos { count, example } => Finding::new(
                Kind::Loose,
                vec![example.display().to_string()],
                format!("the first of {count}"),
            ),
            ScanWarning::NoPart { folder } => {
                let detail = "the folder is none of train, valid and test, and left out";
                about(Kind::EmptyLabel, folder, detail.into())
            }
            ScanWarning::NoTestPart => {
                let detail = "no test photo: there is no folder test".to_owned();
                Finding::new(Kind::FewTested, Vec::new(), detail)
                    .with_labels(dataset.labels.clone())
            }
        });
    }
    let few = crate::dataset::ScanOptions::default().few_photos;
    let counts = dataset.counts();
    let mut tested = vec![0; counts.len()];
    for (photo, bucket) in dataset.photos.iter().zip(subject.buckets) {
        tested[photo.label] += usize::from(*bucket == Bucket::Testing);
    }
    let any_tested = tested.iter().any(|&photos| photos > 0);
    let most = (0..counts.len()).max_by_key(|&label| counts[label]);
    for (index, label) in dataset.labels.iter().enumerate() {
        let count = counts[index];
        if count < few {
            let detail = format!("{count} photo(s); {few} or more are needed to learn it well");
            findings.push(about(Kind::FewPhotos, label, detail));
        } else if let Some(most) = most.filter(|&most| counts[most] > IMBALANCE * count) {
            let (name, most) = (&dataset.labels[most], counts[most]);
            let detail = format!("{count} photos, where {name:?} has {most}");
            findings.push(about(Kind::Imbalance, label, detail));
        }
        let tested = tested[index];
        if tested < FEW_TESTED && any_tested {
            findings.push(about(
                Kind::FewTested,
                label,
                format!("{tested} test photo(s)"),
            ));
        }
    }
    of_names(subject, findings);
}

fn of_names(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    findings.extend(
        collisions(&subject.dataset.labels)
            .into_iter()
            .map(|collision| {
                let becomes = &collision.becomes;
                let detail = match (collision.sameness, &**becomes) {
                    (Sameness::Appearance, _) => format!("all look like {becomes:?}"),
                    (Sameness::Case, _) => format!("all are {becomes:?} in lower case"),
                    (Sameness::Ascii, "") => "nothing of them remains in ASCII".to_owned(),
                    (Sameness::Ascii, _) => format!("all are {becomes:?} in ASCII"),
                };
                Finding::new(Kind::NameCollision, Vec::new(), detail).with_labels(collision.names)
            }),
    );
}

/// Reports greyscale photos, if most photos have colour.
fn of_colour(subject: &Subject<'_>, looks: &[Option<Look>], findings: &mut Vec<Finding>) {
    let seen = |photo: usize| looks[photo].as_ref().filter(|look| !look.is_blank());
    let is_grey = |photo: usize| seen(photo).is_some_and(|look| look.colourless);
    let grey: Vec<usize> = (0..looks.len()).filter(|&photo| is_grey(photo)).collect();
    if grey.is_empty() || 2 * grey.len() > looks.len() {
        return;
    }
    let photos = subject.dataset.counts();
    let mut grey_photos = vec![0; photos.len()];
    for &photo in &grey {
        grey_photos[subject.photo_label(photo)] += 1;
    }
    for (index, label) in subject.dataset.labels.iter().enumerate() {
        let share = |grey: usize, all: usize| grey as f64 / all.max(1) as f64;
        let (own_grey, own) = (grey_photos[index], photos[index]);
        let (own, others) = (
            share(own_grey, own),
            share(grey.len() - own_grey, looks.len() - own),
        );
        if own >= 0.5 && others <= 0.1 {
            let percent = |share: f64| (share * 100.0).round();
            let detail = format!(
                "{}% of its photos, and {}% of the others, are greyscale",
                percent(own),
                percent(others)
            );
            let finding = Finding::new(Kind::GreyscaleLabel, Vec::new(), detail);
            findings.push(finding.with_labels(vec![label.clone()]));
        }
    }
    let about = |photo: usize| {
        let finding = Finding::new(Kind::Greyscale, vec![subject.path(photo)], "");
        finding.with_labels(vec![subject.label(photo).to_owned()])
    };
    findings.extend(grey.iter().map(|&photo| about(photo)));
}

fn of_photo(photo: &Photo, look: &Look, side: u32, findings: &mut Vec<Finding>) {
    let facts = &look.facts;
    let (width, height) = (facts.width, facts.height);
    let (short, long) = (width.min(height), width.max(height));
    let mut add = |found: bool, kind, detail: String| {
        if found {
            findings.push(Finding::new(
                kind,
                vec![photo.path.display().to_string()],
                detail,
            ));
        }
    };
    let size = format!("{width} x {height}");
    add(look.is_blank(), Kind::Blank, "all of one colour".into());
    add(
        2 * short < side,
        Kind::Small,
        format!("{size}, where the network's input is {side}"),
    );
    add(facts.turned, Kind::ExifRotated, String::new());
    let claimed = claimed_format(&photo.relative);
    let misnamed = claimed.map_or(claims_other_picture(&photo.relative), |claimed| {
        claimed != facts.format
    });
    add(
        misnamed,
        Kind::Misnamed,
        format!("it is a {}", facts.format),
    );
    add(facts.inks, Kind::Cmyk, String::new());
    add(facts.deep, Kind::Deep, String::new());
    let pixels = u64::from(width) * u64::from(height);
    let megapixels = (pixels + 500_000) / 1_000_000;
    add(
        pixels > LARGE_PIXELS,
        Kind::Large,
        format!("{size}, {megapixels} megapixels"),
    );
    add(facts.animated, Kind::Animated, String::new());
    add(long > STRETCHED * short, Kind::Stretched, size);
}

fn of_group(subject: &Subject<'_>, group: &Group) -> Finding {
    let photos = group.photos.iter();
    let labels: Vec<String> = photos
        .clone()
        .map(|&photo| subject.label(photo).to_owned())
        .collect();
    let in_part = |part: Bucket| {
        let parts = photos.clone().map(|&photo| subject.buckets.get(photo));
        parts.filter(|found| *found == Some(&part)).count()
    };
    let parts = [
        ("training", in_part(Bucket::Training)),
        ("validation", in_part(Bucket::Validation)),
        ("testing", in_part(Bucket::Testing)),
    ];
    let parts: Vec<(&str, usize)> = parts.into_iter().filter(|(_, count)| *count > 0).collect();
    let kind = if labels.iter().any(|label| *label != labels[0]) {
        Kind::DuplicateAcrossLabels
    } else if parts.len() > 1 {
        Kind::DuplicateAcrossSplit
    } else {
        Kind::Duplicate
    };
    let mut details = Vec::new();
    if group.photos.len() > 2 {
        details.push(format!("{} photos", group.photos.len()));
    }
    if group.turned {
        details.push("turned or mirrored".to_owned());
    }
    if kind == Kind::DuplicateAcrossSplit {
        let named = parts.iter().map(|(name, count)| match count {
            1 => (*name).to_owned(),
            count => format!("{count} in {name}"),
        });
        details.push(named.collect::<Vec<_>>().join(" and "));
    }
    let paths = photos.map(|&photo| subject.path(photo)).collect();
    Finding::new(kind, paths, details.join(", "))
        .with_labels(labels)
        .with_measure(group.cosine)
}

/// Reports suspected label noise. Returns false if too few labels have enough photos. Duplicates
/// under two labels are left out: they are reported already, and would confuse the fit.
fn of_suspects(
    subject: &Subject<'_>,
    groups: &[Group],
    leave_out: impl Fn(usize) -> bool,
    progress: &dyn Progress,
    findings: &mut Vec<Finding>,
) -> Result<bool, HeadError> {
    let mut judged: Vec<bool> = (0..subject.features.len())
        .map(|photo| !leave_out(photo))
        .collect();
    for group in groups {
        let label = |photo: usize| subject.photo_label(photo);
        let first = label(group.photos[0]);
        if group.photos.iter().any(|&photo| label(photo) != first) {
            group.photos.iter().for_each(|&photo| judged[photo] = false);
        }
    }
    let photos: Vec<usize> = (0..judged.len()).filter(|&photo| judged[photo]).collect();
    let views: Vec<&Features> = [subject.features]
        .into_iter()
        .chain(subject.centres)
        .collect();
    let Some(suspects) = suspects(&views, &photos, progress)? else {
        return Ok(false);
    };
    findings.extend(suspects.iter().map(|suspect| {
        let own = subject.label(suspect.photo).to_owned();
        let other = subject.dataset.labels[suspect.looks_like].clone();
        let detail = format!(
            "looks like {other} (score {:.2}, {own} {:.2})",
            suspect.score, suspect.own_score
        );
        Finding::new(Kind::Mislabelled, vec![subject.path(suspect.photo)], detail)
            .with_labels(vec![own, other])
            .with_measure(suspect.excess())
    }));
    Ok(true)
}
