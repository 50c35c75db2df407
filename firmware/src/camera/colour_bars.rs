//! The test picture: the eight colour bars that an OV2640 makes by itself, and what they say of
//! everything behind the lens.
//!
//! Exact levels of a module's bars are not known: gains, gamma and edges are applied to them too. So
//! only what has to hold is looked at: rows agree with each other, and of each colour the bars that have
//! it are brighter than those that have not.

use core::fmt;

/// Bars: white, yellow, cyan, green, magenta, red, blue, black. Of each, whether it has red, green, blue.
const BARS: [[bool; 3]; 8] = [
    [true, true, true],
    [true, true, false],
    [false, true, true],
    [false, true, false],
    [true, false, true],
    [true, false, false],
    [false, false, true],
    [false, false, false],
];
/// Levels, of 255, by which a bar with a colour is brighter than any without, at least.
const CONTRAST: u32 = 24;
/// Levels, of 255, between the brightest and the darkest bar in some colour of a picture that has bars at
/// all.
const RANGE: u32 = 64;
/// Difference from the pixel above that is more than noise: of red and blue in 1/31, of green in 1/63.
const UNEVEN: [i32; 3] = [2, 4, 2];
/// Uneven pixels, in parts of all, up to which they are single errors and not structure.
const FEW: u32 = 100;
/// Rows of which one is added up.
const EVERY: u32 = 8;
/// Bytes of a row that there is room for.
const ROW: usize = 640;

/// Fault of a test picture that rules answers out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFault {
    /// The two bytes of each pixel are swapped, or every byte is one late.
    ByteOrder,
    /// Data lines never change.
    Stuck {
        /// Lines that stay low, a bit each.
        low: u8,
        /// Lines that stay high, a bit each.
        high: u8,
    },
    /// There are bars, and their colours are in no order that the sensor sends.
    Colours,
}

impl fmt::Display for PictureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ByteOrder => f.write_str(
                "the test picture's bytes are swapped or off by one: check CS and SCK; is it an \
                 ArduCAM Mini 2MP?",
            ),
            Self::Stuck { low, high } => {
                let (lines, level) = if low != 0 {
                    (low, "low")
                } else {
                    (high, "high")
                };
                f.write_str("the camera's data line")?;
                for line in (0..8).filter(|line| lines >> line & 1 != 0) {
                    write!(f, " D{line}")?;
                }
                write!(
                    f,
                    " stays {level}: check the wire, or the module's connector"
                )
            }
            Self::Colours => f.write_str(
                "the test picture's colours are in the wrong order: check the camera's data lines",
            ),
        }
    }
}

/// Verdict on a test picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// Single pixels differ from those above.
    Uneven {
        pixels: u32,
    },
    /// No bars, for whatever reason.
    NoBars,
    Fault(PictureFault),
}

/// Data lines that never change, a bit each: at one level in every byte of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lines {
    pub low: u8,
    pub high: u8,
}

impl Lines {
    /// The lines that are the same in all of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (mut any, mut all) = (0, 0xFF);
        for &byte in bytes {
            any |= byte;
            all &= byte;
        }
        Lines {
            low: !any,
            high: all,
        }
    }

    /// The lines that are constant in other bytes too.
    pub(super) const fn and(self, other: Lines) -> Self {
        Lines {
            low: self.low & other.low,
            high: self.high & other.high,
        }
    }

    /// The fault, if some are left after a test picture and a picture of what is seen: of each line
    /// one bit counts for little there, and changes in any picture.
    pub(super) const fn fault(self) -> Option<PictureFault> {
        let Lines { low, high } = self;
        if low | high == 0 {
            return None;
        }
        Some(PictureFault::Stuck { low, high })
    }
}

/// Looks at a test picture row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarsCheck {
    /// Sums of red, green and blue in the middle of each bar; and with the bytes swapped.
    sums: [[u32; 3]; 8],
    swapped: [[u32; 3]; 8],
    /// Pixels in each of these sums.
    counted: u32,
    /// Bits that some byte has, and that all have.
    any: u8,
    all: u8,
    uneven: u32,
    pixels: u32,
    rows: u32,
    above: [u8; ROW],
}

impl BarsCheck {
    pub(super) const fn new() -> Self {
        BarsCheck {
            sums: [[0; 3]; 8],
            swapped: [[0; 3]; 8],
            counted: 0,
            any: 0,
            all: 0xFF,
            uneven: 0,
            pixels: 0,
            rows: 0,
            above: [0; ROW],
        }
    }

    /// Adds a row of RGB565 pixels, high byte first; of a longer one than QVGA's, its beginning.
    pub(super) fn add(&mut self, row: &[u8]) {
        let row = row.get(..ROW).unwrap_or(row);
        let Lines { low, high } = Lines::of(row);
        self.any |= !low;
        self.all &= high;
        let (pixels, _) = row.as_chunks::<2>();
        let (above, _) = self.above.as_chunks::<2>();
        if self.rows > 0 {
            for (&pixel, &above) in pixels.iter().zip(above) {
                if pixel != above && is_uneven(fields(pixel), fields(above)) {
                    self.uneven += 1;
                }
            }
        }
        if self.rows.is_multiple_of(EVERY) {
            self.add_bars(pixels);
        }
        self.rows += 1;
        self.pixels += pixels.len() as u32;
        if let Some(above) = self.above.get_mut(..row.len()) {
            above.copy_from_slice(row);
        }
    }

    fn add_bars(&mut self, pixels: &[[u8; 2]]) {
        let width = pixels.len() / BARS.len();
        let bars = pixels.chunks_exact(width.max(1));
        let sums = self.sums.iter_mut().zip(&mut self.swapped);
        for (bar, (sums, swapped)) in bars.zip(sums) {
            // Edges are nobody's.
            let middle = bar.get(width / 4..width - width / 4).unwrap_or_default();
            for &[high, low] in middle {
                add_levels(sums, [high, low]);
                add_levels(swapped, [low, high]);
            }
        }
        self.counted += (width - 2 * (width / 4)) as u32;
    }

    /// Lines that are the same in every byte. In a good module's bars that is rare, but may be.
    pub(super) const fn constant_lines(&self) -> Lines {
        Lines {
            low: !self.any,
            high: self.all,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        // An error in one pixel shows in two rows.
        let pixels = self.uneven.div_ceil(2);
        let structured = pixels > self.pixels / FEW;
        match (
            self.is_in_order(&self.sums),
            self.is_in_order(&self.swapped),
        ) {
            (true, _) if structured || pixels == 0 => Verdict::Good,
            (true, _) => Verdict::Uneven { pixels },
            (false, true) => Verdict::Fault(PictureFault::ByteOrder),
            (false, false) if structured || !self.has_range() => Verdict::NoBars,
            (false, false) => Verdict::Fault(PictureFault::Colours),
        }
    }

    /// Returns true if the bars are in the sensor's order, or in its mirror image.
    fn is_in_order(&self, sums: &[[u32; 3]; 8]) -> bool {
        let margin = CONTRAST * self.counted;
        let ordered = |bar: fn(usize) -> usize| {
            (0..3).all(|channel| {
                let (mut least, mut most) = (u32::MAX, 0);
                for (index, has) in BARS.iter().enumerate() {
                    let sum = sums.get(bar(index)).map_or(0, |sum| sum[channel]);
                    if has[channel] {
                        least = least.min(sum);
                    } else {
                        most = most.max(sum);
                    }
                }
                least >= most.saturating_add(margin)
            })
        };
        self.counted > 0 && (ordered(|index| index) || ordered(|index| BARS.len() - 1 - index))
    }

    fn has_range(&self) -> bool {
        (0..3).any(|channel| {
            let sums = self.sums.iter().map(|sum| sum[channel]);
            let (least, most) = sums.fold((u32::MAX, 0), |(least, most), sum| {
                (sum.min(least), sum.max(most))
            });
            most.saturating_sub(least) >= RANGE * self.counted
        })
    }
}

/// Red, green and blue of a pixel, high byte first: 5, 6 and 5 bits.
const fn fields([high, low]: [u8; 2]) -> [u8; 3] {
    [high >> 3, (high & 7) << 3 | low >> 5, low & 0x1F]
}

fn is_uneven(pixel: [u8; 3], above: [u8; 3]) -> bool {
    let pairs = pixel.into_iter().zip(above).zip(UNEVEN);
    pairs
        .into_iter()
        .any(|((a, b), limit)| (i32::from(a) - i32::from(b)).abs() >= limit)
}

/// Adds a pixel's levels, 0 to 255.
fn add_levels(sums: &mut [u32; 3], pixel: [u8; 2]) {
    let [red, green, blue] = fields(pixel).map(u32::from);
    let levels = [
        red << 3 | red >> 2,
        green << 2 | green >> 4,
        blue << 3 | blue >> 2,
    ];
    for (sum, level) in sums.iter_mut().zip(levels) {
        *sum = sum.wrapping_add(level);
    }
}
