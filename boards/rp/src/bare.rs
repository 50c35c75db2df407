//! A bare OV2640 without a frame buffer of its own: its eight data lines read by a PIO, whose words a DMA
//! channel puts into memory while the program waits.

use core::convert::Infallible;
use core::sync::atomic::{Ordering, compiler_fence};

use embassy_rp::gpio::Pull;
use embassy_rp::pac::dma::vals::DataSize;
use embassy_rp::peripherals::{DMA_CH0, PIO0};
use embassy_rp::pio::program::pio_asm;
use embassy_rp::pio::{
    self, Config, FifoJoin, Pio, PioPin, ShiftConfig, ShiftDirection, StateMachine,
};
use embassy_rp::pwm::{self, ChannelAPin, Pwm, Slice};
use embassy_rp::{Peri, bind_interrupts, pac};
use embassy_time::{Delay, Duration, Instant};
use posy_firmware::camera::ov2640::{Mode, Resolution};
use posy_firmware::camera::{FramePort, GrabError, ParallelCamera};

use crate::camera::Sensor;

bind_interrupts!(struct Interrupts {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
});

/// Cycles of the core in one of the sensor's clock: 12.5 MHz of 125, 15 of 150; it takes 6 to 24.
const XCLK_CYCLES: u16 = 10;
/// The channel that empties the PIO's buffer.
const CHANNEL: usize = 0;
/// Time for which the end of a frame is on its way through the PIO's buffer.
const TAIL: Duration = Duration::from_micros(20);

/// The camera.
pub type BareCamera = ParallelCamera<'static, Sensor, Port, Delay>;

/// Pins of the parallel port, named as the camera names its own. Places of the data lines, one after another,
/// PCLK at the eighth from D0, HREF at the tenth and VSYNC at the eleventh are the PIO program's.
pub struct Lines<D0, D1, D2, D3, D4, D5, D6, D7, C, H, V>
where
    D0: PioPin + 'static,
    D1: PioPin + 'static,
    D2: PioPin + 'static,
    D3: PioPin + 'static,
    D4: PioPin + 'static,
    D5: PioPin + 'static,
    D6: PioPin + 'static,
    D7: PioPin + 'static,
    C: PioPin + 'static,
    H: PioPin + 'static,
    V: PioPin + 'static,
{
    pub d0: Peri<'static, D0>,
    pub d1: Peri<'static, D1>,
    pub d2: Peri<'static, D2>,
    pub d3: Peri<'static, D3>,
    pub d4: Peri<'static, D4>,
    pub d5: Peri<'static, D5>,
    pub d6: Peri<'static, D6>,
    pub d7: Peri<'static, D7>,
    pub pclk: Peri<'static, C>,
    pub href: Peri<'static, H>,
    pub vsync: Peri<'static, V>,
}

/// The [`Lines`] of the chip, with the pins of the table.
#[macro_export]
macro_rules! bare_lines {
    ($chip:ident) => {
        $crate::Lines {
            d0: $crate::bare_pin!($chip, d0),
            d1: $crate::bare_pin!($chip, d1),
            d2: $crate::bare_pin!($chip, d2),
            d3: $crate::bare_pin!($chip, d3),
            d4: $crate::bare_pin!($chip, d4),
            d5: $crate::bare_pin!($chip, d5),
            d6: $crate::bare_pin!($chip, d6),
            d7: $crate::bare_pin!($chip, d7),
            pclk: $crate::bare_pin!($chip, pclk),
            href: $crate::bare_pin!($chip, href),
            vsync: $crate::bare_pin!($chip, vsync),
        }
    };
}

/// The parallel port.
pub struct Port {
    machine: StateMachine<'static, PIO0, 0>,
    /// Address of the program's first instruction.
    origin: u8,
    /// Number of VSYNC's pin.
    vsync: u8,
    _clock: Pwm<'static>,
}

/// The port on its pins, and the sensor's clock on `xclk`, which runs from here on.
pub fn port<D0, D1, D2, D3, D4, D5, D6, D7, C, H, V, S: Slice>(
    pio: Peri<'static, PIO0>,
    lines: Lines<D0, D1, D2, D3, D4, D5, D6, D7, C, H, V>,
    (slice, xclk): (Peri<'static, S>, Peri<'static, impl ChannelAPin<S>>),
    _channel: Peri<'static, DMA_CH0>,
) -> Port
where
    D0: PioPin,
    D1: PioPin,
    D2: PioPin,
    D3: PioPin,
    D4: PioPin,
    D5: PioPin,
    D6: PioPin,
    D7: PioPin,
    C: PioPin,
    H: PioPin,
    V: PioPin,
{
    let mut clock = pwm::Config::default();
    clock.top = XCLK_CYCLES - 1;
    clock.compare_a = XCLK_CYCLES / 2;
    let clock = Pwm::new_output_a(slice, xclk, clock);

    let Pio {
        mut common,
        sm0: mut machine,
        ..
    } = Pio::new(pio, Interrupts);
    // A frame begins as VSYNC rises; a byte counts as PCLK rises while HREF is high: the OV2640's defaults.
    let program = pio_asm!(
        "wait 0 pin 11",
        "wait 1 pin 11",
        ".wrap_target",
        "wait 1 pin 10",
        "wait 1 pin 8",
        "in pins, 8",
        "wait 0 pin 8",
        ".wrap",
    );
    let loaded = common.load_program(&program.program);
    let origin = loaded.origin;
    let data = [
        common.make_pio_pin(lines.d0),
        common.make_pio_pin(lines.d1),
        common.make_pio_pin(lines.d2),
        common.make_pio_pin(lines.d3),
        common.make_pio_pin(lines.d4),
        common.make_pio_pin(lines.d5),
        common.make_pio_pin(lines.d6),
        common.make_pio_pin(lines.d7),
    ];
    // Lines that nobody drives stand still.
    let others = [
        common.make_pio_pin(lines.pclk),
        common.make_pio_pin(lines.href),
        common.make_pio_pin(lines.vsync),
    ];
    let vsync = others[2].pin();
    for mut pin in others {
        pin.set_pull(Pull::Down);
    }
    let mut config = Config::default();
    config.use_program(&loaded, &[]);
    config.set_in_pins(&data.each_ref());
    config.shift_in = ShiftConfig {
        auto_fill: true,
        threshold: 32,
        // The first byte comes to lie lowest.
        direction: ShiftDirection::Right,
    };
    config.fifo_join = FifoJoin::RxOnly;
    machine.set_config(&config);
    Port {
        machine,
        origin,
        vsync,
        _clock: clock,
    }
}

/// The camera, for pictures as large as `memory` has room for.
pub fn bare_camera(sensor: Sensor, port: Port, memory: &'static mut [u32]) -> BareCamera {
    let whole = Mode::picture(Resolution::Qvga);
    let mode = match memory.len() >= whole.format().frame_len() / 4 {
        true => whole,
        false => Mode::picture(Resolution::Qqvga),
    };
    ParallelCamera::new(sensor, port, Delay, mode, memory)
}

/// Words that are still to come.
fn left() -> usize {
    let count = pac::DMA.ch(CHANNEL).trans_count().read();
    #[cfg(feature = "rp235xa")]
    let count = count.count();
    count as usize
}

impl Port {
    fn is_within_frame(&self) -> bool {
        pac::SIO.gpio_in(0).read() >> self.vsync & 1 != 0
    }

    /// Brings the machine to where it waits for a frame, with nothing in its buffer.
    fn rewind(&mut self) {
        self.machine.set_enable(false);
        self.machine.clear_fifos();
        self.machine.restart();
        // SAFETY: the program begins there.
        unsafe { self.machine.exec_jmp(self.origin) };
    }

    /// Starts the channel: words into `frame` as the machine has them.
    fn start(&self, frame: &mut [u32]) {
        let registers = pac::DMA.ch(CHANNEL);
        let from = pac::PIO0.rxf(0).as_ptr() as u32;
        registers.read_addr().write_value(from);
        registers
            .write_addr()
            .write_value(frame.as_mut_ptr() as u32);
        let len = frame.len() as u32;
        #[cfg(feature = "rp2040")]
        registers.trans_count().write_value(len);
        #[cfg(feature = "rp235xa")]
        registers.trans_count().write(|count| {
            count.set_mode(0.into());
            count.set_count(len);
        });
        registers.ctrl_trig().write(|control| {
            control.set_treq_sel(self.machine.rx_treq());
            control.set_data_size(DataSize::SIZE_WORD);
            control.set_incr_read(false);
            control.set_incr_write(true);
            // To itself: to none.
            control.set_chain_to(CHANNEL as u8);
            control.set_en(true);
        });
    }

    /// Waits for the frame.
    fn wait(&mut self, len: usize, limit: Duration) -> Result<(), GrabError<Infallible>> {
        let began = Instant::now();
        let mut ended = None;
        while left() > 0 {
            let words = len - left();
            let now = Instant::now();
            if now - began > limit {
                return Err(match words {
                    0 => GrabError::Timeout,
                    words => GrabError::Short { words },
                });
            }
            if words == 0 || self.is_within_frame() {
                ended = None;
            } else if now - *ended.get_or_insert(now) > TAIL {
                return Err(GrabError::Short { words });
            }
        }
        // What comes now is more than a frame.
        while self.is_within_frame() && began.elapsed() < limit {}
        match self.machine.rx().empty() {
            true => Ok(()),
            false => Err(GrabError::Overrun),
        }
    }
}

impl FramePort for Port {
    type Error = Infallible;

    fn grab(&mut self, frame: &mut [u32], timeout_ms: u32) -> Result<(), GrabError<Infallible>> {
        self.rewind();
        // What was written to the frame is written before the DMA writes to it.
        compiler_fence(Ordering::SeqCst);
        self.start(frame);
        self.machine.set_enable(true);
        let taken = self.wait(frame.len(), Duration::from_millis(timeout_ms.into()));
        self.machine.set_enable(false);
        if taken.is_err() {
            pac::DMA
                .chan_abort()
                .write(|abort| abort.set_chan_abort(1 << CHANNEL));
            while pac::DMA.chan_abort().read().chan_abort() & 1 << CHANNEL != 0 {}
        }
        // Nothing of the frame is read before the DMA has ended.
        compiler_fence(Ordering::SeqCst);
        taken
    }
}
