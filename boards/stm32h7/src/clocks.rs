//! Clocks: of the core, and of the camera.

use embassy_stm32::Peri;
use embassy_stm32::peripherals::{MCO1, PA8};
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, HSIPrescaler, Hsi48Config, Mco, Mco1Source, McoConfig,
    McoPrescaler, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk, VoltageScale, mux,
};

/// The core at 400 MHz, which every revision of the chip reaches, at voltage scale 1 (data sheet
/// DS12110, "General operating conditions"; 480 MHz want revision V and scale 0). Buses at 200 MHz,
/// peripherals at 100.
///
/// All of it comes of the chip's own 64 MHz, so that it does not matter what clock the board's
/// revision has.
pub fn config() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    let rcc = &mut config.rcc;
    rcc.hsi = Some(HSIPrescaler::DIV1);
    // For the camera, and USB, whose host then keeps it in step.
    rcc.hsi48 = Some(Hsi48Config {
        sync_from_usb: cfg!(feature = "usb"),
    });
    rcc.mux.usbsel = mux::Usbsel::HSI48;
    rcc.voltage_scale = VoltageScale::Scale1;
    // 64 MHz / 4 * 50 / 2.
    rcc.pll1 = Some(Pll {
        source: PllSource::HSI,
        prediv: PllPreDiv::DIV4,
        mul: PllMul::MUL50,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.d1c_pre = AHBPrescaler::DIV1;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    config
}

/// The camera's clock, XCLK: 48 MHz / 2, the 24 MHz that the sensor's settings are made for.
pub fn camera(output: Peri<'static, MCO1>, pin: Peri<'static, PA8>) {
    let mut config = McoConfig::default();
    config.prescaler = McoPrescaler::DIV2;
    Mco::new(output, pin, Mco1Source::HSI48, config);
}
