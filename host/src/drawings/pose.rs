//! Where a thing stands on the canvas.

use super::canvas::Point;

/// A place, a size, a turn, and a tilt away from who looks.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    /// Where its middle is.
    pub at: Point,
    /// How long its unit is.
    pub scale: f32,
    /// By how much it is turned, in radians.
    pub turn: f32,
    /// What the tilt leaves of its extent: 1 where it is seen from straight ahead.
    pub tilt: f32,
    /// The direction of the tilt, in radians.
    pub towards: f32,
}

/// `point` turned about the middle.
fn turned([x, y]: Point, by: f32) -> Point {
    let (sin, cos) = by.sin_cos();
    [x * cos - y * sin, x * sin + y * cos]
}

impl Pose {
    /// Upright, seen from straight ahead.
    pub fn upright(at: Point, scale: f32) -> Self {
        Pose {
            at,
            scale,
            turn: 0.0,
            tilt: 1.0,
            towards: 0.0,
        }
    }

    /// The place on the canvas of a thing's own `point`.
    pub fn place(&self, point: Point) -> Point {
        let [x, y] = turned(turned(point, self.turn), -self.towards);
        let [x, y] = turned([x * self.tilt, y], self.towards);
        [self.at[0] + self.scale * x, self.at[1] + self.scale * y]
    }

    /// The thing's own point at a place on the canvas.
    pub fn own(&self, [x, y]: Point) -> Point {
        let point = [(x - self.at[0]) / self.scale, (y - self.at[1]) / self.scale];
        let [x, y] = turned(point, -self.towards);
        turned(turned([x / self.tilt, y], self.towards), -self.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let pose = Pose {
            at: [0.2, -0.3],
            scale: 0.5,
            turn: 1.0,
            tilt: 0.6,
            towards: 2.0,
        };
        let [x, y] = pose.own(pose.place([0.7, -0.1]));
        assert!((x - 0.7).abs() < 1e-5 && (y + 0.1).abs() < 1e-5, "{x} {y}");
        assert_eq!(Pose::upright([0.5, 0.0], 2.0).place([1.0, 1.0]), [2.5, 2.0]);
    }
}
