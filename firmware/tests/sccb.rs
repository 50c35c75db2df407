//! The sensor's bus against a sensor simulated at the level of its two wires.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use embedded_hal::i2c::{I2c, Operation};
use posy_firmware::camera::{Sccb, SccbError};

const ADDRESS: u8 = 0x30;

/// Two wires, the sensor on them, and the time.
struct Wires {
    /// Levels that the microcontroller lets be or drives: clock, data.
    host: [bool; 2],
    /// Levels that the sensor lets be or drives.
    sensor: [bool; 2],
    /// Levels held low by nobody who listens.
    held: [bool; 2],
    now_ns: u64,
    /// Bits of the byte that is under way.
    bits: Option<Vec<bool>>,
    address: Option<u8>,
    sends: Option<u8>,
    bytes: Vec<u8>,
    /// Transfers that have ended with a stop: their bytes.
    transfers: Vec<Vec<u8>>,
    registers: [u8; 256],
    pointer: u8,
    /// Nanoseconds that the clock is held low after each byte.
    stretch_ns: u64,
    stretched_until_ns: u64,
    /// Index of the byte, from the address, that is not acknowledged.
    refuses: Option<usize>,
    /// Index of the byte behind which the sensor holds the data line, so that no stop comes about.
    sticks_at: Option<usize>,
    present: bool,
    /// Shortest time between two changes of the clock.
    fastest_ns: u64,
    changed_ns: u64,
}

impl Wires {
    fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Wires {
            host: [true; 2],
            sensor: [true; 2],
            held: [false; 2],
            now_ns: 0,
            bits: None,
            address: None,
            sends: None,
            bytes: Vec::new(),
            transfers: Vec::new(),
            registers: std::array::from_fn(|at| at as u8 ^ 0x5C),
            pointer: 0,
            stretch_ns: 0,
            stretched_until_ns: 0,
            refuses: None,
            sticks_at: None,
            present: true,
            fastest_ns: u64::MAX,
            changed_ns: 0,
        }))
    }

    fn level(&self, wire: usize) -> bool {
        let stretched = wire == 0 && self.now_ns < self.stretched_until_ns;
        self.host[wire] && self.sensor[wire] && !self.held[wire] && !stretched
    }

    fn set(&mut self, wire: usize, high: bool) {
        let before = [self.level(0), self.level(1)];
        self.host[wire] = high;
        let after = [self.level(0), self.level(1)];
        if before[0] && after[0] && before[1] != after[1] {
            self.edge_of_data(after[1]);
        }
        if before[0] != after[0] {
            if self.changed_ns > 0 {
                self.fastest_ns = self.fastest_ns.min(self.now_ns - self.changed_ns);
            }
            self.changed_ns = self.now_ns;
            if after[0] {
                self.rise();
            } else {
                self.fall();
            }
        }
    }

    fn edge_of_data(&mut self, high: bool) {
        self.sensor[1] = true;
        if high {
            if self.address.is_some() {
                self.transfers.push(std::mem::take(&mut self.bytes));
            }
            self.bits = None;
        } else {
            self.bits = Some(Vec::new());
            (self.address, self.sends) = (None, None);
            self.bytes.clear();
        }
    }

    fn rise(&mut self) {
        let level = self.level(1);
        if let Some(bits) = &mut self.bits {
            bits.push(level);
        }
    }

    fn fall(&mut self) {
        let Some(bits) = self.bits.take() else { return };
        match bits.len() {
            0..8 => {
                self.show_bit(bits.len());
                self.bits = Some(bits);
            }
            8 => {
                let byte = bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
                self.sensor[1] = self.sends.is_some() || !self.take(byte);
                self.bits = Some(bits);
            }
            _ => {
                self.sensor[1] = true;
                if self.stretch_ns > 0 {
                    self.stretched_until_ns = self.now_ns + self.stretch_ns;
                }
                // Nobody is meant, or the byte that was read was the last.
                let goes_on =
                    self.address.is_some() && (self.sends.is_none() || !bits[8]) && !self.held[1];
                self.bits = goes_on.then(Vec::new);
                if goes_on {
                    self.show_bit(0);
                }
            }
        }
    }

    fn show_bit(&mut self, at: usize) {
        if let Some(byte) = self.sends {
            self.sensor[1] = byte >> (7 - at) & 1 != 0;
        }
    }

    /// Takes a byte; whether it is acknowledged.
    fn take(&mut self, byte: u8) -> bool {
        let index = self.bytes.len() + usize::from(self.address.is_some());
        let acknowledges = self.refuses != Some(index);
        if self.sticks_at == Some(index) {
            self.held[1] = true;
        }
        if self.address.is_none() {
            if byte >> 1 == ADDRESS && self.present && acknowledges {
                self.address = Some(byte);
                self.sends = (byte & 1 != 0).then(|| self.registers[usize::from(self.pointer)]);
                return true;
            }
            return false;
        }
        match self.bytes.len() {
            0 => self.pointer = byte,
            1 => self.registers[usize::from(self.pointer)] = byte,
            _ => panic!("a third byte was written: SCCB has no such transfer"),
        }
        self.bytes.push(byte);
        acknowledges
    }
}

/// An end of a wire, or the time.
#[derive(Clone)]
struct End(Rc<RefCell<Wires>>, usize);

impl ErrorType for End {
    type Error = Infallible;
}

impl InputPin for End {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.borrow().level(self.1))
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.borrow().level(self.1))
    }
}

impl OutputPin for End {
    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().set(self.1, true);
        Ok(())
    }

    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().set(self.1, false);
        Ok(())
    }
}

impl DelayNs for End {
    fn delay_ns(&mut self, ns: u32) {
        let mut wires = self.0.borrow_mut();
        let was = wires.level(0);
        wires.now_ns += u64::from(ns);
        if !was && wires.level(0) {
            wires.rise();
        }
    }
}

fn bus(wires: &Rc<RefCell<Wires>>) -> Sccb<End, End, End> {
    let end = |wire| End(wires.clone(), wire);
    Sccb::new(end(0), end(1), end(0))
}

#[test]
fn registers_are_written_and_read_at_no_more_than_100_khz() {
    let wires = Wires::new();
    let mut bus = bus(&wires);
    for (register, value) in [(0x00, 0xFF), (0xFF, 0x00), (0xA5, 0x5A), (0x12, 0x80)] {
        bus.write(ADDRESS, &[register, value]).unwrap();
        assert_eq!(wires.borrow().registers[usize::from(register)], value);
    }
    for register in 0..=u8::MAX {
        let mut value = [0];
        bus.write(ADDRESS, &[register]).unwrap();
        bus.read(ADDRESS, &mut value).unwrap();
        assert_eq!(value[0], wires.borrow().registers[usize::from(register)]);
    }
    let mut value = [0];
    let mut operations = [Operation::Write(&[0xA5]), Operation::Read(&mut value)];
    bus.transaction(ADDRESS, &mut operations).unwrap();
    assert_eq!(value, [0x5A]);
    // A transfer each, with its own stop: SCCB knows no repeated start.
    assert_eq!(wires.borrow().transfers.len(), 4 + 2 * 256 + 2);
    assert!(wires.borrow().fastest_ns >= 5_000);
}

#[test]
fn wires_that_are_held_low_are_named_soon_and_work_again_when_they_are_let_go() {
    for (wire, error) in [(0, SccbError::ClockLow), (1, SccbError::DataLow)] {
        let wires = Wires::new();
        let mut bus = bus(&wires);
        bus.write(ADDRESS, &[1, 2]).unwrap();
        for _ in 0..3 {
            wires.borrow_mut().held[wire] = true;
            let before_ns = wires.borrow().now_ns;
            assert_eq!(bus.write(ADDRESS, &[1, 3]), Err(error));
            assert!(wires.borrow().now_ns - before_ns < 10_000_000);
            assert_eq!(wires.borrow().host, [true; 2], "nothing is left driven");
            wires.borrow_mut().held[wire] = false;
            bus.write(ADDRESS, &[1, 4]).unwrap();
            assert_eq!(wires.borrow().registers[1], 4);
        }
    }
}

#[test]
fn a_stop_that_never_comes_about_is_an_error_and_no_wait() {
    for at in 1..3 {
        let wires = Wires::new();
        let mut bus = bus(&wires);
        wires.borrow_mut().sticks_at = Some(at);
        for _ in 0..2 {
            let before_ns = wires.borrow().now_ns;
            assert_eq!(bus.write(ADDRESS, &[5, 6]), Err(SccbError::DataLow));
            assert!(wires.borrow().now_ns - before_ns < 10_000_000);
            assert_eq!(wires.borrow().host, [true; 2], "nothing is left driven");
        }
        wires.borrow_mut().sticks_at = None;
        wires.borrow_mut().held = [false; 2];
        bus.write(ADDRESS, &[5, 7]).unwrap();
        assert_eq!(wires.borrow().registers[5], 7);
    }
}

#[test]
fn a_sensor_that_was_left_within_a_byte_is_clocked_out_of_it() {
    // The microcontroller was reset while the sensor sent zeros.
    for bits in 0..9 {
        let wires = Wires::new();
        wires.borrow_mut().registers[7] = 0x00;
        {
            let mut end = [End(wires.clone(), 0), End(wires.clone(), 1)];
            let [clock, data] = &mut end;
            let mut send = |levels: &[bool]| {
                for &level in levels {
                    clock.set_low().unwrap();
                    data.set_state(level.into()).unwrap();
                    clock.set_high().unwrap();
                }
            };
            wires.borrow_mut().set(1, false);
            // The address for reading, its acknowledgement, and some bits.
            let address = (0..8).map(|bit| (ADDRESS << 1 | 1) >> (7 - bit) & 1 != 0);
            send(&address.collect::<Vec<_>>());
            send(&vec![true; 1 + bits]);
        }
        let mut bus = bus(&wires);
        bus.write(ADDRESS, &[9, 0x77]).unwrap();
        assert_eq!(wires.borrow().registers[9], 0x77, "{bits} bits");
    }
}

#[test]
fn a_sensor_may_hold_the_clock_for_a_while_but_not_for_ever() {
    // Not for as long after each byte: the address, the register, and its value.
    for stretch_ns in [6_000_000, 3_000_000, 2_000_000] {
        let wires = Wires::new();
        wires.borrow_mut().stretch_ns = 1_000_000;
        let mut bus = bus(&wires);
        bus.write(ADDRESS, &[3, 0x42]).unwrap();
        assert_eq!(wires.borrow().registers[3], 0x42);
        let before = wires.borrow().registers;
        wires.borrow_mut().stretch_ns = stretch_ns;
        assert_eq!(bus.write(ADDRESS, &[3, 0x42]), Err(SccbError::ClockLow));
        // What was left within a transfer is ended, and not gone on with.
        End(wires.clone(), 0).delay_ns(6_000_000);
        wires.borrow_mut().stretch_ns = 0;
        bus.write(ADDRESS, &[9]).unwrap();
        assert_eq!(wires.borrow().registers, before);
    }
}

#[test]
fn nobody_at_the_address_is_told_from_a_byte_without_its_ninth_bit() {
    let wires = Wires::new();
    let mut bus = bus(&wires);
    assert_eq!(bus.write(0x31, &[3, 1]), Err(SccbError::NoDevice));
    wires.borrow_mut().present = false;
    assert_eq!(bus.write(ADDRESS, &[3, 1]), Err(SccbError::NoDevice));
    assert_eq!(bus.read(ADDRESS, &mut [0]), Err(SccbError::NoDevice));
    wires.borrow_mut().present = true;
    for refused in [1, 2] {
        wires.borrow_mut().refuses = Some(refused);
        let value = 0x60 + refused as u8;
        let sent = bus.write(ADDRESS, &[3, value]);
        assert_eq!(sent, Err(SccbError::NoAcknowledge));
        // Every byte was sent all the same.
        assert_eq!(wires.borrow().registers[3], value);
    }
}
