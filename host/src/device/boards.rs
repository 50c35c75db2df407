//! The supported boards, one row each.

use super::uf2::Family;

/// A board that runs models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Name on the command line, and of its folder in `boards`.
    pub name: &'static str,
    /// Display name.
    pub title: &'static str,
    /// Processor core.
    pub core: &'static str,
    /// Number of cores that run the network.
    pub cores: u32,
    /// The chip's name in probe-rs.
    pub chip: &'static str,
    /// Rust target of its program.
    pub target: &'static str,
    /// Core clock as its program sets it, Hz.
    pub clock_hz: u32,
    /// Address of the flash.
    pub flash_start: u32,
    /// Size of the flash, for program and model, bytes.
    pub flash_bytes: u32,
    /// Part of the flash that is reserved for the program, at the start, bytes.
    pub program_bytes: u32,
    /// Largest contiguous block of RAM, bytes.
    pub ram_bytes: u32,
    /// Part of that RAM for the network, bytes; the rest is stack, drivers, rows of pixels.
    pub arena_bytes: u32,
    /// The drive of its boot loader, if it has one.
    pub uf2: Option<Uf2Drive>,
}

/// The drive of a board that takes UF2 files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uf2Drive {
    /// Family ID in the blocks of its files, which other chips reject.
    pub family: Family,
    /// The line `Board-ID` of its file `INFO_UF2.TXT`.
    pub board_id: &'static str,
    /// Volume label.
    pub label: &'static str,
}

impl Board {
    /// Address of the model slot: all the flash behind the program.
    pub const fn slot_start(&self) -> u32 {
        self.flash_start + self.program_bytes
    }

    /// Size of the model slot, bytes.
    pub const fn slot_bytes(&self) -> u32 {
        self.flash_bytes - self.program_bytes
    }
}

/// Sizes and addresses from the boards' data sheets: RP2040 (264 KB SRAM, Pico with 2 MB flash),
/// RP2350 (520 KB, Pico 2 with 4 MB), STM32H743 (2 MB; 512 KB of AXI SRAM is its largest block),
/// nRF52840 (1 MB, 256 KB).
///
/// Drives: family IDs from Microsoft's list `uf2families.json` and RP2350 data sheet section 5.5.3;
/// labels and `Board-ID`s from the boot ROMs (RP2350 data sheet section 5.7).
pub const BOARDS: [Board; 4] = [
    Board {
        name: "rp-pico",
        title: "Raspberry Pi Pico",
        core: "Cortex-M0+",
        cores: 2,
        chip: "RP2040",
        target: "thumbv6m-none-eabi",
        clock_hz: 125_000_000,
        flash_start: 0x1000_0000,
        flash_bytes: 2 * 1024 * 1024,
        program_bytes: 176 * 1024,
        ram_bytes: 264 * 1024,
        arena_bytes: 216 * 1024,
        uf2: Some(Uf2Drive {
            family: 0xE48B_FF56,
            board_id: "RPI-RP2",
            label: "RPI-RP2",
        }),
    },
    Board {
        name: "rp-pico2",
        title: "Raspberry Pi Pico 2",
        core: "Cortex-M33",
        cores: 2,
        chip: "RP235x",
        target: "thumbv8m.main-none-eabihf",
        clock_hz: 150_000_000,
        flash_start: 0x1000_0000,
        flash_bytes: 4 * 1024 * 1024,
        program_bytes: 256 * 1024,
        ram_bytes: 520 * 1024,
        arena_bytes: 476 * 1024,
        uf2: Some(Uf2Drive {
            // An image for the Arm cores in secure mode, in which they start.
            family: 0xE48B_FF59,
            board_id: "RP2350",
            label: "RP2350",
        }),
    },
    Board {
        name: "nucleo-h743zi",
        title: "ST Nucleo-H743ZI",
        core: "Cortex-M7",
        cores: 1,
        chip: "STM32H743ZITx",
        target: "thumbv7em-none-eabihf",
        clock_hz: 400_000_000,
        flash_start: 0x0800_0000,
        flash_bytes: 2 * 1024 * 1024,
        program_bytes: 128 * 1024,
        ram_bytes: 512 * 1024,
        arena_bytes: 480 * 1024,
        uf2: None,
    },
    Board {
        name: "nrf52840-dk",
        title: "Nordic nRF52840-DK",
        core: "Cortex-M4F",
        cores: 1,
        chip: "nRF52840_xxAA",
        target: "thumbv7em-none-eabihf",
        clock_hz: 64_000_000,
        flash_start: 0,
        flash_bytes: 1024 * 1024,
        program_bytes: 128 * 1024,
        ram_bytes: 256 * 1024,
        arena_bytes: 216 * 1024,
        uf2: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_distinct_and_leave_room_for_a_model() {
        for (index, board) in BOARDS.iter().enumerate() {
            assert!(BOARDS[..index].iter().all(|other| other.name != board.name));
            assert!(board.flash_bytes > board.program_bytes);
            assert!(board.ram_bytes > board.arena_bytes);
            // The model starts at an erase sector of its own: 128 KiB of the STM32H743, 4 KiB of the others.
            let sector = match board.name {
                "nucleo-h743zi" => 128 * 1024,
                _ => 4 * 1024,
            };
            assert_eq!(board.slot_start() % sector, 0, "{}", board.name);
        }
    }
}
