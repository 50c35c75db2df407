//! Memory of each board's program, from its ELF file.

use std::path::Path;

use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};
use posy::device::BOARDS;
use posy_firmware::program::Memory;

use crate::boards::{Crate, Toolchain, folder};

/// Bytes of a board's program, without its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Flash: code, constants, and initial values of RAM.
    pub flash: u64,
    /// RAM without network and stack.
    pub ram: u64,
    /// RAM for the network.
    pub network: u64,
    /// RAM for the stack.
    pub stack: u64,
}

impl Sizes {
    /// Numbers in the order of the table.
    pub fn numbers(self) -> [u64; 4] {
        [self.flash, self.ram, self.network, self.stack]
    }

    /// Measures a program's ELF file. The network's memory is in the largest of its statics.
    pub fn of(elf: &[u8]) -> Sizes {
        let file = object::File::parse(elf).expect("an ELF file");
        let (mut flash, mut ram) = (0, 0);
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else {
                continue;
            };
            if sh_flags & u64::from(SHF_ALLOC) == 0 {
                continue;
            }
            if section.kind() != SectionKind::UninitializedData {
                flash += section.size();
            }
            if sh_flags & u64::from(SHF_WRITE) != 0 {
                ram += section.size();
            }
        }
        let largest = file.symbols().map(|symbol| symbol.size()).max();
        // The static also holds the fields of an empty memory, and a cell. The network's part is a
        // whole number of KiB.
        let others = size_of::<Memory<0>>() as u64;
        let network = largest.unwrap_or(0).saturating_sub(others) / 1024 * 1024;
        let address = |name| {
            let symbol = file.symbol_by_name(name);
            symbol.expect("a symbol of the start-up code").address()
        };
        Sizes {
            flash,
            ram: ram - network,
            network,
            stack: address("_stack_start") - address("_stack_end"),
        }
    }
}

/// Crates of the boards with a program, in the order of the host's table.
pub fn programs() -> Vec<Crate> {
    let boards = BOARDS.iter().map(|board| Crate {
        name: board.name,
        target: board.target,
        features: "",
    });
    boards
        .filter(|board| folder().join(board.name).join("Cargo.toml").exists())
        .collect()
}

/// Builds a board's program and measures it.
pub fn measure(toolchain: &Toolchain, board: Crate) -> Sizes {
    Sizes::of(&toolchain.build(board))
}

/// Rows of the size table in `boards/README.md`: names, and numbers as in [`Sizes::numbers`].
pub fn rows_in(readme: &Path) -> Vec<(String, [u64; 4])> {
    let text = std::fs::read_to_string(readme);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", readme.display()));
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let number = |cell: &str| cell.trim_end_matches(" |").replace(',', "").parse().ok();
        let numbers: Option<Vec<u64>> = cells.map(number).collect();
        Some((name.to_owned(), numbers?.try_into().ok()?))
    };
    text.lines().filter_map(row).collect()
}

/// Formats a row of the table.
pub fn row(board: Crate, sizes: Sizes) -> String {
    let cells = sizes.numbers().map(|number| match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    });
    format!("| `{}` | {} |", board.name, cells.join(" | "))
}
