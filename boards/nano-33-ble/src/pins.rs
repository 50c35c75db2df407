//! The pins: the one table of them, from which the wiring picture is drawn too (`xtask board-wiring` of
//! `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, sda) => { $chip.P0_31 }; // camera SDA
    ($chip:ident, scl) => { $chip.P0_02 }; // camera SCL
    ($chip:ident, cs) => { $chip.P0_23 }; // camera CS
    ($chip:ident, mosi) => { $chip.P1_01 }; // camera MOSI
    ($chip:ident, miso) => { $chip.P1_08 }; // camera MISO
    ($chip:ident, sck) => { $chip.P0_13 }; // camera SCK
    ($chip:ident, button) => { $chip.P1_11 }; // button
    ($chip:ident, led) => { $chip.P0_16 }; // LED on board
}
pub(crate) use pin;
