//! The pins: the one table of them, from which the wiring picture is drawn too (`xtask board-wiring` of
//! `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, sda) => { $chip.P0_04 }; // camera SDA
    ($chip:ident, scl) => { $chip.P0_05 }; // camera SCL
    ($chip:ident, cs) => { $chip.P0_29 }; // camera CS
    ($chip:ident, mosi) => { $chip.P1_15 }; // camera MOSI
    ($chip:ident, miso) => { $chip.P1_14 }; // camera MISO
    ($chip:ident, sck) => { $chip.P1_13 }; // camera SCK
    ($chip:ident, button) => { $chip.P0_03 }; // button
    ($chip:ident, led) => { $chip.P0_30 }; // LED on board
}
pub(crate) use pin;
