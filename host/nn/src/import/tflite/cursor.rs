//! Verified access to a flatbuffer.
//!
//! The accessors of the `flatbuffers` crate trust their bytes and are therefore `unsafe`; its
//! [`Verifier`] is not. So the verifier itself walks the tables: it locates a field and checks that
//! the field lies within the file, and only then is the field read, from a slice.

use std::marker::PhantomData;

use flatbuffers::{InvalidFlatbuffer, SIZE_UOFFSET, Verifier, VerifierOptions};

pub(super) type Verified<T> = Result<T, InvalidFlatbuffer>;

/// Average number of times that each byte of a file may be visited. Flatbuffers may share parts; a
/// file that shares so many that reading it would take much time or memory is refused.
const VISITS_PER_BYTE: usize = 16;

/// Maximum number of tables in a file; a MobileNet has about 500.
const MAX_TABLES: usize = 100_000;

/// Verifier limits for a file of `len` bytes.
pub(super) fn limits(len: usize) -> VerifierOptions {
    VerifierOptions {
        max_apparent_size: len.saturating_mul(VISITS_PER_BYTE),
        max_tables: MAX_TABLES,
        ignore_missing_null_terminator: true,
        ..VerifierOptions::default()
    }
}

/// A little-endian number in a flatbuffer.
pub(super) trait Scalar: Copy {
    /// Reads the number from its bytes; zero if there are too few, which the verifier has ruled
    /// out.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! scalars {
    ($($number:ty),*) => {$(
        impl Scalar for $number {
            fn read(bytes: &[u8]) -> Self {
                bytes.first_chunk().map_or(Default::default(), |b| Self::from_le_bytes(*b))
            }
        }
    )*};
}
scalars!(i8, u8, i32, u32, i64, u64, f32);

/// A vector of numbers inside the file, verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a, T> {
    bytes: &'a [u8],
    number: PhantomData<T>,
}

impl<T> Default for Vector<'_, T> {
    fn default() -> Self {
        Self {
            bytes: &[],
            number: PhantomData,
        }
    }
}

impl<'a, T: Scalar> Vector<'a, T> {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / size_of::<T>()
    }

    pub(super) fn get(&self, index: usize) -> Option<T> {
        self.iter().nth(index)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = T> + use<'a, T> {
        self.bytes.chunks_exact(size_of::<T>()).map(T::read)
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Walks the tables of one file.
pub(super) struct Cursor<'o, 'a> {
    verifier: Verifier<'o, 'a>,
    bytes: &'a [u8],
}

impl<'o, 'a> Cursor<'o, 'a> {
    pub(super) fn new(limits: &'o VerifierOptions, bytes: &'a [u8]) -> Self {
        Self {
            verifier: Verifier::new(limits, bytes),
            bytes,
        }
    }

    /// Target of the offset at `position`.
    pub(super) fn follow(&mut self, position: usize) -> Verified<usize> {
        let offset = self.verifier.get_uoffset(position)?;
        Ok(position.saturating_add(offset as usize))
    }

    /// Positions of the fields `wanted` of the table at `position`; `None` for a field left at its
    /// default.
    pub(super) fn fields<const N: usize>(
        &mut self,
        position: usize,
        wanted: [u16; N],
    ) -> Verified<[Option<usize>; N]> {
        let mut table = self.verifier.visit_table(position)?;
        let mut found = [None; N];
        for (place, id) in found.iter_mut().zip(wanted) {
            // A vtable begins with its own length and the table's, two bytes each.
            *place = table.deref(4 + 2 * id)?;
        }
        table.finish();
        Ok(found)
    }

    /// The number in a field, or `default`.
    pub(super) fn number<T: Scalar>(&mut self, field: Option<usize>, default: T) -> Verified<T> {
        let Some(position) = field else {
            return Ok(default);
        };
        self.verifier.in_buffer::<T>(position)?;
        Ok(T::read(self.bytes.get(position..).unwrap_or_default()))
    }

    /// The vector in a field; empty if the field is absent.
    pub(super) fn vector<T: Scalar>(&mut self, field: Option<usize>) -> Verified<Vector<'a, T>> {
        let Some(position) = field else {
            return Ok(Vector::default());
        };
        let position = self.follow(position)?;
        let len = self.verifier.get_uoffset(position)? as usize;
        let start = position.saturating_add(SIZE_UOFFSET);
        let size = len.saturating_mul(size_of::<T>());
        self.verifier.is_aligned::<T>(start)?;
        self.verifier.range_in_buffer(start, size)?;
        let bytes = self
            .bytes
            .get(start..start.saturating_add(size))
            .unwrap_or_default();
        Ok(Vector {
            bytes,
            number: PhantomData,
        })
    }

    /// Reads each table in a field's vector of tables.
    pub(super) fn tables<T>(
        &mut self,
        field: Option<usize>,
        mut read: impl FnMut(&mut Self, usize) -> Verified<T>,
    ) -> Verified<Vec<T>> {
        let Some(position) = field else {
            return Ok(Vec::new());
        };
        let first = self.follow(position)?.saturating_add(SIZE_UOFFSET);
        let offsets = self.vector::<u32>(field)?;
        let mut tables = Vec::new();
        for index in 0..offsets.len() {
            let table = self.follow(first.saturating_add(index * SIZE_UOFFSET))?;
            tables.push(read(self, table)?);
        }
        Ok(tables)
    }

    /// Reads the table in a field, if present.
    pub(super) fn table<T>(
        &mut self,
        field: Option<usize>,
        read: impl FnOnce(&mut Self, usize) -> Verified<T>,
    ) -> Verified<Option<T>> {
        let Some(position) = field else {
            return Ok(None);
        };
        let table = self.follow(position)?;
        read(self, table).map(Some)
    }
}
