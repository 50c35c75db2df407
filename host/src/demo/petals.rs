//! The parts of blooms. All are drawn around the centre of a [`Pose`], in its unit.

use std::f32::consts::{PI, TAU};

use rand::Rng;

use super::canvas::{Canvas, Colour, mix};
use super::pose::Pose;

/// A petal that points away from the centre.
#[derive(Clone, Copy, Debug)]
pub struct Petal {
    /// Distance of its base from the centre.
    pub from: f32,
    /// Distance of its tip from the centre.
    pub to: f32,
    /// Half its greatest width.
    pub width: f32,
    /// Pointedness: 0 round, 1 sharp.
    pub point: f32,
    /// Colour at the base.
    pub base: Colour,
    /// Colour at the tip.
    pub tip: Colour,
}

/// Steps along each side of a petal's outline.
const STEPS: u8 = 14;

impl Petal {
    /// Half the width at a share of the length, 0 to 1.
    fn width_at(&self, along: f32) -> f32 {
        let (near, far) = (0.7, 0.35 + 0.9 * self.point);
        let shape = |along: f32| along.powf(near) * (1.0 - along).powf(far);
        self.width * shape(along) / shape(near / (near + far))
    }
}

/// Draws one petal in the direction `angle`, with a crease along it and darker rims, which set it
/// off from its neighbours.
pub fn petal(canvas: &mut Canvas, pose: &Pose, angle: f32, petal: &Petal) {
    let pose = Pose {
        turn: pose.turn + angle,
        ..*pose
    };
    let length = petal.to - petal.from;
    let side = |step: u8| {
        let along = f32::from(step) / f32::from(STEPS);
        [petal.from + along * length, petal.width_at(along)]
    };
    let there = (0..=STEPS).map(side);
    let back = (0..=STEPS).rev().map(side).map(|[x, y]| [x, -y]);
    let outline: Vec<_> = there.chain(back).map(|point| pose.place(point)).collect();
    canvas.polygon(&outline, |point| {
        let [x, y] = pose.own(point);
        let along = ((x - petal.from) / length).clamp(0.0, 1.0);
        let across = (y / petal.width_at(along).max(1e-3)).clamp(-1.0, 1.0).abs();
        let crease = 0.14 * (1.0 - across / 0.2).max(0.0) * (1.0 - along);
        let light = 1.0 - crease - 0.3 * across.powi(6);
        let colour = mix(petal.base, petal.tip, along);
        (colour.map(|value| value * light), 1.0)
    });
}

/// Draws a ring of `count` petals with small random differences.
pub fn ring(canvas: &mut Canvas, pose: &Pose, count: u32, like: &Petal, random: &mut impl Rng) {
    let start = random.random_range(0.0..TAU);
    for index in 0..count {
        let step = TAU / count as f32;
        let angle = start + step * (index as f32 + random.random_range(-0.15..=0.15));
        let light = random.random_range(0.88..=1.06);
        let each = Petal {
            to: like.to * random.random_range(0.93..=1.05),
            width: like.width * random.random_range(0.9..=1.1),
            base: like.base.map(|value| value * light),
            tip: like.tip.map(|value| value * light),
            ..*like
        };
        petal(canvas, pose, angle, &each);
    }
}

/// Draws a disc with this radius, darker towards its rim.
pub fn disc(canvas: &mut Canvas, pose: &Pose, radius: f32, colour: Colour) {
    let angles = (0..32).map(|step| TAU * step as f32 / 32.0);
    let outline: Vec<_> = angles
        .map(|angle| pose.place([radius * angle.cos(), radius * angle.sin()]))
        .collect();
    canvas.polygon(&outline, |point| {
        let [x, y] = pose.own(point);
        let far = ((x * x + y * y) / (radius * radius)).min(1.0);
        (colour.map(|value| value * (1.08 - 0.4 * far * far)), 1.0)
    });
}

/// Draws `count` small dots within this radius, in the arrangement of a sunflower's seeds (Vogel
/// 1979).
pub fn seeds(canvas: &mut Canvas, pose: &Pose, radius: f32, count: u32, colours: [Colour; 2]) {
    let golden = PI * (3.0 - 5.0_f32.sqrt());
    for index in 0..count {
        let far = radius * ((index as f32 + 0.5) / count as f32).sqrt();
        let angle = golden * index as f32;
        let at = pose.place([far * angle.cos(), far * angle.sin()]);
        let dot = Pose { at, ..*pose };
        let share = index as f32 / count as f32;
        disc(
            canvas,
            &dot,
            radius * 0.055,
            mix(colours[0], colours[1], share),
        );
    }
}

/// Draws a bloom of rounded, overlapping petals in `rings` rings, dark towards the centre, where
/// the innermost are rolled up.
pub fn rosette(
    canvas: &mut Canvas,
    pose: &Pose,
    rings: u32,
    [deep, light]: [Colour; 2],
    random: &mut impl Rng,
) {
    for index in 0..rings {
        let share = index as f32 / rings as f32;
        let reach = 1.0 - 0.8 * share;
        let outer = Petal {
            from: 0.0,
            to: reach,
            width: 0.58 * reach,
            point: 0.05,
            base: mix(deep, [0.0; 3], 0.25 + 0.3 * share),
            tip: mix(light, deep, 0.8 * share),
        };
        let count = if index + 2 > rings { 3 } else { 5 };
        ring(canvas, pose, count, &outer, random);
    }
    // The roll: a band that winds inwards.
    let turns = random.random_range(1.6..=2.4);
    let start = random.random_range(0.0..TAU);
    let at = |step: u32, outside: f32| {
        let share = step as f32 / 48.0;
        let reach = 0.3 * (1.0 - 0.9 * share) + outside * 0.02;
        let angle = start + turns * TAU * share;
        pose.place([reach * angle.cos(), reach * angle.sin()])
    };
    let outline: Vec<_> = (0..=48)
        .map(|step| at(step, 1.0))
        .chain((0..=48).rev().map(|step| at(step, -1.0)))
        .collect();
    let dark = mix(deep, [0.0; 3], 0.55);
    canvas.polygon(&outline, |_| (dark, 0.9));
}

/// Draws a cup seen from the side, its foot at the centre and its opening at the top: three petals
/// before two. `spread` is its opening angle, in radians.
pub fn cup(
    canvas: &mut Canvas,
    pose: &Pose,
    spread: f32,
    [base, tip]: [Colour; 2],
    random: &mut impl Rng,
) {
    let up = -PI / 2.0;
    let like = Petal {
        from: -0.12,
        to: 1.0,
        width: 0.36,
        point: 0.35,
        base,
        tip,
    };
    let darker = Petal {
        to: 0.98,
        base: mix(base, [0.0; 3], 0.35),
        tip: mix(tip, [0.0; 3], 0.25),
        ..like
    };
    for angle in [-0.45, 0.45] {
        petal(canvas, pose, up + angle * spread, &darker);
    }
    for angle in [-1.0, 1.0, 0.0] {
        let light = random.random_range(0.9..=1.05) - if angle == 0.0 { 0.0 } else { 0.08 };
        let each = Petal {
            to: if angle == 0.0 { 0.88 } else { 1.0 },
            base: base.map(|value| value * light),
            tip: tip.map(|value| value * light),
            ..like
        };
        petal(canvas, pose, up + angle * spread, &each);
    }
}
