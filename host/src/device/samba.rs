//! Arduino's boot loader of the Nano 33 BLE: the monitor SAM-BA on a USB serial port, with Arduino's
//! extensions, as the tool BOSSA speaks it (`Samba.cpp` and `Flasher.cpp` of Arduino's fork).
//!
//! Commands are ASCII and end with `#`. `N`: binary mode. `V`: version, with letters of the extensions in
//! brackets. `I`: the chip. `X`: erase. `S`: the bytes that follow go into the loader's buffer. `Y`: the
//! buffer, then its place in flash. `K`: restart. The loader counts addresses from the start of the program.

use std::time::Duration;

use serialport::SerialPortType;

use super::boards::{Board, Loader};
use super::port::{Port, PortError};

/// Bits per second; a port over USB runs at any.
const BAUD: u32 = 115_200;
/// Bits per second at which Arduino's programs restart into the loader, once the port is closed.
const TOUCH_BAUD: u32 = 1200;
/// Time that a board takes from there until its loader has a port.
const TOUCHED: Duration = Duration::from_secs(5);
/// Name of the chip.
const CHIP: &str = "nRF52840-QIAA";
/// Extensions that are needed: chip, restart, erase, write.
const NEEDED: [char; 4] = ['I', 'K', 'X', 'Y'];
/// Bytes that are written at a time: a page of flash.
const PAGE: usize = 4096;
/// Address of the loader's buffer, as BOSSA has it.
const BUFFER: u32 = 0x34;
/// Reads, of a tenth of a second each, within which an answer comes: erasing takes a few seconds.
const READS: u32 = 50;
/// Reads for the answer to a question.
const SHORT_READS: u32 = 10;
/// Maximum length of an answer, bytes.
const ANSWER: usize = 256;

/// Errors of the loader.
#[derive(Debug, thiserror::Error)]
pub enum SambaError {
    /// No loader has a port.
    #[error(
        "no port of {board}'s boot loader; {gesture}, wait until its LED glows and fades, and try again; \
         a port that is not found is named with --port"
    )]
    None {
        /// The board.
        board: &'static str,
        /// Instruction that starts the loader.
        gesture: &'static str,
    },
    /// Several boards wait.
    #[error("several boards wait for a program; name the port of one with --port: {}", .0.join(", "))]
    Several(Vec<String>),
    /// Something else answers, or nothing.
    #[error(
        "{port}: no boot loader of Arduino's answers there ({}); press the button RESET twice, quickly, \
         and try again", quoted(.said)
    )]
    NoLoader {
        /// The port.
        port: String,
        /// The answer.
        said: String,
    },
    /// The loader of another chip.
    #[error("{port}: this board has the chip {found}, not {CHIP}; it is no Nano 33 BLE")]
    Chip {
        /// The port.
        port: String,
        /// The chip's name.
        found: String,
    },
    /// An old loader.
    #[error(
        "{port}: this boot loader ({version}) cannot be told to {}; update it with Arduino's sketch \
         Nano33_updateBootloader", ability(*.lacks)
    )]
    Lacks {
        /// The port.
        port: String,
        /// Its version.
        version: String,
        /// Letter of the missing extension.
        lacks: char,
    },
    /// The loader did not carry out a command.
    #[error(
        "{port}: the boot loader refused to {} after {done} of {len} bytes ({}); the board has no program \
         now: press the button RESET twice, quickly, and try again", ability(*.command), quoted(.said)
    )]
    Refused {
        /// The port.
        port: String,
        /// Letter of the command.
        command: char,
        /// Answer.
        said: String,
        /// Bytes that are written.
        done: usize,
        /// Bytes to write.
        len: usize,
    },
    /// The model alone cannot be written.
    #[error(
        "{0}'s boot loader erases the program with the model: leave --model-only out, or send the model \
         to the running board with: posy push"
    )]
    ModelOnly(&'static str),
    /// The port failed.
    #[error("{error}; {done} of {len} bytes were written{}", again(*.done))]
    Port {
        /// The port's error.
        error: PortError,
        /// Bytes that are written.
        done: usize,
        /// Bytes to write.
        len: usize,
    },
    /// The ports cannot be listed, or the port not opened.
    #[error(transparent)]
    Open(#[from] PortError),
}

/// Advice where a write was interrupted.
fn again(done: usize) -> &'static str {
    match done {
        0 => "",
        _ => {
            ", and the board has no program now: press its button RESET twice, quickly, and try again"
        }
    }
}

/// Words for an answer.
fn quoted(answer: &str) -> String {
    match answer {
        "" => "it says nothing".to_owned(),
        answer => format!("it says {answer:?}"),
    }
}

/// Meaning of a command.
fn ability(letter: char) -> &'static str {
    match letter {
        'I' => "name its chip",
        'K' => "restart the board",
        'X' => "erase flash",
        _ => "write flash",
    }
}

/// Serial port as the loader is spoken with.
pub trait Wire {
    /// Reads what is there; 0 if nothing comes for a tenth of a second.
    ///
    /// # Errors
    /// [`PortError::Gone`].
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PortError>;
    /// Sends bytes.
    ///
    /// # Errors
    /// [`PortError::Gone`].
    fn send_all(&mut self, bytes: &[u8]) -> Result<(), PortError>;
}

impl Wire for Port {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PortError> {
        Port::read(self, bytes)
    }

    fn send_all(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        Port::send_all(self, bytes)
    }
}

/// The port of a board's loader. A board that runs a program of Arduino's is asked to start its loader.
///
/// # Errors
/// [`SambaError::None`], [`SambaError::Several`], [`SambaError::Open`].
pub fn find(board: &Board) -> Result<String, SambaError> {
    let Loader::Samba(ids) = board.loader else {
        return Err(none(board, ""));
    };
    if let Some(port) = only(ids.vendor, ids.loader)? {
        return Ok(port);
    }
    if let Some(program) = only(ids.vendor, ids.program)? {
        // Opened and closed: that is all there is to it.
        drop(Port::open(&program, TOUCH_BAUD)?);
        let end = std::time::Instant::now() + TOUCHED;
        while std::time::Instant::now() < end {
            if let Some(port) = only(ids.vendor, ids.loader)? {
                return Ok(port);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Err(none(board, ids.gesture))
}

fn none(board: &Board, gesture: &'static str) -> SambaError {
    SambaError::None {
        board: board.title,
        gesture,
    }
}

/// The port of these numbers on USB.
fn only(vendor: u16, product: u16) -> Result<Option<String>, SambaError> {
    let ports = serialport::available_ports().map_err(PortError::List)?;
    let ports = ports.into_iter().filter(|port| {
        matches!(&port.port_type, SerialPortType::UsbPort(usb)
            if (usb.vid, usb.pid) == (vendor, product))
            && !port.port_name.starts_with("/dev/tty.")
    });
    let mut names: Vec<String> = ports.map(|port| port.port_name).collect();
    match names.len() {
        0 | 1 => Ok(names.pop()),
        _ => Err(SambaError::Several(names)),
    }
}

/// Writes a program, and whatever follows it, from the start of the board's flash for programs, and starts it.
///
/// # Errors
/// [`SambaError`].
pub fn write(port: &str, bytes: &[u8]) -> Result<(), SambaError> {
    let mut wire = Port::open(port, BAUD)?;
    write_to(&mut wire, port, bytes)
}

/// [`write`] over an open port.
fn write_to(wire: &mut impl Wire, port: &str, bytes: &[u8]) -> Result<(), SambaError> {
    let mut loader = Session {
        wire,
        port,
        done: 0,
        len: bytes.len(),
    };
    loader.greet()?;
    loader.command("X00000000#", 'X')?;
    for page in bytes.chunks(PAGE) {
        let mut whole = [0xFF; PAGE];
        whole[..page.len()].copy_from_slice(page);
        loader.send(format!("S{BUFFER:08X},{PAGE:08X}#").as_bytes())?;
        loader.send(&whole)?;
        loader.command(&format!("Y{BUFFER:08X},0#"), 'Y')?;
        let at = loader.done;
        loader.command(&format!("Y{at:08X},{PAGE:08X}#"), 'Y')?;
        loader.done += page.len();
    }
    loader.send(b"K#")
}

/// A conversation with the loader.
struct Session<'w, W> {
    wire: &'w mut W,
    port: &'w str,
    /// Bytes that are written.
    done: usize,
    len: usize,
}

impl<W: Wire> Session<'_, W> {
    /// Finds out what answers.
    fn greet(&mut self) -> Result<(), SambaError> {
        // What was under way.
        while self.take(&mut [0; ANSWER])? > 0 {}
        self.send(b"N#")?;
        self.answer(SHORT_READS)?;
        self.send(b"V#")?;
        let version = self.answer(SHORT_READS)?;
        let port = self.port.to_owned();
        let letters = version.split_once("[Arduino:");
        let letters = letters.and_then(|(_, rest)| Some(rest.split_once(']')?.0));
        let Some(letters) = letters else {
            let said = version;
            return Err(SambaError::NoLoader { port, said });
        };
        if let Some(lacks) = NEEDED.into_iter().find(|letter| !letters.contains(*letter)) {
            return Err(SambaError::Lacks {
                port,
                version,
                lacks,
            });
        }
        self.send(b"I#")?;
        let found = self.answer(SHORT_READS)?;
        match &*found {
            CHIP => Ok(()),
            _ => Err(SambaError::Chip { port, found }),
        }
    }

    /// Sends a command whose answer begins with its letter.
    fn command(&mut self, text: &str, letter: char) -> Result<(), SambaError> {
        self.send(text.as_bytes())?;
        let said = self.answer(READS)?;
        match said.starts_with(letter) {
            true => Ok(()),
            false => Err(SambaError::Refused {
                port: self.port.to_owned(),
                command: letter,
                said,
                done: self.done,
                len: self.len,
            }),
        }
    }

    /// The next answer up to its line end, control characters left out; empty if none comes in time.
    fn answer(&mut self, reads: u32) -> Result<String, SambaError> {
        let mut answer = Vec::new();
        let mut bytes = [0; ANSWER];
        for _ in 0..reads {
            let len = self.take(&mut bytes)?;
            answer.extend(&bytes[..len]);
            if answer.ends_with(b"\r") || answer.ends_with(b"\0") || answer.len() >= ANSWER {
                break;
            }
        }
        let text = String::from_utf8_lossy(&answer);
        Ok(text.chars().filter(|c| !c.is_control()).collect())
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<usize, SambaError> {
        let taken = self.wire.read(bytes);
        taken.map_err(|error| self.failed(error))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), SambaError> {
        let sent = self.wire.send_all(bytes);
        sent.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: PortError) -> SambaError {
        SambaError::Port {
            error,
            done: self.done,
            len: self.len,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io;

    /// A loader at the end of a wire, written from the log of an upload by Arduino's IDE.
    struct Fake {
        version: &'static str,
        chip: &'static str,
        /// Pages after which it answers otherwise.
        pages: usize,
        then: Then,
        input: Vec<u8>,
        /// Bytes that still go into the buffer.
        wanted: usize,
        buffer: Vec<u8>,
        flash: Vec<u8>,
        written: usize,
        out: VecDeque<u8>,
        /// True once the buffer was named.
        named: bool,
        runs: bool,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Then {
        Goes,
        Refuses,
        Silent,
    }

    impl Fake {
        fn new() -> Self {
            Fake {
                version: "Arduino Bootloader (SAM-BA extended) 2.0 [Arduino:IKXYZ]",
                chip: CHIP,
                pages: usize::MAX,
                then: Then::Goes,
                input: Vec::new(),
                wanted: 0,
                buffer: Vec::new(),
                flash: vec![0xAA; 0xF_0000],
                written: 0,
                out: VecDeque::new(),
                named: false,
                runs: false,
            }
        }

        fn gone() -> PortError {
            PortError::Gone {
                port: "fake".to_owned(),
                source: io::ErrorKind::BrokenPipe.into(),
            }
        }

        fn says(&mut self, text: &str) {
            self.out.extend(text.bytes());
        }

        fn hears(&mut self, command: &str) {
            let (letter, numbers) = command.split_at(1);
            let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
            let numbers: Vec<usize> = numbers
                .split(',')
                .filter(|n| !n.is_empty())
                .map(number)
                .collect();
            match (letter, &numbers[..]) {
                ("N", []) => self.says("\n\r"),
                ("V", []) => self.says(&format!("{}\n\r", self.version)),
                ("I", []) => self.says(&format!("{}\n\r", self.chip)),
                ("X", &[at]) => {
                    self.flash[at..].fill(0xFF);
                    self.says("X\n\r");
                }
                ("S", &[0x34, len]) => self.wanted = len,
                ("Y", &[0x34, 0]) if !self.named => {
                    self.named = true;
                    self.says("Y\n\r");
                }
                ("Y", &[at, len]) => {
                    assert!(self.named && len == self.buffer.len());
                    self.named = false;
                    if self.written == self.pages {
                        if self.then == Then::Refuses {
                            self.says("?\n\r");
                        }
                        return;
                    }
                    self.written += 1;
                    self.flash[at..at + len].copy_from_slice(&self.buffer);
                    self.buffer.clear();
                    self.says("Y\n\r");
                }
                ("K", []) => self.runs = true,
                other => panic!("{other:?}"),
            }
        }
    }

    impl Wire for Fake {
        fn read(&mut self, bytes: &mut [u8]) -> Result<usize, PortError> {
            // A few bytes at a time.
            let len = self.out.len().min(bytes.len()).min(7);
            for byte in &mut bytes[..len] {
                *byte = self.out.pop_front().unwrap();
            }
            Ok(len)
        }

        fn send_all(&mut self, bytes: &[u8]) -> Result<(), PortError> {
            if self.then == Then::Goes && self.written == self.pages {
                return Err(Fake::gone());
            }
            for &byte in bytes {
                if self.wanted > 0 {
                    self.wanted -= 1;
                    self.buffer.push(byte);
                } else if byte == b'#' {
                    let command = String::from_utf8(std::mem::take(&mut self.input)).unwrap();
                    self.hears(&command);
                } else {
                    self.input.push(byte);
                }
            }
            Ok(())
        }
    }

    fn image() -> Vec<u8> {
        (0..3 * PAGE + 100)
            .map(|at| (at * 37 + at / 11) as u8)
            .collect()
    }

    #[test]
    fn a_program_is_written_whole_and_started() {
        let mut loader = Fake::new();
        write_to(&mut loader, "fake", &image()).unwrap();
        assert!(loader.runs);
        assert_eq!(loader.flash[..image().len()], image());
        assert!(
            loader.flash[image().len()..]
                .iter()
                .all(|&byte| byte == 0xFF)
        );
    }

    #[test]
    fn what_answers_otherwise_is_left_alone() {
        let cases: [(&str, &str, &str); 5] = [
            ("", CHIP, "it says nothing"),
            ("posy: rp-pico", CHIP, "\"posy: rp-pico\""),
            ("1.1 [Arduino:XYZ]", CHIP, "name its chip"),
            ("2.0 [Arduino:IKXZ]", CHIP, "write flash"),
            ("2.0 [Arduino:IKXYZ]", "SAMD21G18", "no Nano 33 BLE"),
        ];
        for (version, chip, expected) in cases {
            let mut loader = Fake {
                version,
                chip,
                ..Fake::new()
            };
            let error = write_to(&mut loader, "fake", &image()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.starts_with("fake: ") && !loader.runs);
            assert!(loader.flash.iter().all(|&byte| byte == 0xAA), "{version}");
        }
    }

    #[test]
    fn an_interrupted_write_is_named_and_can_be_done_again() {
        let cases = [
            (
                Then::Refuses,
                "refused to write flash after 8192 of 12388 bytes (it says \"?\")",
            ),
            (
                Then::Silent,
                "refused to write flash after 8192 of 12388 bytes (it says nothing)",
            ),
            (Then::Goes, "went away"),
        ];
        for (then, expected) in cases {
            let mut loader = Fake {
                pages: 2,
                then,
                ..Fake::new()
            };
            let error = write_to(&mut loader, "fake", &image())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
            assert!(
                error.contains("RESET twice") && error.contains("8192 of"),
                "{error}"
            );
            assert!(!loader.runs);
            let mut again = Fake {
                flash: loader.flash,
                ..Fake::new()
            };
            write_to(&mut again, "fake", &image()).unwrap();
            assert_eq!(again.flash[..image().len()], image());
        }
    }
}
