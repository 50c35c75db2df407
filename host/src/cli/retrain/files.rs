//! Files that `posy retrain` writes: their names, whether they can be written, and writing them
//! together.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use posy_nn::atomic::{Staged, could_write, same_place};
use posy_nn::download::photos::COLLECTIONS;

use crate::cli::output::note;
use crate::cli::{Failure, usage};
use crate::dataset::SplitFile;
use crate::eval::run_record::Record;

/// Photos of an earlier run that are looked for, at most.
const SAMPLE: usize = 1000;
/// Names that are tried besides the first.
const NAMES: u32 = 10_000;

/// The name of the model for the photos in `folder`: that of the collection, if they are one;
/// else the folder's, less `_photos`.
fn default_name(folder: &Path) -> PathBuf {
    // `.` and the like have no name of their own.
    let named = match folder.components().next_back() {
        Some(Component::Normal(_)) => Some(folder.to_owned()),
        _ => folder.canonicalize().ok(),
    };
    let name = named.as_deref().and_then(Path::file_name);
    let name = name.unwrap_or_default().to_string_lossy();
    let collection = COLLECTIONS.iter().find(|one| one.folder == name);
    let name = match collection {
        Some(collection) => collection.name,
        None => name.strip_suffix("_photos").unwrap_or(&name),
    };
    let name = match name.trim_start_matches('.') {
        "" => "model",
        name => name,
    };
    format!("{name}.posy").into()
}

/// Photos that the run was given whose model is at `model`, as their paths in the data set; `None`
/// where nothing beside the model says so.
fn photos_of(model: &Path) -> Option<Vec<String>> {
    if let Ok(split) = SplitFile::read(&split_path(model)) {
        let parts = |label: crate::dataset::LabelSplit| {
            [label.training, label.validation, label.testing].concat()
        };
        return Some(split.labels.into_values().flat_map(parts).collect());
    }
    let record = Record::read(&Record::path_beside(model)).ok()?;
    Some(record.photos.into_iter().map(|one| one.photo).collect())
}

/// Path of a model's split.
pub(super) fn split_path(model: &Path) -> PathBuf {
    model.with_extension("split.json")
}

/// Kind of file that lies under a model's name.
enum There {
    Nothing,
    /// A model of photos most of which are these, or the beginnings of one.
    Same,
    /// A model of other photos, of which so many of so many are among these.
    Other(usize, usize),
    /// A file beside which nothing says what it was made of.
    Unknown,
}

impl There {
    fn at(model: &Path, image_dir: &Path) -> Self {
        match photos_of(model) {
            Some(photos) => {
                let step = photos.len().div_ceil(SAMPLE).max(1);
                let sample: Vec<_> = photos.iter().step_by(step).collect();
                let here = sample.iter().filter(|photo| image_dir.join(photo).exists());
                let (here, of) = (here.count(), sample.len());
                match 2 * here >= of {
                    true => There::Same,
                    false => There::Other(here * step, photos.len()),
                }
            }
            None if model.exists() => There::Unknown,
            None => There::Nothing,
        }
    }
}

/// The name of the model of the photos in `image_dir`. What lies there of other photos is
/// overwritten with `force` alone: where a name was `asked` for, that is an error; else another one
/// is taken.
///
/// # Errors
/// Where the name is that of a model of other photos.
pub(super) fn model_name(
    asked: Option<&Path>,
    image_dir: &Path,
    force: bool,
) -> Result<PathBuf, Failure> {
    if !image_dir.is_dir() {
        // That is said when the photos are looked for.
        return Ok(asked.map_or_else(|| default_name(image_dir), Path::to_owned));
    }
    if let Some(path) = asked {
        return match There::at(path, image_dir) {
            There::Other(here, of) if !force => Err(usage(format!(
                "{}: is a model of other photos: of the {of} that it was made with, {here} are in {}; give \
                 another name with --output-graph, or overwrite it with --force",
                path.display(),
                image_dir.display()
            ))),
            _ => Ok(path.to_owned()),
        };
    }
    let first = default_name(image_dir);
    let stem = first.file_stem().unwrap_or_default().to_owned();
    for number in 1..=NAMES {
        let mut path = first.clone();
        if number > 1 {
            let mut name = stem.clone();
            name.push(format!("-{number}.posy"));
            path = name.into();
        }
        if force || matches!(There::at(&path, image_dir), There::Nothing | There::Same) {
            if number > 1 {
                note!(
                    "{} is not of these photos, and stays as it is: this run goes to {} (--output-graph names \
                     another file, --force overwrites the first)",
                    first.display(),
                    path.display()
                );
            }
            return Ok(path);
        }
    }
    Err(usage("give the model a name with --output-graph"))
}

/// A file that is going to be written, and the option that names another place for it.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Destination {
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) option: &'static str,
}

impl Destination {
    fn failed(&self, error: &dyn Display) -> String {
        format!(
            "{}: cannot be written: {error}; give another place for it with {}",
            self.path.display(),
            self.option
        )
    }
}

/// All files that a run writes.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Destinations {
    pub(in crate::cli) model: Destination,
    pub(in crate::cli) split: Destination,
    pub(in crate::cli) record: Option<Destination>,
    pub(in crate::cli) labels: Option<Destination>,
    pub(in crate::cli) report: Option<Destination>,
    pub(in crate::cli) page: Option<Destination>,
    /// The folder of event files.
    summaries: Option<PathBuf>,
}

impl Destinations {
    /// Destinations of a run whose model goes to `model`.
    pub(in crate::cli) fn new(model: &Path, labels: Option<&Path>) -> Self {
        let beside = |path: PathBuf| Destination {
            path,
            option: "--output-graph",
        };
        Destinations {
            model: beside(model.to_owned()),
            split: beside(split_path(model)),
            record: None,
            labels: labels.map(|path| Destination {
                path: path.to_owned(),
                option: "--output-labels",
            }),
            report: None,
            page: None,
            summaries: None,
        }
    }

    /// Adds the files that only runs for boards write: a record, a report and a page, where
    /// they are wanted, and event files.
    pub(in crate::cli) fn and_of_boards(
        mut self,
        report: Option<PathBuf>,
        page: Option<PathBuf>,
        summaries: Option<&Path>,
    ) -> Self {
        self.record = Some(Destination {
            path: Record::path_beside(&self.model.path),
            option: "--output-graph",
        });
        self.report = report.map(|path| Destination {
            path,
            option: "--report",
        });
        self.page = page.map(|path| Destination {
            path,
            option: "--page",
        });
        self.summaries = summaries.map(Path::to_owned);
        self
    }

    /// Checks that all of them can be written, each to a place of its own, before anything is
    /// computed.
    ///
    /// # Errors
    /// The first that cannot.
    pub(in crate::cli) fn check(&self) -> Result<(), Failure> {
        let files = [&self.record, &self.labels, &self.report, &self.page];
        let files = files.into_iter().flatten();
        let files: Vec<_> = [&self.model, &self.split]
            .into_iter()
            .chain(files)
            .collect();
        let events = self.summaries.as_ref().map(|folder| Destination {
            path: folder.clone(),
            option: "--summaries-dir",
        });
        let all: Vec<_> = files.iter().copied().chain(&events).collect();
        for (index, later) in all.iter().enumerate() {
            let mut earlier = all.iter().take(index);
            if let Some(earlier) = earlier.find(|earlier| same_place(&earlier.path, &later.path)) {
                return Err(usage(format!(
                    "{}: two results would be written there, those of {} and {}; give one of them another place",
                    later.path.display(),
                    earlier.option,
                    later.option
                )));
            }
        }
        for destination in files {
            could_write(&destination.path).map_err(|error| destination.failed(&error))?;
        }
        if let Some(events) = &events {
            could_write(&events.path.join("events")).map_err(|error| events.failed(&error))?;
        }
        Ok(())
    }
}

/// Files that are written beside their places, and then all get their names.
#[derive(Debug, Default)]
pub(in crate::cli) struct Results {
    staged: Vec<(Destination, Staged)>,
    failed: usize,
}

impl Results {
    /// Writes a file beside its place. What fails is said, and does not keep the others from being
    /// written.
    pub(in crate::cli) fn add<E: Display>(
        &mut self,
        destination: &Destination,
        bytes: Result<Vec<u8>, E>,
    ) {
        let staged = bytes.map_err(|error| error.to_string()).and_then(|bytes| {
            let staged = Staged::new(&destination.path, &bytes);
            staged.map_err(|error| destination.failed(&error))
        });
        match staged {
            Ok(staged) => self.staged.push((destination.clone(), staged)),
            Err(text) => self.fail(&text, Some(&destination.path)),
        }
    }

    /// Says that a result is missing. What an earlier run left at its place is not of this run's model,
    /// and gets another name.
    pub(in crate::cli) fn fail(&mut self, text: &str, place: Option<&Path>) {
        self.failed += 1;
        note!("error: {text}");
        let Some(place) = place.filter(|place| place.is_file()) else {
            return;
        };
        let mut aside = OsString::from(place);
        aside.push(".old");
        match std::fs::rename(place, &aside) {
            Ok(()) => note!(
                "{}: that of an earlier run is now {}",
                place.display(),
                Path::new(&aside).display()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => note!(
                "{}: is of an earlier run, and cannot be renamed: {error}",
                place.display()
            ),
        }
    }

    /// Gives the files their names, that which was added first as the last; whether nothing failed, here
    /// or before.
    pub(in crate::cli) fn place(mut self) -> bool {
        for (destination, staged) in std::mem::take(&mut self.staged).into_iter().rev() {
            if let Err(error) = staged.place() {
                self.fail(&destination.failed(&error), None);
            }
        }
        self.failed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::{Percentages, Rule};
    use std::fs;

    #[test]
    fn models_are_named_after_their_photos() {
        let cases = [
            ("flower_photos", "flowers.posy"),
            ("data/flower_photos/", "flowers.posy"),
            ("dogs", "dogs.posy"),
            ("dog_photos", "dog.posy"),
            ("_photos", "model.posy"),
            ("my.birds", "my.birds.posy"),
            (".hidden", "hidden.posy"),
            ("/", "model.posy"),
        ];
        for (folder, name) in cases {
            assert_eq!(default_name(Path::new(folder)), Path::new(name), "{folder}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("dogs/poodles")).unwrap();
        let there = folder.path().join("dogs/poodles/..");
        assert_eq!(default_name(&there), Path::new("dogs.posy"));
    }

    /// A model in `folder`, and a split beside it that lists these photos.
    fn model(folder: &Path, name: &str, photos: &[&str]) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, "a model").unwrap();
        let split = SplitFile {
            rule: Rule::Stable { seed: 0 },
            percentages: Percentages::default(),
            labels: [(
                "x".to_owned(),
                crate::dataset::LabelSplit {
                    training: photos.iter().map(|photo| (*photo).to_owned()).collect(),
                    ..Default::default()
                },
            )]
            .into(),
        };
        split.write(&split_path(&path)).unwrap();
        path
    }

    #[test]
    fn models_of_other_photos_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("photos");
        fs::create_dir_all(photos.join("x")).unwrap();
        for name in ["a", "b", "c"] {
            fs::write(photos.join("x").join(name), "").unwrap();
        }
        let named = |path: &Path, force| model_name(Some(path), &photos, force);
        let same = model(folder.path(), "same.posy", &["x/a", "x/b", "x/gone"]);
        let other = model(folder.path(), "other.posy", &["x/a", "x/d", "x/e", "x/f"]);
        assert_eq!(named(&same, false).unwrap(), same);
        assert_eq!(
            named(&folder.path().join("new.posy"), false)
                .unwrap()
                .file_name()
                .unwrap(),
            "new.posy"
        );
        let error = named(&other, false).unwrap_err().to_string();
        for text in [
            "other.posy",
            "of the 4",
            "1 are in",
            "--output-graph",
            "--force",
        ] {
            assert!(error.contains(text), "{error}");
        }
        assert_eq!(named(&other, true).unwrap(), other);
        assert!(matches!(There::at(&same, &photos), There::Same));
        fs::write(folder.path().join("bare.posy"), "").unwrap();
        let bare = folder.path().join("bare.posy");
        assert!(matches!(There::at(&bare, &photos), There::Unknown));
        assert_eq!(named(&bare, false).unwrap(), bare);
    }

    #[test]
    fn every_result_has_a_place_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let check = |report: &str, page: &str, labels: &str, events: &str| {
            let destinations = Destinations::new(&at("e.posy"), Some(&at(labels)));
            let destinations =
                destinations.and_of_boards(Some(at(report)), Some(at(page)), Some(&at(events)));
            destinations.check().map_err(|error| error.to_string())
        };
        check("r.html", "p.html", "l.txt", "events").unwrap();
        for (paths, options) in [
            (
                ["r.html", "e.posy", "l.txt", "events"],
                ["--output-graph", "--page"],
            ),
            (
                ["r.html", "x/../r.html", "l.txt", "events"],
                ["--report", "--page"],
            ),
            (
                ["r.html", "p.html", "./e.split.json", "events"],
                ["--output-graph", "--output-labels"],
            ),
            (
                ["e.run.json", "p.html", "l.txt", "events"],
                ["--output-graph", "--report"],
            ),
            (
                ["r.html", "p.html", "l.txt", "p.html"],
                ["--page", "--summaries-dir"],
            ),
        ] {
            fs::create_dir_all(at("x")).unwrap();
            let [report, page, labels, events] = paths;
            let error = check(report, page, labels, events).unwrap_err();
            assert!(error.contains("two results"), "{error}");
            for option in options {
                assert!(error.contains(option), "{error}");
            }
        }
    }

    #[test]
    fn what_fails_is_set_aside_and_the_rest_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| Destination {
            path: folder.path().join(name),
            option: "--output-graph",
        };
        for name in ["one", "two", "three"] {
            fs::write(folder.path().join(name), "old").unwrap();
        }
        let mut results = Results::default();
        results.add(&at("one"), Ok::<_, String>(b"new".to_vec()));
        results.add(&at("two"), Err("two cannot be made"));
        assert_eq!(fs::read(folder.path().join("one")).unwrap(), b"old");
        assert!(!results.place());
        assert_eq!(fs::read(folder.path().join("one")).unwrap(), b"new");
        assert_eq!(fs::read(folder.path().join("three")).unwrap(), b"old");
        assert!(!folder.path().join("two").exists());
        assert_eq!(fs::read(folder.path().join("two.old")).unwrap(), b"old");
        let mut results = Results::default();
        results.add(&at("one"), Ok::<_, String>(b"newer".to_vec()));
        assert!(results.place());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
