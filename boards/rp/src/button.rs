//! The button: to ground, with the chip's pull-up.

use core::sync::atomic::Ordering;

use embassy_rp::gpio::Input;
use embassy_time::Timer;

use crate::background::PRESSED;

/// Milliseconds within which the contacts of a button come to rest.
const BOUNCE_MS: u64 = 20;

/// Notes every press, however long it lasts; also while a picture is looked at.
#[embassy_executor::task]
pub async fn watch(mut button: Input<'static>) {
    loop {
        button.wait_for_low().await;
        Timer::after_millis(BOUNCE_MS).await;
        // Else it was a disturbance.
        if button.is_low() {
            PRESSED.store(true, Ordering::Relaxed);
            button.wait_for_high().await;
            Timer::after_millis(BOUNCE_MS).await;
        }
    }
}
