//! The button.

use embassy_time::Timer;
use embedded_hal::digital::{InputPin, PinState};
use embedded_hal_async::digital::Wait;
use portable_atomic::{AtomicBool, Ordering};

/// Milliseconds within which the contacts of a button come to rest.
const BOUNCE_MS: u64 = 20;

/// True if the button was pressed since it was last asked.
static PRESSED: AtomicBool = AtomicBool::new(false);

/// Notes every press of a button whose pin is at `pressed` meanwhile, however short: also while a
/// picture is looked at. For a task in an interrupt of low priority.
///
/// Ends only where the pin fails, which a pin of a microcontroller does not.
pub async fn watch<B: InputPin + Wait>(mut button: B, pressed: PinState) {
    let is_pressed = |button: &mut B| match pressed {
        PinState::High => button.is_high(),
        PinState::Low => button.is_low(),
    };
    loop {
        let press = match pressed {
            PinState::High => button.wait_for_high().await,
            PinState::Low => button.wait_for_low().await,
        };
        if press.is_err() {
            return;
        }
        Timer::after_millis(BOUNCE_MS).await;
        // Else it was a disturbance.
        if !is_pressed(&mut button).unwrap_or(false) {
            continue;
        }
        PRESSED.store(true, Ordering::Relaxed);
        let release = match pressed {
            PinState::High => button.wait_for_low().await,
            PinState::Low => button.wait_for_high().await,
        };
        if release.is_err() {
            return;
        }
        Timer::after_millis(BOUNCE_MS).await;
    }
}

/// Returns true if the button was pressed since the last call.
pub(crate) fn was_pressed() -> bool {
    PRESSED.swap(false, Ordering::Relaxed)
}
