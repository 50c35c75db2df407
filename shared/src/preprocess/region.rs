//! The part of a picture that a crop keeps.

use super::{Crop, Size};

/// A rectangle of a picture, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Columns to the left of it.
    pub left: u16,
    /// Rows above it.
    pub top: u16,
    /// Its extent; at least one pixel each way.
    pub size: Size,
}

impl Region {
    /// Computes the part of `source` that is resized to `output`.
    ///
    /// [`Crop::Centre`] keeps one side whole and cuts the other to `floor(kept * output ratio)`, at
    /// least one pixel; an odd remainder leaves the extra pixel to the right or below.
    pub fn new(source: Size, crop: Crop, output: Size) -> Region {
        let [source_width, source_height, output_width, output_height] =
            [source.width, source.height, output.width, output.height].map(u32::from);
        // Sides are below 2^16, so the products fit 32 bits.
        let size = match crop {
            Crop::Squash => source,
            Crop::Centre if source_width * output_height > source_height * output_width => Size {
                // At most the source's own width, by the condition.
                width: (source_height * output_width / output_height.max(1)).max(1) as u16,
                height: source.height,
            },
            Crop::Centre => Size {
                width: source.width,
                height: (source_width * output_height / output_width.max(1)).max(1) as u16,
            },
        };
        Region {
            left: source.width.saturating_sub(size.width) / 2,
            top: source.height.saturating_sub(size.height) / 2,
            size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(source: (u16, u16), crop: Crop, output: (u16, u16)) -> (u16, u16, u16, u16) {
        let [source, output] = [source, output].map(|(width, height)| Size { width, height });
        let r = Region::new(source, crop, output);
        (r.left, r.top, r.size.width, r.size.height)
    }

    #[test]
    fn regions() {
        assert_eq!(region((320, 240), Crop::Squash, (96, 96)), (0, 0, 320, 240));
        assert_eq!(
            region((320, 240), Crop::Centre, (96, 96)),
            (40, 0, 240, 240)
        );
        assert_eq!(
            region((240, 321), Crop::Centre, (96, 96)),
            (0, 40, 240, 240)
        );
        assert_eq!(
            region((320, 240), Crop::Centre, (160, 120)),
            (0, 0, 320, 240)
        );
        assert_eq!(region((100, 100), Crop::Centre, (30, 20)), (0, 17, 100, 66));
        assert_eq!(
            region((1, 60_000), Crop::Centre, (1000, 1)),
            (0, 29_999, 1, 1)
        );
        assert_eq!(
            region((u16::MAX, u16::MAX), Crop::Centre, (1024, 1024)),
            (0, 0, u16::MAX, u16::MAX)
        );
    }

    proptest! {
        #[test]
        fn lies_inside(sw in 1..=u16::MAX, sh in 1..=u16::MAX, ow in 1..=1024u16, oh in 1..=1024u16) {
            let (left, top, width, height) = region((sw, sh), Crop::Centre, (ow, oh));
            prop_assert!(width > 0 && height > 0);
            prop_assert!(left as u32 + width as u32 <= sw as u32);
            prop_assert!(top as u32 + height as u32 <= sh as u32);
            prop_assert!(width == sw || height == sh);
        }
    }
}
