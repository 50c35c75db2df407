//! A board's program as it is, on a thread that waits for the laptop whenever it asks for input. So
//! nothing depends on time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use embedded_io::{ErrorKind, ErrorType, Write};
use posy_firmware::camera::Camera;
use posy_firmware::program::{Board, Console, Memory, Stack, run};
use posy_firmware::vitals::Vitals;
use posy_shared::kernels::scalar::Scalar;

use super::flash::{Chip, PowerCut};
use super::laptop::{Gone, Laptop, Line};

/// Bytes for the network.
const ARENA: usize = 16 * 1024;

/// The board's end of the line.
struct Port {
    came: VecDeque<u8>,
    said: Vec<u8>,
    to_laptop: Sender<Vec<u8>>,
    from_laptop: Inbox<Vec<u8>>,
    is_open: bool,
}

impl ErrorType for Port {
    type Error = ErrorKind;
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if !self.is_open {
            return Err(ErrorKind::BrokenPipe);
        }
        self.said.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Console for Port {
    fn poll(&mut self) -> Option<u8> {
        if self.came.is_empty() && self.is_open {
            let said = std::mem::take(&mut self.said);
            self.is_open = self.to_laptop.send(said).is_ok();
            match self.from_laptop.recv() {
                Ok(bytes) => self.came.extend(bytes),
                Err(_) => self.is_open = false,
            }
        }
        self.came.pop_front()
    }

    fn logits(&mut self, logits: &[i8]) -> Result<(), ErrorKind> {
        self.write_all(format!("logits {logits:?}\r\n").as_bytes())
    }
}

/// Starts a board with `camera` and `chip`, at whose end bytes are left.
pub fn plug_in<C, const SECTOR: usize, const WORD: usize>(
    camera: C,
    chip: Chip<SECTOR, WORD>,
) -> Laptop
where
    C: Camera<Error: core::fmt::Display> + Send + 'static,
{
    let (to_laptop, from_board) = channel();
    let (to_board, from_laptop) = channel();
    let board = move || {
        let mut chip = chip;
        let mut now_ms = 0_u32;
        let mut board = Board {
            name: "laptop",
            camera,
            console: Port {
                came: VecDeque::new(),
                said: Vec::new(),
                to_laptop,
                from_laptop,
                is_open: true,
            },
            clock: move || {
                now_ms += 1;
                now_ms
            },
            stack: || Stack { used: 1, size: 2 },
            vitals: Vitals::NONE,
        };
        let mut memory = Box::new(Memory::<ARENA>::new());
        let ended = run(&mut board, &mut chip, &mut memory, || Scalar);
        assert_eq!(ended.unwrap_err(), ErrorKind::BrokenPipe);
        chip.leave();
        chip.operations
    };
    Laptop::new(Plugged {
        to_board,
        from_board,
        board: std::thread::spawn(board),
    })
}

/// The laptop's end of the line.
struct Plugged {
    to_board: Sender<Vec<u8>>,
    from_board: Inbox<Vec<u8>>,
    board: JoinHandle<usize>,
}

impl Line for Plugged {
    /// Until the board asks for input again, and has none.
    fn turn(&mut self, sent: Vec<u8>) -> Result<Vec<u8>, Gone> {
        let said = self.from_board.recv().map_err(|_| Gone)?;
        self.to_board.send(sent).map_err(|_| Gone)?;
        Ok(said)
    }

    /// A picture between two turns takes a quarter of a second of the board's clock: the connection must not end
    /// of silence before the laptop asks again, more than once.
    fn patience(&self) -> usize {
        10
    }

    fn unplug(self: Box<Self>) -> Option<usize> {
        drop(self.to_board);
        // What it still wants to say is let through.
        while self.from_board.recv().is_ok() {}
        match self.board.join() {
            Ok(operations) => Some(operations),
            Err(cause) if cause.is::<PowerCut>() => None,
            Err(cause) => std::panic::resume_unwind(cause),
        }
    }
}

/// Bytes that a chip leaves.
pub fn nothing_left() -> Arc<Mutex<Vec<u8>>> {
    Arc::new(Mutex::new(Vec::new()))
}
