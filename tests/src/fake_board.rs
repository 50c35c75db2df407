//! A board at the other end of a pseudo-terminal: the firmware's own program, with a simulated camera
//! and flash chip.

use std::convert::Infallible;
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use embedded_io::{ErrorType, Write};
use nix::pty::PtyMaster;
use posy_firmware::camera::{Camera, FrameFormat};
use posy_firmware::program::{Board, Console, Memory, Stack, run};
use posy_firmware::vitals::Vitals;
use posy_shared::image::PixelFormat;
use posy_shared::kernels::scalar::Scalar;

use crate::pty;

#[path = "../../firmware/tests/common/flash.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "shared with the firmware's tests"
)]
mod flash;

use flash::Chip;

/// Pixels in a row of its camera.
pub const WIDTH: u16 = 320;
/// Rows of its camera.
pub const HEIGHT: u16 = 240;
/// Bytes of its slot.
const SLOT: usize = 1 << 20;
/// Bytes for the network.
const ARENA: usize = 128 * 1024;

/// The bytes of a camera's frame: RGB565, big-endian.
pub type Frame = Arc<Mutex<Vec<u8>>>;

/// A frame of three bytes a pixel as the camera sends it.
pub fn rgb565(rgb: &[u8]) -> Vec<u8> {
    let pixel = |rgb: &[u8; 3]| {
        let [r, g, b] = rgb.map(u16::from);
        (r >> 3 << 11 | g >> 2 << 5 | b >> 3).to_be_bytes()
    };
    rgb.as_chunks().0.iter().flat_map(pixel).collect()
}

/// A camera that sees whatever a test puts before it.
struct Scene {
    shown: Frame,
    frame: Vec<u8>,
    row: usize,
}

impl Camera for Scene {
    type Error = Infallible;

    fn format(&self) -> FrameFormat {
        FrameFormat {
            width: WIDTH,
            height: HEIGHT,
            pixels: PixelFormat::Rgb565Be,
        }
    }

    fn capture(&mut self) -> Result<(), Infallible> {
        sleep(Duration::from_millis(20));
        self.frame.clone_from(&self.shown.lock().unwrap());
        self.row = 0;
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Infallible> {
        let start = self.row * row.len();
        row.copy_from_slice(&self.frame[start..start + row.len()]);
        self.row += 1;
        Ok(())
    }
}

/// The board's end of the line.
struct Port {
    /// The terminal; `None` if the board is unplugged.
    pty: Option<(PtyMaster, std::fs::File)>,
    came: Vec<u8>,
    at: usize,
    unplugged: Arc<AtomicBool>,
}

impl Port {
    /// Sends bytes, waiting for room for as long as `patience`; returns whether all were taken.
    fn send(&mut self, bytes: &[u8], patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut left = bytes;
        while !left.is_empty() {
            if self.unplugged.load(Ordering::SeqCst) {
                self.pty = None;
            }
            let Some((master, _)) = &mut self.pty else {
                return false;
            };
            match master.write(left) {
                Ok(len) => left = &left[len..],
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                    sleep(Duration::from_micros(200));
                }
                Err(_) => return false,
            }
        }
        true
    }
}

impl ErrorType for Port {
    type Error = embedded_io::ErrorKind;
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, embedded_io::ErrorKind> {
        // Text that nobody reads is dropped, as on a board.
        self.send(bytes, Duration::from_millis(20));
        match self.pty {
            Some(_) => Ok(bytes.len()),
            None => Err(embedded_io::ErrorKind::BrokenPipe),
        }
    }

    fn flush(&mut self) -> Result<(), embedded_io::ErrorKind> {
        Ok(())
    }
}

impl Console for Port {
    fn poll(&mut self) -> Option<u8> {
        if self.at == self.came.len() {
            let mut bytes = [0; 4096];
            let (master, _) = self.pty.as_mut()?;
            let len = master.read(&mut bytes).unwrap_or(0);
            (self.came, self.at) = (bytes[..len].to_vec(), 0);
            if len == 0 {
                sleep(Duration::from_micros(300));
                if self.unplugged.load(Ordering::SeqCst) {
                    self.pty = None;
                }
            }
        }
        let byte = self.came.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn frame(&mut self, bytes: &[u8]) -> bool {
        self.send(bytes, Duration::from_secs(1))
    }
}

/// A board that can be plugged in and unplugged.
pub struct FakeBoard {
    /// Path of its serial port: a link to whatever terminal it has.
    port: PathBuf,
    /// Frame that its camera sees.
    pub scene: Frame,
    /// Its flash, while it is unplugged.
    flash: Arc<Mutex<Vec<u8>>>,
    plugged: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl FakeBoard {
    /// A board whose slot holds `model` or nothing, and whose port is found at `port`. It is unplugged.
    pub fn new(port: &Path, model: &[u8]) -> Self {
        FakeBoard {
            port: port.to_owned(),
            scene: Arc::new(Mutex::new(vec![
                0;
                2 * usize::from(WIDTH) * usize::from(HEIGHT)
            ])),
            flash: Arc::new(Mutex::new(model.to_vec())),
            plugged: None,
        }
    }

    /// Shows its camera a picture of three bytes a pixel.
    pub fn show(&self, rgb: &[u8]) {
        *self.scene.lock().unwrap() = rgb565(rgb);
    }

    /// Plugs it in: its program starts.
    pub fn plug_in(&mut self) {
        assert!(self.plugged.is_none());
        let (master, slave) = pty::open(&self.port);
        let unplugged = Arc::new(AtomicBool::new(false));
        let (flash, scene, flag) = (self.flash.clone(), self.scene.clone(), unplugged.clone());
        let program = move || {
            let bytes = flash.lock().unwrap().clone();
            let mut chip = Chip::<4096, 4>::new(&bytes, SLOT, &flash);
            let begun = Instant::now();
            let silent = flag.clone();
            let mut board = Board {
                name: "rp-pico",
                camera: Scene {
                    shown: scene,
                    frame: Vec::new(),
                    row: 0,
                },
                console: Port {
                    pty: Some((master, slave)),
                    came: Vec::new(),
                    at: 0,
                    unplugged: flag,
                },
                // Unplugged it has no time to lose.
                clock: move || {
                    let ms = begun.elapsed().as_millis() as u32;
                    ms + 60_000 * u32::from(silent.load(Ordering::SeqCst))
                },
                stack: || Stack { used: 1, size: 2 },
                vitals: Vitals::NONE,
            };
            let mut memory = Box::new(Memory::<ARENA>::new());
            let _ = run(&mut board, &mut chip, &mut memory, || Scalar);
            chip.leave();
        };
        self.plugged = Some((unplugged, std::thread::spawn(program)));
    }

    /// Unplugs it: its port is gone at once, its flash keeps what was written.
    pub fn unplug(&mut self) {
        let Some((unplugged, program)) = self.plugged.take() else {
            return;
        };
        unplugged.store(true, Ordering::SeqCst);
        program.join().expect("the program");
        let _ = std::fs::remove_file(&self.port);
    }
}

impl Drop for FakeBoard {
    fn drop(&mut self) {
        self.unplug();
    }
}
