//! The button: to ground, with the chip's pull-up.

use embassy_rp::gpio::Input;
use embassy_time::Timer;

use crate::background::INPUT;

/// Milliseconds within which the contacts of a button come to rest.
const BOUNCE_MS: u64 = 20;
/// What a press means: one answer.
const PRESS: u8 = b'c';

/// Turns every press into a byte, however long it lasts; also while a picture is looked at.
#[embassy_executor::task]
pub async fn watch(mut button: Input<'static>) {
    loop {
        button.wait_for_low().await;
        Timer::after_millis(BOUNCE_MS).await;
        // Else it was a disturbance.
        if button.is_low() {
            // No room means that many presses wait already.
            let _ = INPUT.try_send(PRESS);
            button.wait_for_high().await;
            Timer::after_millis(BOUNCE_MS).await;
        }
    }
}
