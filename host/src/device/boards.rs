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
    /// Boot loader, by which it takes a program without a debug probe.
    pub loader: Loader,
}

/// Boot loader of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// A USB drive that takes UF2 files.
    Drive(Uf2Drive),
    /// A serial port that speaks SAM-BA with Arduino's extensions.
    Samba(SambaPort),
    /// The one in the chip, over USB: DFU with ST's extensions.
    Dfu,
    /// None that posy uses: a debug probe on the board writes it.
    Probe,
}

/// Kind of file that a board's loader or usual tools take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Microsoft's UF2 for chips of this family.
    Uf2(Family),
    /// Intel HEX, which has its addresses.
    Hex,
    /// Flash contents without an address.
    Bin,
}

impl FileKind {
    /// Name for a person.
    pub const fn name(self) -> &'static str {
        match self {
            FileKind::Uf2(_) => "a UF2 file",
            FileKind::Hex => "in Intel HEX format",
            FileKind::Bin => "flash contents as they are",
        }
    }
}

/// The drive of a board that takes UF2 files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uf2Drive {
    /// Family ID in the blocks of its files, which other chips reject.
    pub family: Family,
    /// Beginnings of the line `Board-ID` of its file `INFO_UF2.TXT`, by versions of the loader.
    pub board_ids: &'static [&'static str],
    /// Volume label.
    pub label: &'static str,
    /// Instruction that makes the drive appear.
    pub gesture: &'static str,
}

/// The serial port of an Arduino's boot loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SambaPort {
    /// Vendor on USB.
    pub vendor: u16,
    /// Product on USB while the loader runs.
    pub loader: u16,
    /// Product on USB while a program runs.
    pub program: u16,
    /// Instruction that starts the loader.
    pub gesture: &'static str,
}

impl Uf2Drive {
    /// True for the `Board-ID` of this kind of board.
    pub fn has_id(&self, id: &str) -> bool {
        self.board_ids.iter().any(|begin| id.starts_with(begin))
    }
}

/// Instruction of Raspberry Pi's boards.
const BOOTSEL: &str = "hold its button BOOTSEL while plugging it in";

/// Instruction of boards with an nRF52840.
const DOUBLE_RESET: &str = "press its button RESET twice, quickly";

impl Board {
    /// Address of the model slot: all the flash behind the program.
    pub const fn slot_start(&self) -> u32 {
        self.flash_start + self.program_bytes
    }

    /// Size of the model slot, bytes.
    pub const fn slot_bytes(&self) -> u32 {
        self.flash_bytes - self.program_bytes
    }

    /// True for a board with the same chip at the same clock: the same times.
    pub fn is_like(&self, other: &Board) -> bool {
        (self.core, self.clock_hz, self.arena_bytes)
            == (other.core, other.clock_hz, other.arena_bytes)
    }

    /// The drive of its boot loader, if it has one.
    pub const fn uf2(&self) -> Option<Uf2Drive> {
        match self.loader {
            Loader::Drive(drive) => Some(drive),
            Loader::Samba(_) | Loader::Dfu | Loader::Probe => None,
        }
    }

    /// Kind of file for its loader or its usual tools.
    pub const fn file_kind(&self) -> FileKind {
        match self.loader {
            Loader::Drive(drive) => FileKind::Uf2(drive.family),
            Loader::Samba(_) => FileKind::Bin,
            Loader::Dfu | Loader::Probe => FileKind::Hex,
        }
    }
}

/// Row of a board whose chip others have too.
const NUCLEO_H743ZI: Board = Board {
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
    loader: Loader::Probe,
};

/// Row of a board whose chip others have too.
const NRF52840_DK: Board = Board {
    name: "nrf52840-dk",
    title: "Nordic nRF52840-DK",
    core: "Cortex-M4F",
    cores: 1,
    chip: "nRF52840_xxAA",
    target: "thumbv7em-none-eabihf",
    clock_hz: 64_000_000,
    flash_start: 0,
    flash_bytes: 1024 * 1024,
    program_bytes: 136 * 1024,
    ram_bytes: 256 * 1024,
    arena_bytes: 216 * 1024,
    loader: Loader::Probe,
};

/// Sizes and addresses from the boards' data sheets: RP2040 (264 KB SRAM, Pico with 2 MB flash),
/// RP2350 (520 KB, Pico 2 with 4 MB), STM32H743 (2 MB; 512 KB of AXI SRAM is its largest block),
/// nRF52840 (1 MB, 256 KB). What a boot loader keeps for itself is left out: the first 64 KiB of a Nano 33
/// BLE (Arduino's core for mbed), and of the boards with Adafruit's loader Nordic's SoftDevice below
/// and the loader from 0xED000 on (`Adafruit_nRF52_Bootloader`).
///
/// Drives: family IDs from Microsoft's list `uf2families.json` and RP2350 data sheet section 5.5.3;
/// labels and `Board-ID`s from the boot ROMs (RP2350 data sheet section 5.7) and the loaders' sources.
pub const BOARDS: [Board; 8] = [
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
        loader: Loader::Drive(Uf2Drive {
            family: 0xE48B_FF56,
            board_ids: &["RPI-RP2"],
            label: "RPI-RP2",
            gesture: BOOTSEL,
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
        loader: Loader::Drive(Uf2Drive {
            // An image for the Arm cores in secure mode, in which they start.
            family: 0xE48B_FF59,
            board_ids: &["RP2350"],
            label: "RP2350",
            gesture: BOOTSEL,
        }),
    },
    NUCLEO_H743ZI,
    NRF52840_DK,
    Board {
        name: "weact-h743vi",
        title: "WeAct MiniSTM32H743VI",
        chip: "STM32H743VITx",
        program_bytes: 256 * 1024,
        loader: Loader::Dfu,
        ..NUCLEO_H743ZI
    },
    Board {
        name: "nano-33-ble",
        title: "Arduino Nano 33 BLE",
        flash_start: 0x0001_0000,
        flash_bytes: 0x000F_0000,
        program_bytes: 160 * 1024,
        loader: Loader::Samba(SambaPort {
            vendor: 0x2341,
            loader: 0x005A,
            program: 0x805A,
            gesture: DOUBLE_RESET,
        }),
        ..NRF52840_DK
    },
    Board {
        name: "xiao-nrf52840",
        title: "Seeed XIAO nRF52840 Sense",
        flash_start: 0x0002_7000,
        flash_bytes: 0x000E_D000 - 0x0002_7000,
        program_bytes: 160 * 1024,
        loader: Loader::Drive(Uf2Drive {
            family: 0xADA5_2840,
            board_ids: &["Seeed_XIAO_nRF52840", "nRF52840-SeeedXiao"],
            label: "XIAO-SENSE",
            gesture: DOUBLE_RESET,
        }),
        ..NRF52840_DK
    },
    Board {
        name: "feather-nrf52840",
        title: "Adafruit Feather nRF52840 Express",
        flash_start: 0x0002_6000,
        flash_bytes: 0x000E_D000 - 0x0002_6000,
        program_bytes: 160 * 1024,
        loader: Loader::Drive(Uf2Drive {
            family: 0xADA5_2840,
            board_ids: &["nRF52840-Feather-rev"],
            label: "FTHR840BOOT",
            gesture: DOUBLE_RESET,
        }),
        ..NRF52840_DK
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
            let sector = match board.core {
                "Cortex-M7" => 128 * 1024,
                _ => 4 * 1024,
            };
            assert_eq!(board.slot_start() % sector, 0, "{}", board.name);
        }
    }
}
