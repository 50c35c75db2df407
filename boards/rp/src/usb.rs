//! The serial port over USB (CDC ACM): no driver is needed on today's systems.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_futures::join::join4;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_rp::{Peri, bind_interrupts};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::Instant;
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config};

use crate::background::{INPUT, LATE};

/// Raspberry Pi.
const VENDOR: u16 = 0x2e8a;
/// "Pico SDK CDC", in Raspberry Pi's list of its product numbers (github.com/raspberrypi/usb-pid).
const PRODUCT: u16 = if cfg!(feature = "rp2040") {
    0x000a
} else {
    0x0009
};
/// Bytes in a packet at full speed, at most.
const PACKET: u16 = 64;
/// Bytes that are sent in one: less than a packet can hold, since a full one makes the host wait for
/// more.
const SENT: usize = PACKET as usize - 1;

/// Bytes for which a line finds room or is left out.
const LINE: usize = 512;
/// Bytes that are still to be sent.
static OUTPUT: Pipe<CriticalSectionRawMutex, { 2 * LINE }> = Pipe::new();
/// True if a program has the port open.
static OPEN: AtomicBool = AtomicBool::new(false);
/// True if a line was left out since nobody had.
static MISSED: AtomicBool = AtomicBool::new(false);

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

/// The side of the port where lines go in. Nothing here waits.
///
/// A line is sent whole or not at all: nobody may have opened the port, or be reading from it. Only
/// one of more than 512 bytes can be cut short.
pub struct Lines {
    /// True if the next byte begins a line.
    at_start: bool,
    /// True if the line that has begun is sent.
    sent: bool,
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

/// Serves the port for ever.
#[embassy_executor::task]
pub async fn serve(usb: Peri<'static, USB>) {
    let mut config = Config::new(VENDOR, PRODUCT);
    config.manufacturer = Some("posy");
    config.product = Some("posy");
    let (mut configuration, mut capabilities, mut control) = ([0; 128], [0; 32], [0; 64]);
    let mut state = State::new();
    let mut builder = Builder::new(
        Driver::new(usb, Interrupts),
        config,
        &mut configuration,
        &mut capabilities,
        &mut [],
        &mut control,
    );
    let port = CdcAcmClass::new(&mut builder, &mut state, PACKET);
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

type Usb<'d> = Driver<'d, USB>;

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
async fn send<'d>(mut port: Sender<'d, Usb<'d>>) -> ! {
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
async fn receive<'d>(mut port: Receiver<'d, Usb<'d>>) -> ! {
    let mut packet = [0; PACKET as usize];
    loop {
        port.wait_connection().await;
        while let Ok(len) = port.read_packet(&mut packet).await {
            INPUT.write_all(packet.get(..len).unwrap_or_default()).await;
        }
    }
}
