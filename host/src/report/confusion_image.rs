//! A confusion matrix as a picture.

use std::convert::Infallible;
use std::io::Cursor;

use embedded_graphics::mono_font::iso_8859_1::FONT_6X10;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};
use image::{ImageFormat, RgbImage};

use super::judge::confused_part;
use crate::train::metrics::Confusion;

const FONT: MonoFont<'static> = FONT_6X10;
/// Side of a cell, pixels; and where labels are many.
const CELL: u32 = 34;
const SMALL_CELL: u32 = 10;
/// More labels than this have small cells, without counts.
const MANY: usize = 40;
/// Labels that are drawn at most: of more, those that are most confused.
const MOST: usize = 200;
/// Letters of a label that are shown.
const LETTERS: usize = 16;

struct Canvas(RgbImage);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            let place = (u32::try_from(point.x), u32::try_from(point.y));
            if let (Ok(x), Ok(y)) = place
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                pixel.0 = [colour.r(), colour.g(), colour.b()];
            }
        }
        Ok(())
    }
}

/// Number and name of a label; the name where the font has its letters.
fn caption(index: usize, label: &str) -> String {
    let number = index + 1;
    match label
        .chars()
        .all(|letter| (' '..='\u{ff}').contains(&letter))
    {
        true => label.chars().take(LETTERS).collect::<String>() + &format!(" {number}"),
        false => number.to_string(),
    }
}

/// Draws `confusion`, a row for each label and a column for each answer, darker for a greater share
/// of the row: width, height, and a PNG file. Rows are named where the font has the letters, and
/// numbered; columns are numbered.
pub(super) fn draw(labels: &[String], confusion: &Confusion) -> (u32, u32, Vec<u8>) {
    let shown = confused_part(confusion, MOST);
    let count = shown.len();
    let cell = if count > MANY { SMALL_CELL } else { CELL };
    let letter = FONT.character_size.width;
    let captions: Vec<String> = shown
        .iter()
        .map(|&index| caption(index, labels.get(index).map_or("", String::as_str)))
        .collect();
    let longest = captions.iter().map(|caption| caption.chars().count());
    let left = letter * longest.max().unwrap_or(0) as u32 + 8;
    let top = FONT.character_size.height + 8;
    let (width, height) = (
        left + cell * count as u32 + 4,
        top + cell * count as u32 + 4,
    );
    let mut canvas = Canvas(RgbImage::from_pixel(width, height, image::Rgb([255; 3])));
    let black = MonoTextStyle::new(&FONT, Rgb888::BLACK);
    let white = MonoTextStyle::new(&FONT, Rgb888::WHITE);
    let middle = |start: u32, index: usize| (start + cell * index as u32 + cell / 2) as i32;
    for (truth, caption) in captions.iter().enumerate() {
        let of_row = confusion.photos_of(shown[truth]);
        let baseline = middle(top, truth) + 3;
        let place = Point::new(left as i32 - 4, baseline);
        let text = Text::with_alignment(caption, place, black, Alignment::Right);
        let _ = text.draw(&mut canvas);
        if cell == CELL || truth % 10 == 9 {
            let number = (shown[truth] + 1).to_string();
            let place = Point::new(middle(left, truth), top as i32 - 6);
            let _ =
                Text::with_alignment(&number, place, black, Alignment::Center).draw(&mut canvas);
        }
        for answer in 0..count {
            let photos = confusion.count(shown[truth], shown[answer]);
            let share = photos as f64 / of_row.max(1) as f64;
            // From white to a dark blue.
            let tone = |dark: f64| (255.0 - (255.0 - dark) * share) as u8;
            let corner = Point::new(
                (left + cell * answer as u32) as i32,
                (top + cell * truth as u32) as i32,
            );
            let square = Rectangle::new(corner, Size::new(cell - 1, cell - 1));
            let colour = Rgb888::new(tone(8.0), tone(48.0), tone(107.0));
            let _ = square
                .into_styled(PrimitiveStyle::with_fill(colour))
                .draw(&mut canvas);
            if cell == CELL && photos > 0 {
                let style = if share > 0.5 { white } else { black };
                let place = Point::new(middle(left, answer), baseline);
                let number = photos.to_string();
                let _ = Text::with_alignment(&number, place, style, Alignment::Center)
                    .draw(&mut canvas);
            }
        }
    }
    let mut png = Cursor::new(Vec::new());
    // Into memory, of a size that is far from any limit: it cannot fail.
    let _ = canvas.0.write_to(&mut png, ImageFormat::Png);
    (width, height, png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_as_dark_as_its_share() {
        let labels = ["daisy".to_owned(), "ورد".to_owned(), "rosé".to_owned()];
        let pairs = [(0, 0), (0, 0), (0, 1), (0, 2), (1, 1), (2, 0)];
        let confusion = Confusion::from_pairs(3, pairs);
        let (width, height, png) = draw(&labels, &confusion);
        let image = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!((image.width(), image.height()), (width, height));
        let corner = |truth: u32, answer: u32| {
            let (left, top) = (width - 4 - 3 * CELL, height - 4 - 3 * CELL);
            image
                .get_pixel(left + answer * CELL + 1, top + truth * CELL + 1)
                .0
        };
        assert_eq!(corner(1, 1), [8, 48, 107]);
        assert_eq!(corner(1, 0), [255; 3]);
        assert_eq!(corner(0, 0), [131, 151, 181]);
        assert_eq!(corner(0, 1), corner(0, 2));
    }

    #[test]
    fn only_what_the_font_has_is_written() {
        assert_eq!(caption(0, "rosé"), "rosé 1");
        assert_eq!(caption(1, "ورد"), "2");
        assert_eq!(caption(2, "tab\there"), "3");
        let many: Vec<String> = (0..200).map(|i| format!("label {i}")).collect();
        let (width, _, png) = draw(&many, &Confusion::from_pairs(200, [(3, 4)]));
        assert!(width > 2000 && !png.is_empty());
        // Of more labels no larger picture.
        let many: Vec<String> = (0..4000).map(|i| format!("label {i}")).collect();
        let (more, height, _) = draw(&many, &Confusion::from_pairs(4000, [(3, 3999)]));
        assert!(more < width + 100 && height < 2100);
    }
}
