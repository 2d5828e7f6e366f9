//! Where the near cells lie: twin of `bounds.cu`.

use crate::{Bounds, Point};

/// The near cells of a tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cuda) struct Frame {
    pub(in crate::cuda) bounds: Bounds,
    pub(in crate::cuda) origin: Point,
    pub(in crate::cuda) reach: f32,
}

/// The frame round `positions` with `count` near cells along an axis, each at least `least` wide.
pub(in crate::cuda) fn frame(positions: &[Point], count: u32, least: f32) -> Frame {
    let fold = |axis: usize, join: fn(f32, f32) -> f32| {
        positions.iter().map(|point| point[axis]).reduce(join).unwrap_or(0.0)
    };
    let min = [0, 1, 2].map(|axis| fold(axis, f32::min));
    let max = [0, 1, 2].map(|axis| fold(axis, f32::max));
    let side = [0, 1, 2].map(|axis| max[axis] - min[axis]).into_iter().fold(0.0, f32::max);
    let reach = (side / ((count - 2) as f32 - 0.1)).max(least);
    let half = 0.5 * count as f32 * reach;
    let origin = [0, 1, 2].map(|axis| 0.5 * min[axis] + 0.5 * max[axis] - half);
    Frame { bounds: Bounds { min, max }, origin, reach }
}
