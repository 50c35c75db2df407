//! Watchdog, LED, and the reason of the last restart.

use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use embassy_nrf::peripherals::WDT;
use embassy_nrf::wdt::{Config, HaltConfig, Watchdog, WatchdogHandle};
use embassy_nrf::{Peri, pac};
use posy_board::last_words::{self, Before, Text};
use posy_firmware::vitals::Vitals;
use static_cell::ConstStaticCell;

/// Ticks of 1/32768 s without progress after which the chip starts again: 8 s.
const LIMIT: u32 = 8 * 32_768;

static LAST_WORDS: ConstStaticCell<Text> = ConstStaticCell::new(Text::new());

/// Starts the watchdog. To be called once: a second time panics.
pub fn vitals(watchdog: Peri<'static, WDT>) -> Vitals {
    let restart = reason();
    let mut config = Config::default();
    config.timeout_ticks = LIMIT;
    // A probe that halts the core stops the clock too.
    config.action_during_debug_halt = HaltConfig::Pause;
    // It goes on running through a reset by the program, with these settings.
    let started = Watchdog::try_new::<_, 1>(watchdog, config);
    assert!(started.is_ok(), "the watchdog has other settings");
    Vitals {
        feed,
        sign: posy_ports::sign,
        restart,
    }
}

/// Reason of the last restart; `None` where the chip has simply been switched on.
fn reason() -> Option<&'static str> {
    let causes = pac::POWER.resetreas().read();
    // Each bit is cleared by writing it.
    pac::POWER.resetreas().write_value(causes);
    match last_words::take() {
        Some(Before::Said(text)) => {
            let kept = LAST_WORDS.take();
            *kept = text;
            Some(kept.as_str())
        }
        _ if causes.dog() => Some("the program got stuck, and the watchdog ended it"),
        _ if causes.lockup() => Some("the core locked up"),
        // Without any cause it was the supply: where memory has kept what it held, only shortly.
        Some(Before::Ran) if causes.0 == 0 => {
            Some("the supply dipped: is the USB cable or port too weak for the camera?")
        }
        _ => None,
    }
}

fn feed() {
    // SAFETY: the watchdog was started with one handle, the first, which nobody else holds.
    let mut handle = unsafe { WatchdogHandle::steal::<WDT>(0) };
    handle.pet();
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(info));
    last_words::say_panic(info);
    SCB::sys_reset()
}

/// A fault of the core: its place is said after the restart.
///
/// # Safety
/// The processor alone calls it; the attribute asks for the `unsafe`.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    last_words::say_fault(frame.pc());
    SCB::sys_reset()
}
