//! `posy monitor` at one end of a pseudo-terminal, with the board's own code at the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use posy_firmware::report;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_tests::scratch::{Outcome, Scratch};
use posy_tests::small_classifier;
use serde_json::{Value, json};

/// The board's end of a pseudo-terminal, and the name of the other end. Child processes do not
/// inherit it, so dropping it unplugs the board.
fn pair() -> (PtyMaster, String) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let board = posix_openpt(flags).expect("a pseudo-terminal");
    grantpt(&board).unwrap();
    unlockpt(&board).unwrap();
    let name = ptsname_r(&board).unwrap();
    (board, name)
}

/// Waits for the next byte sent to the board; `None` once the other end is closed.
fn next(board: &mut PtyMaster) -> Option<u8> {
    let mut byte = [0];
    let read = board.read(&mut byte);
    matches!(read, Ok(1)).then_some(byte[0])
}

/// The firmware's text of an answer, and the expected JSON.
fn answer(logits: &[i8], time_ms: u32) -> (Vec<u8>, Value) {
    let file = small_classifier(3);
    let model = Model::read(&file).unwrap();
    let ranking = Ranking::<3>::new(&model, logits);
    let mut line = Vec::new();
    report::line(&mut line, &ranking, time_ms).unwrap();
    let labels: Vec<Value> = ranking
        .iter()
        .map(|ranked| {
            let (whole, tenths) = ranked.score.percent();
            let score = f64::from(10 * whole + tenths) / 1000.0;
            json!({"label": ranked.label, "score": score})
        })
        .collect();
    let json = json!({"labels": labels, "unknown": ranking.is_unknown(), "time_ms": time_ms});
    (line, json)
}

fn notice(what: &str) -> Vec<u8> {
    let mut line = Vec::new();
    report::notice(&mut line, what).unwrap();
    line
}

/// A board that answers each byte with `respond`, until the line is closed.
fn board(
    mut port: PtyMaster,
    respond: impl Fn(u8) -> Vec<u8> + Send + 'static,
) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut heard = Vec::new();
        while let Some(byte) = next(&mut port) {
            heard.push(byte);
            if port.write_all(&respond(byte)).is_err() {
                break;
            }
        }
        heard
    })
}

/// A running `posy monitor`.
struct Monitor {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Monitor {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Monitor { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// Exit status and standard error after it has ended.
    fn end(self) -> (std::process::ExitStatus, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stderr).unwrap())
    }
}

/// Lines of all kinds, after the rest of an earlier one, with bytes that are not text.
fn talk() -> (Vec<u8>, Vec<Value>) {
    let (first, first_json) = answer(&[100, 20, -5], 412);
    let (second, second_json) = answer(&[-100, 20, 127], 7);
    let mut bytes = b"abel 0 97.2%  412 ms\r\n".to_vec();
    bytes.extend(notice("golden check passed"));
    bytes.extend(first);
    bytes.extend(notice("attempt 1 of 3: the camera is silent; trying again"));
    bytes.extend(b"\xFFother \x1b[2J\r\n");
    bytes.extend(second);
    let expected = vec![
        json!({"news": "golden check passed"}),
        first_json,
        json!({"problem": "attempt 1 of 3: the camera is silent; trying again"}),
        json!({"text": "\u{FFFD}other \u{FFFD}[2J"}),
        second_json,
    ];
    (bytes, expected)
}

#[test]
fn lines_come_out_as_they_come_in() {
    let scratch = Scratch::new();
    let (bytes, expected) = talk();
    for json in [false, true] {
        let (mut port, name) = pair();
        let mut arguments = vec!["monitor", "--port", &name];
        arguments.extend(json.then_some("--json"));
        let mut monitor = Monitor::start(scratch.command(arguments));
        // It asks for the board's status at once.
        assert_eq!(next(&mut port), Some(b's'));
        port.write_all(&bytes).unwrap();
        if json {
            for value in &expected {
                let line: Value = serde_json::from_str(&monitor.line()).unwrap();
                assert_eq!(&line, value);
            }
        } else {
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            let text = text.replace('\x1b', "\u{FFFD}");
            for line in text.split_inclusive('\n').skip(1) {
                assert_eq!(monitor.line(), line);
            }
        }
        // The board is unplugged.
        drop(port);
        assert_eq!(monitor.line(), "");
        let (status, stderr) = monitor.end();
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(
            stderr.starts_with(&format!("listening on {name}")),
            "{stderr}"
        );
        assert!(
            stderr.contains("error: ") && stderr.contains("went away"),
            "{stderr}"
        );
    }
}

#[test]
fn once_asks_for_one_answer() {
    let scratch = Scratch::new();
    let (line, expected) = answer(&[1, 2, 127], 88);
    // The board was already busy: its earlier answer does not belong to this request.
    let respond = move |byte| match byte {
        b's' => [&answer(&[127, 0, 0], 1).0[..], &notice("RAM 1 of 2 bytes")].concat(),
        b'c' => [
            notice("attempt 1 of 3: no frame; trying again"),
            line.clone(),
        ]
        .concat(),
        _ => Vec::new(),
    };
    for json in [true, false] {
        let (port, name) = pair();
        let board = board(port, respond.clone());
        let mut arguments = vec!["monitor", "--once", "--port", &name];
        arguments.extend(json.then_some("--json"));
        let outcome = scratch.posy(arguments).succeeds();
        let outcome = outcome.says(&["posy: attempt 1 of 3: no frame"]);
        match json {
            true => assert_eq!(outcome.json(), expected),
            false => assert_eq!(outcome.stdout.trim_end().lines().count(), 1, "{outcome}"),
        }
        assert_eq!(board.join().unwrap(), b"sc");
    }
}

#[test]
fn a_silent_board_is_given_up() {
    let scratch = Scratch::new();
    let (port, name) = pair();
    let board = board(port, |_| Vec::new());
    let arguments = ["monitor", "--once", "--timeout=2", "--port", &name];
    scratch
        .posy(arguments)
        .fails(1, &["no answer in 2 s", "posy flash"]);
    assert_eq!(board.join().unwrap(), b"sc");
}

#[test]
fn a_reader_may_leave_early() {
    let scratch = Scratch::new();
    let (mut port, name) = pair();
    let mut monitor = Monitor::start(scratch.command(["monitor", "--port", &name]));
    assert_eq!(next(&mut port), Some(b's'));
    port.write_all(&notice("golden check passed")).unwrap();
    assert_eq!(monitor.line(), "posy: golden check passed\n");
    let Monitor { mut child, lines } = monitor;
    drop(lines);
    // It notices the closed reader with the next line.
    while child.try_wait().unwrap().is_none() {
        port.write_all(b"hello\r\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn ctrl_c_ends_it() {
    use std::os::unix::process::ExitStatusExt;
    const SIGINT: i32 = 2;
    let scratch = Scratch::new();
    let (mut port, name) = pair();
    let mut monitor = Monitor::start(scratch.command(["monitor", "--port", &name]));
    assert_eq!(next(&mut port), Some(b's'));
    port.write_all(&notice("golden check passed")).unwrap();
    assert_eq!(monitor.line(), "posy: golden check passed\n");
    let id = monitor.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let (status, stderr) = monitor.end();
    assert_eq!(status.signal(), Some(SIGINT), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn ports_that_are_none() {
    let scratch = Scratch::new();
    let none = scratch.posy(["monitor", "--port", "none"]);
    none.fails(1, &["error: none: ", "plugged in"]);
    scratch.write("file", "");
    let file = scratch.posy(["monitor", "--port", "file"]);
    file.fails(1, &["error: file: "]);
    for arguments in [
        &["--timeout=5"][..],
        &["--baud=0"],
        &["--once", "--timeout=0"],
    ] {
        let command = scratch.command(["monitor", "--port=none"].iter().chain(arguments));
        Outcome::of(command).fails(2, &["error: "]);
    }
}
