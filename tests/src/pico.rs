//! Runs the program of `boards/rp-pico` in the emulator of `tests/rp2040`, which defines scenarios.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use assert_cmd::Command as Timed;
use posy::device::uf2::{self, Segment};
use posy::device::{BOARDS, Board, elf};
use serde_json::{Value, json};

use crate::boards::{Crate, Toolchain, answer};
use crate::npm;
use crate::scratch::Scratch;
use crate::sizes::Sizes;

/// Address of the model slot on the Pico.
pub const SLOT: u32 = 0x1002_C000;
/// Size of an RP2040's RAM (data sheet, section 2.6.2).
pub const RAM_BYTES: u64 = 264 * 1024;

/// End of an answer's line, as a regular expression.
pub const ANSWER: &str = "  [0-9]+ ms$";

/// The emulator with the board's program.
pub struct Pico {
    /// The program's ELF file.
    pub elf: Vec<u8>,
}

/// Folder of the emulator.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rp2040")
}

/// Prepares the emulator, once for all tests; the error is the reason of a failure.
fn ready() -> Result<(), String> {
    static READY: OnceLock<Result<(), String>> = OnceLock::new();
    let ready = READY.get_or_init(|| {
        let node = answer(Command::new("node").arg("--version"));
        node.map_err(|error| format!("node: {error}; install Node.js, 18 or later"))?;
        npm::install(&folder())
    });
    ready.clone()
}

/// True if the emulator works. Otherwise prints that `test` is skipped.
pub fn has_emulator(test: &str) -> bool {
    let ready = ready();
    if let Err(reason) = &ready {
        eprintln!("SKIPPED: {test}: {reason}");
    }
    ready.is_ok()
}

/// The Pico in `posy flash`'s table of boards.
pub fn board() -> &'static Board {
    let mut boards = BOARDS.iter();
    boards
        .find(|board| board.name == "rp-pico")
        .expect("the Pico")
}

fn uf2_file(segments: &[Segment]) -> Vec<u8> {
    uf2::file(
        segments,
        board().uf2().expect("a board with a drive").family,
    )
}

/// UF2 file that writes `bytes` to an address of the Pico.
pub fn uf2_of(address: u32, bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.to_vec();
    uf2_file(&[Segment { address, bytes }])
}

impl Pico {
    /// Prepares the emulator and builds the program, once for all tests. Prints that `test` is
    /// skipped if something is missing.
    pub fn find(test: &str) -> Option<&'static Pico> {
        static PICO: OnceLock<Result<Pico, String>> = OnceLock::new();
        Self::find_with(test, "", &PICO)
    }

    /// The same with the program for a camera without a frame buffer.
    pub fn find_bare(test: &str) -> Option<&'static Pico> {
        static PICO: OnceLock<Result<Pico, String>> = OnceLock::new();
        Self::find_with(test, "bare-camera", &PICO)
    }

    fn find_with(
        test: &str,
        features: &'static str,
        once: &'static OnceLock<Result<Pico, String>>,
    ) -> Option<&'static Pico> {
        let found = once.get_or_init(|| {
            ready()?;
            let elf = Toolchain::find()?.build(Crate {
                name: "rp-pico",
                target: "thumbv6m-none-eabi",
                features,
            });
            Ok(Pico { elf })
        });
        if let Err(reason) = found {
            eprintln!("SKIPPED: {test}: {reason}");
        }
        found.as_ref().ok()
    }

    /// UF2 file of the program.
    pub fn program_uf2(&self) -> Vec<u8> {
        uf2_file(&elf::segments(&self.elf, board()).expect("a program for the Pico"))
    }

    /// Bytes of RAM in statics, by the linker.
    pub fn static_ram_bytes(&self) -> u64 {
        let sizes = Sizes::of(&self.elf);
        sizes.ram + sizes.network
    }

    /// Runs the program with `slot` in the model slot, in the folder of `scratch`. The frames in
    /// that folder are shown one after another, each until its answer; `steps` are the scenario's
    /// events, `more` its other fields.
    pub fn run(
        &self,
        scratch: &Scratch,
        slot: &[u8],
        frames: &[String],
        steps: &[Value],
        more: Value,
    ) -> Run {
        scratch.write("program.uf2", self.program_uf2());
        scratch.write("model.uf2", uf2_of(SLOT, slot));
        let mut images = vec!["program.uf2"];
        images.extend((!slot.is_empty()).then_some("model.uf2"));
        let mut scenario = json!({
            "images": images,
            "frames": frames,
            "next": ANSWER,
            "steps": steps,
            "limits": { "ms": 120_000, "instructions": 20_000_000_000_u64 },
        });
        let fields = scenario.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        emulate(scratch, &scenario)
    }
}

/// A step that is done after the `times`th UART line that matches `line`, a regular expression.
pub fn after_line(line: &str, times: u32, actions: &[&str]) -> Value {
    json!({ "after": { "line": line, "times": times }, "actions": actions })
}

/// A step that is done `ms` emulated milliseconds after the previous one.
pub fn after_ms(ms: u32, actions: &[&str]) -> Value {
    json!({ "after": { "ms": ms }, "actions": actions })
}

/// A line printed by a board.
#[derive(Clone, Debug)]
pub struct Line {
    /// Port: `uart` or `usb`.
    pub port: String,
    /// Text without line end.
    pub text: String,
    /// Emulated milliseconds since the start.
    pub ms: f64,
    /// Instructions since the start.
    pub instructions: u64,
    /// Emulated milliseconds since the start in which the program has waited for the camera.
    pub waited_ms: f64,
    /// Number of steps done when it arrived; the line that ends a step comes before it.
    pub steps: usize,
}

impl Line {
    /// The answer without its time; `None` for other lines.
    pub fn answer(&self) -> Option<&str> {
        let (ranking, time) = self.text.rsplit_once("  ")?;
        let number = time.strip_suffix(" ms")?;
        number.parse::<u32>().ok().map(|_| ranking)
    }
}

/// Result of a scenario.
#[derive(Debug)]
pub struct Run {
    /// Exit code of the emulator.
    pub code: Option<i32>,
    /// Lines of all ports.
    pub lines: Vec<Line>,
    /// Serial number on USB, once for each start.
    pub serial_numbers: Vec<String>,
    /// Standard error of the emulator.
    pub stderr: String,
}

impl Run {
    /// Asserts that the scenario ran to its end: the program neither failed nor stopped printing.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// Lines of a port.
    pub fn port(&self, port: &str) -> Vec<&Line> {
        self.lines.iter().filter(|line| line.port == port).collect()
    }

    /// Answers of a port, without their times.
    pub fn answers(&self, port: &str) -> Vec<&str> {
        let lines = self.port(port).into_iter();
        lines.filter_map(Line::answer).collect()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "code {:?}", self.code)?;
        for line in &self.lines {
            writeln!(f, "{:>10.1} ms, {}: {}", line.ms, line.port, line.text)?;
        }
        write!(f, "{}", self.stderr)
    }
}

/// Runs a scenario whose files are in the folder of `scratch`.
pub fn emulate(scratch: &Scratch, scenario: &Value) -> Run {
    let file = scratch.write("scenario.json", scenario.to_string());
    let output = Timed::new("node")
        .arg(folder().join("run.mjs"))
        .arg(file)
        .timeout(Duration::from_secs(1800))
        .output()
        .unwrap_or_else(|error| panic!("node: {error}"));
    let text = |bytes| String::from_utf8(bytes).expect("output in UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let mut lines = Vec::new();
    let mut serial_numbers = Vec::new();
    let mut steps = 0;
    for line in stdout.lines() {
        let json: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Some(port) = json["port"].as_str() {
            lines.push(Line {
                port: port.into(),
                text: json["line"].as_str().expect("a line").into(),
                ms: json["ms"].as_f64().expect("a time"),
                instructions: json["instructions"].as_u64().expect("a count"),
                waited_ms: json["waited"].as_f64().expect("a time"),
                steps,
            });
        } else if let Some(number) = json["serialNumber"].as_str() {
            serial_numbers.push(number.into());
        } else {
            assert_eq!(json["step"], steps, "{line}");
            steps += 1;
        }
    }
    Run {
        code: output.status.code(),
        lines,
        serial_numbers,
        stderr,
    }
}
