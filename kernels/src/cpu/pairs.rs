//! The innermost loops: the sum of all sources on one node.
//!
//! Written as sixteen independent running sums, which a compiler turns into vector code of
//! whatever width the processor has; as the sums and their final order are fixed, the width does
//! not change a bit of the result. Division is exact for the same reason.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use super::interaction::{Cells, LANES, Nodes};
use crate::Point;

/// Repulsion on one node, per unit of its mass and of [`Params::repulsion`](crate::Params).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Field {
    /// Sum of `m · d / (|d|² + ε²)` over all others, `d` pointing away from them.
    pub(crate) push: Point,
    /// Sum of `m / (|d|² + ε²)` over all others: bounds how fast `push` can change.
    pub(crate) stiffness: f32,
}

/// One number per lane.
type Lanes = [f32; LANES];

/// The running sums of a [`Field`].
pub(super) struct Sums<const D: usize> {
    push: [Lanes; D],
    stiffness: Lanes,
}

impl<const D: usize> Sums<D> {
    pub(super) const ZERO: Self = Self { push: [[0.0; LANES]; D], stiffness: [0.0; LANES] };

    /// Adds single nodes. One in the very same place does not act.
    #[inline(always)]
    pub(super) fn add_nodes(&mut self, point: Point, nodes: &Nodes, softening_squared: f32) {
        for block in 0..nodes.mass.len() / LANES {
            let place: [&Lanes; D] = std::array::from_fn(|axis| lanes(&nodes.place[axis], block));
            let mass = lanes(&nodes.mass, block);
            for lane in 0..LANES {
                let apart: [f32; D] = std::array::from_fn(|axis| point[axis] - place[axis][lane]);
                let square = dot(&apart, &apart);
                let others = if square > 0.0 { mass[lane] } else { 0.0 };
                let weight = others / (square + softening_squared);
                for (sum, apart) in self.push.iter_mut().zip(apart) {
                    sum[lane] += apart * weight;
                }
                self.stiffness[lane] += weight;
            }
        }
    }

    /// Adds whole cells, each as its mass at its centre and how the mass spreads round it (the
    /// second-order term of the field's Taylor series; the first vanishes at the centre of mass).
    #[inline(always)]
    pub(super) fn add_cells(&mut self, point: Point, cells: &Cells, softening_squared: f32) {
        for block in 0..cells.centers.mass.len() / LANES {
            let place: [&Lanes; D] = std::array::from_fn(|axis| lanes(&cells.centers.place[axis], block));
            let mass = lanes(&cells.centers.mass, block);
            let along: [&Lanes; D] = std::array::from_fn(|axis| lanes(&cells.along[axis], block));
            let across: [&Lanes; 3] = std::array::from_fn(|pair| lanes(&cells.across[pair], block));
            for lane in 0..LANES {
                let apart: [f32; D] = std::array::from_fn(|axis| point[axis] - place[axis][lane]);
                let inverse = 1.0 / (dot(&apart, &apart) + softening_squared);
                let mut bent: [f32; D] = std::array::from_fn(|axis| along[axis][lane] * apart[axis]);
                bent[0] += across[0][lane] * apart[1];
                bent[1] += across[0][lane] * apart[0];
                if D == 3 {
                    bent[0] += across[1][lane] * apart[2];
                    bent[1] += across[2][lane] * apart[2];
                    bent[2] += across[1][lane] * apart[0] + across[2][lane] * apart[1];
                }
                let trace = along.iter().fold(0.0, |sum, spread| sum + spread[lane]);
                let square = inverse * inverse;
                let weight = mass[lane] * inverse;
                let outward = weight + square * (4.0 * dot(&apart, &bent) * inverse - trace);
                for ((sum, apart), bent) in self.push.iter_mut().zip(apart).zip(bent) {
                    sum[lane] += apart * outward - 2.0 * square * bent;
                }
                self.stiffness[lane] += weight;
            }
        }
    }

    /// The sums over all lanes.
    #[inline(always)]
    pub(super) fn field(self) -> Field {
        let mut field = Field { push: [0.0; 3], stiffness: fold(self.stiffness) };
        for (total, sum) in field.push.iter_mut().zip(self.push) {
            *total = fold(sum);
        }
        field
    }
}

/// The `block`-th sixteen numbers of a padded column.
#[inline(always)]
fn lanes(column: &[f32], block: usize) -> &Lanes {
    &column.as_chunks::<LANES>().0[block]
}

#[inline(always)]
fn dot<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    let mut sum = a[0] * b[0];
    for axis in 1..D {
        sum += a[axis] * b[axis];
    }
    sum
}

/// Adds the lanes up in halves.
#[inline(always)]
fn fold(mut lanes: Lanes) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
