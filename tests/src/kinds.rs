//! Kinds of drawings that the built-in network is trained on: synthetic flowers, shapes, textures
//! and leaves. None is one of the five flowers that the demo draws.

use std::f32::consts::{PI, TAU};

use image::RgbImage;
use posy::demo::{
    Canvas, Colour, Petal, Point, Pose, background, cup, disc, finish, leaf, mix, petal, ring,
    rosette, seeds, stem,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of kinds per category: blooms, rosettes, cups, shapes, textures, leaves.
const SORTS: [usize; 6] = [24, 5, 5, 16, 16, 6];

/// Number of kinds in all.
pub const KINDS: usize = SORTS[0] + SORTS[1] + SORTS[2] + SORTS[3] + SORTS[4] + SORTS[5];

/// Seed of the traits that define each kind.
const TRAITS: u64 = 0x706f_7379;

/// Draws a picture of `kind`, below [`KINDS`], with `side` x `side` pixels. Each `number` gives
/// another picture.
pub fn draw(kind: usize, number: u64, side: u32) -> RgbImage {
    let mut traits = ChaCha8Rng::seed_from_u64(TRAITS);
    traits.set_stream(kind as u64);
    let mut random = ChaCha8Rng::seed_from_u64(TRAITS + 1);
    random.set_stream(number * KINDS as u64 + kind as u64);
    let mut canvas = Canvas::new(side);
    background(&mut canvas, &mut random);
    let (mut sort, mut which) = (0, kind);
    while which >= SORTS[sort] {
        which -= SORTS[sort];
        sort += 1;
    }
    let (traits, random) = (&mut traits, &mut random);
    match sort {
        0 => bloom(&mut canvas, traits, random),
        1 => {
            let pose = pose(random);
            let colours = pair(traits);
            let rings = traits.random_range(2..5);
            if random.random_bool(0.5) {
                stem(&mut canvas, pose.at, 0.03, random);
            }
            rosette(&mut canvas, &pose, rings, colours, random);
        }
        2 => {
            // Hanging bells, or wide open chalices.
            let pose = Pose {
                turn: [PI, 0.0][which % 2] + random.random_range(-0.4..=0.4),
                ..pose(random)
            };
            let (colours, spread) = (pair(traits), traits.random_range(0.6..=1.1));
            stem(&mut canvas, pose.at, 0.03, random);
            cup(&mut canvas, &pose, spread, colours, random);
        }
        3 => shape(&mut canvas, which, random),
        4 => texture(&mut canvas, which, random),
        _ => foliage(&mut canvas, which, random),
    }
    finish(canvas, random)
}

fn colour(random: &mut impl Rng) -> Colour {
    std::array::from_fn(|_| random.random_range(0.0..=1.0))
}

/// Two matching colours.
fn pair(random: &mut impl Rng) -> [Colour; 2] {
    let first = colour(random);
    [first, mix(first, colour(random), 0.5)]
}

fn pose(random: &mut impl Rng) -> Pose {
    let scale = random.random_range(0.3..=0.85);
    let room = 0.95 - 0.7 * scale;
    Pose {
        at: [0, 1].map(|_| room * random.random_range(-0.7..=0.7)),
        scale,
        turn: random.random_range(0.0..TAU),
        tilt: random.random_range(0.55..=1.0),
        towards: random.random_range(0.0..PI),
    }
}

/// Petals around a centre; the kind determines their number, length and colour.
fn bloom(canvas: &mut Canvas, traits: &mut impl Rng, random: &mut impl Rng) {
    let count = traits.random_range(3..13);
    let rings = traits.random_range(1..3);
    let [base, tip] = pair(traits);
    let like = Petal {
        from: 0.05,
        to: 1.0,
        width: traits.random_range(0.5..=1.1) * 1.6 / count as f32,
        point: traits.random_range(-0.25..=1.0),
        base,
        tip,
    };
    let middle = traits.random_range(0.08..=0.4);
    let [dark, light] = pair(traits);
    let seeded = traits.random_bool(0.5);
    let several = if random.random_bool(0.3) { 3 } else { 1 };
    for _ in 0..several {
        let mut pose = pose(random);
        if several > 1 {
            pose.scale *= 0.6;
        }
        if random.random_bool(0.6) {
            stem(canvas, pose.at, 0.03, random);
        }
        for index in 0..rings {
            let to = 1.0 - 0.25 * index as f32;
            ring(canvas, &pose, count, &Petal { to, ..like }, random);
        }
        disc(canvas, &pose, middle, dark);
        if seeded {
            seeds(canvas, &pose, middle * 0.9, 40, [dark, light]);
        }
    }
}

/// Corners alternating between two circles: a star, or a polygon if the circles are equal.
fn star(corners: u32, inner: f32) -> Vec<Point> {
    (0..2 * corners)
        .map(|index| {
            let reach = if index % 2 == 0 { 1.0 } else { inner };
            let angle = PI * index as f32 / corners as f32;
            [reach * angle.cos(), reach * angle.sin()]
        })
        .collect()
}

/// A closed curve: distance from the centre by angle.
fn curve(reach: impl Fn(f32) -> f32) -> Vec<Point> {
    (0..96)
        .map(|step| {
            let angle = TAU * step as f32 / 96.0;
            [reach(angle) * angle.cos(), reach(angle) * angle.sin()]
        })
        .collect()
}

/// A flat shape in a random colour.
fn shape(canvas: &mut Canvas, which: usize, random: &mut impl Rng) {
    let pose = pose(random);
    let [fill, shade] = pair(random);
    let outline = match which {
        0..4 => {
            let corners = which as u32 + 3;
            star(corners, (PI / corners as f32).cos())
        }
        4..8 => star([4, 5, 6, 9][which - 4], 0.45),
        8 => curve(|_| 1.0),
        9 => curve(|angle| 0.75 + 0.25 * (3.0 * angle).cos()),
        10 => curve(|angle| 0.8 + 0.2 * (11.0 * angle).cos()),
        11 => curve(|angle| 0.35 + 0.65 * angle.cos().powi(2)),
        12 => vec![[-1.0, -0.3], [1.0, -0.3], [1.0, 0.3], [-1.0, 0.3]],
        // A crescent, a spiral, a cross.
        13 => {
            let outer = (0..=24).map(|step| (PI * step as f32 / 24.0).sin_cos());
            let inner = (0..=24)
                .rev()
                .map(|step| (PI * step as f32 / 24.0).sin_cos());
            let outer = outer.map(|(sin, cos)| [sin, cos]);
            outer
                .chain(inner.map(|(sin, cos)| [0.4 * sin, cos]))
                .collect()
        }
        14 => {
            let at = |step: u32, wide: f32| {
                let angle = 5.0 * PI * step as f32 / 90.0;
                let reach = step as f32 / 90.0 + wide;
                [reach * angle.cos(), reach * angle.sin()]
            };
            let there = (0..=90).map(|step| at(step, 0.0));
            there
                .chain((0..=90).rev().map(|step| at(step, 0.14)))
                .collect()
        }
        _ => {
            let arm = 0.3;
            let quarter = [[arm, -arm], [1.0, -arm], [1.0, arm], [arm, arm]];
            let turned = |turns: usize, [x, y]: Point| match turns {
                0 => [x, y],
                1 => [-y, x],
                2 => [-x, -y],
                _ => [y, -x],
            };
            (0..4)
                .flat_map(|turns| quarter.map(|point| turned(turns, point)))
                .collect()
        }
    };
    let placed: Vec<Point> = outline.into_iter().map(|point| pose.place(point)).collect();
    canvas.polygon(&placed, |point| {
        let [x, y] = pose.own(point);
        (
            mix(fill, shade, ((x + y) * 0.35 + 0.5).clamp(0.0, 1.0)),
            1.0,
        )
    });
}

/// A pattern over the whole picture in two random colours.
fn texture(canvas: &mut Canvas, which: usize, random: &mut impl Rng) {
    let (first, second) = (colour(random), colour(random));
    let (sin, cos) = random.random_range(0.0..TAU).sin_cos();
    // Four patterns, each in four sizes.
    let step = [2.5, 5.0, 9.0, 16.0][which % 4] * random.random_range(0.8..=1.25) * PI;
    let shift = random.random_range(0.0..TAU);
    let bend = random.random_range(0.0..=0.3);
    let sharp = random.random_range(1.0..=5.0);
    let pattern = which / 4;
    canvas.change(|[x, y], _| {
        let (u, v) = (x * cos - y * sin, x * sin + y * cos);
        let (u, v) = (u + bend * (2.0 * v).sin(), v + bend * (2.0 * u).sin());
        let wave = match pattern {
            0 => (step * u + shift).sin(),
            1 => (step * u + shift).sin() * (step * v).sin(),
            2 => (step * (u * u + v * v).sqrt() + shift).sin(),
            _ => {
                ((step * u).sin() + (step * 0.71 * v + shift).sin() + (step * 0.6 * (u + v)).sin())
                    / 2.0
            }
        };
        mix(first, second, (wave * sharp * 0.5 + 0.5).clamp(0.0, 1.0))
    });
}

/// Leaves in one arrangement.
fn foliage(canvas: &mut Canvas, which: usize, random: &mut impl Rng) {
    let at = pose(random).at;
    let reach = random.random_range(0.5..=1.0);
    let turn = random.random_range(0.0..TAU);
    match which {
        // One leaf, wide or narrow.
        0 | 1 => {
            let width = reach * [0.35, 0.1][which];
            leaf(canvas, at, turn, reach * 1.3, width, random);
        }
        // Leaves in the shape of a hand.
        2 | 3 => {
            let count = [3, 7][which - 2];
            for index in 0..count {
                let angle = turn + 4.0 * (index as f32 / (count - 1) as f32 - 0.5);
                leaf(canvas, at, angle, reach, reach * 0.18, random);
            }
        }
        // A fern: pairs along a line.
        4 => {
            for index in 0..12 {
                let along = reach * (index as f32 / 6.0 - 1.0);
                let foot = [at[0] + along * turn.cos(), at[1] + along * turn.sin()];
                let length = 0.5 * reach * (1.0 - index as f32 / 14.0);
                for side in [-1.1, 1.1] {
                    leaf(canvas, foot, turn + side, length, length * 0.2, random);
                }
            }
        }
        // Needles.
        _ => {
            for _ in 0..60 {
                let needle = Petal {
                    from: 0.0,
                    to: random.random_range(0.6..=1.0),
                    width: 0.02,
                    point: 0.5,
                    base: [0.1, 0.25, 0.12],
                    tip: [0.3, 0.55, 0.25],
                };
                let angle = random.random_range(0.0..TAU);
                petal(canvas, &Pose::upright(at, reach), angle, &needle);
            }
        }
    }
}
