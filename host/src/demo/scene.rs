//! The scene of a flower: background, stem, leaves and light.

use image::RgbImage;
use rand::Rng;

use super::canvas::{Canvas, Colour, Point, mix};
use super::petals::{Petal, petal};
use super::pose::Pose;

/// A random green of leaves.
fn green(random: &mut impl Rng) -> Colour {
    let light = random.random_range(0.45..=1.1);
    let (red, blue) = (
        random.random_range(0.12..=0.45),
        random.random_range(0.08..=0.25),
    );
    [red, 0.5, blue].map(|value| value * light)
}

/// Paints a background over the whole canvas: leaves out of focus, a meadow below the sky, earth,
/// the sky, or a wall.
pub fn background(canvas: &mut Canvas, random: &mut impl Rng) {
    let sky = [
        random.random_range(0.4..=0.75),
        random.random_range(0.6..=0.85),
        random.random_range(0.8..=0.98),
    ];
    let kind = random.random_range(0..5);
    let (top, bottom) = match kind {
        0 => (green(random).map(|value| value * 0.5), green(random)),
        1 => (sky, green(random)),
        2 => ([0.42, 0.32, 0.22], [0.24, 0.17, 0.11]),
        3 => (sky, mix(sky, [1.0; 3], 0.5)),
        _ => {
            let wall = std::array::from_fn(|_| random.random_range(0.15..=0.9));
            (wall, wall.map(|value: f32| value * 0.75))
        }
    };
    let horizon = random.random_range(-0.3..=0.7);
    let steep = if kind == 1 { 4.0 } else { 0.8 };
    canvas.change(|[_, y], _| mix(top, bottom, ((y - horizon) * steep + 0.5).clamp(0.0, 1.0)));
    let spots = match kind {
        0 => random.random_range(25..60),
        1 | 2 => random.random_range(10..40),
        _ => random.random_range(0..8),
    };
    for _ in 0..spots {
        let at = [
            random.random_range(-1.1..=1.1),
            random.random_range(-1.1..=1.1),
        ];
        let radii = [
            random.random_range(0.08..=0.5),
            random.random_range(0.08..=0.5),
        ];
        let colour = match kind {
            0 | 1 => green(random),
            2 => [0.35, 0.26, 0.17].map(|value| value * random.random_range(0.5..=1.6)),
            _ => mix(top, [1.0; 3], random.random_range(0.0..=0.6)),
        };
        let opacity = random.random_range(0.2..=0.8);
        if kind != 1 || at[1] > horizon {
            canvas.spot(at, radii, colour, opacity);
        }
    }
    // Blades of grass.
    if kind < 2 && random.random_bool(0.6) {
        for _ in 0..random.random_range(5..25) {
            let foot = [random.random_range(-1.1..=1.1), 1.1];
            let reach = random.random_range(0.3..=1.3);
            let angle = -std::f32::consts::FRAC_PI_2 + random.random_range(-0.4..=0.4);
            leaf(canvas, foot, angle, reach, 0.035, random);
        }
    }
}

/// Draws a leaf from `foot` in the direction `angle`, `reach` long, `width` half as wide.
pub fn leaf(
    canvas: &mut Canvas,
    foot: Point,
    angle: f32,
    reach: f32,
    width: f32,
    random: &mut impl Rng,
) {
    let base = green(random);
    let leaf = Petal {
        from: 0.0,
        to: reach,
        width,
        point: 0.9,
        base: base.map(|value| value * 0.75),
        tip: base,
    };
    petal(canvas, &Pose::upright(foot, 1.0), angle, &leaf);
}

/// Draws a slightly bent stem from a bloom down to the lower edge. Returns the point where it meets
/// the edge.
pub fn stem(canvas: &mut Canvas, from: Point, width: f32, random: &mut impl Rng) -> Point {
    let to = [from[0] + random.random_range(-0.3..=0.3), 1.15];
    let bend = random.random_range(-0.15..=0.15);
    let colour = green(random);
    let at = |step: u8, side: f32| {
        let share = f32::from(step) / 10.0;
        let x = from[0] + (to[0] - from[0]) * share + bend * (share * std::f32::consts::PI).sin();
        [x + side * width, from[1] + (to[1] - from[1]) * share]
    };
    let left = (0..=10).map(|step| at(step, -1.0));
    let right = (0..=10).rev().map(|step| at(step, 1.0));
    let outline: Vec<_> = left.chain(right).collect();
    canvas.polygon(&outline, |_| (colour, 1.0));
    to
}

/// Finishes the picture: light from one side, bright or dim, warm or cold, and a camera's noise.
pub fn finish(mut canvas: Canvas, random: &mut impl Rng) -> RgbImage {
    let gain = random.random_range(0.6..=1.2);
    let warmth = random.random_range(-0.13..=0.13);
    let cast = [gain * (1.0 + warmth), gain, gain * (1.0 - warmth)];
    let (sin, cos) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
    let slope = random.random_range(0.0..=0.3);
    canvas.change(|[x, y], colour| {
        let light = 1.0 + slope * (x * cos + y * sin);
        std::array::from_fn(|i| colour[i] * cast[i] * light)
    });
    let noise = random.random_range(0.005..=0.05);
    let soft = random.random_bool(0.3);
    canvas.picture(noise, soft, random)
}
