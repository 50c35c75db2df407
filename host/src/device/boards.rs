//! The boards, one row each.

/// A board that a model may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Name on the command line.
    pub name: &'static str,
    /// Name as people say it.
    pub title: &'static str,
    /// Processor core.
    pub core: &'static str,
    /// Flash for program and model.
    pub flash_bytes: u64,
    /// Largest block of RAM in one piece, of which the program wants its share.
    pub ram_bytes: u64,
}

/// Flash that is kept for the program.
pub const PROGRAM_FLASH_BYTES: u64 = 128 * 1024;

/// RAM that is kept for the program: stack, drivers, a few rows of pixels.
pub const PROGRAM_RAM_BYTES: u64 = 32 * 1024;

/// Sizes from the boards' data sheets: RP2040 (264 KB SRAM, Pico with 2 MB flash), RP2350 (520 KB,
/// Pico 2 with 4 MB), STM32H743 (2 MB; 512 KB of AXI SRAM is its largest block), nRF52840 (1 MB,
/// 256 KB).
pub const BOARDS: [Board; 4] = [
    Board {
        name: "rp-pico",
        title: "Raspberry Pi Pico",
        core: "Cortex-M0+",
        flash_bytes: 2 * 1024 * 1024,
        ram_bytes: 264 * 1024,
    },
    Board {
        name: "rp-pico2",
        title: "Raspberry Pi Pico 2",
        core: "Cortex-M33",
        flash_bytes: 4 * 1024 * 1024,
        ram_bytes: 520 * 1024,
    },
    Board {
        name: "nucleo-h743zi",
        title: "ST Nucleo-H743ZI",
        core: "Cortex-M7",
        flash_bytes: 2 * 1024 * 1024,
        ram_bytes: 512 * 1024,
    },
    Board {
        name: "nrf52840-dk",
        title: "Nordic nRF52840-DK",
        core: "Cortex-M4F",
        flash_bytes: 1024 * 1024,
        ram_bytes: 256 * 1024,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_distinct_and_leave_room_for_a_model() {
        for (index, board) in BOARDS.iter().enumerate() {
            assert!(BOARDS[..index].iter().all(|other| other.name != board.name));
            assert!(board.flash_bytes > PROGRAM_FLASH_BYTES);
            assert!(board.ram_bytes > PROGRAM_RAM_BYTES);
        }
    }
}
