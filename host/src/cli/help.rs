//! Help of all commands: headings, short options, examples and the environment, one table each.
//!
//! The text of an option is its doc comment; these tables hold what options have in common.

use clap::builder::styling::Styles;
use clap::{Command, CommandFactory};

use super::Arguments;

/// Short options, the same for every command.
const SHORT: [(&str, char); 12] = [
    ("architecture", 'a'),
    ("board", 'b'),
    ("dry-run", 'n'),
    ("image-dir", 'i'),
    ("json", 'j'),
    ("labels", 'l'),
    ("model", 'm'),
    ("out", 'o'),
    ("output", 'o'),
    ("output-graph", 'o'),
    ("port", 'p'),
    ("top", 't'),
];

/// The letter of the long option `option`, if it has one.
pub(super) fn letter(option: &str) -> Option<char> {
    let found = SHORT.iter().find(|(name, _)| *name == option);
    found.map(|(_, letter)| *letter)
}

/// A heading, and the options below it.
type Heading = (&'static str, &'static [&'static str]);

/// Headings of a command's options, by name. Other options stay under "Options".
const HEADINGS: [(&str, &[Heading]); 2] = [
    (
        "retrain",
        &[
            (
                "Photos",
                &["image-dir", "fetch", "crop", "resize", "strict", "no-check"],
            ),
            (
                "Network",
                &[
                    "architecture",
                    "backbone",
                    "model-dir",
                    "normalisation",
                    "input-mean",
                    "input-std",
                    "input-size",
                ],
            ),
            (
                "Results",
                &[
                    "output-graph",
                    "int8",
                    "output-labels",
                    "force",
                    "summaries-dir",
                    "report",
                    "no-report",
                    "no-try",
                    "page",
                    "print-misclassified-test-images",
                    "json",
                ],
            ),
            (
                "Division of photos",
                &[
                    "testing-percentage",
                    "validation-percentage",
                    "split",
                    "split-seed",
                    "new-split",
                ],
            ),
            (
                "Training",
                &[
                    "fine-tune",
                    "head-only",
                    "time",
                    "trainer",
                    "how-many-training-steps",
                    "learning-rate",
                    "train-batch-size",
                    "validation-batch-size",
                    "test-batch-size",
                    "eval-step-interval",
                    "seed",
                    "no-float",
                    "max-drop",
                    "bottleneck-dir",
                ],
            ),
            (
                "Pictures of none of the labels",
                &["unknown", "unknown-percentage"],
            ),
            (
                "For the codelab's commands",
                &[
                    "final-tensor-name",
                    "intermediate-store-frequency",
                    "intermediate-output-graphs-dir",
                    "saved-model-dir",
                ],
            ),
        ],
    ),
    (
        "check",
        &[
            (
                "Network",
                &[
                    "architecture",
                    "backbone",
                    "model-dir",
                    "normalisation",
                    "input-mean",
                    "input-std",
                    "input-size",
                    "bottleneck-dir",
                ],
            ),
            (
                "Division of photos",
                &["testing-percentage", "validation-percentage", "split-seed"],
            ),
        ],
    ),
];

/// Options of `retrain` that only `--help` shows, not `-h`. The options of retrain.py, whose `-h`
/// shows all, are not among them.
const RARE: [&str; 13] = [
    "crop",
    "input-mean",
    "input-size",
    "input-std",
    "int8",
    "max-drop",
    "normalisation",
    "resize",
    "seed",
    "split-seed",
    "strict",
    "unknown-percentage",
    "variants",
];

/// Examples of each command with a description; the first row is for posy itself.
const EXAMPLES: [(&str, &[(&str, &str)]); 25] = [
    (
        "posy",
        &[
            ("posy demo", "see every step in a minute, on drawings"),
            ("posy photos fetch flowers", "get the codelab's photos"),
            ("posy retrain", "retrain a network on them"),
            ("posy label -m flowers.posy PHOTO.jpg", "label a photo"),
            (
                "posy flash -b rp-pico flowers.posy",
                "write the model to a board",
            ),
        ],
    ),
    (
        "cache",
        &[
            ("posy cache", "show what is cached, and its size on disk"),
            ("posy cache clear", "remove the cached features"),
        ],
    ),
    (
        "demo",
        &[
            ("posy demo", "show every step"),
            (
                "posy demo -o demo",
                "the same, with the folder demo for all output",
            ),
        ],
    ),
    (
        "retrain",
        &[
            (
                "posy retrain --fetch",
                "the codelab's flowers, downloading photos and network",
            ),
            ("posy retrain -i my_photos -o mine.posy", "your own photos"),
            (
                "posy retrain -a mobilenet_1.0_224",
                "a more accurate, slower network",
            ),
            (
                "posy retrain --time 180",
                "three minutes of fine-tuning instead of one",
            ),
            (
                "posy retrain --head-only",
                "the last layer alone, in seconds",
            ),
            (
                "posy retrain -o flowers.tflite",
                "for TensorFlow Lite instead of a board",
            ),
        ],
    ),
    (
        "check",
        &[
            (
                "posy check my_photos",
                "look for wrong labels, copies and damaged files",
            ),
            ("posy check my_photos --all -j", "all findings, as JSON"),
        ],
    ),
    (
        "compare",
        &[(
            "posy compare small.run.json large.run.json",
            "show which run is better, and with what significance",
        )],
    ),
    (
        "convert",
        &[
            (
                "posy convert net.tflite net.posy -l labels.txt",
                "a TFLite classifier for a board",
            ),
            (
                "posy convert net.tflite net.onnx",
                "for other tools, in floating point",
            ),
        ],
    ),
    (
        "label",
        &[
            (
                "posy label -m flowers.posy photo.jpg",
                "the five likeliest labels of a photo",
            ),
            (
                "posy label -m flowers.posy -t 1 -j photos/",
                "the likeliest of each, as JSON",
            ),
            (
                "camera | posy label -m flowers.posy -",
                "a photo on standard input",
            ),
        ],
    ),
    (
        "inspect",
        &[
            (
                "posy inspect flowers.posy",
                "network, labels, memory, accuracies",
            ),
            ("posy inspect --layers flowers.posy", "each layer too"),
        ],
    ),
    (
        "label-image",
        &[(
            "posy label-image --graph retrained_graph.pb --labels retrained_labels.txt --image photo.jpg",
            "as the codelab does",
        )],
    ),
    (
        "models",
        &[
            (
                "posy models",
                "list the networks, and which boards they fit",
            ),
            ("posy models fetch mobilenet_0.50_224", "download one"),
        ],
    ),
    (
        "page",
        &[
            (
                "posy page flowers.posy",
                "flowers.html, which names what a phone's or laptop's camera sees",
            ),
            (
                "posy page flowers.posy -o docs/index.html",
                "for a server that the phone reaches by https",
            ),
        ],
    ),
    (
        "photos",
        &[
            (
                "posy photos fetch flowers",
                "into the folder where retrain looks",
            ),
            (
                "posy photos fetch flowers --into tf_files",
                "into a folder, as the codelab does",
            ),
        ],
    ),
    (
        "frames",
        &[(
            "posy frames mug.mp4 --label mug -i my_photos",
            "photos of a mug, from a video",
        )],
    ),
    (
        "fit",
        &[
            ("posy fit", "all MobileNet v1 networks"),
            (
                "posy fit mobilenet_v2_0.35_96 --labels 10",
                "one network, with ten labels",
            ),
            ("posy fit flowers.posy", "a model"),
        ],
    ),
    (
        "flash",
        &[
            (
                "posy flash -b rp-pico flowers.posy",
                "write the board's program and the model",
            ),
            (
                "posy flash -b rp-pico -n flowers.posy",
                "show the steps without doing them",
            ),
            (
                "posy flash -b rp-pico2 -o flowers.uf2 flowers.posy",
                "a file to copy by hand",
            ),
        ],
    ),
    (
        "monitor",
        &[
            ("posy monitor", "show the board's output"),
            ("posy monitor --once -j", "ask for one answer, as JSON"),
            ("posy monitor --preview", "and what the network sees"),
        ],
    ),
    (
        "push",
        &[("posy push flowers.posy", "only what differs is sent")],
    ),
    (
        "verify",
        &[
            ("posy verify flowers.posy", "with drawings"),
            (
                "posy verify flowers.posy flower_photos/daisy",
                "with photos",
            ),
        ],
    ),
    (
        "capture",
        &[(
            "posy capture --label mug --count 30",
            "photos of a mug, by the board's camera",
        )],
    ),
    (
        "studio",
        &[
            ("posy studio", "everything in the folder posy-studio"),
            (
                "posy studio --board none my_things",
                "with the webcam alone",
            ),
            (
                "posy studio --board emulator --scene photos",
                "with an emulated board, whose camera sees photos",
            ),
        ],
    ),
    (
        "emulate",
        &[(
            "posy emulate --scene photos/mug flowers.posy",
            "then posy verify flowers.posy --port with the port that it prints",
        )],
    ),
    (
        "profile",
        &[("posy profile flowers.posy", "time of each layer")],
    ),
    (
        "completions",
        &[(
            "posy completions bash > ~/.local/share/bash-completion/completions/posy",
            "for bash; start a new shell afterwards",
        )],
    ),
    (
        "man",
        &[(
            "posy man -o ~/.local/share/man/man1",
            "then `man posy-retrain`",
        )],
    ),
];

/// Environment variables and their meaning.
const VARIABLES: [(&str, &str); 6] = [
    (
        "POSY_DATA",
        "folder of photos and networks [default: posy in the user's data folder, such as ~/.local/share/posy]",
    ),
    (
        "POSY_MIRROR",
        "address of a server to download files from, in place of their own",
    ),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "proxies for downloads",
    ),
    (
        "POSY_LAST_RESORT",
        "file of the network to fall back on if none can be downloaded [default: one embedded in posy]; empty for none",
    ),
    (
        "RAYON_NUM_THREADS",
        "number of threads [default: number of cores]",
    ),
    ("NO_COLOR", "set to anything: no colours"),
];

const NETWORKS: [&str; 4] = [
    "POSY_DATA",
    "POSY_MIRROR",
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
    "POSY_LAST_RESORT",
];

/// Environment variables that a command reads, besides NO_COLOR.
fn variables(command: &str) -> Vec<&'static str> {
    let mut names = match command {
        "posy" => VARIABLES.iter().map(|(name, _)| *name).collect(),
        "retrain" | "check" => NETWORKS.to_vec(),
        "models" | "photos" => NETWORKS[..3].to_vec(),
        _ => Vec::new(),
    };
    if ["retrain", "check", "label", "demo"].contains(&command) {
        names.push("RAYON_NUM_THREADS");
    }
    names
}

/// Help after a command's options: examples, the command's own ending, and the environment.
fn ending(command: &str, own: Option<String>) -> String {
    let heading = Styles::styled();
    let heading = heading.get_header();
    let mut parts = Vec::new();
    let examples = EXAMPLES.iter().find(|(name, _)| *name == command);
    if let Some((_, examples)) = examples {
        let line = |(line, what): &(&str, &str)| format!("  {line}\n      {what}\n");
        let lines: String = examples.iter().map(line).collect();
        parts.push(format!("{heading}Examples:{heading:#}\n{lines}"));
    }
    parts.extend(own.map(|own| own + "\n"));
    let names = variables(command);
    if !names.is_empty() {
        let known = VARIABLES.iter().filter(|(name, _)| names.contains(name));
        let lines: String = known
            .map(|(name, what)| format!("  {name}\n      {what}\n"))
            .collect();
        parts.push(format!("{heading}Environment:{heading:#}\n{lines}"));
    }
    parts.join("\n")
}

/// The complete command line.
pub(super) fn command() -> Command {
    let mut command = finished(Arguments::command(), "posy");
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(&name, |command| finished(command, &name));
    }
    command
}

fn finished(command: Command, name: &str) -> Command {
    let own = command.get_after_help().map(ToString::to_string);
    let headings = HEADINGS.iter().find(|(command, _)| *command == name);
    let headings = headings.map_or(&[][..], |(_, headings)| headings);
    let command = command.mut_args(|arg| {
        let Some(long) = arg.get_long().map(str::to_owned) else {
            return arg;
        };
        let heading = headings
            .iter()
            .find(|(_, options)| options.contains(&&*long));
        let arg = match letter(&long) {
            Some(letter) => arg.short(letter),
            None => arg,
        };
        let arg = match heading {
            Some((heading, _)) => arg.help_heading(*heading),
            None => arg,
        };
        let rare = name == "retrain" && RARE.contains(&&*long);
        arg.hide_short_help(rare)
    });
    command.after_help(ending(name, own))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn options(command: &Command) -> BTreeSet<&str> {
        command
            .get_arguments()
            .filter_map(|arg| arg.get_long())
            .collect()
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    /// Every name in the tables is that of an option, and no heading misses one.
    #[test]
    fn tables_speak_of_options_that_there_are() {
        let command = command();
        let all: BTreeSet<&str> = command.get_subcommands().flat_map(options).collect();
        for (option, _) in SHORT {
            assert!(all.contains(option), "{option}");
        }
        for (name, headings) in HEADINGS {
            let own = options(command.find_subcommand(name).unwrap());
            for option in headings.iter().flat_map(|(_, options)| *options) {
                assert!(own.contains(option), "{name} {option}");
            }
        }
        let retrain = command.find_subcommand("retrain").unwrap();
        let own = options(retrain);
        assert!(RARE.iter().all(|option| own.contains(option)));
        for arg in retrain.get_arguments() {
            assert!(
                arg.get_help_heading().is_some(),
                "{}: no heading",
                arg.get_id()
            );
        }
    }

    /// Each command accepts its examples, which use only options that it has.
    #[test]
    fn examples_are_taken() {
        for (name, examples) in EXAMPLES {
            for (line, _) in examples {
                let line = line.split(" > ").next().unwrap();
                let line = line.split(" | ").last().unwrap();
                let taken = command().try_get_matches_from(line.split(' '));
                assert!(taken.is_ok(), "{line}: {}", taken.unwrap_err());
                if name != "posy" {
                    let matches = taken.unwrap();
                    assert_eq!(matches.subcommand_name(), Some(name), "{line}");
                }
            }
        }
        let command = command();
        for subcommand in command.get_subcommands() {
            let has = EXAMPLES
                .iter()
                .any(|(name, _)| *name == subcommand.get_name());
            assert!(has || subcommand.is_hide_set(), "{}", subcommand.get_name());
        }
    }

    #[test]
    fn the_environment_is_in_the_help_of_whoever_heeds_it() {
        for (name, variable) in [
            ("retrain", "POSY_DATA"),
            ("retrain", "POSY_LAST_RESORT"),
            ("photos", "POSY_MIRROR"),
            ("models", "HTTPS_PROXY"),
            ("label", "RAYON_NUM_THREADS"),
        ] {
            let mut command = command();
            let help = command.find_subcommand_mut(name).unwrap().render_help();
            assert!(help.to_string().contains(variable), "{name}: {help}");
        }
    }
}
