//! Where a node starts.
//!
//! A newcomer starts beside a neighbour that already has a place, so that adding nodes does not
//! stir the rest. One with no such neighbour starts at the rim, where gravity would bring loose
//! parts anyway. Only when nothing has a place yet are the nodes scattered over the whole disc.

use crate::adjacency::Adjacency;
use crate::random;
use crate::{Dim, Point};

/// What seeding needs to know about the graph.
pub(crate) struct Ground<'a> {
    pub(crate) dim: Dim,
    pub(crate) seed: u64,
    /// External id of every slot: places depend on it, not on the slot, which may shift.
    pub(crate) ids: &'a [u32],
    pub(crate) adjacency: &'a Adjacency,
    /// Distance at which two lone linked nodes rest.
    pub(crate) rest_length: f32,
    /// Radius that the settled layout will roughly have.
    pub(crate) radius: f32,
}

impl Ground<'_> {
    /// Gives every slot that is not `placed` a position.
    pub(crate) fn place(&self, positions: &mut [Point], placed: &mut [bool]) {
        if placed.contains(&true) {
            self.place_beside(positions, placed);
        } else {
            self.scatter(positions);
        }
    }

    /// First layout: linked nodes all over the disc, isolated ones round its rim.
    fn scatter(&self, positions: &mut [Point]) {
        for (slot, position) in positions.iter_mut().enumerate() {
            let id = self.ids[slot];
            *position = if self.adjacency.degree(slot) == 0 {
                self.at_rim(id, self.radius)
            } else {
                random::in_ball(self.dim, self.seed, id).map(|c| c * self.radius * 0.7)
            };
        }
    }

    fn place_beside(&self, positions: &mut [Point], placed: &mut [bool]) {
        let rim = rim_radius(positions, placed).max(self.rest_length);
        let frontier =
            (0..placed.len()).filter(|slot| !placed[*slot] && self.anchor(*slot, placed).is_some()).collect();
        self.flood(frontier, positions, placed);
        // What is left hangs together with nothing that has a place: start each part at the rim.
        for slot in 0..placed.len() {
            if !placed[slot] {
                positions[slot] = self.at_rim(self.ids[slot], rim);
                placed[slot] = true;
                let frontier = self.unplaced_neighbours(&[slot], placed);
                self.flood(frontier, positions, placed);
            }
        }
    }

    /// Places `frontier`, then its neighbours, and so on outwards. Every slot of a frontier has
    /// a placed neighbour.
    fn flood(&self, mut frontier: Vec<usize>, positions: &mut [Point], placed: &mut [bool]) {
        while !frontier.is_empty() {
            // Anchors first, then places: the outcome must not depend on the order within.
            let anchors: Vec<_> = frontier.iter().filter_map(|slot| self.anchor(*slot, placed)).collect();
            for (&slot, anchor) in frontier.iter().zip(anchors) {
                let offset = random::direction(self.dim, self.seed, self.ids[slot]);
                for axis in 0..3 {
                    positions[slot][axis] = positions[anchor][axis] + offset[axis] * self.rest_length;
                }
                placed[slot] = true;
            }
            frontier = self.unplaced_neighbours(&frontier, placed);
        }
    }

    /// The placed neighbour with the fewest neighbours of its own: it says most about where
    /// this node belongs, a hub says least.
    fn anchor(&self, slot: usize, placed: &[bool]) -> Option<usize> {
        self.adjacency
            .neighbours(slot)
            .iter()
            .map(|neighbour| *neighbour as usize)
            .filter(|neighbour| placed[*neighbour])
            .min_by_key(|neighbour| (self.adjacency.degree(*neighbour), *neighbour))
    }

    fn unplaced_neighbours(&self, slots: &[usize], placed: &[bool]) -> Vec<usize> {
        let mut found: Vec<usize> = slots
            .iter()
            .flat_map(|slot| self.adjacency.neighbours(*slot))
            .map(|neighbour| *neighbour as usize)
            .filter(|neighbour| !placed[*neighbour])
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A place near distance `radius` from the origin, slightly spread inwards and outwards.
    fn at_rim(&self, id: u32, radius: f32) -> Point {
        let spread = 0.95 + 0.1 * random::unit(self.seed, id, u32::MAX);
        random::direction(self.dim, self.seed, id).map(|c| c * radius * spread)
    }
}

/// Where the rim of the placed nodes lies. From the mean square, not the maximum: one node that
/// was dragged far away must not carry newcomers off.
fn rim_radius(positions: &[Point], placed: &[bool]) -> f32 {
    let (mut sum, mut count) = (0.0_f64, 0_u32);
    for (position, is_placed) in positions.iter().zip(placed) {
        if *is_placed {
            sum += position.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>();
            count += 1;
        }
    }
    // An even disc has a mean square of half its squared radius.
    (2.0 * sum / f64::from(count.max(1))).sqrt() as f32
}
