//! The serial port over USB (CDC ACM): no driver is needed on today's systems. A board's own crate has the
//! chip's driver, and a task in which [`serve`] runs.

use core::convert::Infallible;

use embassy_futures::join::join4;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::Instant;
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::driver::Driver;
use embassy_usb::{Builder, Config};
use embedded_io::{ErrorType, Write};
use portable_atomic::{AtomicBool, Ordering};
use posy_firmware::program::{Console, INTRODUCE};
use static_cell::{ConstStaticCell, StaticCell};

use crate::button;
use crate::console::PRESS;
use crate::serial_number::SerialNumber;

/// Bytes in a packet at full speed, at most.
const PACKET: u16 = 64;
/// Bytes that are sent in one: less than a packet can hold, since a full one makes the host wait for
/// more.
const SENT: usize = PACKET as usize - 1;

/// Bytes for which a line finds room or is left out.
const LINE: usize = 512;
/// Bytes that are still to be sent.
static OUTPUT: Pipe<CriticalSectionRawMutex, { 2 * LINE }> = Pipe::new();
/// Bytes that nobody has asked for yet. While there is no room for more, the sender waits.
static INPUT: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();
/// True if a program has the port open.
static OPEN: AtomicBool = AtomicBool::new(false);
/// True if a line was left out since nobody had.
static MISSED: AtomicBool = AtomicBool::new(false);
/// True if a program has opened the port after something was said, and has not been told yet.
static LATE: AtomicBool = AtomicBool::new(false);

/// Descriptors and requests of the device.
static MEMORY: ConstStaticCell<([u8; 128], [u8; 32], [u8; 64])> =
    ConstStaticCell::new(([0; 128], [0; 32], [0; 64]));
static STATE: StaticCell<State<'static>> = StaticCell::new();
static SERIAL_NUMBER: StaticCell<SerialNumber> = StaticCell::new();

/// Takes what has come in into `bytes`; returns the number of bytes, without waiting.
pub fn take(bytes: &mut [u8]) -> usize {
    INPUT.try_read(bytes).unwrap_or(0)
}

/// True once after a program has opened the port late.
pub fn was_opened_late() -> bool {
    LATE.swap(false, Ordering::Relaxed)
}

/// The side of the port where lines go in. Nothing here waits.
///
/// A line is sent whole or not at all: nobody may have opened the port, or be reading from it. Only
/// one of more than 512 bytes can be cut short.
#[derive(Debug)]
pub struct Lines {
    /// True if the next byte begins a line.
    at_start: bool,
    /// True if the line that has begun is sent.
    sent: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

impl Lines {
    /// Before the first line.
    pub const fn new() -> Self {
        Lines {
            at_start: true,
            sent: false,
        }
    }

    /// Takes text: lines, or part of one.
    pub fn write(&mut self, text: &[u8]) {
        for piece in text.split_inclusive(|&byte| byte == b'\n') {
            if self.at_start {
                let open = OPEN.load(Ordering::Relaxed);
                self.sent = open && OUTPUT.free_capacity() >= LINE;
                if !open {
                    MISSED.store(true, Ordering::Relaxed);
                }
            }
            self.at_start = piece.ends_with(b"\n");
            let mut rest = piece;
            while self.sent && !rest.is_empty() {
                match OUTPUT.try_write(rest) {
                    Ok(len) => rest = rest.get(len..).unwrap_or_default(),
                    Err(_) => self.sent = false,
                }
            }
        }
    }
}

/// Milliseconds that a frame waits for a host that does not read.
const PATIENCE_MS: u64 = 500;

/// Sends a piece of a frame, waiting for room; whether the host took it in time.
pub fn frame(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut since = Instant::now();
    while !rest.is_empty() {
        match OUTPUT.try_write(rest) {
            Ok(len) => {
                rest = rest.get(len..).unwrap_or_default();
                since = Instant::now();
            }
            // The tasks empty it in the background.
            Err(_) if !OPEN.load(Ordering::Relaxed) => return false,
            Err(_) if since.elapsed().as_millis() >= PATIENCE_MS => return false,
            Err(_) => {}
        }
    }
    true
}

/// Serves the port for ever, under these numbers of vendor and product and of this one board. To be called
/// once: a second time panics.
pub async fn serve<D: Driver<'static>>(
    driver: D,
    vendor: u16,
    product: u16,
    serial_number: Option<SerialNumber>,
) {
    let mut config = Config::new(vendor, product);
    config.manufacturer = Some("posy");
    config.product = Some("posy");
    config.serial_number = serial_number.map(|number| SERIAL_NUMBER.init(number).as_str());
    let (configuration, capabilities, control) = MEMORY.take();
    let state = STATE.init(State::new());
    let mut builder = Builder::new(
        driver,
        config,
        configuration,
        capabilities,
        &mut [],
        control,
    );
    let port = CdcAcmClass::new(&mut builder, state, PACKET);
    let (sender, receiver, control) = port.split_with_control();
    let mut device = builder.build();
    join4(
        device.run(),
        watch(control),
        send(sender),
        receive(receiver),
    )
    .await;
}

/// Learns when a program opens and closes the port: it says so by DTR.
async fn watch(control: ControlChanged<'_>) -> ! {
    loop {
        control.control_changed().await;
        let open = control.dtr();
        if open && !OPEN.load(Ordering::Relaxed) {
            // What was meant for the program before.
            OUTPUT.clear();
        }
        OPEN.store(open, Ordering::Relaxed);
        if open && MISSED.load(Ordering::Relaxed) {
            MISSED.store(false, Ordering::Relaxed);
            LATE.store(true, Ordering::Relaxed);
        }
    }
}

/// Sends what there is. What is under way when the cable is pulled is lost.
async fn send<D: Driver<'static>>(mut port: Sender<'static, D>) -> ! {
    let mut packet = [0; SENT];
    loop {
        port.wait_connection().await;
        loop {
            let len = OUTPUT.read(&mut packet).await;
            let text = packet.get(..len).unwrap_or_default();
            if port.write_packet(text).await.is_err() {
                break;
            }
        }
    }
}

/// Receives bytes; a packet waits with the host until there is room for it.
async fn receive<D: Driver<'static>>(mut port: Receiver<'static, D>) -> ! {
    let mut packet = [0; PACKET as usize];
    loop {
        port.wait_connection().await;
        while let Ok(len) = port.read_packet(&mut packet).await {
            INPUT.write_all(packet.get(..len).unwrap_or_default()).await;
        }
    }
}

/// The console of a board whose only serial port is USB's, and its button.
#[derive(Debug)]
pub struct UsbPort {
    lines: Lines,
    /// Bytes that were taken together, and how many of them were asked for.
    taken: [u8; PACKET as usize],
    len: usize,
    next: usize,
}

impl Default for UsbPort {
    fn default() -> Self {
        Self::new()
    }
}

impl UsbPort {
    /// The console; it speaks once [`serve`] runs, and its button counts once [`watch`](crate::watch) does.
    pub const fn new() -> Self {
        UsbPort {
            lines: Lines::new(),
            taken: [0; PACKET as usize],
            len: 0,
            next: 0,
        }
    }
}

impl ErrorType for UsbPort {
    type Error = Infallible;
}

/// Never waits.
impl Write for UsbPort {
    fn write(&mut self, text: &[u8]) -> Result<usize, Infallible> {
        self.lines.write(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Console for UsbPort {
    fn poll(&mut self) -> Option<u8> {
        if self.next == self.len {
            (self.next, self.len) = (0, take(&mut self.taken));
        }
        let byte = self.taken.get(self.next).filter(|_| self.next < self.len);
        let byte = byte.copied()?;
        self.next += 1;
        Some(byte)
    }

    fn asked(&mut self) -> Option<u8> {
        if was_opened_late() {
            return Some(INTRODUCE);
        }
        button::was_pressed().then_some(PRESS)
    }

    fn frame(&mut self, bytes: &[u8]) -> bool {
        frame(bytes)
    }
}
