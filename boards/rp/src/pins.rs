//! The pins: the one table of them, from which the boards' wiring pictures are drawn too
//! (`xtask board-wiring` of `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[macro_export]
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, sda) => { $chip.PIN_4 }; // camera SDA
    ($chip:ident, scl) => { $chip.PIN_5 }; // camera SCL
    ($chip:ident, miso) => { $chip.PIN_16 }; // camera MISO
    ($chip:ident, cs) => { $chip.PIN_17 }; // camera CS
    ($chip:ident, sck) => { $chip.PIN_18 }; // camera SCK
    ($chip:ident, mosi) => { $chip.PIN_19 }; // camera MOSI
    ($chip:ident, button) => { $chip.PIN_15 }; // button
    ($chip:ident, uart_tx) => { $chip.PIN_0 }; // serial RX
    ($chip:ident, uart_rx) => { $chip.PIN_1 }; // serial TX
    ($chip:ident, led) => { $chip.PIN_25 }; // LED on board
}
