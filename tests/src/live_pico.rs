//! The Pico's real image as a board on a serial port: the emulator of `tests/rp2040`, with its USB at a
//! pseudo-terminal.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use nix::pty::PtyMaster;
use serde_json::{Value, json};

use crate::pico::{Pico, SLOT, folder, uf2_of};
use crate::pty;
use crate::scratch::Scratch;

/// Longest wait for the emulator.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time for which bytes wait for a laptop that does not read.
const UNREAD: Duration = Duration::from_millis(500);

/// Emulated milliseconds, and counts since the start.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Milliseconds.
    pub ms: f64,
    /// Erased sectors and programmed pages of flash.
    pub operations: u64,
    /// Frames that the camera has taken.
    pub frames: u64,
}

/// An emulated Pico that can be plugged in and unplugged.
pub struct LivePico {
    child: Child,
    stdin: ChildStdin,
    /// Answers to `now`, and power cuts.
    said: Receiver<Value>,
    /// Lines of its UART.
    lines: Arc<Mutex<Vec<String>>>,
    listener: UnixListener,
    /// Path of its serial port, while it is plugged in.
    port: PathBuf,
    cable: Option<Cable>,
}

/// Carrier of bytes between socket and terminal.
struct Cable {
    cut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl LivePico {
    /// Starts the program with `slot` in its model slot, in the folder of `scratch`, plugged in at the port
    /// `port` there. Its camera sees the first of the files `frames`.
    pub fn start(pico: &Pico, scratch: &Scratch, slot: &[u8], frames: &[String]) -> Self {
        Self::start_with("mini", pico, scratch, slot, frames)
    }

    /// The same with this camera; see `tests/rp2040/run.mjs`.
    pub fn start_with(
        camera: &str,
        pico: &Pico,
        scratch: &Scratch,
        slot: &[u8],
        frames: &[String],
    ) -> Self {
        scratch.write("program.uf2", pico.program_uf2());
        scratch.write("slot.uf2", uf2_of(SLOT, slot));
        let mut images = vec!["program.uf2"];
        images.extend((!slot.is_empty()).then_some("slot.uf2"));
        let scenario = json!({
            "images": images, "camera": camera, "frames": frames, "restarts": true, "writes": true,
        });
        let scenario = scratch.write("live.json", scenario.to_string());
        let socket = scratch.join("usb");
        let listener = UnixListener::bind(&socket).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        let mut child = Command::new("node")
            .arg(folder().join("live.mjs"))
            .args([&scenario, &socket])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js, which was found");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, said) = channel();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let json: Value = serde_json::from_str(&line).expect("JSON");
                match json["line"].as_str() {
                    Some(line) => heard.lock().expect("no panic").push(line.to_owned()),
                    None => drop(sender.send(json)),
                }
            }
        });
        let mut board = LivePico {
            child,
            stdin,
            said,
            lines,
            listener,
            port: scratch.join("port"),
            cable: None,
        };
        board.connect();
        board
    }

    /// Does something to board or camera; see `tests/rp2040/run.mjs`.
    pub fn act(&mut self, action: &str) {
        writeln!(self.stdin, "{action}").expect("the emulator");
    }

    /// The time.
    pub fn now(&mut self) -> Now {
        self.act("now");
        loop {
            let json = self.said.recv_timeout(PATIENCE).expect("the emulator");
            if json["now"] == true {
                return Now {
                    ms: json["ms"].as_f64().expect("a time"),
                    operations: json["operations"].as_u64().expect("a count"),
                    frames: json["frames"].as_u64().expect("a count"),
                };
            }
        }
    }

    /// Has power fail in the `number`th write to flash from now on, from 0, that is done to a `share`.
    pub fn cut(&mut self, number: u64, share: f64) {
        self.act(&format!("cut {number} {share}"));
        // It has been heard before anything is written.
        self.now();
    }

    /// Lines of its UART so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// Waits for a line of its UART, after the first `from`, that `wanted` takes.
    pub fn line(&self, from: usize, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if let Some(line) = lines.iter().skip(from).find(|line| wanted(line)) {
                return line.clone();
            }
            assert!(Instant::now() < end, "{lines:#?}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Unplugs it, which takes its power: its port is gone.
    pub fn unplug(&mut self) {
        self.act("off");
        self.disconnect();
    }

    /// Takes its port away where its power has failed by itself.
    pub fn disconnect(&mut self) {
        let _ = std::fs::remove_file(&self.port);
        if let Some(Cable { cut, thread }) = self.cable.take() {
            cut.store(true, Ordering::SeqCst);
            thread.join().expect("a cable");
        }
    }

    /// Plugs it in again: its program starts.
    pub fn plug_in(&mut self) {
        self.act("on");
        self.connect();
    }

    fn connect(&mut self) {
        let end = Instant::now() + PATIENCE;
        let socket = loop {
            match self.listener.accept() {
                Ok((socket, _)) => break socket,
                Err(error) => {
                    let ended = self.child.try_wait().expect("a process");
                    assert!(
                        Instant::now() < end && ended.is_none(),
                        "{error}: {ended:?}"
                    );
                    sleep(Duration::from_millis(10));
                }
            }
        };
        socket.set_nonblocking(true).expect("a socket");
        let (master, slave) = pty::open(&self.port);
        let cut = Arc::new(AtomicBool::new(false));
        let flag = cut.clone();
        let thread = std::thread::spawn(move || {
            carry(master, socket, &flag);
            drop(slave);
        });
        self.cable = Some(Cable { cut, thread });
    }
}

impl Drop for LivePico {
    fn drop(&mut self) {
        self.disconnect();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of `from`, if any have come; `None` at its end.
fn taken(from: &mut impl Read) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    match from.read(&mut bytes) {
        Ok(0) => None,
        Ok(len) => {
            bytes.truncate(len);
            Some(bytes)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Some(Vec::new()),
        Err(_) => None,
    }
}

/// Gives as much of `bytes` as `to` takes; true if that was anything.
fn given(to: &mut impl Write, bytes: &mut Vec<u8>) -> bool {
    match to.write(bytes) {
        Ok(len) => {
            bytes.drain(..len);
            len > 0
        }
        Err(_) => false,
    }
}

/// Carries bytes both ways until one end is gone. What a laptop does not read is lost.
fn carry(mut terminal: PtyMaster, mut socket: UnixStream, cut: &AtomicBool) {
    let (mut to_board, mut to_laptop) = (Vec::new(), Vec::new());
    let mut read_at = Instant::now();
    while !cut.load(Ordering::SeqCst) {
        if to_board.is_empty() {
            match taken(&mut terminal) {
                Some(bytes) => to_board = bytes,
                None => return,
            }
        }
        if to_laptop.is_empty() {
            match taken(&mut socket) {
                Some(bytes) => to_laptop = bytes,
                None => return,
            }
            read_at = Instant::now();
        }
        let moved = [
            !to_board.is_empty() && given(&mut socket, &mut to_board),
            !to_laptop.is_empty() && given(&mut terminal, &mut to_laptop),
        ];
        if read_at.elapsed() > UNREAD {
            to_laptop.clear();
        }
        if moved == [false; 2] {
            sleep(Duration::from_micros(200));
        }
    }
}

/// Writes a frame of `rgb`, three bytes a pixel, into the folder of `scratch`, as the camera sends it.
pub fn frame_file(scratch: &Scratch, name: &Path, rgb: &[u8]) -> String {
    scratch.write(name, crate::fake_board::rgb565(rgb));
    name.display().to_string()
}
