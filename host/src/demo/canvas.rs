//! The canvas: pixels at twice the picture's resolution.

use image::{Rgb, RgbImage};
use rand::Rng;

/// Coordinates to the right and down, from -1 to 1 on the canvas.
pub type Point = [f32; 2];

/// Red, green and blue, from 0 to 1.
pub type Colour = [f32; 3];

/// Supersampling: pixels of the canvas per pixel of the picture, in each direction.
const FINER: usize = 2;

/// Mixes two colours: `share` 0 is all `a`, 1 all `b`.
pub fn mix(a: Colour, b: Colour, share: f32) -> Colour {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

/// A square to draw on.
pub struct Canvas {
    /// Side in pixels.
    side: usize,
    /// `[H, W]`.
    pixels: Vec<Colour>,
}

impl Canvas {
    /// A black canvas for a picture of `side` x `side` pixels.
    pub fn new(side: u32) -> Self {
        let side = side as usize * FINER;
        Canvas {
            side,
            pixels: vec![[0.0; 3]; side * side],
        }
    }

    /// Coordinates of a pixel's centre.
    fn point(&self, x: usize, y: usize) -> Point {
        let along = |index: usize| (index as f32 + 0.5) * 2.0 / self.side as f32 - 1.0;
        [along(x), along(y)]
    }

    /// The pixel at a coordinate, not rounded.
    fn pixel(&self, coordinate: f32) -> f32 {
        (coordinate + 1.0) * self.side as f32 / 2.0
    }

    /// Replaces every pixel's colour by `change` of its coordinates and its colour.
    pub fn change(&mut self, change: impl Fn(Point, Colour) -> Colour) {
        for y in 0..self.side {
            for x in 0..self.side {
                let point = self.point(x, y);
                let pixel = &mut self.pixels[y * self.side + x];
                *pixel = change(point, *pixel);
            }
        }
    }

    /// Fills the polygon with corners `outline`, which may cross itself (even-odd rule), with the
    /// colour and the opacity that `paint` gives for each point.
    pub fn polygon(&mut self, outline: &[Point], paint: impl Fn(Point) -> (Colour, f32)) {
        let rows = outline.iter().map(|point| self.pixel(point[1]));
        let (low, high) = rows.fold((f32::MAX, f32::MIN), |(low, high), row| {
            (low.min(row), high.max(row))
        });
        let first = low.floor().max(0.0) as usize;
        let last = (high.ceil().max(0.0) as usize).min(self.side);
        let mut crossings = Vec::new();
        for y in first..last {
            let level = self.point(0, y)[1];
            crossings.clear();
            let next = outline.iter().cycle().skip(1);
            for (from, to) in outline.iter().zip(next) {
                if (from[1] <= level) != (to[1] <= level) {
                    let share = (level - from[1]) / (to[1] - from[1]);
                    crossings.push(self.pixel(from[0] + share * (to[0] - from[0])));
                }
            }
            crossings.sort_unstable_by(f32::total_cmp);
            for pair in crossings.as_chunks::<2>().0 {
                let [from, to] = pair.map(|x| (x.round().max(0.0) as usize).min(self.side));
                for x in from..to {
                    let (colour, opacity) = paint(self.point(x, y));
                    let pixel = &mut self.pixels[y * self.side + x];
                    *pixel = mix(*pixel, colour, opacity);
                }
            }
        }
    }

    /// Blends a soft spot of `colour` over the canvas, densest at its centre.
    pub fn spot(&mut self, at: Point, radii: Point, colour: Colour, opacity: f32) {
        let outline = [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]];
        let outline = outline.map(|[x, y]| [at[0] + x * radii[0], at[1] + y * radii[1]]);
        self.polygon(&outline, |[x, y]| {
            let (x, y) = ((x - at[0]) / radii[0], (y - at[1]) / radii[1]);
            let inside = (1.0 - x * x - y * y).max(0.0);
            (colour, opacity * inside * inside * (3.0 - 2.0 * inside))
        });
    }

    /// Downsamples to the picture and adds noise of this standard deviation (of 1) to every
    /// channel; a `soft` picture is blurred first, as by a cheap lens.
    pub fn picture(self, noise: f32, soft: bool, random: &mut impl Rng) -> RgbImage {
        let side = self.side / FINER;
        let mut small = vec![[0.0_f32; 3]; side * side];
        for (index, pixel) in self.pixels.iter().enumerate() {
            let (x, y) = (index % self.side / FINER, index / self.side / FINER);
            for (sum, value) in small[y * side + x].iter_mut().zip(pixel) {
                *sum += value / (FINER * FINER) as f32;
            }
        }
        if soft {
            small = blurred(&small, side);
        }
        RgbImage::from_fn(side as u32, side as u32, |x, y| {
            let pixel = small[y as usize * side + x as usize];
            Rgb(pixel.map(|value| {
                // The sum of four numbers from -1 to 1 has a standard deviation of 2 / sqrt(3).
                let sum: f32 = (0..4).map(|_| random.random_range(-1.0..=1.0_f32)).sum();
                let value = value + noise * sum * 0.866;
                (value.clamp(0.0, 1.0) * 255.0).round() as u8
            }))
        })
    }
}

/// Averages each pixel with its neighbours; edge pixels are repeated beyond the edge.
fn blurred(pixels: &[Colour], side: usize) -> Vec<Colour> {
    let near = |index: usize| [index.saturating_sub(1), index, (index + 1).min(side - 1)];
    let average = |index: usize| {
        let mut sum = [0.0; 3];
        for y in near(index / side) {
            for x in near(index % side) {
                let pixel = pixels[y * side + x];
                sum.iter_mut()
                    .zip(pixel)
                    .for_each(|(sum, value)| *sum += value / 9.0);
            }
        }
        sum
    };
    (0..pixels.len()).map(average).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn plain(canvas: Canvas) -> RgbImage {
        canvas.picture(0.0, false, &mut rand_chacha::ChaCha8Rng::seed_from_u64(0))
    }

    #[test]
    fn a_polygon_fills_what_is_inside() {
        let mut canvas = Canvas::new(8);
        let square = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
        canvas.polygon(&square, |_| ([1.0, 0.0, 0.0], 1.0));
        let picture = plain(canvas);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let inside = (2..6).contains(&x) && (2..6).contains(&y);
            assert_eq!(pixel.0, [if inside { 255 } else { 0 }, 0, 0], "{x} {y}");
        }
    }

    #[test]
    fn what_lies_outside_the_canvas_is_left_out() {
        let mut canvas = Canvas::new(4);
        canvas.polygon(&[[-9.0, -9.0], [9.0, -9.0], [0.0, 30.0]], |_| {
            ([0.5; 3], 1.0)
        });
        canvas.polygon(&[[5.0, 5.0], [6.0, 5.0], [6.0, 6.0]], |_| ([1.0; 3], 1.0));
        canvas.polygon(&[], |_| ([1.0; 3], 1.0));
        assert!(plain(canvas).pixels().all(|pixel| pixel.0 == [128; 3]));
    }
}
