//! Trial of foreign networks in a process of its own.
//!
//! Only a run shows how a graph drives the library that executes it: where the checks before that leave
//! a hole, a process dies, fills its memory or never ends. So the command starts itself once more,
//! by a word that stands in no help, with bounds on memory and time, and that process opens the file as this
//! one will, and runs it on a grey picture. Whatever it finds wrong, this process finds again and says; only
//! that it ended at all is what counts.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use posy_nn::bounded;
use posy_nn::import::file::read_onnx;
use posy_nn::onnx_backbone::Opened as AnyOpened;
use posy_nn::rgb::Rgb;
use posy_nn::zoo::backbone::{Backbone, Opened};
use posy_nn::zoo::{embedded, is_pinned};
use sha2::{Digest, Sha256};

use super::Failure;
use super::output::note;
use super::trials::Trial;
use crate::predict::{Classifier, Reading};

/// The first argument of a process that tries a network.
const WORD: &str = "__try";
/// Time limit of a trial in seconds, both by the clock and on the processor.
const SECONDS: u64 = 30;
/// Limit of its address space, bytes.
#[cfg(unix)]
const MEMORY: u64 = 4 << 30;
/// Interval between two looks at the process.
const PACE: Duration = Duration::from_millis(2);
/// The last that a process says whose trial came to an end.
const DONE: &str = "done";
/// Exit code of a trial that was refused memory.
const NO_ROOM: u8 = 12;

/// The way by which a file is opened.
#[derive(Clone, Debug)]
pub(super) enum Door<'a> {
    /// As the backbone of a network for boards.
    Backbone,
    /// As one that a laptop runs, whose picture has this side where the file leaves it open.
    Laptop(Option<u16>),
    /// As a classifier.
    Classifier(&'a Reading<'a>),
}

/// A network whose trial did not come to an end.
#[derive(Debug)]
struct Died {
    path: PathBuf,
    /// Stage of the trial in which the process died.
    stage: String,
    how: String,
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Died { path, stage, how } = self;
        write!(
            f,
            "{}: this network cannot be used: the process that tried it {how} while {stage}; the file is damaged, \
             made to do harm, or far larger than a classifier: export it again, or give another",
            path.display()
        )
    }
}

impl std::error::Error for Died {}

/// Tries the network in `path` where that is of use: in a process of its own, within bounds.
///
/// # Errors
/// An error if that process does not end by itself. A file that cannot be used for another reason is
/// refused when it is opened.
pub(super) fn try_first(path: &Path, door: &Door<'_>) -> Result<(), Failure> {
    let Some(bytes) = to_be_tried(path) else {
        return Ok(());
    };
    let trial = Trial::of(&bytes, &door.words());
    drop(bytes);
    if trial.as_ref().is_some_and(Trial::passed) {
        return Ok(());
    }
    let child = match start(path, door) {
        Ok(child) => child,
        Err(error) => {
            note!(
                "warning: {} is not tried in a process of its own first: {error}",
                path.display()
            );
            return Ok(());
        }
    };
    let (how, said) = wait(child, Duration::from_secs(SECONDS))?;
    let mut stages = said.lines();
    let last = stages.next_back().unwrap_or("starting");
    if last == DONE {
        trial.iter().for_each(Trial::keep);
        return Ok(());
    }
    Err(Box::new(Died {
        path: path.into(),
        stage: last.into(),
        how,
    }))
}

/// The bytes of a file that may be a network of somebody else's making. What is no file, the reader says.
fn to_be_tried(path: &Path) -> Option<Vec<u8>> {
    let bytes = bounded::read(path, bounded::NETWORK).ok()?;
    // posy's own engine checks a model whole before it runs it.
    let own = bytes.starts_with(b"POSY") || bytes == embedded::BYTES;
    (!own && !is_pinned(&Sha256::digest(&bytes).into())).then_some(bytes)
}

/// Starts the process that tries a network.
fn start(path: &Path, door: &Door<'_>) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(WORD).args(door.words()).arg(path);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Memory that threads only reserve counts too.
        .env("RAYON_NUM_THREADS", "1")
        .env("MALLOC_ARENA_MAX", "1")
        .env("RUST_BACKTRACE", "0");
    command.spawn()
}

/// Waits until the process ends, or its time is over; how it ended, and what it said.
fn wait(mut child: Child, most: Duration) -> std::io::Result<(String, String)> {
    let started = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > most {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(PACE);
    };
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        // A few words, all of them there by now.
        let _ = stdout.take(1 << 12).read_to_string(&mut said);
    }
    let how = ended.map_or_else(
        || format!("was not done after {} seconds", most.as_secs()),
        shown,
    );
    Ok((how, said))
}

/// Describes the end of a process that did not say it itself.
#[cfg(unix)]
fn shown(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;

    if status.code() == Some(NO_ROOM.into()) {
        return without_room();
    }
    match status.signal() {
        // An illegal instruction, or memory that is not there.
        Some(4 | 7 | 10 | 11) => "crashed".into(),
        // It gave up, or was killed.
        Some(6 | 9) => without_room(),
        // Its time on the processor was over.
        Some(24) => format!("was not done after {SECONDS} seconds"),
        _ => format!("ended with {status}"),
    }
}

#[cfg(unix)]
fn without_room() -> String {
    let most = MEMORY >> 30;
    format!("gave up, most probably since it needed more than {most} GiB of memory,")
}

#[cfg(not(unix))]
fn shown(status: ExitStatus) -> String {
    format!("ended with {status}")
}

impl Door<'_> {
    /// It in words of a command line.
    fn words(&self) -> Vec<OsString> {
        let words = match self {
            Door::Backbone => vec!["backbone".into()],
            Door::Laptop(side) => vec!["laptop".into(), side.unwrap_or(0).to_string()],
            Door::Classifier(reading) => {
                vec![
                    "classifier".into(),
                    reading.input.into(),
                    reading.output.into(),
                    reading.size.map_or(0, |(height, _)| height).to_string(),
                    reading.size.map_or(0, |(_, width)| width).to_string(),
                ]
            }
        };
        words.into_iter().map(OsString::from).collect()
    }
}

/// Tries a network and answers, where that is what this process was started for.
pub(super) fn answer() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != WORD {
        return None;
    }
    let words: Vec<OsString> = words.collect();
    let (path, door) = words.split_last()?;
    let door: Vec<&str> = door.iter().filter_map(|word| word.to_str()).collect();
    let door = match *door.as_slice() {
        ["backbone"] => Door::Backbone,
        ["laptop", side] => Door::Laptop(side.parse().ok().filter(|side| *side > 0)),
        ["classifier", input, output, height, width] => {
            let side = |word: &str| word.parse().ok().filter(|side| *side > 0);
            let reading = Reading {
                input,
                output,
                size: side(height).zip(side(width)),
                ..Reading::default()
            };
            limit();
            return Some(said(try_out(path, &Door::Classifier(&reading))));
        }
        _ => return None,
    };
    limit();
    Some(said(try_out(path, &door)))
}

/// Says that the trial is over. What was wrong, the process that asked finds itself, unless it was that the
/// system gave no more memory: there, more would be taken.
fn said(result: Result<(), Failure>) -> ExitCode {
    if let Err(error) = &result
        && error.to_string().contains("failed to allocate")
    {
        return ExitCode::from(NO_ROOM);
    }
    stage(DONE);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says what comes next.
fn stage(what: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}

/// Bounds this process. Where the system has no such bounds, or has lower ones already, it goes on with those.
fn limit() {
    #[cfg(unix)]
    {
        use rlimit::Resource;

        let bounds = [
            (Resource::CPU, SECONDS),
            (Resource::CORE, 0),
            (Resource::FSIZE, 0),
            (Resource::AS, MEMORY),
        ];
        for (resource, most) in bounds {
            let before = resource.get_hard().unwrap_or(most);
            let most = most.min(before);
            let _ = resource.set(most, most);
        }
    }
}

/// Opens the file and runs its network once.
fn try_out(path: &OsStr, door: &Door<'_>) -> Result<(), Failure> {
    let path = Path::new(path);
    stage("reading it");
    match door {
        Door::Backbone => {
            if let Opened::Float(network) = Backbone::open(path, "")? {
                stage("running it");
                network.try_out()?;
            }
        }
        Door::Laptop(side) => {
            let Some(file) = read_onnx(path)? else {
                return Ok(());
            };
            if file.read().is_ok() {
                return try_out(path.as_os_str(), &Door::Backbone);
            }
            let opened = AnyOpened::new(file, *side)?;
            let normalisation = opened.usual_normalisation();
            stage("preparing it");
            let network = opened.cut(&normalisation)?;
            stage("running it");
            network.try_out()?;
        }
        Door::Classifier(reading) => {
            let grey = Rgb {
                width: 1,
                height: 1,
                data: vec![128; 3],
            };
            let classifier = Classifier::open(path, reading)?;
            stage("running it");
            match classifier {
                Classifier::Onnx(model) => drop(model.scores(&grey)?),
                Classifier::Float(model) => drop(model.scores(&grey)?),
                Classifier::Engine(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn ended(script: &str, most: Duration) -> (String, String) {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        wait(command.spawn().unwrap(), most).unwrap()
    }

    #[test]
    fn how_a_trial_ended_is_told() {
        let long = Duration::from_secs(20);
        let (_, said) = ended("echo reading it; echo done", long);
        assert_eq!(said.lines().next_back(), Some(DONE));
        let (how, said) = ended("echo running it; kill -SEGV $$", long);
        assert_eq!((how.as_str(), said.as_str()), ("crashed", "running it\n"));
        for script in ["kill -ABRT $$", "exit 12"] {
            let (how, _) = ended(script, long);
            assert!(how.contains("more than 4 GiB"), "{script}: {how}");
        }
        let started = Instant::now();
        let (how, said) = ended("echo running it; exec sleep 20", Duration::from_millis(100));
        assert!(started.elapsed() < long / 2);
        assert_eq!(
            (how.as_str(), said.as_str()),
            ("was not done after 0 seconds", "running it\n")
        );
    }
}
