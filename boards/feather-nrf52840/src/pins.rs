//! The pins: the one table of them, from which the wiring picture is drawn too (`xtask board-wiring` of
//! `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, sda) => { $chip.P0_12 }; // camera SDA
    ($chip:ident, scl) => { $chip.P0_11 }; // camera SCL
    ($chip:ident, cs) => { $chip.P0_27 }; // camera CS
    ($chip:ident, mosi) => { $chip.P0_13 }; // camera MOSI
    ($chip:ident, miso) => { $chip.P0_15 }; // camera MISO
    ($chip:ident, sck) => { $chip.P0_14 }; // camera SCK
    ($chip:ident, button) => { $chip.P1_02 }; // button on board
    ($chip:ident, led) => { $chip.P1_15 }; // LED on board
}
pub(crate) use pin;
