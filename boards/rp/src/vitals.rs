//! Watchdog, LED, and the reason of the last restart.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU8, Ordering};

use cortex_m_rt::{ExceptionFrame, exception};
use embassy_rp::Peri;
use embassy_rp::gpio::{Level, Output, Pin};
use embassy_rp::pac;
use embassy_rp::peripherals::WATCHDOG;
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Timer};
use posy_board::last_words;
use posy_firmware::vitals::{Sign, Vitals};
use static_cell::ConstStaticCell;

use crate::background;

/// Time without progress after which the chip starts again: the RP2040's limit is 8.3 s, and the longest
/// row of a network takes a few milliseconds.
const LIMIT: Duration = Duration::from_secs(8);
/// [`LIMIT`] in the watchdog's counts. The RP2040 counts two in a microsecond (erratum RP2040-E1).
const COUNT: u32 = LIMIT.as_micros() as u32 * if cfg!(feature = "rp2040") { 2 } else { 1 };
/// In a scratch register that the boot ROM's own use of the watchdog, as after a UF2 file, overwrites.
const SET_BY_US: u32 = 0x706F_7379;
/// Index of the scratch register.
const SCRATCH: usize = 4;
/// Milliseconds for which the LED keeps still.
const SLOW_MS: u64 = 500;
const FAST_MS: u64 = 100;

static LAST_WORDS: ConstStaticCell<last_words::Text> =
    ConstStaticCell::new(last_words::Text::new());
/// Sign that the LED shows, as a number.
static SIGN: AtomicU8 = AtomicU8::new(Sign::Waiting as u8);

/// Starts the watchdog and the LED. To be called once: a second time panics.
pub fn vitals(watchdog: Peri<'static, WATCHDOG>, led: Peri<'static, impl Pin>) -> Vitals {
    let mut watchdog = Watchdog::new(watchdog);
    let restart = reason(&mut watchdog);
    watchdog.set_scratch(SCRATCH, SET_BY_US);
    // A probe that halts a core stops the clock too.
    watchdog.pause_on_debug(true);
    watchdog.start(LIMIT);
    let task = blink(Output::new(led, Level::Low)).expect("the task is started once");
    background::spawner().spawn(task);
    Vitals {
        feed,
        sign,
        restart,
    }
}

/// Reason of the last restart; `None` where the chip has simply been switched on.
fn reason(watchdog: &mut Watchdog) -> Option<&'static str> {
    let before = last_words::take();
    if let Some(last_words::Before::Said(text)) = before {
        let kept = LAST_WORDS.take();
        *kept = text;
        return Some(kept.as_str());
    }
    let timed_out = pac::WATCHDOG.reason().read().timer();
    if timed_out && watchdog.get_scratch(SCRATCH) == SET_BY_US {
        return Some("the program got stuck, and the watchdog ended it");
    }
    // Memory that still holds what it did was without power only shortly.
    (before.is_some() && lost_power())
        .then_some("the supply dipped: is the USB cable or port too weak for the camera?")
}

/// Returns true if the chip was reset by its supply's level.
fn lost_power() -> bool {
    #[cfg(feature = "rp2040")]
    return pac::VREG_AND_CHIP_RESET.chip_reset().read().had_por();
    #[cfg(feature = "rp235xa")]
    {
        let reset = pac::POWMAN.chip_reset().read();
        reset.had_por() || reset.had_bor()
    }
}

/// Feeds the watchdog: one register, since it is done with each row of each layer.
fn feed() {
    pac::WATCHDOG.load().write(|load| load.set_load(COUNT));
}

fn sign(sign: Sign) {
    SIGN.store(sign as u8, Ordering::Relaxed);
}

/// Shows the sign for ever.
#[embassy_executor::task]
async fn blink(mut led: Output<'static>) {
    loop {
        let sign = SIGN.load(Ordering::Relaxed);
        let still_ms = if sign == Sign::Waiting as u8 {
            SLOW_MS
        } else {
            FAST_MS
        };
        if sign == Sign::Answering as u8 {
            led.set_high();
        } else {
            led.toggle();
        }
        Timer::after_millis(still_ms).await;
    }
}

/// Starts the chip again.
fn start_again() -> ! {
    // SAFETY: the program has ended: whoever owned the watchdog does nothing more.
    let mut watchdog = Watchdog::new(unsafe { WATCHDOG::steal() });
    watchdog.trigger_reset();
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(info));
    last_words::say_panic(info);
    start_again()
}

/// A fault of the core: its place is said after the restart.
///
/// # Safety
/// The processor alone calls it; the attribute asks for the `unsafe`.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    last_words::say_fault(frame.pc());
    start_again()
}
