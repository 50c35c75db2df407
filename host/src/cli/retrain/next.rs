//! The commands that go on from `posy retrain`: what to do with its model, and what may make it
//! better.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use posy_nn::export::Format;
use posy_nn::shell;
use posy_nn::zoo::Architecture;
use posy_shared::model::Model;

use crate::cli::help::letter;
use crate::cli::output::{kib, note};
use crate::device::{BOARDS, Board, Footprint, fits};
use crate::eval::Evaluation;
use crate::eval::run_record::Record;
use crate::report::commands::{Command, Commands};
use crate::retrain::{Prepared, TrainedModel, can_fine_tune};

/// Points of published accuracy from which a wider network is worth changing to.
const BETTER: f32 = 2.4;
/// The network to change to from one that is not known by name.
const KNOWN: &str = "mobilenet_0.50_224";

/// The run that the commands follow.
pub(super) struct Next<'a> {
    /// The words that the run was started with, from `retrain` on, if those are known.
    pub(super) words: &'a [OsString],
    /// Folder of photos as it was given.
    pub(super) image_dir: &'a Path,
    /// The network, where one was named.
    pub(super) architecture: Option<&'a Architecture>,
    /// File of the network, where one was given.
    pub(super) backbone: Option<&'a Path>,
    /// The model's file as it was given, and what it is.
    pub(super) model: &'a Path,
    pub(super) format: Format,
}

/// The words that this process was started with.
pub(super) fn own_words() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// The time of the run as its results give it: now, or `SOURCE_DATE_EPOCH`
/// (<https://reproducible-builds.org/specs/source-date-epoch/>), with which the same run writes the
/// same bytes.
pub(super) fn moment() -> std::time::SystemTime {
    let now = std::time::SystemTime::now();
    let Some(asked) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return now;
    };
    let seconds = asked.to_str().and_then(|text| text.parse::<u32>().ok());
    match seconds {
        Some(seconds) => std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(seconds)),
        None => {
            note!("warning: SOURCE_DATE_EPOCH is no number of seconds; it is left out");
            now
        }
    }
}

impl Next<'_> {
    /// The command line of the run, as it can be typed.
    pub(super) fn own(&self) -> String {
        line(&self.retrain())
    }

    /// Commands that use the model, and those that may improve it.
    pub(super) fn commands(&self, prepared: &Prepared, outcome: &TrainedModel) -> Commands {
        let evaluation = &outcome.evaluation;
        // A model that was just written reads.
        let footprint = Model::read(&outcome.model).map(|model| Footprint::of_model(&model));
        let mut using = vec![self.label(prepared, evaluation)];
        if self.format == Format::Posy {
            let footprint = footprint.as_ref().ok();
            using.extend(footprint.and_then(|footprint| self.flash(footprint)));
        }
        using.push(self.check(prepared));
        let accuracy = evaluation.accuracy();
        // What is right already is not improved upon.
        let improving = match accuracy.part < accuracy.whole {
            true => self.improving(prepared, outcome),
            false => Vec::new(),
        };
        Commands { using, improving }
    }

    /// `retrain` and its options, such that typed again they give the same.
    pub(super) fn retrain(&self) -> Vec<OsString> {
        match self.words.first() {
            Some(first) if first == "retrain" => self.words.to_vec(),
            _ => {
                let mut words: Vec<OsString> = vec![
                    "retrain".into(),
                    "--image-dir".into(),
                    self.image_dir.into(),
                ];
                if let Some(architecture) = self.architecture {
                    words.extend(["--architecture".into(), architecture.to_string().into()]);
                }
                if let Some(path) = self.backbone {
                    words.extend(["--backbone".into(), path.into()]);
                }
                words.extend(["--output-graph".into(), self.model.into()]);
                words
            }
        }
    }

    /// A photo to try: a test photo that is named rightly, for want of that any.
    fn label(&self, prepared: &Prepared, evaluation: &Evaluation) -> Command {
        let answers = evaluation.predictions.iter();
        let right = answers.filter(|answer| answer.is_right() && !answer.unknown);
        let surest = right.max_by(|a, b| a.score().total_cmp(&b.score()));
        let any = evaluation.predictions.first();
        let photos = &prepared.dataset.photos;
        let photo = surest.or(any).and_then(|answer| photos.get(answer.photo));
        let photo = photo.or(photos.first());
        let photo = photo.map_or_else(|| PathBuf::from("PHOTO"), |photo| positional(&photo.path));
        let words: [&OsStr; 5] = match self.format {
            Format::Posy => ["label", "--model", "", "", ""].map(OsStr::new),
            _ => ["label-image", "--graph", "", "--image", ""].map(OsStr::new),
        };
        let mut words = words.map(OsStr::to_owned).to_vec();
        words[2] = self.model.into();
        words[4] = photo.into();
        words.retain(|word| !word.is_empty());
        Command {
            what: "name a photo; this is one of the test photos, any other will do".to_owned(),
            line: line(&words),
        }
    }

    /// The board that has room for it and needs least besides: the first in the list.
    fn flash(&self, footprint: &Footprint) -> Option<Command> {
        let fitting: Vec<&Board> = BOARDS.iter().filter(|b| fits(footprint, b)).collect();
        let (first, others) = fitting.split_first()?;
        let others: Vec<&str> = others.iter().map(|board| board.name).collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!(" (it fits {} as well)", others.join(", ")),
        };
        let words = [
            "flash".into(),
            "--board".into(),
            first.name.into(),
            positional(self.model).into_os_string(),
        ];
        Some(Command {
            what: format!("put it onto a {}{others}", first.title),
            line: line(&words),
        })
    }

    fn check(&self, prepared: &Prepared) -> Command {
        let mut words: Vec<OsString> = vec!["check".into()];
        match (
            self.backbone,
            prepared.backbone.name.parse::<Architecture>(),
        ) {
            (Some(path), _) => words.extend(["--backbone".into(), path.into()]),
            (None, Ok(architecture)) => {
                words.extend(["--architecture".into(), architecture.to_string().into()]);
            }
            (None, Err(_)) => {}
        }
        let options = ["model-dir", "bottleneck-dir"];
        words.extend(kept(self.words, &options));
        words.push(positional(&prepared.dataset.root).into());
        Command {
            what: "look for photos under the wrong label, copies and files that cannot be used"
                .to_owned(),
            line: line(&words),
        }
    }

    fn improving(&self, prepared: &Prepared, outcome: &TrainedModel) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut runs = vec![self.model.to_owned()];
        let mut again = |what: String, name: &str, without: &[&str], with: &[&str]| {
            // Where they would take the place of this run's, other names are needed.
            let written = [
                "output-graph",
                "output",
                "report",
                "output-labels",
                "summaries-dir",
            ];
            let words = without_options(&self.retrain(), &[&written, without].concat());
            let model = beside(self.model, name);
            let mut words: Vec<OsString> = words;
            words.extend(with.iter().map(OsString::from));
            words.extend(["--output-graph".into(), model.clone().into()]);
            let line = line(&words);
            commands.push(Command { what, line });
            runs.push(model);
        };
        if outcome.fine_tuned.is_none() && can_fine_tune(prepared) {
            let what = "fine-tune: train the network's last blocks on these photos as well, which takes a \
                        minute or two; on photos of flowers it gets 2 to 4 more of 100 right";
            let stepwise = [
                "trainer",
                "how-many-training-steps",
                "learning-rate",
                "head-only",
                "fine-tune",
            ];
            again(
                what.to_owned(),
                "fine-tuned",
                &stepwise,
                &["--fine-tune", "4"],
            );
        }
        let named = ["architecture", "backbone"];
        let labels = prepared.dataset.labels.len();
        match prepared.backbone.name.parse::<Architecture>() {
            Ok(architecture) => {
                if let Some((larger, footprint)) = larger(&architecture, labels) {
                    let boards: Vec<&str> = BOARDS
                        .iter()
                        .filter(|board| fits(&footprint, board))
                        .map(|board| board.name)
                        .collect();
                    let boards = match boards.is_empty() {
                        true => "no board here has room for it".to_owned(),
                        false => format!("fits {}", boards.join(", ")),
                    };
                    let what = format!(
                        "begin with a larger network: {larger} takes {} KiB of flash and {} KiB of RAM, {boards}",
                        kib(footprint.flash_bytes),
                        kib(footprint.ram_bytes)
                    );
                    let name = larger.to_string();
                    again(what, "larger", &named, &["--architecture", &name]);
                }
            }
            Err(_) => {
                let what = "begin with a network that has seen more than a million photos \
                            (`posy models` lists others)";
                again(
                    what.to_owned(),
                    "larger",
                    &named,
                    &["--architecture", KNOWN],
                );
            }
        }
        if !commands.is_empty() {
            let mut words: Vec<OsString> = vec!["compare".into()];
            words.extend(runs.iter().map(|model| {
                let record = Record::path_beside(model);
                positional(&record).into_os_string()
            }));
            commands.push(Command {
                what: "set the runs side by side, on the same test photos".to_owned(),
                line: line(&words),
            });
        }
        commands
    }
}

/// A command line of `words` behind `posy`.
pub(super) fn line(words: &[OsString]) -> String {
    let words = words
        .iter()
        .map(|word| shell::quoted(&word.to_string_lossy()));
    let words: Vec<String> = words.collect();
    format!("posy {}", words.join(" "))
}

/// A path that no command takes for an option.
fn positional(path: &Path) -> PathBuf {
    match path.as_os_str().as_encoded_bytes().first() {
        Some(b'-') => Path::new(".").join(path),
        _ => path.to_owned(),
    }
}

/// The path of another model beside `model`: `flowers-fine-tuned.posy`.
fn beside(model: &Path, name: &str) -> PathBuf {
    let mut file = model.file_stem().unwrap_or_default().to_owned();
    file.push(format!("-{name}"));
    if let Some(extension) = model.extension() {
        file.push(".");
        file.push(extension);
    }
    model.with_file_name(file)
}

/// The wider network of the same family that needs least work among those published to be better by
/// some points, and what it takes.
fn larger(architecture: &Architecture, labels: usize) -> Option<(Architecture, Footprint)> {
    let labels = u16::try_from(labels).ok()?;
    let own = architecture.imagenet_top1()?;
    let family = Architecture::family(architecture.version).into_iter();
    let wider = family.filter(|other| {
        let better = other.imagenet_top1().is_some_and(|top| top >= own + BETTER);
        other.width_percent > architecture.width_percent && better && other.source().is_some()
    });
    let footprints = wider.filter_map(|other| {
        let footprint = Footprint::of_architecture(&other, labels).ok()?;
        Some((other, footprint))
    });
    footprints.min_by_key(|(_, footprint)| footprint.products)
}

/// Options without a value, of those that are ever left out.
const FLAGS: [&str; 1] = ["head-only"];

/// Looks for `word` among `options`, long or short: `None` if it is none of them, else true if its
/// value is in the same word, or it has none.
fn option(word: &OsStr, options: &[&str]) -> Option<bool> {
    let text = word.to_string_lossy();
    if let Some(text) = text.strip_prefix("--") {
        let (name, joined) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (text, false),
        };
        let name = name.replace('_', "-");
        let joined = joined || FLAGS.contains(&name.as_str());
        return options.contains(&name.as_str()).then_some(joined);
    }
    let mut letters = text.strip_prefix('-')?.chars();
    let short = letters.next()?;
    let known = options.iter().any(|option| letter(option) == Some(short));
    known.then(|| letters.next().is_some())
}

/// `words` in two: the options `options` with their values, and the others.
fn parted(words: &[OsString], options: &[&str]) -> (Vec<OsString>, Vec<OsString>) {
    let (mut those, mut others) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(joined) = option(word, options) else {
            others.push(word.clone());
            continue;
        };
        those.push(word.clone());
        if !joined {
            those.extend(words.next().cloned());
        }
    }
    (those, others)
}

/// `words` less the options `options`, named without hyphens in front, and their values.
pub(super) fn without_options(words: &[OsString], options: &[&str]) -> Vec<OsString> {
    parted(words, options).1
}

fn kept(words: &[OsString], options: &[&str]) -> Vec<OsString> {
    parted(words, options).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn options_are_left_out_however_they_are_written() {
        let all = words(
            "retrain --image_dir=my --output_graph a.posy --trainer=sgd --head-only --split-seed 3 -o b.posy \
             -oc.posy --no-float",
        );
        let options = ["output-graph", "trainer", "head-only"];
        assert_eq!(
            without_options(&all, &options),
            words("retrain --image_dir=my --split-seed 3 --no-float")
        );
        assert_eq!(
            kept(&all, &["image-dir", "split-seed"]),
            words("--image_dir=my --split-seed 3")
        );
        let short = words("retrain -i my -a mobilenet_0.25_128 -j -aother");
        assert_eq!(
            without_options(&short, &["architecture"]),
            words("retrain -i my -j")
        );
    }

    #[test]
    fn other_models_lie_beside_and_no_path_is_an_option() {
        let named = |model: &str| beside(Path::new(model), "fine-tuned");
        assert_eq!(
            named("out/flowers.posy"),
            Path::new("out/flowers-fine-tuned.posy")
        );
        assert_eq!(named("model"), Path::new("model-fine-tuned"));
        assert_eq!(positional(Path::new("-x.posy")), Path::new("./-x.posy"));
    }

    #[test]
    fn a_larger_network_is_wider_and_better_and_can_be_had() {
        let network = |name: &str| name.parse::<Architecture>().unwrap();
        let next = |name: &str| larger(&network(name), 5).map(|(larger, _)| larger.to_string());
        for (name, expected) in [
            ("mobilenet_0.25_128", Some("mobilenet_v1_0.50_128")),
            ("mobilenet_0.50_224", Some("mobilenet_v1_0.75_192")),
            ("mobilenet_0.75_192", Some("mobilenet_v1_1.0_192")),
            ("mobilenet_1.0_224", None),
            ("mobilenet_v2_0.50_224", Some("mobilenet_v2_0.75_192")),
            ("mobilenet_v2_1.0_224", None),
        ] {
            assert_eq!(next(name).as_deref(), expected, "{name}");
        }
    }
}
