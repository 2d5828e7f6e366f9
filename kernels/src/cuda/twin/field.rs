//! The push on each node: twin of `field.cu`, in double precision.

use super::cells::Cells;
use super::spline;
use super::spread::{ratio, visit};

/// Of one node: push along x, y and z, and stiffness, in world units; and whether a node before it in the
/// order of the cells lies in the same place.
pub(in crate::cuda) type Field = ([f64; 4], bool);

/// The fields of the nodes at `order`, in the order of the cells: of every `every`-th one.
pub(in crate::cuda) fn fields(
    cells: &Cells,
    mesh: &[f32],
    (side, count, axes): (usize, usize, usize),
    (softening, reach): (f32, f32),
    every: usize,
) -> Vec<(u32, Field)> {
    let softening = f64::from(softening / reach);
    let reach = f64::from(reach);
    (0..cells.order.len())
        .step_by(every)
        .map(|at| {
            let (near, stiffness, same) = near(cells, at, count, axes, softening * softening);
            let (far, bend) = slope(mesh, &cells.places[at], side, axes);
            let mut field = [0.0; 4];
            for axis in 0..axes {
                field[axis] = (near[axis] + far[axis] * ratio(axes)) / reach;
            }
            field[3] = (1.6 * stiffness + bend * ratio(axes).powi(2)) / (reach * reach);
            (cells.order[at], (field, same))
        })
        .collect()
}

/// The near pairs: push, stiffness, and whether an earlier node lies in the same place. In reaches.
fn near(
    cells: &Cells,
    at: usize,
    count: usize,
    axes: usize,
    softening_squared: f64,
) -> ([f64; 3], f64, bool) {
    let (mut push, mut stiffness, mut same) = ([0.0; 3], 0.0, false);
    let here = cells.places[at];
    let coordinate = |cell: u32, axis: usize| cell as usize / count.pow(axis as u32) % count;
    for (other, there) in cells.places.iter().enumerate() {
        let (one, two) = (cells.cell_at[at], cells.cell_at[other]);
        if (0..axes).any(|axis| coordinate(one, axis).abs_diff(coordinate(two, axis)) > 1) {
            continue;
        }
        let apart: Vec<f64> = (0..axes).map(|axis| f64::from(here[axis] - there[axis])).collect();
        let square: f64 = apart.iter().map(|c| c * c).sum();
        if square == 0.0 {
            same |= other < at;
        } else if square < 1.0 {
            let bend = f64::from(there[3]) * (1.0 - square) / (square + softening_squared);
            for (push, apart) in push.iter_mut().zip(apart) {
                *push += apart * bend * (1.0 - square).powi(3);
            }
            stiffness += bend;
        }
    }
    (push, stiffness, same)
}

/// The downward slope of the potential, and the norm of its second derivatives. In mesh points.
fn slope(mesh: &[f32], place: &[f32; 4], side: usize, axes: usize) -> ([f64; 3], f64) {
    let (mut slope, mut bends) = ([0.0; 3], [[0.0_f64; 3]; 3]);
    visit(place, side, axes, |point, distances| {
        let splines: Vec<[f64; 3]> = distances.iter().map(|distance| spline(*distance)).collect();
        // The derivative by some axes, each as often as it is named.
        let derivative = |by: &[usize]| -> f64 {
            let order = |axis: usize| by.iter().filter(|named| **named == axis).count();
            splines.iter().enumerate().map(|(axis, spline)| spline[order(axis)]).product()
        };
        let value = f64::from(mesh[point]);
        for axis in 0..axes {
            slope[axis] -= value * derivative(&[axis]);
            for (other, bend) in bends[axis].iter_mut().enumerate().take(axes) {
                *bend += value * derivative(&[axis, other]);
            }
        }
    });
    (slope, bends.iter().flatten().map(|bend| bend * bend).sum::<f64>().sqrt())
}
