//! Nodes that have a large share of all mass: what they push is summed exactly, and they are not on the mesh.
//!
//! What a node has spread over the mesh pushes the node itself a little, and what lies near it the wrong way by as much; the
//! error grows with the square of its share. There are few such nodes, so that all pairs with them cost little.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use super::frame::Frame;
use crate::Point;

/// Share of all mass from which on a node is heavy. With a twentieth there are nineteen at most.
pub(crate) const SHARE: f32 = 0.05;
/// Sums that are kept side by side, so that they are added as vectors.
const LANES: usize = 16;

/// The heavy nodes of a tick.
#[derive(Debug)]
pub(super) struct Heavy<const D: usize> {
    /// What is heavier than this is not on the mesh.
    pub(super) limit: f32,
    /// Places, counted in near cells, and masses.
    nodes: Vec<([f32; D], f32)>,
}

impl<const D: usize> Default for Heavy<D> {
    fn default() -> Self {
        Self { limit: f32::INFINITY, nodes: Vec::new() }
    }
}

impl<const D: usize> Heavy<D> {
    /// Finds the heavy ones.
    pub(super) fn find(&mut self, frame: &Frame<D>, positions: &[Point], masses: &[f32]) {
        self.limit = SHARE * sum(masses);
        self.nodes.clear();
        for (part, masses) in masses.chunks(LANES).enumerate() {
            // Without a way out, so that many are compared at a time.
            let heaviest = masses.iter().fold(0.0_f32, |most, mass| most.max(*mass));
            if heaviest > self.limit {
                let all = masses.iter().zip(&positions[part * LANES..]);
                let heavy = all.filter(|(mass, _)| **mass > self.limit);
                self.nodes.extend(heavy.map(|(mass, position)| (frame.local(position), *mass)));
            }
        }
    }

    /// Adds the long part of what they push at `local` to `push` and `stiffness`, counted in near cells.
    #[inline(always)]
    pub(super) fn add(&self, local: &[f32; D], push: &mut [f32; D], stiffness: &mut f32) {
        for (place, mass) in &self.nodes {
            let apart: [f32; D] = std::array::from_fn(|axis| local[axis] - place[axis]);
            let square: f32 = apart.iter().map(|c| c * c).sum();
            if square > 0.0 {
                let strength = mass * long(square);
                for axis in 0..D {
                    push[axis] += apart[axis] * strength;
                }
                *stiffness += strength;
            }
        }
    }
}

/// The long part of the push of two nodes over their distance, at a squared distance counted in reaches: what the short
/// part leaves of `1 / u`.
#[inline(always)]
fn long(u: f32) -> f32 {
    if u < 1.0 { 4.0 - u * (6.0 - u * (4.0 - u)) } else { 1.0 / u }
}

fn sum(masses: &[f32]) -> f32 {
    let (whole, rest) = masses.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in whole {
        for (sum, mass) in sums.iter_mut().zip(chunk) {
            *sum += mass;
        }
    }
    sums.iter().chain(rest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_up_the_whole() {
        for u in [0.01_f32, 0.3, 0.99, 1.0, 7.0] {
            let short = if u < 1.0 { (1.0 - u).powi(4) / u } else { 0.0 };
            assert!((short + long(u) - 1.0 / u).abs() < 1e-4 / u, "{u}");
        }
    }

    #[test]
    fn all_masses_are_summed() {
        let masses: Vec<f32> = (0..1_003_u16).map(f32::from).collect();
        assert!((sum(&masses) - 502_503.0).abs() < 0.5);
    }
}
