//! Arrays that NumPy recorded: `.npz` archives of `.npy` files, format 1.0 to 3.0 of `numpy.lib.format`.
//!
//! Elements of one byte in C order, which is all that recordings hold. A crate of its own, since the
//! tests of `posy` and the system tests read them; the libraries for it bring a parser of Python's
//! literals, and features that would compile half of the tree anew for tests.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An array of an archive.
pub struct Array {
    /// Name in the archive, without its ending `.npy`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements in C order; `i1` as its bits.
    pub bytes: Vec<u8>,
}

impl Array {
    /// Elements as `int8`.
    pub fn signed(&self) -> Vec<i8> {
        self.bytes.iter().map(|byte| byte.cast_signed()).collect()
    }
}

/// Reads the arrays of the archive at `path`, in order of their names.
///
/// # Panics
///
/// If the file cannot be read, or holds other arrays than those of one byte an element in C order.
pub fn read(path: &Path) -> Vec<Array> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = zip::ZipArchive::new(file).expect("an archive");
    let names = archive.file_names();
    let mut names: Vec<String> = names.map(|name| name.expect("text").into_owned()).collect();
    names.sort();
    let array = |name: String| {
        let mut file = Vec::new();
        let mut entry = archive.by_name(&name).expect("the entry");
        entry.read_to_end(&mut file).expect("its bytes");
        let (shape, bytes) = parse(&file).unwrap_or_else(|| panic!("{}: {name}", path.display()));
        Array {
            name: name.trim_end_matches(".npy").into(),
            shape,
            bytes: bytes.into(),
        }
    };
    names.into_iter().map(array).collect()
}

/// Shape and elements of a `.npy` file.
fn parse(file: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let rest = file.strip_prefix(b"\x93NUMPY")?;
    let (&[major, _], rest) = rest.split_first_chunk::<2>()?;
    let (len, rest) = match major {
        1 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_le_bytes(*len)), rest)
        }
        _ => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            (usize::try_from(u32::from_le_bytes(*len)).ok()?, rest)
        }
    };
    let (header, elements) = rest.split_at_checked(len)?;
    let header = std::str::from_utf8(header).ok()?;
    let after = |key: &str| Some(header.split_once(key)?.1.trim_start());
    let dtype = after("'descr':")?.get(1..)?.split('\'').next()?;
    let c_order = after("'fortran_order':")?.starts_with("False");
    let extents = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
    let extents = extents
        .split(',')
        .map(str::trim)
        .filter(|extent| !extent.is_empty());
    let shape = extents
        .map(|extent| extent.parse().ok())
        .collect::<Option<Vec<usize>>>()?;
    let fits = shape.iter().product::<usize>() == elements.len();
    (matches!(dtype, "|i1" | "|u1") && c_order && fits).then_some((shape, elements))
}
