//! The pins: the one table of them, from which the wiring picture is drawn too (`xtask board-wiring` of
//! `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, sda) => { $chip.P0_26 }; // camera SDA
    ($chip:ident, scl) => { $chip.P0_27 }; // camera SCL
    ($chip:ident, cs) => { $chip.P1_12 }; // camera CS
    ($chip:ident, mosi) => { $chip.P1_13 }; // camera MOSI
    ($chip:ident, miso) => { $chip.P1_14 }; // camera MISO
    ($chip:ident, sck) => { $chip.P1_15 }; // camera SCK
    ($chip:ident, button) => { $chip.P0_11 }; // button on board
    ($chip:ident, led) => { $chip.P0_13 }; // LED on board
    ($chip:ident, uart_tx) => { $chip.P0_06 }; // serial on board
    ($chip:ident, uart_rx) => { $chip.P0_08 }; // serial on board
}
pub(crate) use pin;
