//! The LED.

use core::sync::atomic::{AtomicU8, Ordering};

use embassy_time::Timer;
use embedded_hal::digital::OutputPin;
use posy_firmware::vitals::Sign;

/// Milliseconds for which the LED keeps still.
const SLOW_MS: u64 = 500;
const FAST_MS: u64 = 100;

/// Sign that the LED shows.
static SIGN: AtomicU8 = AtomicU8::new(Sign::Waiting as u8);

/// Sets what [`blink`] shows.
pub fn sign(sign: Sign) {
    SIGN.store(sign as u8, Ordering::Relaxed);
}

/// Shows the sign for ever, on an LED that `is_lit_by_low` says how to light. For a task in an interrupt
/// of low priority.
pub async fn blink<L: OutputPin>(mut led: L, is_lit_by_low: bool) {
    let mut lit = false;
    loop {
        let sign = SIGN.load(Ordering::Relaxed);
        lit = sign == Sign::Answering as u8 || !lit;
        // A pin of a microcontroller does not fail.
        let _ = led.set_state((lit != is_lit_by_low).into());
        Timer::after_millis(if sign == Sign::Waiting as u8 {
            SLOW_MS
        } else {
            FAST_MS
        })
        .await;
    }
}
