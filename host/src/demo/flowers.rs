//! The five kinds of flowers of the codelab.

use std::f32::consts::{PI, TAU};

use rand::Rng;

use super::canvas::{Canvas, Colour, mix};
use super::petals::{Petal, cup, disc, petal, ring, rosette, seeds};
use super::pose::Pose;
use super::scene::{background, leaf, stem};

/// A kind of flower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flower {
    /// Narrow white petals around a yellow centre.
    Daisy,
    /// A yellow head of many thin rays, or the white seed head that it becomes.
    Dandelion,
    /// Rounded, overlapping petals.
    Rose,
    /// Pointed yellow petals around a large dark disc of seeds.
    Sunflower,
    /// A cup on a stem, seen from the side.
    Tulip,
}

impl Flower {
    /// All five kinds.
    pub const ALL: [Flower; 5] = [
        Flower::Daisy,
        Flower::Dandelion,
        Flower::Rose,
        Flower::Sunflower,
        Flower::Tulip,
    ];

    /// The label, in the codelab's spelling.
    pub const fn label(self) -> &'static str {
        match self {
            Flower::Daisy => "daisy",
            Flower::Dandelion => "dandelion",
            Flower::Rose => "roses",
            Flower::Sunflower => "sunflowers",
            Flower::Tulip => "tulips",
        }
    }

    /// Draws one to three flowers onto a background.
    pub fn draw(self, canvas: &mut Canvas, random: &mut impl Rng) {
        background(canvas, random);
        let count = *[1, 1, 1, 2, 3].get(random.random_range(0..5)).unwrap_or(&1);
        let largest = 0.85 / f32::sqrt(count as f32);
        for index in 0..count {
            let scale = largest * random.random_range(0.6..=1.0);
            let room = 0.95 - 0.7 * scale;
            // Several flowers stand side by side.
            let column = (index as f32 + 0.5) * 2.0 / count as f32 - 1.0;
            let [across, down] = [0, 1].map(|_| random.random_range(-0.6..=0.6));
            let across = if count == 1 { across } else { column };
            let at = [across * room, down * room];
            let pose = Pose {
                at,
                scale,
                turn: random.random_range(-0.35..=0.35),
                tilt: random.random_range(0.6..=1.0),
                towards: random.random_range(0.0..PI),
            };
            match self {
                Flower::Daisy => daisy(canvas, pose, random),
                Flower::Dandelion if random.random_bool(0.3) => clock(canvas, pose, random),
                Flower::Dandelion => dandelion(canvas, pose, random),
                Flower::Rose => rose(canvas, pose, random),
                Flower::Sunflower => sunflower(canvas, pose, random),
                Flower::Tulip => tulip(canvas, pose, random),
            }
        }
    }
}

/// Draws a stem, in most pictures, with a leaf or two of this size.
fn stand(canvas: &mut Canvas, pose: &Pose, width: f32, leaves: f32, random: &mut impl Rng) {
    if !random.random_bool(0.7) {
        return;
    }
    let foot = stem(canvas, pose.at, width, random);
    for _ in 0..random.random_range(0..3) {
        let share = random.random_range(0.4..=0.9);
        let at = [0, 1].map(|i| pose.at[i] + (foot[i] - pose.at[i]) * share);
        let side = *[-2.5, -0.6].get(random.random_range(0..2)).unwrap_or(&0.0);
        let reach = leaves * random.random_range(0.3..=0.6);
        leaf(canvas, at, side, reach, reach * 0.3, random);
    }
}

fn daisy(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    stand(canvas, &pose, 0.02, 0.7, random);
    let white = random.random_range(0.9..=1.0);
    let blush = if random.random_bool(0.2) { 0.75 } else { 0.97 };
    let mut like = Petal {
        from: 0.15,
        to: 1.0,
        width: random.random_range(0.09..=0.13),
        point: random.random_range(0.0..=0.2),
        base: [0.82, 0.82, 0.8],
        tip: [white, white * blush, white],
    };
    let count = random.random_range(13..22);
    ring(canvas, &pose, count, &like, random);
    if random.random_bool(0.5) {
        like.to = 0.9;
        ring(canvas, &pose, count - 3, &like, random);
    }
    let radius = random.random_range(0.22..=0.32);
    disc(canvas, &pose, radius, [0.95, 0.74, 0.1]);
    seeds(
        canvas,
        &pose,
        radius * 0.9,
        45,
        [[0.85, 0.6, 0.05], [1.0, 0.85, 0.25]],
    );
}

fn dandelion(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    stand(canvas, &pose, 0.025, 0.9, random);
    let orange = random.random_range(0.0..=0.25);
    for (index, to) in [1.0, 0.85, 0.68, 0.5, 0.3].into_iter().enumerate() {
        let deep = 0.045 * index as f32;
        let like = Petal {
            from: 0.05,
            to,
            width: 0.045,
            point: -0.2,
            base: [0.85 - deep, 0.6 - deep, 0.02],
            tip: [1.0, 0.88 - orange - deep, 0.1],
        };
        let count = (44.0 * to) as u32 + 8;
        ring(canvas, &pose, count, &like, random);
    }
}

/// Draws a dandelion's seed head.
fn clock(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    stand(canvas, &pose, 0.02, 0.9, random);
    let pose = Pose { tilt: 1.0, ..pose };
    let white = random.random_range(0.85..=0.98);
    canvas.spot(pose.at, [pose.scale; 2], [white; 3], 0.45);
    for _ in 0..random.random_range(60..90) {
        let angle = random.random_range(0.0..TAU);
        let reach = random.random_range(0.45..=0.95);
        let thread = Petal {
            from: 0.05,
            to: reach,
            width: 0.012,
            point: 0.0,
            base: [0.65, 0.6, 0.5],
            tip: [white; 3],
        };
        petal(canvas, &pose, angle, &thread);
        let (sin, cos) = (pose.turn + angle).sin_cos();
        let at = [cos, sin].map(|x| x * reach * pose.scale);
        let head = Pose {
            at: [pose.at[0] + at[0], pose.at[1] + at[1]],
            scale: pose.scale * 0.14,
            ..pose
        };
        let hair = Petal {
            from: 0.0,
            to: 1.0,
            width: 0.09,
            base: [white; 3],
            ..thread
        };
        ring(canvas, &head, 7, &hair, random);
    }
    disc(canvas, &pose, 0.1, [0.4, 0.32, 0.2]);
}

fn rose(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    stand(canvas, &pose, 0.03, 1.0, random);
    let deep: Colour = match random.random_range(0..5) {
        0 | 1 => [0.75, 0.05, 0.1],
        2 => [0.9, 0.35, 0.5],
        3 => [0.93, 0.72, 0.35],
        _ => [0.85, 0.8, 0.72],
    };
    let light = mix(deep, [1.0, 0.95, 0.95], random.random_range(0.15..=0.4));
    for angle in [0.6, 2.4, 4.1] {
        if random.random_bool(0.6) {
            leaf(
                canvas,
                pose.at,
                angle,
                pose.scale * 1.25,
                pose.scale * 0.3,
                random,
            );
        }
    }
    let rings = random.random_range(5..8);
    rosette(canvas, &pose, rings, [deep, light], random);
}

fn sunflower(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    stand(canvas, &pose, 0.045, 1.2, random);
    let orange = random.random_range(0.0..=0.15);
    let count = random.random_range(16..23);
    for (to, shade) in [(1.0, 0.85), (0.92, 1.0)] {
        let like = Petal {
            from: 0.3,
            to,
            width: random.random_range(0.12..=0.16),
            point: 0.8,
            base: [0.9, 0.5 - orange, 0.03].map(|value| value * shade),
            tip: [1.0, 0.82 - orange, 0.08].map(|value| value * shade),
        };
        ring(canvas, &pose, count, &like, random);
    }
    let radius = random.random_range(0.42..=0.52);
    let brown = random.random_range(0.7..=1.2);
    let colour = |colour: Colour| colour.map(|value| value * brown);
    disc(canvas, &pose, radius, colour([0.26, 0.15, 0.07]));
    let colours = [[0.2, 0.14, 0.05], [0.5, 0.3, 0.1]].map(colour);
    seeds(canvas, &pose, radius * 0.95, 130, colours);
}

fn tulip(canvas: &mut Canvas, pose: Pose, random: &mut impl Rng) {
    // A tulip is seen from the side, so its foot is below the centre.
    let at = [pose.at[0], pose.at[1] + 0.4 * pose.scale];
    let pose = Pose {
        at,
        scale: pose.scale * 1.05,
        tilt: random.random_range(0.85..=1.0),
        towards: 0.0,
        ..pose
    };
    let foot = stem(canvas, at, 0.035, random);
    for side in [-0.35, 0.35] {
        if random.random_bool(0.75) {
            let angle = -PI / 2.0 + side * random.random_range(0.6..=1.8);
            let reach = (foot[1] - at[1]).max(0.3) * random.random_range(0.8..=1.2);
            leaf(canvas, foot, angle, reach, 0.09, random);
        }
    }
    let base: Colour = match random.random_range(0..6) {
        0 | 1 => [0.8, 0.08, 0.1],
        2 => [0.9, 0.4, 0.6],
        3 => [0.95, 0.75, 0.1],
        4 => [0.45, 0.12, 0.5],
        _ => [0.92, 0.88, 0.85],
    };
    let tip = mix(base, [1.0, 0.9, 0.6], random.random_range(0.0..=0.35));
    let spread = random.random_range(0.22..=0.5);
    cup(canvas, &pose, spread, [base, tip], random);
}
