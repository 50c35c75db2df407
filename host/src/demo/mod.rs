//! Procedural drawings of flowers, generated from a seed: training pictures where there are no
//! photos.
//!
//! They are drawings and prove nothing about photos. They serve to show the whole process, from a
//! folder of pictures to an answer, on any machine.
//!
//! | file | contents |
//! |---|---|
//! | `canvas.rs` | pixels, polygons, light, noise |
//! | `pose.rs` | position, size, rotation and tilt of an object |
//! | `petals.rs` | the parts of blooms |
//! | `flowers.rs` | the five kinds |
//! | `scene.rs` | backgrounds, stems and light |

mod canvas;
mod flowers;
mod petals;
mod pose;
mod scene;

pub use canvas::{Canvas, Colour, Point, mix};
pub use flowers::Flower;
pub use petals::{Petal, cup, disc, petal, ring, rosette, seeds};
pub use pose::Pose;
pub use scene::{background, finish, leaf, stem};

use image::RgbImage;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Side of [`draw`]'s pictures in pixels, a little more than the networks' input.
pub const SIDE: u32 = 160;

/// Draws one picture of a flower, [`SIDE`] x [`SIDE`] pixels. Each `number` gives another picture
/// of the same kind, and each `seed` another series.
pub fn draw(flower: Flower, seed: u64, number: u64) -> RgbImage {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Each picture has its own random stream, so that it does not depend on the number of others.
    random.set_stream(number * Flower::ALL.len() as u64 + flower as u64);
    let mut canvas = Canvas::new(SIDE);
    flower.draw(&mut canvas, &mut random);
    finish(canvas, &mut random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_drawings_and_another_seed_others() {
        let mut all = Vec::new();
        for flower in Flower::ALL {
            for (seed, number) in [(0, 0), (0, 1), (1, 0)] {
                let picture = draw(flower, seed, number);
                assert_eq!(picture.dimensions(), (SIDE, SIDE));
                assert_eq!(picture, draw(flower, seed, number));
                all.push(picture.into_raw());
            }
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "every drawing differs from every other");
    }

    #[test]
    fn a_drawing_shows_more_than_its_background() {
        for flower in Flower::ALL {
            for number in 0..8 {
                let picture = draw(flower, 3, number);
                let means = |from: u32, to: u32| {
                    let mut sum = [0.0_f64; 3];
                    for y in from..to {
                        for x in from..to {
                            let pixel = picture.get_pixel(x, y).0;
                            sum.iter_mut()
                                .zip(pixel)
                                .for_each(|(sum, value)| *sum += f64::from(value));
                        }
                    }
                    sum.map(|sum| sum / f64::from(to - from).powi(2))
                };
                let (whole, middle) = (means(0, SIDE), means(SIDE / 4, 3 * SIDE / 4));
                let apart = whole.iter().zip(middle).map(|(a, b)| (a - b).abs());
                assert!(apart.sum::<f64>() > 3.0, "{flower:?} {number}");
            }
        }
    }
}
