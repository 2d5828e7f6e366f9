//! The pull of the edges on one node.

use crate::Point;
use crate::adjacency::Adjacency;

/// What the edges do to a node, per unit of [`Params::attraction`](crate::Params).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pull {
    pub(super) force: Point,
    /// Sum of weights (as far as they act at this length): bounds how fast `force` can change.
    pub(super) stiffness: f32,
}

/// Sums the springs of the node at `place` to its neighbours, in their order.
pub(super) fn pull(place: usize, adjacency: &Adjacency, positions: &[Point], lin_log: bool) -> Pull {
    let here = positions[place];
    let neighbours = adjacency.neighbours(place);
    match (adjacency.weights(), lin_log) {
        (None, false) => sum(here, neighbours, positions, |_, _| 1.0),
        (None, true) => sum(here, neighbours, positions, |_, apart| log_share(apart)),
        (Some(weights), false) => {
            let weights = &weights[adjacency.range(place)];
            sum(here, neighbours, positions, |at, _| weights[at])
        }
        (Some(weights), true) => {
            let weights = &weights[adjacency.range(place)];
            sum(here, neighbours, positions, |at, apart| weights[at] * log_share(apart))
        }
    }
}

fn sum(here: Point, neighbours: &[u32], positions: &[Point], strength: impl Fn(usize, Point) -> f32) -> Pull {
    let mut sum = Pull { force: [0.0; 3], stiffness: 0.0 };
    for (at, neighbour) in neighbours.iter().enumerate() {
        let there = positions[*neighbour as usize];
        let apart = [there[0] - here[0], there[1] - here[1], there[2] - here[2]];
        let strength = strength(at, apart);
        for (force, apart) in sum.force.iter_mut().zip(apart) {
            *force += strength * apart;
        }
        sum.stiffness += strength;
    }
    sum
}

/// `ln(1 + d) / d` for `d` the length of `apart`: what LinLog makes of a linear spring.
fn log_share(apart: Point) -> f32 {
    let length = apart.iter().map(|c| c * c).sum::<f32>().sqrt();
    if length < 1e-3 { 1.0 } else { length.ln_1p() / length }
}
