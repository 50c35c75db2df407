//! Images of the boards' programs that posy carries: their bytes, and the record of their origin.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use posy::device::image::joined;
use posy::device::{BOARDS, Board, elf};
use sha2::{Digest, Sha256};

use crate::boards::{Toolchain, folder};
use crate::sizes::programs;

/// Command that makes the images anew.
pub const COMMAND: &str = "cargo run --release -p posy-tests --bin xtask -- board-images";

/// Folder of the images.
pub fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/assets/boards")
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    digits(&Sha256::digest(bytes))
}

fn digits(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Folders of a board's crate and of posy's own crates that it is made of, by the paths in their manifests.
pub fn crates(board: &Board) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder().join(board.name)];
    while let Some(folder) = waiting.pop() {
        let folder = folder.canonicalize().expect("a crate's folder");
        let manifest = String::from_utf8(read(&folder.join("Cargo.toml"))).expect("text");
        let dependencies = manifest.lines().filter(|line| line.starts_with("posy-"));
        let paths =
            dependencies.filter_map(|line| line.split("path = \"").nth(1)?.split('"').next());
        waiting.extend(paths.map(|path| folder.join(path)));
        found.insert(folder);
        waiting.retain(|folder| !found.contains(&folder.canonicalize().expect("a folder")));
    }
    found
}

/// True for a file of a crate that its program may be made of: neither a test nor a kernel of laptops.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_laptops = path.components().any(|part| part.as_os_str() == "simd");
    let kinds = [".rs", ".toml", ".x"];
    !is_laptops && !name.contains("tests") && kinds.iter().any(|kind| name.ends_with(kind))
}

/// SHA-256 of names and contents of the sources of a board's program.
pub fn sources(board: &Board) -> String {
    let root = folder().join("..").canonicalize().expect("a checkout");
    let mut files = BTreeSet::from([root.join("boards/build.rs")]);
    for folder in crates(board) {
        let mut folders = vec![folder.join("src"), folder.join(".cargo")];
        files.extend(["Cargo.toml", "build.rs", "memory.x"].map(|name| folder.join(name)));
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => drop(files.insert(path)),
                }
            }
        }
    }
    let mut sum = Sha256::new();
    for file in files
        .iter()
        .filter(|file| file.is_file() && is_source(file))
    {
        let name = file.strip_prefix(&root).expect("a file of the checkout");
        let name = name.to_string_lossy().replace('\\', "/");
        sum.update(format!("{name} {}\n", hex(read(file))));
    }
    digits(&sum.finalize())
}

/// Lines of a record but the last: compiler and lock file decide on the bytes that the sources give.
pub fn tools(toolchain: &Toolchain, board: &Board) -> String {
    let lock = read(&folder().join(board.name).join("Cargo.lock"));
    format!("rustc: {}\nlock: {}\n", toolchain.compiler(), hex(lock))
}

/// The record of an image that was just made.
pub fn record(toolchain: &Toolchain, board: &Board, image: &[u8]) -> String {
    format!(
        "{}sources: {}\nimage: {}\n",
        tools(toolchain, board),
        sources(board),
        hex(image)
    )
}

/// Builds the image of a board's program: its flash contents from the start of the board's flash.
pub fn build(toolchain: &Toolchain, board: &Board) -> Vec<u8> {
    let program = programs()
        .into_iter()
        .find(|program| program.name == board.name);
    let elf = toolchain.build(program.expect("a board with a program"));
    let segments = elf::segments(&elf, board).expect("a program for the board");
    let image = joined(&segments).expect("a program");
    assert_eq!(image.address, board.flash_start, "{}", board.name);
    image.bytes
}

/// The boards with an image: all that have a program.
pub fn boards() -> Vec<&'static Board> {
    let names: Vec<_> = programs().iter().map(|program| program.name).collect();
    BOARDS
        .iter()
        .filter(|board| names.contains(&board.name))
        .collect()
}
