//! Pixel operations of augmentation.

use std::f32::consts::TAU;

use rand::Rng;

use posy_nn::rgb::Rgb;

use super::Window;

/// Crops `photo` to `window`, which must lie within it, and mirrors it left to right if `mirrored`.
pub fn cut(photo: &Rgb, window: Window, mirrored: bool) -> Rgb {
    let mut data = Vec::with_capacity(3 * usize::from(window.width) * usize::from(window.height));
    let (x, width) = (usize::from(window.x), usize::from(window.width));
    let rows = photo
        .rows()
        .skip(window.y.into())
        .take(window.height.into());
    for row in rows {
        let part = &row[3 * x..][..3 * width];
        match mirrored {
            false => data.extend_from_slice(part),
            true => data.extend(part.as_chunks::<3>().0.iter().rev().flatten()),
        }
    }
    Rgb {
        width: window.width,
        height: window.height,
        data,
    }
}

/// Multiplies red, green and blue, rounds (half away from zero) and clamps.
pub fn multiply(photo: &mut Rgb, gains: [f32; 3]) {
    let tables = gains.map(|gain| {
        std::array::from_fn::<u8, 256, _>(|value| {
            (value as f32 * gain).round().clamp(0.0, 255.0) as u8
        })
    });
    for pixel in photo.data.as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(&tables) {
            *value = table[usize::from(*value)];
        }
    }
}

/// Changes of a photo's colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Factors of red, green and blue.
    pub gains: [f32; 3],
    /// Factor of the distance from the photo's mean level.
    pub contrast: f32,
    /// Factor of the distance from the pixel's grey.
    pub saturation: f32,
}

/// Changes the colours, rounds (half up) and clamps. Grey is luma as in ITU-R BT.601.
pub fn recolour(photo: &mut Rgb, colours: Colours) {
    const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
    let Colours {
        gains,
        contrast,
        saturation,
    } = colours;
    let pixels = photo.data.as_chunks_mut::<3>().0;
    let mut sums = [0u64; 3];
    for pixel in &*pixels {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let count = pixels.len().max(1) as f64;
    let mean: f32 = (0..3)
        .map(|c| LUMA[c] * gains[c] * (sums[c] as f64 / count) as f32)
        .sum();
    let level = mean * (1.0 - contrast);
    for pixel in pixels {
        let lit: [f32; 3] = std::array::from_fn(|c| f32::from(pixel[c]) * gains[c] * contrast);
        let grey = LUMA[0] * lit[0] + LUMA[1] * lit[1] + LUMA[2] * lit[2];
        for (value, lit) in pixel.iter_mut().zip(lit) {
            let changed = grey + (lit - grey) * saturation + level;
            *value = (changed.clamp(0.0, 255.0) + 0.5) as u8;
        }
    }
}

/// Gains of a camera with a wrong white balance, too warm or too cold: red and blue up to an eighth
/// apart from green.
pub fn white_balance(random: &mut impl Rng) -> [f32; 3] {
    let mut gain = || random.random_range(0.875..=1.125);
    [gain(), 1.0, gain()]
}

/// Blurs with weights 1 2 1 across and down, rounded half up; edge pixels are repeated beyond the
/// edge.
pub fn blur(photo: &Rgb) -> Rgb {
    let (width, height) = (usize::from(photo.width), usize::from(photo.height));
    let mut data = Vec::with_capacity(photo.data.len());
    let weighted = |before: u8, here: u8, after: u8| {
        u16::from(before) + 2 * u16::from(here) + u16::from(after)
    };
    let at = |row: usize, index: usize| photo.data[3 * width * row + index];
    let mut across = vec![0; 3 * width];
    let mut down = |y: usize| -> Vec<u16> {
        let (above, below) = (y.saturating_sub(1), (y + 1).min(height - 1));
        for (index, sum) in across.iter_mut().enumerate() {
            *sum = weighted(at(above, index), at(y, index), at(below, index));
        }
        across.clone()
    };
    for y in 0..height {
        let sums = down(y);
        for x in 0..width {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            for c in 0..3 {
                let sum = sums[3 * left + c] + 2 * sums[3 * x + c] + sums[3 * right + c];
                data.push(((sum + 8) >> 4) as u8);
            }
        }
    }
    Rgb { data, ..*photo }
}

/// Adds Gaussian noise of this standard deviation (of 255) to every value, by the polar form of Box
/// and Muller.
pub fn noise(photo: &mut Rgb, deviation: f32, random: &mut impl Rng) {
    for pair in photo.data.chunks_mut(2) {
        let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt() * deviation;
        let (sine, cosine) = (TAU * random.random::<f32>()).sin_cos();
        for (value, part) in pair.iter_mut().zip([cosine, sine]) {
            *value = (f32::from(*value) + radius * part)
                .round()
                .clamp(0.0, 255.0) as u8;
        }
    }
}

/// Reduces pixels to a camera's RGB565: 5, 6 and 5 bits, widened again as the board does, by
/// repeating the upper bits below.
pub fn rgb565(photo: &mut Rgb) {
    for [red, green, blue] in photo.data.as_chunks_mut::<3>().0 {
        *red = *red & 0xf8 | *red >> 5;
        *green = *green & 0xfc | *green >> 6;
        *blue = *blue & 0xf8 | *blue >> 5;
    }
}

/// Downscales by averaging blocks, by the least whole factor that leaves no side above `side`;
/// `None` if the photo is small enough already, or nothing would remain. Rows and columns that do
/// not fill a block are dropped.
pub fn shrink(photo: &Rgb, side: u16) -> Option<Rgb> {
    let factor = usize::from(photo.width.max(photo.height).div_ceil(side));
    let [width, height] = [photo.width, photo.height].map(|extent| usize::from(extent) / factor);
    if factor < 2 || width == 0 || height == 0 {
        return None;
    }
    let count = (factor * factor) as u32;
    let stride = 3 * usize::from(photo.width);
    let mut data = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let block = (0..factor).flat_map(|row| {
                    let start = (y * factor + row) * stride + 3 * x * factor + c;
                    photo.data[start..].iter().step_by(3).take(factor)
                });
                let sum: u32 = block.map(|&value| u32::from(value)).sum();
                data.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    Some(Rgb {
        width: width as u16,
        height: height as u16,
        data,
    })
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
