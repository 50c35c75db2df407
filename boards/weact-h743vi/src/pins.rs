//! The pins: the one table of them, from which the wiring picture is drawn too (`xtask board-wiring` of
//! `posy-tests`). Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[rustfmt::skip]
macro_rules! pin {
    ($chip:ident, scl) => { $chip.PB8 }; // camera SIOC
    ($chip:ident, sda) => { $chip.PB9 }; // camera SIOD
    ($chip:ident, xclk) => { $chip.PA8 }; // camera XCLK
    ($chip:ident, pclk) => { $chip.PA6 }; // camera PCLK
    ($chip:ident, href) => { $chip.PA4 }; // camera HREF
    ($chip:ident, vsync) => { $chip.PB7 }; // camera VSYNC
    ($chip:ident, d0) => { $chip.PC6 }; // camera D0
    ($chip:ident, d1) => { $chip.PC7 }; // camera D1
    ($chip:ident, d2) => { $chip.PE0 }; // camera D2
    ($chip:ident, d3) => { $chip.PE1 }; // camera D3
    ($chip:ident, d4) => { $chip.PE4 }; // camera D4
    ($chip:ident, d5) => { $chip.PD3 }; // camera D5
    ($chip:ident, d6) => { $chip.PE5 }; // camera D6
    ($chip:ident, d7) => { $chip.PE6 }; // camera D7
    ($chip:ident, button) => { $chip.PC13 }; // button on board
    ($chip:ident, led) => { $chip.PE3 }; // LED on board
    ($chip:ident, pwdn) => { $chip.PA7 }; // camera PWDN
    ($chip:ident, usb_plus) => { $chip.PA12 }; // USB on board
    ($chip:ident, usb_minus) => { $chip.PA11 }; // USB on board
}
pub(crate) use pin;
