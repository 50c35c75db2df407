//! Pose of an object on the canvas.

use super::canvas::Point;

/// Position, size, rotation, and a tilt away from the viewer.
#[derive(Clone, Copy, Debug)]
pub struct Pose {
    /// Position of the centre on the canvas.
    pub at: Point,
    /// Length of the unit on the canvas.
    pub scale: f32,
    /// Rotation in radians.
    pub turn: f32,
    /// Foreshortening by the tilt: 1 without tilt.
    pub tilt: f32,
    /// Direction of the tilt, in radians.
    pub towards: f32,
}

/// Rotates `point` around the origin.
fn turned([x, y]: Point, by: f32) -> Point {
    let (sin, cos) = by.sin_cos();
    [x * cos - y * sin, x * sin + y * cos]
}

impl Pose {
    /// An upright pose, seen from the front.
    pub fn upright(at: Point, scale: f32) -> Self {
        Pose {
            at,
            scale,
            turn: 0.0,
            tilt: 1.0,
            towards: 0.0,
        }
    }

    /// Converts an object's own coordinates to the canvas.
    pub fn place(&self, point: Point) -> Point {
        let [x, y] = turned(turned(point, self.turn), -self.towards);
        let [x, y] = turned([x * self.tilt, y], self.towards);
        [self.at[0] + self.scale * x, self.at[1] + self.scale * y]
    }

    /// Converts canvas coordinates to the object's own.
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
