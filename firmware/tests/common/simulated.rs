//! An ArduCAM Mini 2MP, simulated at register level: two banks of sensor registers behind
//! I2C, and the ArduChip's registers and frame buffer behind SPI.
//!
//! Written from the camera's side of the wires: nothing here is taken from the driver.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_hal::delay::DelayNs;
use embedded_hal::{i2c, spi};
use posy_firmware::camera::FrameBus;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// State of the camera's surroundings and of its faults.
pub struct Camera {
    /// Frames in front of the lens, shown one after another; the last one stays.
    pub scenes: Vec<Vec<u8>>,
    pub plugged: bool,
    pub identity: [u8; 2],
    /// True if frames reach the buffer.
    pub fills: bool,
    /// Bytes by which the next frames' lengths are off, one after another.
    pub torn: Vec<i32>,
    /// Bytes behind each frame.
    pub trailer: usize,
    /// Index of the I2C transfer that is not acknowledged.
    pub i2c_fails_at: Option<usize>,
    /// True if no I2C transfer is acknowledged.
    pub i2c_dead: bool,
    /// Index of the SPI transaction that fails.
    pub spi_fails_at: Option<usize>,
    /// Index of the frame at which the parallel port fails.
    pub port_fails_at: Option<usize>,
    pub i2c_count: usize,
    pub spi_count: usize,
    /// Frames that the parallel port was asked for.
    pub port_count: usize,
    pub delayed_ms: u64,
    /// Times that the sensor was reset.
    pub resets: usize,
    /// Revision of the controller; all but 0x73 send a byte too many.
    pub revision: u8,
    /// The sensor's test picture.
    pub bars: Bars,
    /// Changes a frame on its way into the buffer.
    pub spoil: fn(&mut [u8]),
    /// Probability that a bit of the buffer's is wrong above 2 MHz.
    pub bit_errors: f64,
    /// The clock of the wires, in MHz.
    pub mhz: u8,
    /// A register of the signal processor that keeps nothing.
    pub forgets: Option<u8>,
    /// A register of the signal processor to which the next write is lost.
    pub loses: Option<u8>,
    /// Of how many I2C transfers one is not acknowledged; 0: none.
    pub refuses_one_in: usize,
    /// True if a line that nobody drives is at random, not high.
    pub floating: bool,
    /// True if the camera loses its supply for a moment as a frame is begun.
    pub drops: bool,
    /// Milliseconds after a reset for which the sensor is deaf.
    pub deaf_ms: u64,
    /// Milliseconds of a frame, and of the first one's beginning; 0: frames come after three looks.
    pub period_ms: u64,
    pub phase_ms: u64,
    /// Frames after a reset in which exposure comes to rest, and in which white balance does behind it.
    pub exposes: u32,
    pub balances: u32,
    random: ChaCha8Rng,
    command: u8,
    late: bool,

    bank: usize,
    pointer: u8,
    sensor: [[u8; 256]; 2],
    chip: [u8; 128],
    buffer: Vec<u8>,
    read_at: usize,
    polls_to_done: Option<u32>,
    done_at_ms: Option<u64>,
    deaf_until_ms: u64,
    /// Frames since the reset.
    frames: u32,
}

/// Registers after a reset: the data sheet's values where a driver may rely on them, else anything.
fn after_reset() -> [[u8; 256]; 2] {
    let [mut dsp, mut sensor] = [5, 46]
        .map(|first: u8| std::array::from_fn(|at| (at as u8).wrapping_mul(73).wrapping_add(first)));
    for (register, value) in [
        (0x05, 0x01),
        (0x50, 0x00),
        (0x51, 0x40),
        (0x52, 0xF0),
        (0xC2, 0x0C),
        (0xC3, 0xFF),
        (0xDA, 0x00),
        (0xE0, 0x04),
    ] {
        dsp[register] = value;
    }
    // COM7.
    sensor[0x12] = 0x00;
    [dsp, sensor]
}

/// `frame` as a sensor sends it that exposes for a share of the time and has `left` of its white balance still
/// to go.
fn unsettled(mut frame: Vec<u8>, exposed: f64, left: f64) -> Vec<u8> {
    for pixel in frame.chunks_exact_mut(2) {
        let word = u16::from_be_bytes([pixel[0], pixel[1]]);
        let level = |shift: u16, most: u16, gain: f64| {
            let level = f64::from(word >> shift & most) * exposed * gain;
            (level.round() as u16).min(most) << shift
        };
        let word =
            level(11, 31, 1.0 - 0.5 * left) | level(5, 63, 1.0) | level(0, 31, 1.0 + 0.8 * left);
        pixel.copy_from_slice(&word.to_be_bytes());
    }
    frame
}

/// Colour bars as a module shows them: exact levels are not known.
#[derive(Clone, Copy, Debug)]
pub struct Bars {
    /// Gains of red, green and blue.
    pub gains: [f64; 3],
    /// Share of the other channels in each.
    pub mixing: f64,
    pub gamma: f64,
    /// Lowest level, of 1.
    pub black: f64,
    /// Pixels over which an edge goes.
    pub edge: usize,
    /// Levels, of 255, by which pixels differ from row to row.
    pub noise: f64,
    pub mirrored: bool,
    /// True if there are any.
    pub shown: bool,
}

impl Bars {
    /// As they are in the books.
    pub const IDEAL: Bars = Bars {
        gains: [1.0; 3],
        mixing: 0.0,
        gamma: 1.0,
        black: 0.0,
        edge: 0,
        noise: 0.0,
        mirrored: false,
        shown: true,
    };

    /// A good module.
    pub fn drawn(random: &mut ChaCha8Rng) -> Bars {
        Bars {
            gains: [(); 3].map(|()| random.random_range(0.55..1.0)),
            mixing: random.random_range(0.0..0.25),
            gamma: random.random_range(0.45..1.6),
            black: random.random_range(0.0..0.12),
            edge: random.random_range(0..6),
            noise: random.random_range(0.0..7.0),
            mirrored: random.random(),
            shown: true,
        }
    }

    /// A frame of them.
    pub fn frame(&self, width: usize, height: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
        const HAVE: [[f64; 3]; 8] = [
            [1.0, 1.0, 1.0],
            [1.0, 1.0, 0.0],
            [0.0, 1.0, 1.0],
            [0.0, 1.0, 0.0],
            [1.0, 0.0, 1.0],
            [1.0, 0.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, 0.0],
        ];
        let level = |x: usize, channel: usize| -> f64 {
            let at = |x: usize| HAVE[x * 8 / width][channel];
            let from = x.saturating_sub(self.edge / 2);
            let to = (x + self.edge - self.edge / 2).min(width - 1);
            (from..=to).map(at).sum::<f64>() / (to + 1 - from) as f64
        };
        let column = |x: usize| {
            let x = if self.mirrored { width - 1 - x } else { x };
            let have = [0, 1, 2].map(|channel| level(x, channel));
            let mean = have.iter().sum::<f64>() / 3.0;
            [0, 1, 2].map(|channel| {
                let mixed = have[channel] * (1.0 - self.mixing) + mean * self.mixing;
                let scaled = self.black + (1.0 - self.black) * mixed * self.gains[channel];
                255.0 * scaled.powf(self.gamma)
            })
        };
        let columns: Vec<[f64; 3]> = (0..width).map(column).collect();
        let mut frame = Vec::with_capacity(2 * width * height);
        for _ in 0..height {
            for column in &columns {
                let noisy = column.map(|level| {
                    let by = random.random_range(-1.0..=1.0) * self.noise / 2.0;
                    (level + by).round().clamp(0.0, 255.0) as u16
                });
                let [red, green, blue] = noisy;
                let pixel = red >> 3 << 11 | green >> 2 << 5 | blue >> 3;
                frame.extend(pixel.to_be_bytes());
            }
        }
        frame
    }
}

/// Colour bars as the sensor's test pattern: eight columns.
pub fn colour_bars(width: usize, height: usize) -> Vec<u8> {
    let colours: [u16; 8] = [
        0xFFFF, 0xFFE0, 0x07FF, 0x07E0, 0xF81F, 0xF800, 0x001F, 0x0000,
    ];
    (0..width * height)
        .flat_map(|at| colours[at % width * 8 / width].to_be_bytes())
        .collect()
}

impl Camera {
    pub fn new(scenes: Vec<Vec<u8>>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Camera {
            scenes,
            plugged: true,
            identity: [0x26, 0x42],
            fills: true,
            torn: Vec::new(),
            trailer: 8,
            i2c_fails_at: None,
            i2c_dead: false,
            spi_fails_at: None,
            port_fails_at: None,
            i2c_count: 0,
            spi_count: 0,
            port_count: 0,
            delayed_ms: 0,
            resets: 0,
            revision: 0x73,
            bars: Bars::IDEAL,
            spoil: |_| {},
            bit_errors: 0.0,
            mhz: 8,
            forgets: None,
            loses: None,
            refuses_one_in: 0,
            floating: false,
            drops: false,
            deaf_ms: 0,
            period_ms: 0,
            phase_ms: 0,
            exposes: 0,
            balances: 0,
            deaf_until_ms: 0,
            frames: 0,
            done_at_ms: None,
            random: ChaCha8Rng::seed_from_u64(1),
            command: 0,
            late: false,
            bank: 0,
            pointer: 0,
            sensor: after_reset(),
            chip: [0; 128],
            buffer: Vec::new(),
            read_at: 0,
            polls_to_done: None,
        }))
    }

    /// Draws everything that is random anew.
    pub fn seed(&mut self, seed: u64) {
        self.random = ChaCha8Rng::seed_from_u64(seed);
    }

    pub fn unplug(&mut self) {
        self.plugged = false;
        self.lose_supply();
    }

    fn lose_supply(&mut self) {
        self.sensor = after_reset();
        self.chip = [0; 128];
        self.buffer.clear();
        self.polls_to_done = None;
        self.done_at_ms = None;
    }

    pub fn plug(&mut self) {
        self.plugged = true;
    }

    fn write_sensor(&mut self, register: u8, value: u8) {
        match (register, self.bank) {
            (0xFF, _) => self.bank = usize::from(value & 1),
            (0x12, 1) if value & 0x80 != 0 => {
                self.sensor = after_reset();
                self.resets += 1;
                self.frames = 0;
                self.deaf_until_ms = self.delayed_ms + self.deaf_ms;
            }
            (register, 0) if self.loses == Some(register) => self.loses = None,
            (register, 0) if self.forgets == Some(register) => {}
            (register, bank) => self.sensor[bank][usize::from(register)] = value,
        }
    }

    fn read_sensor(&self) -> u8 {
        match (self.pointer, self.bank) {
            (0x0A, 1) => self.identity[0],
            (0x0B, 1) => self.identity[1],
            (register, bank) => self.sensor[bank][usize::from(register)],
        }
    }

    /// The next frame, as it arrives.
    pub fn next_frame(&mut self) -> Vec<u8> {
        let mut frame = self.sent();
        (self.spoil)(&mut frame);
        frame
    }

    /// The next frame as the sensor sends it, given its registers.
    fn sent(&mut self) -> Vec<u8> {
        let dsp = &self.sensor[0];
        let (width, height) = (usize::from(dsp[0x5A]) * 4, usize::from(dsp[0x5B]) * 4);
        let rgb565_high_first = dsp[0xDA] == 0x08 && dsp[0x05] == 0 && dsp[0xE0] == 0;
        let (across, down) = (dsp[0x50] & 7, dsp[0x50] >> 3 & 7);
        let window = (
            usize::from(dsp[0x51]) | usize::from(dsp[0x55] & 0x08) << 5,
            usize::from(dsp[0x52]) | usize::from(dsp[0x55] & 0x80) << 1,
        );
        let scales = (window.0 * 4) >> across >= width && (window.1 * 4) >> down >= height;
        let whole_array = window == (400, 300) && (dsp[0xC0], dsp[0xC1]) == (200, 150);
        if !(rgb565_high_first && scales && whole_array) {
            return vec![0xEE; 1600 * 1200 * 2];
        }
        if self.sensor[1][0x12] & 0x02 != 0 && self.bars.shown {
            return self.bars.frame(width, height, &mut self.random);
        }
        let scene = self.scenes[0].clone();
        if self.scenes.len() > 1 {
            self.scenes.remove(0);
        }
        assert_eq!(scene.len(), width * height * 2, "scene of another size");
        let frame = self.frames;
        self.frames += 1;
        if frame >= self.exposes + self.balances {
            return scene;
        }
        let exposed = f64::from(frame + 1) / f64::from(self.exposes.max(1));
        let left = self.exposes + self.balances - frame;
        let left = f64::from(left.min(self.balances)) / f64::from(self.balances.max(1));
        unsettled(scene, exposed.min(1.0), left)
    }

    fn command(&mut self, command: u8) {
        if command & 0x01 != 0 {
            self.polls_to_done = None;
            self.done_at_ms = None;
            self.read_at = 0;
        }
        if command & 0x02 != 0 && self.drops {
            self.lose_supply();
        } else if command & 0x02 != 0 {
            self.buffer = self.next_frame();
            self.late = self.revision != 0x73;
            let trailer = self.trailer;
            self.buffer.extend(std::iter::repeat_n(0x5A, trailer));
            if !self.torn.is_empty() {
                let off = self.torn.remove(0);
                let len = self.buffer.len() as i32 + off;
                self.buffer.resize(len.try_into().unwrap(), 0);
            }
            if self.period_ms == 0 {
                self.polls_to_done = self.fills.then_some(3);
            } else if self.fills {
                // The frame that is under way is not kept; the one after it is.
                let since = self.delayed_ms + self.period_ms - self.phase_ms % self.period_ms;
                let begins = since.next_multiple_of(self.period_ms);
                self.done_at_ms = Some(self.delayed_ms + begins - since + self.period_ms);
            }
        }
    }

    /// A byte on its way over the wires.
    fn over_wires(&mut self, byte: u8) -> u8 {
        let errors = if self.mhz > 2 { self.bit_errors } else { 0.0 };
        if errors == 0.0 {
            return byte;
        }
        (0..8).fold(byte, |byte, bit| {
            byte ^ u8::from(self.random.random_bool(errors)) << bit
        })
    }

    fn read_chip(&mut self, register: u8) -> u8 {
        let len = self.buffer.len().to_le_bytes();
        match register {
            0x41 if self.done_at_ms.is_some_and(|done| self.delayed_ms >= done) => 0x08,
            0x41 => match &mut self.polls_to_done {
                Some(0) => 0x08,
                Some(polls) => {
                    *polls -= 1;
                    0x01
                }
                None => 0x00,
            },
            0x42 => len[0],
            0x43 => len[1],
            0x44 => len[2],
            0x40 => self.revision,
            0x3C if self.late => {
                self.late = false;
                0
            }
            0x3C => {
                let byte = self.buffer.get(self.read_at).copied().unwrap_or(0);
                self.read_at += 1;
                byte
            }
            register => self.chip[usize::from(register)],
        }
    }
}

/// One of the camera's ends.
#[derive(Clone)]
pub struct Wire(pub Rc<RefCell<Camera>>);

impl i2c::ErrorType for Wire {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for Wire {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), Self::Error> {
        let mut camera = self.0.borrow_mut();
        let index = camera.i2c_count;
        camera.i2c_count += 1;
        if !camera.plugged
            || address != 0x30
            || camera.i2c_fails_at == Some(index)
            || camera.i2c_dead
            || camera.delayed_ms < camera.deaf_until_ms
            || camera.refuses_one_in > 0 && camera.i2c_count.is_multiple_of(camera.refuses_one_in)
        {
            let source = i2c::NoAcknowledgeSource::Address;
            return Err(i2c::ErrorKind::NoAcknowledge(source));
        }
        // SCCB: one phase a transfer.
        assert_eq!(operations.len(), 1);
        match &mut operations[0] {
            i2c::Operation::Write([register]) => camera.pointer = *register,
            i2c::Operation::Write([register, value]) => camera.write_sensor(*register, *value),
            i2c::Operation::Read([value]) => *value = camera.read_sensor(),
            _ => panic!("no such transfer on SCCB"),
        }
        Ok(())
    }
}

impl spi::ErrorType for Wire {
    type Error = spi::ErrorKind;
}

impl spi::SpiDevice for Wire {
    fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), Self::Error> {
        let mut camera = self.0.borrow_mut();
        let index = camera.spi_count;
        camera.spi_count += 1;
        if camera.spi_fails_at == Some(index) {
            return Err(spi::ErrorKind::ModeFault);
        }
        match operations {
            [spi::Operation::Write([address, value])] if address & 0x80 != 0 => {
                if !camera.plugged {
                    return Ok(());
                }
                let register = address & 0x7F;
                camera.chip[usize::from(register)] = *value;
                if register == 0x04 {
                    camera.command(*value);
                }
            }
            [
                spi::Operation::Write([address]),
                spi::Operation::Read(bytes),
            ] => {
                assert_eq!(address & 0x80, 0);
                assert!(*address == 0x3C || bytes.len() == 1);
                for byte in bytes.iter_mut() {
                    *byte = match camera.plugged {
                        true => {
                            let byte = camera.read_chip(*address);
                            camera.over_wires(byte)
                        }
                        // Nothing drives the line.
                        false if camera.floating => camera.random.random(),
                        false => 0xFF,
                    };
                }
            }
            _ => panic!("no such transaction on the ArduChip"),
        }
        Ok(())
    }
}

impl FrameBus for Wire {
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
        let mut operations = [spi::Operation::Write(&command), spi::Operation::Read(bytes)];
        spi::SpiDevice::transaction(self, &mut operations)
    }
}

impl DelayNs for Wire {
    fn delay_ns(&mut self, ns: u32) {
        self.0.borrow_mut().delayed_ms += u64::from(ns) / 1_000_000;
    }

    fn delay_ms(&mut self, ms: u32) {
        self.0.borrow_mut().delayed_ms += u64::from(ms);
    }
}
