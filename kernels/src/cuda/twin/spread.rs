//! Masses onto the mesh: twin of `spread.cu`, node by node instead of point by point.

use super::{Place, spline};

/// Mesh points per near cell, along an axis.
pub(in crate::cuda) fn ratio(axes: usize) -> f64 {
    if axes == 2 { 2.0 } else { 1.0 }
}

/// The mass at each point of a mesh of `side` points along each axis.
pub(in crate::cuda) fn spread(places: &[Place], side: usize, axes: usize) -> Vec<f64> {
    let mut mesh = vec![0.0; side.pow(axes as u32)];
    for place in places {
        visit(place, side, axes, |point, distances| {
            let share: f64 = distances.iter().map(|distance| spline(*distance)[0]).product();
            mesh[point] += f64::from(place[3]) * share;
        });
    }
    mesh
}

/// Calls `each` with every mesh point that a node touches, and how far past it the node lies along each axis.
pub(in crate::cuda) fn visit(place: &Place, side: usize, axes: usize, mut each: impl FnMut(usize, &[f64])) {
    let at: Vec<f64> = (0..axes).map(|axis| (f64::from(place[axis]) - 1.0) * ratio(axes)).collect();
    for tap in 0..4_usize.pow(axes as u32) {
        let point: Vec<usize> =
            (0..axes).map(|axis| at[axis] as usize + tap / 4_usize.pow(axis as u32) % 4).collect();
        let distances: Vec<f64> = (0..axes).map(|axis| at[axis] + 1.0 - point[axis] as f64).collect();
        each(point.iter().rev().fold(0, |number, c| number * side + c), &distances);
    }
}
