//! The nodes by near cell: twin of `cells.cu`.

use super::Place;
use crate::Point;

/// What sorting by cell comes to.
#[derive(Debug, Default, PartialEq)]
pub(in crate::cuda) struct Cells {
    pub(in crate::cuda) cell_of: Vec<u32>,
    pub(in crate::cuda) starts: Vec<u32>,
    pub(in crate::cuda) order: Vec<u32>,
    pub(in crate::cuda) cell_at: Vec<u32>,
    pub(in crate::cuda) places: Vec<Place>,
    pub(in crate::cuda) squares: u64,
}

/// Sorts nodes into `count` cells along each of `axes` axes, from `origin` on, `scale` to a world unit.
pub(in crate::cuda) fn sort(
    positions: &[Point],
    masses: &[f32],
    origin: Point,
    scale: f32,
    count: u32,
    axes: usize,
) -> Cells {
    let end = (count - 1) as f32 * (1.0 - 2.0 * f32::EPSILON);
    let local = |node: usize| -> Vec<f32> {
        (0..axes).map(|axis| ((positions[node][axis] - origin[axis]) * scale).clamp(1.0, end)).collect()
    };
    let cell_of: Vec<u32> = (0..positions.len())
        .map(|node| local(node).iter().rev().fold(0, |cell, c| cell * count + *c as u32))
        .collect();
    let mut order: Vec<u32> = (0..positions.len() as u32).collect();
    // Stable: inside a cell by number.
    order.sort_by_key(|node| cell_of[*node as usize]);
    let cell_at: Vec<u32> = order.iter().map(|node| cell_of[*node as usize]).collect();
    let cells = count.pow(axes as u32);
    let starts: Vec<u32> =
        (0..=cells).map(|cell| cell_at.partition_point(|other| *other < cell) as u32).collect();
    let places = order
        .iter()
        .map(|node| {
            let local = local(*node as usize);
            [local[0], local[1], local.get(2).copied().unwrap_or(0.0), masses[*node as usize]]
        })
        .collect();
    let squares = starts.windows(2).map(|pair| u64::from(pair[1] - pair[0]).pow(2)).sum();
    Cells { cell_of, starts, order, cell_at, places, squares }
}
