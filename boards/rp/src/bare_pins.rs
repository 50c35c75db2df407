//! The pins with a bare OV2640: the one table of them, as `pins.rs` is without. Behind each is what it goes to.

/// A pin of `$chip` by its role.
#[macro_export]
#[rustfmt::skip]
macro_rules! bare_pin {
    ($chip:ident, sda) => { $chip.PIN_4 }; // camera SIOD
    ($chip:ident, scl) => { $chip.PIN_5 }; // camera SIOC
    ($chip:ident, d0) => { $chip.PIN_6 }; // camera D0
    ($chip:ident, d1) => { $chip.PIN_7 }; // camera D1
    ($chip:ident, d2) => { $chip.PIN_8 }; // camera D2
    ($chip:ident, d3) => { $chip.PIN_9 }; // camera D3
    ($chip:ident, d4) => { $chip.PIN_10 }; // camera D4
    ($chip:ident, d5) => { $chip.PIN_11 }; // camera D5
    ($chip:ident, d6) => { $chip.PIN_12 }; // camera D6
    ($chip:ident, d7) => { $chip.PIN_13 }; // camera D7
    ($chip:ident, pclk) => { $chip.PIN_14 }; // camera PCLK
    ($chip:ident, href) => { $chip.PIN_16 }; // camera HREF
    ($chip:ident, vsync) => { $chip.PIN_17 }; // camera VSYNC
    ($chip:ident, xclk) => { $chip.PIN_18 }; // camera XCLK
    ($chip:ident, button) => { $chip.PIN_15 }; // button
    ($chip:ident, uart_tx) => { $chip.PIN_0 }; // serial RX
    ($chip:ident, uart_rx) => { $chip.PIN_1 }; // serial TX
    ($chip:ident, led) => { $chip.PIN_25 }; // LED on board
}
