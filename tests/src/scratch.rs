//! Runs the `posy` command in a temporary folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::Command as Timed;
use posy::demo::{Flower, draw};
use posy_nn::zoo::embedded;
use serde_json::Value;
use tempfile::TempDir;

use crate::data_root;

/// The smallest network, whose features take milliseconds a photo.
pub const ARCHITECTURE: &str = "mobilenet_0.25_128";

/// Path of the `posy` command built by this package: see `src/bin/posy-command.rs`.
pub fn posy_path() -> PathBuf {
    assert_cmd::cargo::cargo_bin("posy-command")
}

/// A temporary folder for commands. Their default cache is in it too, so that no test touches the
/// user's cache.
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Creates an empty folder.
    #[expect(clippy::new_without_default, reason = "it makes a folder on the disk")]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("posy-test-");
        Scratch {
            folder: folder.expect("a temporary folder"),
        }
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Path of `name` in the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, creates its folders, and returns its path.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        let folder = path.parent().expect("a file in the folder");
        std::fs::create_dir_all(folder).expect("a folder in a temporary folder");
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Bytes of a file.
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Names in the folder `name`, sorted.
    pub fn names(&self, name: impl AsRef<Path>) -> Vec<String> {
        names_in(&self.join(name))
    }

    /// Copies the first `count` photos by name of each label of `flowers` into the folder `folder`,
    /// one sub-folder a label.
    pub fn copy_photos(&self, flowers: &Path, folder: &str, labels: &[&str], count: usize) {
        for label in labels {
            let names = names_in(&flowers.join(label));
            assert!(names.len() >= count, "{label} has {} photos", names.len());
            for name in &names[..count] {
                let bytes = std::fs::read(flowers.join(label).join(name));
                self.write(
                    Path::new(folder).join(label).join(name),
                    bytes.expect("a photo"),
                );
            }
        }
    }

    /// Draws `count` pictures of each of the five kinds of flowers into the folder `folder`, one
    /// sub-folder a kind, and writes the embedded network beside it as `network.tflite`.
    pub fn draw_photos(&self, folder: &str, count: u64) {
        self.write("network.tflite", embedded::BYTES);
        for flower in Flower::ALL {
            let label = self.join(folder).join(flower.label());
            std::fs::create_dir_all(&label).expect("a folder in a temporary folder");
            for number in 0..count {
                let path = label.join(format!("{number:03}.png"));
                draw(flower, 0, number).save(path).expect("a picture");
            }
        }
    }

    /// A command that retrains the head of that network on such pictures, with the cache in the folder `cache`.
    pub fn retrain_drawings(&self, folder: &str, more: &[&str]) -> Command {
        let mut command = self.command(["retrain", "--no-float", "--backbone=network.tflite"]);
        command.args(["--image-dir", folder, "--bottleneck-dir=cache"]);
        command.args(head_only(more)).args(more);
        command
    }

    /// Runs a shell script in this folder as root of its own namespaces, where it can mount file
    /// systems; `$POSY` is the command. Prints that `test` is skipped if the system has no such
    /// namespaces.
    pub fn in_namespace(&self, test: &str, script: &str) -> Option<Outcome> {
        let unshare = ["--user", "--map-root-user", "--mount"];
        let can = Command::new("unshare").args(unshare).arg("true").output();
        if !can.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: {test}: unshare --user --mount does not work here");
            return None;
        }
        let mut command = Command::new("unshare");
        command.args(unshare).args(["sh", "-ec", script]);
        self.surround(&mut command);
        command.env("POSY", posy_path());
        Some(Outcome::of(command))
    }

    /// The command with `arguments`, run in this folder.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(posy_path());
        command.args(arguments);
        self.surround(&mut command);
        command
    }

    /// Sets a command's working folder and environment.
    pub(crate) fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .env("POSY_DATA", data_root())
            .env("XDG_CACHE_HOME", self.join("user-cache"))
            .env("XDG_DATA_HOME", self.join("user-data"))
            // What says when it was made is the same every time.
            .env("SOURCE_DATE_EPOCH", "1764460800")
            // Nobody listens there: no test asks the network.
            // No server listens there: no test uses the network.
            .env("POSY_MIRROR", "http://127.0.0.1:9")
            .stdin(Stdio::null());
    }

    /// Runs the command with `arguments`.
    pub fn posy<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Outcome {
        Outcome::of(self.command(arguments))
    }

    /// A command that retrains the head of the smallest network on the photos in `photos`, without the float
    /// network, with the cache in the folder `cache`, and writes `flowers.posy`.
    pub fn retrain_command(&self, photos: impl AsRef<OsStr>, more: &[&str]) -> Command {
        let mut command = self.command(["retrain", "--no-float", "--architecture", ARCHITECTURE]);
        command.arg("--image-dir").arg(photos);
        command.args(["--bottleneck-dir", "cache"]);
        command.args(head_only(more)).args(more);
        command
    }

    /// Runs [`Scratch::retrain_command`].
    pub fn retrain(&self, photos: impl AsRef<OsStr>, more: &[&str]) -> Outcome {
        Outcome::of(self.retrain_command(photos, more))
    }
}

/// The option that trains the head alone, which takes a second, unless `more` say something of
/// fine-tuning.
fn head_only(more: &[&str]) -> Option<&'static str> {
    let of_blocks = more.iter().any(|option| option.starts_with("--fine-tune"));
    (!of_blocks).then_some("--head-only")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Result of a command.
pub struct Outcome {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: Command) -> Self {
        Self::with_input(command, &[])
    }

    /// Runs a command with `input` on its standard input. Asserts the invariants of every run: it
    /// does not panic, and nothing meant for a terminal goes to a pipe.
    pub fn with_input(command: Command, input: &[u8]) -> Self {
        let shown = format!("{command:?}");
        let mut timed = Timed::from_std(command);
        let output = timed
            .write_stdin(input)
            .timeout(std::time::Duration::from_secs(300))
            .output()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
        let outcome = Outcome {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(outcome.code.is_some(), "{shown}: {outcome}");
        assert!(!outcome.stderr.contains("panicked"), "{shown}: {outcome}");
        for stream in [&outcome.stdout, &outcome.stderr] {
            assert!(!stream.contains(['\r', '\x1b']), "{shown}: {outcome}");
        }
        outcome
    }

    /// Asserts that the exit code is 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Asserts that the exit code is `code`, standard output is empty, and standard error contains
    /// each of `texts`.
    #[track_caller]
    pub fn fails(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        self.says(texts)
    }

    /// Asserts that standard error contains each of `texts`.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in\n{self}");
        }
        self
    }

    /// Parses standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome {
            code,
            stdout,
            stderr,
        } = self;
        write!(f, "code {code:?}\nstdout: {stdout}\nstderr: {stderr}")
    }
}
