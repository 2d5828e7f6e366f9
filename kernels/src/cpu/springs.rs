//! The pull of the edges on one node.

use std::ops::Range;

use wide::f32x4;

use crate::adjacency::Adjacency;
use crate::weights::Weights;
use crate::{Model, Params, Point};

/// What the edges do to a node, per unit of [`Params::attraction`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pull {
    pub(super) force: Point,
    /// Bounds how fast `force` can change with the node's place: the sum of the bounds of each edge.
    pub(super) stiffness: f32,
}

/// How an edge pulls; see [`Model`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Law {
    /// As `d`. The bound is the weight.
    Linear,
    /// As `ln(1 + d)`. As a function of `d²` its energy is concave, so that of the linear spring that pulls as
    /// strongly here lies above it everywhere: that one's strength is the bound.
    Logarithm,
    /// As `d²/k`, with the inverse of `k`. The slope is `2d/k`. It grows with the distance, so an edge
    /// shorter than `k` counts as one of that length: it may come there in one step. A longer one gets
    /// shorter, unless something stronger stretches it, the bound of which counts as well.
    Square { per_ideal: f32 },
    /// As `d` less the length of rest, times `mass`, over the smaller number of neighbours. What the length of rest
    /// adds to the energy is concave, so the bound is that of a spring without.
    Rest { length: f32, mass: f32 },
}

impl Law {
    /// The law of `params` where nodes have this mass in the mean.
    pub(super) fn new(params: &Params, mean_mass: f32) -> Self {
        let ideal = params.ideal_length(mean_mass);
        match params.model {
            Model::ForceAtlas2 if params.lin_log => Self::Logarithm,
            Model::ForceAtlas2 => Self::Linear,
            Model::FruchtermanReingold => Self::Square { per_ideal: 1.0 / ideal },
            Model::D3 => Self::Rest { length: 0.5 * ideal, mass: mean_mass },
        }
    }
}

/// So many neighbours ahead, counted over all rows, positions are asked for before they are needed: about
/// as long as memory takes to answer.
const AHEAD: usize = 24;

/// Sums the springs of the node at `place` to its neighbours, in their order.
pub(super) fn pull(place: usize, adjacency: &Adjacency, positions: &[Point], law: Law) -> Pull {
    let springs = Springs { here: positions[place], range: adjacency.range(place), adjacency, positions };
    match adjacency.weights() {
        Weights::Ones => springs.pull(law, |_| 1.0),
        Weights::Few { values, which } => springs.pull(law, |at| values[which[at] as usize]),
        Weights::Any(weights) => springs.pull(law, |at| weights[at]),
    }
}

/// The springs of one node.
struct Springs<'a> {
    here: Point,
    /// Where its neighbours are among all.
    range: Range<usize>,
    adjacency: &'a Adjacency,
    positions: &'a [Point],
}

impl Springs<'_> {
    /// Adds them up by `law`; `weight` is asked with a neighbour's index among all.
    fn pull(&self, law: Law, weight: impl Fn(usize) -> f32) -> Pull {
        let same = |strength: f32| (strength, strength);
        match law {
            Law::Linear => self.sum(|at, _| same(weight(at))),
            Law::Logarithm => self.sum(|at, apart| same(weight(at) * log_share(apart))),
            Law::Square { per_ideal } => self.sum(|at, apart| {
                let (weight, lengths) = (weight(at), length(apart) * per_ideal);
                (weight * lengths, 2.0 * weight * lengths.max(1.0))
            }),
            Law::Rest { length: rest, mass } => {
                let own = self.range.len();
                self.sum(|at, apart| {
                    let other = self.adjacency.degree(self.adjacency.all_neighbours()[at] as usize);
                    let strength = mass * weight(at) / own.min(other) as f32;
                    // In one place there is no way apart; the push will find one.
                    (strength * (1.0 - rest / length(apart).max(1e-3 * rest)), strength)
                })
            }
        }
    }

    /// Adds them up: of each, what its way is multiplied with and the bound, as `strength` says of its
    /// neighbour's index among all and of the way there.
    fn sum(&self, strength: impl Fn(usize, Point) -> (f32, f32)) -> Pull {
        let from = f32x4::new([self.here[0], self.here[1], self.here[2], 0.0]);
        let all = self.adjacency.all_neighbours();
        let (mut force, mut stiffness) = (f32x4::ZERO, 0.0);
        for at in self.range.clone() {
            if let Some(later) = all.get(at + AHEAD) {
                prefetch(self.positions, *later as usize);
            }
            let apart = four(self.positions, all[at] as usize) - from;
            let [x, y, z, _] = apart.to_array();
            let (strength, bound) = strength(at, [x, y, z]);
            force += apart * f32x4::splat(strength);
            stiffness += bound;
        }
        let [x, y, z, _] = force.to_array();
        Pull { force: [x, y, z], stiffness }
    }
}

/// Asks for a position that will be needed soon.
fn prefetch(positions: &[Point], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "there is no safe way to ask for memory ahead")]
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address; every processor of this
        // architecture has it.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(positions.as_ptr().wrapping_add(at).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (positions, at);
}

/// A position as a vector; what is in its last lane does not matter.
fn four(positions: &[Point], at: usize) -> f32x4 {
    // One load in place of three: the next position's first coordinate comes along.
    match positions.as_flattened().get(3 * at..).and_then(<[f32]>::first_chunk) {
        Some(four) => f32x4::new(*four),
        None => f32x4::new([positions[at][0], positions[at][1], positions[at][2], 0.0]),
    }
}

/// `ln(1 + d) / d` for `d` the length of `apart`: what LinLog makes of a linear spring.
fn log_share(apart: Point) -> f32 {
    let length = length(apart);
    if length < 1e-3 { 1.0 } else { length.ln_1p() / length }
}

fn length(apart: Point) -> f32 {
    apart.iter().map(|c| c * c).sum::<f32>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::Lookup;
    use crate::{Dim, Edge, random};

    /// What [`Model`] says of the pull on one node, in double precision, per unit of attraction.
    fn naive(slot: usize, edges: &[Edge], positions: &[Point], params: &Params, mean_mass: f64) -> [f64; 3] {
        let degree =
            |id: u32| edges.iter().filter(|edge| edge.source == id || edge.target == id).count() as f64;
        let ideal = mean_mass * f64::from(params.repulsion / params.attraction).sqrt();
        let mut force = [0.0; 3];
        for edge in edges {
            let other = match slot as u32 {
                id if id == edge.source => edge.target,
                id if id == edge.target => edge.source,
                _ => continue,
            };
            let (here, there) = (positions[slot], positions[other as usize]);
            let way: [f64; 3] = std::array::from_fn(|axis| f64::from(there[axis]) - f64::from(here[axis]));
            let d = way.iter().map(|c| c * c).sum::<f64>().sqrt();
            let (a, b) = (degree(slot as u32), degree(other));
            let size = f64::from(edge.weight)
                * match params.model {
                    Model::ForceAtlas2 if params.lin_log => (1.0 + d).ln(),
                    Model::ForceAtlas2 => d,
                    Model::FruchtermanReingold => d * d / ideal,
                    Model::D3 => mean_mass / a.min(b) * (d - ideal / 2.0),
                };
            (0..3).for_each(|axis| force[axis] += size * way[axis] / d);
        }
        force
    }

    fn laws() -> [Params; 4] {
        let of = |model| Params { model, ..Params::default() };
        let lin_log = Params { lin_log: true, ..Params::default() };
        [of(Model::ForceAtlas2), lin_log, of(Model::FruchtermanReingold), of(Model::D3)]
    }

    /// A hub with rays, some of which are linked, with and without weights.
    fn case(weighted: bool) -> (Vec<Edge>, Vec<Point>) {
        let weight = |at: u32| if weighted { 0.5 + at as f32 } else { 1.0 };
        let ray = |at| Edge { source: 0, target: at, weight: weight(at) };
        let tie = |at| Edge { source: at, target: at + 1, weight: weight(at) };
        let edges = (1..12).map(ray).chain((1..12).step_by(3).map(tie)).collect();
        // Some edges are shorter than any length of rest, some are much longer.
        let place = |at| random::in_ball(Dim::Three, 3, at).map(|c| c * 4.0 * (1.0 + at as f32).powi(2));
        (edges, (0..13).map(place).collect())
    }

    #[test]
    fn every_law_pulls_as_the_sum_over_its_edges() {
        for (params, weighted) in laws().into_iter().flat_map(|params| [(params, false), (params, true)]) {
            let (edges, positions) = case(weighted);
            let ids: Vec<u32> = (0..positions.len() as u32).collect();
            let adjacency = Adjacency::new(&Lookup::new(&ids), &edges).unwrap();
            for slot in 0..positions.len() {
                let found = pull(slot, &adjacency, &positions, Law::new(&params, 3.0)).force;
                let exact = naive(slot, &edges, &positions, &params, 3.0);
                let size = exact.iter().map(|c| c * c).sum::<f64>().sqrt();
                for axis in 0..3 {
                    let off = (f64::from(found[axis]) - exact[axis]).abs();
                    assert!(off <= 1e-5 * size + 1e-9, "{:?} {slot}: {found:?} {exact:?}", params.model);
                }
            }
        }
    }

    #[test]
    fn no_law_changes_faster_along_a_way_than_its_bound() {
        for params in laws() {
            let law = Law::new(&params, 3.0);
            let (edges, mut positions) = case(false);
            let ids: Vec<u32> = (0..positions.len() as u32).collect();
            let adjacency = Adjacency::new(&Lookup::new(&ids), &edges).unwrap();
            for slot in 0..positions.len() {
                let (home, before) = (positions[slot], pull(slot, &adjacency, &positions, law));
                for direction in 0..20 {
                    let way = random::direction(Dim::Three, 5, direction);
                    positions[slot] = std::array::from_fn(|axis| home[axis] + 0.05 * way[axis]);
                    let after = pull(slot, &adjacency, &positions, law).force;
                    // How much stronger it pulls back, for each unit of the way.
                    let back: f32 = (0..3).map(|axis| (before.force[axis] - after[axis]) * way[axis]).sum();
                    assert!(
                        back / 0.05 <= 1.02 * before.stiffness + 1e-3,
                        "{law:?} {slot}: {back} {before:?}"
                    );
                    positions[slot] = home;
                }
            }
        }
    }
}
