//! Crop, resize and map, row by row.

use super::area::Area;
use super::bilinear::Bilinear;
use super::{Crop, Filter, PixelMap, PreprocessError, Region, Size};

/// Longest side of an output that [`Preprocessor`] makes; keeps its sums within 32 bits.
pub const MAX_OUTPUT_SIDE: u16 = 1024;

/// Words of 32 bits that a [`Preprocessor`] needs for outputs of this width: two rows of sums and
/// one finished row. 1512 words (6,048 bytes) for a width of 224.
pub const fn scratch_len(output_width: u16) -> usize {
    let row = 3 * output_width as usize;
    2 * row + row.div_ceil(4)
}

/// Active resampling filter.
#[derive(Debug)]
enum Sampler {
    LegacyBilinear(Bilinear),
    Area(Area),
}

/// Sink of finished rows.
pub(super) struct Output<'o, F> {
    map: PixelMap<'o>,
    finished: &'o mut [i8],
    emit: F,
}

impl<F: FnMut(&[i8])> Output<'_, F> {
    /// Maps the pixels of one finished row to int8 and emits it.
    pub(super) fn row(&mut self, pixels: impl Iterator<Item = [u8; 3]>) {
        if self.map.channels() == 1 {
            let places = self.finished.iter_mut().zip(pixels);
            places.for_each(|(place, pixel)| *place = self.map.grey(pixel));
            return (self.emit)(self.finished);
        }
        let places = self.finished.as_chunks_mut().0.iter_mut().zip(pixels);
        match self.map {
            // A separate loop, so that a laptop's compiler vectorises it.
            map @ PixelMap::Centred => places.for_each(|(place, pixel)| *place = map.map(pixel)),
            map => places.for_each(|(place, pixel)| *place = map.map(pixel)),
        }
        (self.emit)(self.finished);
    }
}

/// Converts the rows of one picture to the rows of a network's input.
///
/// Every source row is either pushed or, if [`Preprocessor::wants_row`] returns false, skipped.
#[derive(Debug)]
pub struct Preprocessor<'s> {
    source: Size,
    region: Region,
    sampler: Sampler,
    map: PixelMap<'s>,
    /// Index of the next source row; the source's height after the last.
    next_row: u16,
    first: &'s mut [[u32; 3]],
    second: &'s mut [[u32; 3]],
    finished: &'s mut [i8],
}

impl<'s> Preprocessor<'s> {
    /// Begins a picture of extent `source` that becomes `output.height` rows of `[output.width, C]`
    /// int8, C [channels](PixelMap::channels).
    ///
    /// `scratch` has at least [`scratch_len`] words with any contents; the words beyond are not
    /// touched.
    ///
    /// # Errors
    /// [`PreprocessError::EmptySource`], [`PreprocessError::OutputSize`],
    /// [`PreprocessError::ScratchTooSmall`].
    pub fn new(
        source: Size,
        crop: Crop,
        filter: Filter,
        output: Size,
        map: PixelMap<'s>,
        scratch: &'s mut [u32],
    ) -> Result<Self, PreprocessError> {
        if source.width == 0 || source.height == 0 {
            return Err(PreprocessError::EmptySource(source));
        }
        let sides = 1..=MAX_OUTPUT_SIDE;
        if !sides.contains(&output.width) || !sides.contains(&output.height) {
            return Err(PreprocessError::OutputSize(output));
        }
        let row = 3 * output.width as usize;
        let too_small = PreprocessError::ScratchTooSmall {
            needed: scratch_len(output.width),
            given: scratch.len(),
        };
        let (first, rest) = scratch.split_at_mut_checked(row).ok_or(too_small)?;
        let (second, rest) = rest.split_at_mut_checked(row).ok_or(too_small)?;
        let finished: &mut [i8] = bytemuck::cast_slice_mut(rest);
        let values = usize::from(map.channels()) * usize::from(output.width);
        let finished = finished.get_mut(..values.min(row)).ok_or(too_small)?;
        second.fill(0);

        let region = Region::new(source, crop, output);
        let sampler = match filter {
            Filter::LegacyBilinear => Sampler::LegacyBilinear(Bilinear::new(region.size, output)),
            Filter::Area => Sampler::Area(Area::new(region.size, output)),
        };
        Ok(Preprocessor {
            source,
            region,
            sampler,
            map,
            next_row: 0,
            first: first.as_chunks_mut().0,
            second: second.as_chunks_mut().0,
            finished,
        })
    }

    /// Uses the reference filters even if there are faster ones.
    #[cfg(all(test, feature = "std", target_arch = "x86_64"))]
    pub(super) fn use_plain_filters(&mut self) {
        match &mut self.sampler {
            Sampler::LegacyBilinear(bilinear) => bilinear.fast = None,
            Sampler::Area(area) => area.fast = None,
        }
    }

    /// Returns true if a SIMD filter is used.
    #[cfg(all(test, feature = "std", target_arch = "x86_64"))]
    pub(super) fn has_fast_filters(&self) -> bool {
        match &self.sampler {
            Sampler::LegacyBilinear(bilinear) => bilinear.fast.is_some(),
            Sampler::Area(area) => area.fast.is_some(),
        }
    }

    /// The part of the source that the output shows.
    pub const fn region(&self) -> Region {
        self.region
    }

    /// Index of the next source row, from the top; the source's height when all have come.
    pub const fn next_row(&self) -> u16 {
        self.next_row
    }

    /// Returns true if the output needs the next source row. If not, it may be skipped unread.
    pub fn wants_row(&self) -> bool {
        let Some(y) = self.next_row.checked_sub(self.region.top) else {
            return false;
        };
        match &self.sampler {
            _ if y >= self.region.size.height => false,
            Sampler::LegacyBilinear(bilinear) => bilinear.wants(y),
            Sampler::Area(_) => true,
        }
    }

    /// Skips a row that is not needed.
    ///
    /// # Errors
    /// [`PreprocessError::RowNeeded`], [`PreprocessError::TooManyRows`].
    pub fn skip_row(&mut self) -> Result<(), PreprocessError> {
        if self.wants_row() {
            return Err(PreprocessError::RowNeeded { row: self.next_row });
        }
        self.count_row()
    }

    /// Takes the next source row, `[W, 3]` bytes of red, green and blue, and calls `emit` with each
    /// output row `[W', C]` that it completes: none, one, or several when enlarging.
    ///
    /// # Errors
    /// [`PreprocessError::TooManyRows`], [`PreprocessError::RowLength`].
    pub fn push_row(&mut self, rgb: &[u8], emit: impl FnMut(&[i8])) -> Result<(), PreprocessError> {
        let wanted = self.wants_row();
        let row = self.next_row;
        self.count_row()?;
        let expected = 3 * self.source.width as usize;
        if rgb.len() != expected {
            self.next_row = row;
            return Err(PreprocessError::RowLength {
                row,
                expected,
                given: rgb.len(),
            });
        }
        if !wanted {
            return Ok(());
        }
        let left = self.region.left as usize;
        let pixels = &rgb.as_chunks().0[left..left + self.region.size.width as usize];
        let mut output = Output {
            map: self.map,
            finished: self.finished,
            emit,
        };
        match &mut self.sampler {
            Sampler::LegacyBilinear(bilinear) => {
                let slots = [&mut *self.first, &mut *self.second];
                bilinear.push(row - self.region.top, pixels, slots, &mut output);
            }
            Sampler::Area(area) => area.push(pixels, self.first, self.second, &mut output),
        }
        Ok(())
    }

    /// Ends the picture.
    ///
    /// # Errors
    /// [`PreprocessError::MissingRows`] if not every source row was pushed or skipped.
    pub fn finish(self) -> Result<(), PreprocessError> {
        if self.next_row < self.source.height {
            return Err(PreprocessError::MissingRows {
                height: self.source.height,
                given: self.next_row,
            });
        }
        Ok(())
    }

    fn count_row(&mut self) -> Result<(), PreprocessError> {
        if self.next_row >= self.source.height {
            return Err(PreprocessError::TooManyRows {
                height: self.source.height,
            });
        }
        self.next_row += 1;
        Ok(())
    }
}
