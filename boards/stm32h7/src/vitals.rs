//! Watchdog, LED, and the reason of the last restart.

use core::panic::PanicInfo;
use core::ptr;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use embassy_stm32::Peri;
use embassy_stm32::pac::IWDG1 as REGISTERS;
use embassy_stm32::pac::iwdg::vals::Key;
use embassy_stm32::peripherals::IWDG1;
use embassy_stm32::wdg::IndependentWatchdog;
use posy_board::last_words::{self, Before, Text};
use posy_firmware::vitals::Vitals;
use static_cell::ConstStaticCell;

/// Microseconds without progress after which the chip starts again.
const LIMIT_US: u32 = 8_000_000;
/// RCC_RSR, the causes of the last reset (reference manual RM0433, 8.7.42), and its bits.
const CAUSES: *mut u32 = 0x5802_44D0 as *mut u32;
const FORGET: u32 = 1 << 16;
const BROWN_OUT: u32 = 1 << 21;
const POWER_ON: u32 = 1 << 23;
const WATCHDOG: u32 = 1 << 26;
/// DBGMCU_APB4FZ1, and its bit by which a probe that halts the core stops the watchdog too (RM0433, 60.5.8).
const FREEZE: *mut u32 = 0x5C00_1054 as *mut u32;
const FREEZE_WATCHDOG: u32 = 1 << 18;
/// SCB_CFSR: a bus fault of data, and its address in SCB_BFAR (ARMv7-M Architecture Reference Manual,
/// B3.2.15).
const BUS_FAULT_AT: u32 = 1 << 15;

static LAST_WORDS: ConstStaticCell<Text> = ConstStaticCell::new(Text::new());

/// Starts the watchdog. To be called once: a second time panics.
pub fn vitals(watchdog: Peri<'static, IWDG1>) -> Vitals {
    let restart = reason();
    // SAFETY: the register is there on this chip; what is written changes nothing but what a probe does.
    unsafe { ptr::write_volatile(FREEZE, ptr::read_volatile(FREEZE) | FREEZE_WATCHDOG) };
    IndependentWatchdog::new(watchdog, LIMIT_US).unleash();
    Vitals {
        feed,
        sign: posy_ports::sign,
        restart,
    }
}

/// Reason of the last restart; `None` where the chip has simply been switched on.
fn reason() -> Option<&'static str> {
    // SAFETY: the register is there on this chip, and reading it does nothing; writing its bit 16 clears
    // the others. Nothing else of the program uses it.
    let causes = unsafe {
        let causes = ptr::read_volatile(CAUSES);
        ptr::write_volatile(CAUSES, causes | FORGET);
        causes
    };
    match last_words::take() {
        Some(Before::Said(text)) => {
            let kept = LAST_WORDS.take();
            *kept = text;
            Some(kept.as_str())
        }
        _ if causes & WATCHDOG != 0 => Some("the program got stuck, and the watchdog ended it"),
        // After switching on both bits are set.
        _ if causes & BROWN_OUT != 0 && causes & POWER_ON == 0 => {
            Some("the supply dipped: is the USB cable or port too weak for the camera?")
        }
        _ => None,
    }
}

fn feed() {
    REGISTERS
        .kr()
        .write(|register| register.set_key(Key::RESET));
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "defmt")]
    defmt::error!("{}", defmt::Display2Format(info));
    last_words::say_panic(info);
    SCB::sys_reset()
}

/// A fault of the core: what it was is said after the restart. Flash has checksums of its own: a word that
/// was half written is a fault when it is read.
///
/// # Safety
/// The processor alone calls it; the attribute asks for the `unsafe`.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    // SAFETY: the program has ended; nothing else uses these registers, and reading them does nothing.
    let (cause, address) = unsafe {
        let scb = &*SCB::PTR;
        (scb.cfsr.read(), scb.bfar.read() as usize)
    };
    if cause & BUS_FAULT_AT != 0 && posy_board::slot_addresses().contains(&address) {
        last_words::say("the model in flash is half written; write it again with `posy flash`");
    } else {
        last_words::say_fault(frame.pc());
    }
    SCB::sys_reset()
}
