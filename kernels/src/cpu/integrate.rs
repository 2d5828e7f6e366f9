//! Adds the forces up and moves the nodes.
//!
//! The step is a gradient step on the layout's energy, scaled per node by a bound on the
//! curvature there (majorise and minimise with a diagonal majorant, the idea behind SMACOF; De
//! Leeuw, 1977), with momentum (heavy ball; Polyak, 1964). The bound is the sum of the absolute
//! pair curvatures: twice what each law of the edges bounds its pull by (`springs.rs`), twice the repulsion's stiffness, gravity once. So a
//! hub with 20,000 springs and a leaf with one both take the largest step that is safe for them,
//! and nothing needs tuning when the graph or the parameters change.

use rayon::prelude::*;

use super::CHUNK;
use super::gravity::Gravity;
use super::repulsion::Field;
use super::springs::{Law, Pull, pull};
use crate::adjacency::Adjacency;
use crate::{Params, Point, WORLD_LIMIT};

/// Nodes whose fields are fetched together: they lie apart in memory, and one after the other each would
/// be waited for.
const TOGETHER: usize = 16;

/// All that decides one step, read-only, by place.
pub(super) struct Step<'a> {
    pub(super) params: &'a Params,
    pub(super) law: Law,
    pub(super) adjacency: &'a Adjacency,
    pub(super) masses: &'a [f32],
    pub(super) fixed: &'a [bool],
    pub(super) positions: &'a [Point],
    /// Repulsion, in an order of its own.
    pub(super) fields: &'a [Field],
    /// Where each node's field is in `fields`.
    pub(super) rank: &'a [u32],
    pub(super) gravity: Gravity,
    /// Heat of the whole layout.
    pub(super) heat: f32,
    /// Heat of each node's own, where that is higher.
    pub(super) warmth: &'a [f32],
    /// Furthest that a node may move at heat 1.
    pub(super) reach: f32,
}

/// How far the free nodes moved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Movement {
    /// Sum of the distances.
    pub(crate) sum: f64,
    /// Longest distance.
    pub(crate) max: f32,
    /// Number of nodes that may move.
    pub(crate) free: usize,
    /// The largest product of a node's mass and its distance, where forces moved it.
    pub(crate) moment: f32,
}

impl Movement {
    /// Counts a free node in that moved so far.
    pub(super) fn add(&mut self, distance: f32) {
        self.sum += f64::from(distance);
        self.max = self.max.max(distance);
        self.free += 1;
    }

    /// Both together.
    pub(super) fn join(self, other: &Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            max: self.max.max(other.max),
            free: self.free + other.free,
            moment: self.moment.max(other.moment),
        }
    }
}

impl Step<'_> {
    /// Writes the positions after the step to `moved` and the way each node went to
    /// `velocities`, which on entry hold the step before.
    /// `movements` is memory.
    pub(super) fn run(
        &self,
        moved: &mut [Point],
        velocities: &mut [Point],
        movements: &mut Vec<Movement>,
    ) -> Movement {
        movements.resize(moved.len().div_ceil(CHUNK), Movement::default());
        moved
            .par_chunks_mut(CHUNK)
            .zip(velocities.par_chunks_mut(CHUNK))
            .zip(&mut *movements)
            .enumerate()
            .for_each(|(chunk, ((moved, velocities), movement))| {
                *movement = self.chunk(chunk * CHUNK, moved, velocities);
            });
        // In order of the chunks, so that the sum does not depend on who finished first.
        movements.iter().fold(Movement::default(), Movement::join)
    }

    fn chunk(&self, first: usize, moved: &mut [Point], velocities: &mut [Point]) -> Movement {
        let mut movement = Movement::default();
        let groups = moved.chunks_mut(TOGETHER).zip(velocities.chunks_mut(TOGETHER));
        for (group, (moved, velocities)) in groups.enumerate() {
            let first = first + group * TOGETHER;
            let mut fields = [Field::default(); TOGETHER];
            for (field, rank) in fields.iter_mut().zip(&self.rank[first..first + moved.len()]) {
                *field = self.fields[*rank as usize];
            }
            let mut springs = [Pull::default(); TOGETHER];
            for (at, springs) in springs[..moved.len()].iter_mut().enumerate() {
                *springs = pull(first + at, self.adjacency, self.positions, self.law);
            }
            for (at, (to, velocity)) in moved.iter_mut().zip(velocities).enumerate() {
                let place = first + at;
                let from = self.positions[place];
                if self.fixed[place] {
                    *to = from;
                    *velocity = [0.0; 3];
                    continue;
                }
                *velocity = self.velocity(place, *velocity, &fields[at], &springs[at]);
                let mut square = 0.0_f32;
                for axis in 0..3 {
                    to[axis] = (from[axis] + velocity[axis]).clamp(-WORLD_LIMIT, WORLD_LIMIT);
                    velocity[axis] = to[axis] - from[axis];
                    square += velocity[axis] * velocity[axis];
                }
                let distance = square.sqrt();
                movement.add(distance);
                movement.moment = movement.moment.max(distance * self.masses[place]);
            }
        }
        movement
    }

    /// Where a free node goes, and how far: momentum plus a safe step, no further than its heat allows.
    fn velocity(&self, place: usize, before: Point, field: &Field, springs: &Pull) -> Point {
        let here = self.positions[place];
        let params = self.params;
        let mass = self.masses[place];
        let radius = norm(here);
        let inward = mass * self.gravity.pull(radius);
        let push = params.repulsion * mass;
        let curvature = 2.0 * params.attraction * springs.stiffness
            + 2.0 * push * field.stiffness
            + mass * self.gravity.stiffness(radius);
        // No force at all leaves 0 / 0: a lone node without gravity stays.
        let rate = params.step / curvature.max(f32::MIN_POSITIVE * 1e6);

        let mut next = [0.0; 3];
        for axis in 0..3 {
            let force =
                params.attraction * springs.force[axis] + push * field.push[axis] - inward * here[axis];
            next[axis] = before[axis] * (1.0 - params.damping) + force * rate;
        }
        let length = norm(next);
        if !length.is_finite() {
            return [0.0; 3];
        }
        let reach = self.reach_at(place, radius);
        if length > reach {
            next = next.map(|c| c * (reach / length));
        }
        next
    }

    /// Furthest that a node at distance `radius` may move. One that a hand has left far outside
    /// may come home however cold the layout is.
    fn reach_at(&self, place: usize, radius: f32) -> f32 {
        let homeward = self.params.max_speed * (radius - self.gravity.outermost()).max(0.0);
        (self.reach * self.heat.max(self.warmth[place])).max(homeward)
    }
}

fn norm(vector: Point) -> f32 {
    vector.iter().map(|c| c * c).sum::<f32>().sqrt()
}
