//! The box round a set of points.

use rayon::prelude::*;

use super::CHUNK;
use crate::{Bounds, Point};

impl Bounds {
    /// Contains nothing; growing it by a point makes it that point.
    pub(crate) const EMPTY: Self = Self { min: [f32::INFINITY; 3], max: [f32::NEG_INFINITY; 3] };

    /// The smallest box that contains both.
    pub(crate) fn union(mut self, other: &Self) -> Self {
        for axis in 0..3 {
            self.min[axis] = self.min[axis].min(other.min[axis]);
            self.max[axis] = self.max[axis].max(other.max[axis]);
        }
        self
    }

    /// The smallest box that contains all `points` (minimum and maximum are exact, so the order
    /// of the sums does not matter).
    pub(crate) fn of(points: &[Point]) -> Self {
        points
            .par_chunks(CHUNK)
            .map(|chunk| {
                chunk
                    .iter()
                    .fold(Self::EMPTY, |bounds, point| bounds.union(&Self { min: *point, max: *point }))
            })
            .reduce(|| Self::EMPTY, |a, b| a.union(&b))
    }

    /// Longest side; 0 for a box that contains one point or nothing.
    pub(crate) fn side(&self) -> f32 {
        (0..3).map(|axis| self.max[axis] - self.min[axis]).fold(0.0, f32::max)
    }

    /// Square of the distance from `point` to the nearest point of the box.
    pub(crate) fn distance_squared(&self, point: Point) -> f32 {
        (0..3)
            .map(|axis| {
                let outside = (self.min[axis] - point[axis]).max(point[axis] - self.max[axis]).max(0.0);
                outside * outside
            })
            .sum()
    }
}
