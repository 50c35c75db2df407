//! An Arducam Mega, simulated at the byte: a register file, a sensor that takes its time, a frame buffer.
//!
//! Written from the camera's side of the wires: nothing here is taken from the driver.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{self, Operation};
use posy_firmware::camera::FrameBus;

/// State of the camera's surroundings and of its faults.
pub struct Mega {
    /// Frames in front of the lens, shown one after another; the last one stays.
    pub scenes: Vec<Vec<u8>>,
    pub plugged: bool,
    pub identity: u8,
    /// True if frames reach the buffer.
    pub fills: bool,
    /// True if the sensor comes to rest after it was told something.
    pub rests: bool,
    /// Bytes by which the next frames' lengths are off, one after another.
    pub torn: Vec<i32>,
    /// Bytes behind each frame.
    pub trailer: usize,
    /// The fastest clock, in MHz, at which bits are as they were sent.
    pub carries: u8,
    /// Index of the transaction that fails.
    pub fails_at: Option<usize>,
    pub count: usize,
    pub delayed_ms: u64,
    /// Times that the camera was reset.
    pub resets: usize,
    /// The clock of the wires, in MHz.
    pub mhz: u8,
    registers: [u8; 128],
    /// Looks at the status before the sensor rests, and before the frame is complete.
    busy: u32,
    polls_to_done: Option<u32>,
    buffer: Vec<u8>,
    read_at: usize,
    /// True if the next burst is the first of its frame.
    fresh: bool,
    command: u8,
}

impl Mega {
    pub fn new(scenes: Vec<Vec<u8>>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Mega {
            scenes,
            plugged: true,
            identity: 0x81,
            fills: true,
            rests: true,
            torn: Vec::new(),
            trailer: 0,
            carries: 8,
            fails_at: None,
            count: 0,
            delayed_ms: 0,
            resets: 0,
            mhz: 8,
            registers: [0; 128],
            busy: 3,
            polls_to_done: None,
            buffer: Vec::new(),
            read_at: 0,
            fresh: false,
            command: 0,
        }))
    }

    pub fn unplug(&mut self) {
        self.plugged = false;
        self.power_up();
    }

    pub fn plug(&mut self) {
        self.plugged = true;
    }

    fn power_up(&mut self) {
        self.registers = [0; 128];
        self.busy = 3;
        self.polls_to_done = None;
        self.buffer.clear();
        self.read_at = 0;
        self.fresh = false;
    }

    fn write(&mut self, register: u8, value: u8) {
        let tells = matches!(register, 0x20..=0x35);
        assert!(
            !(tells && self.busy > 0),
            "register {register:02x} was written to a busy camera"
        );
        self.registers[usize::from(register)] = value;
        match register {
            0x07 if value & 0x40 != 0 => {
                self.power_up();
                self.resets += 1;
            }
            0x04 => {
                if value & 0x01 != 0 {
                    self.polls_to_done = None;
                }
                if value & 0x02 != 0 {
                    self.buffer = self.frame();
                    self.read_at = 0;
                    self.fresh = true;
                    self.polls_to_done = self.fills.then_some(3);
                }
            }
            0x20..=0x35 => self.busy = 3,
            _ => {}
        }
    }

    /// The next frame, as the registers ask for it.
    fn frame(&mut self) -> Vec<u8> {
        let len = match (self.registers[0x20], self.registers[0x21]) {
            (2, 1) => 320 * 240 * 2,
            (2, 10) => 96 * 96 * 2,
            (2, 11) => 128 * 128 * 2,
            // JPEG, or none.
            _ => return vec![0xEE; 5000],
        };
        let mut frame = self.scenes[0].clone();
        assert_eq!(frame.len(), len, "scene of another size");
        if self.scenes.len() > 1 {
            self.scenes.remove(0);
        }
        frame.extend(std::iter::repeat_n(0x5A, self.trailer));
        if !self.torn.is_empty() {
            let len = frame.len() as i32 + self.torn.remove(0);
            frame.resize(len.try_into().unwrap(), 0);
        }
        frame
    }

    fn read(&mut self, register: u8) -> u8 {
        match register {
            0x40 => self.identity,
            0x44 => {
                let done = match &mut self.polls_to_done {
                    Some(0) => 0x04,
                    Some(polls) => {
                        *polls -= 1;
                        0
                    }
                    None => 0,
                };
                if self.busy > 0 {
                    self.busy -= u32::from(self.rests);
                    return done | 0x01;
                }
                done | 0x02
            }
            0x45..=0x47 => self.buffer.len().to_le_bytes()[usize::from(register - 0x45)],
            0x49 => 0x21,
            register => self.registers[usize::from(register)],
        }
    }

    /// The bytes that answer to `sent` while the chip is selected.
    fn exchange(&mut self, sent: &[u8]) -> Vec<u8> {
        if !self.plugged {
            return vec![0xFF; sent.len()];
        }
        let (&command, values) = sent.split_first().expect("a command");
        let mut answer = vec![0x00];
        if command & 0x80 != 0 {
            let [value] = values else {
                panic!("{command:02x}: one byte is written, not {}", values.len());
            };
            self.write(command & 0x7F, *value);
            answer.push(0x00);
        } else if command == 0x3C {
            for _ in values {
                if self.fresh {
                    self.fresh = false;
                    answer.push(0xD5);
                    continue;
                }
                answer.push(self.buffer.get(self.read_at).copied().unwrap_or(0));
                self.read_at += 1;
            }
        } else {
            // The answer comes behind a byte that is none of it.
            answer.push(0xD5);
            if values.len() > 1 {
                answer.push(self.read(command));
            }
            answer.resize(sent.len(), 0xD5);
        }
        if self.mhz > self.carries {
            answer.iter_mut().for_each(|byte| *byte ^= 0x10);
        }
        answer
    }
}

/// The camera's end of the wires.
#[derive(Clone)]
pub struct MegaWire(pub Rc<RefCell<Mega>>);

impl spi::ErrorType for MegaWire {
    type Error = spi::ErrorKind;
}

impl spi::SpiDevice for MegaWire {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Self::Error> {
        let mut camera = self.0.borrow_mut();
        let index = camera.count;
        camera.count += 1;
        if camera.fails_at == Some(index) {
            return Err(spi::ErrorKind::ModeFault);
        }
        let mut sent = Vec::new();
        for operation in operations.iter() {
            match operation {
                Operation::Write(bytes) => sent.extend_from_slice(bytes),
                Operation::Read(bytes) => sent.resize(sent.len() + bytes.len(), 0),
                _ => panic!("the driver writes and reads"),
            }
        }
        let answer = camera.exchange(&sent);
        let mut at = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => at += bytes.len(),
                Operation::Read(bytes) => {
                    bytes.copy_from_slice(&answer[at..at + bytes.len()]);
                    at += bytes.len();
                }
                _ => unreachable!(),
            }
        }
        Ok(())
    }
}

impl FrameBus for MegaWire {
    fn set_speed(&mut self, mhz: u8) {
        self.0.borrow_mut().mhz = mhz;
    }

    fn begin_read(&mut self, command: u8, _: usize) -> Result<(), Self::Error> {
        self.0.borrow_mut().command = command;
        Ok(())
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let command = [self.0.borrow().command];
        let mut operations = [Operation::Write(&command), Operation::Read(bytes)];
        spi::SpiDevice::transaction(self, &mut operations)
    }
}

impl DelayNs for MegaWire {
    fn delay_ns(&mut self, ns: u32) {
        self.0.borrow_mut().delayed_ms += u64::from(ns) / 1_000_000;
    }

    fn delay_ms(&mut self, ms: u32) {
        self.0.borrow_mut().delayed_ms += u64::from(ms);
    }
}
