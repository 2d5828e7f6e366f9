//! One step of the refinement: neighbours in the graph become neighbours in the picture.
//!
//! Force models such as ForceAtlas2 show the shape of the whole and hardly who belongs to whom: most
//! nodes end in a crowd between all that pulls them. Here a node is drawn to its neighbours as t-SNE draws
//! it (van der Maaten and Hinton, 2008) with the graph's own edges for affinities, each node's summing to
//! the same (Böhm, Berens and Kobak, Attraction-Repulsion Spectrum in Neighbor Embeddings, 2022): a hub with
//! 20,000 neighbours says next to nothing about where one of them belongs, the other end of an only edge
//! all. Nodes push each other over a short way only ([`near`]), and a few pivots keep the shape of the
//! whole ([`pivots`]), in place of t-SNE's push between all.
//!
//! Lengths are counted in units here: taken once, from how densely the nodes lie when the refinement
//! begins, so that what comes later does not stretch the picture.

mod near;
mod pivots;

use rayon::prelude::*;

use self::near::{Near, middle};
use self::pivots::Pivots;
use super::CHUNK;
use super::arrangement::Arrangement;
use super::gravity::Gravity;
use super::integrate::Movement;
use crate::scene::{Change, Scene};
use crate::{Dim, Point, WORLD_LIMIT, random};

/// Nodes in a square or cube of one unit, in the dense half of the layout, when the refinement begins.
const DENSITY: f32 = 3.0;
/// Strength of the push against that of the edges: more spreads groups out, less draws them into knots.
const PUSH: f32 = 0.4;
/// Strength of the pivots against that of the edges, in a graph of any size.
const SHAPE: f32 = 0.002;
/// Nodes whose pivots pull about as much as their edges: in small pictures the shape of the whole is what is
/// looked at, in large ones who is beside whom.
const SMALL: f32 = 500.0;
/// Share of the last step that is taken again, at most.
const MOMENTUM: f32 = 0.8;
/// Share of what the forces may move a node in a tick at the same heat. With that, the little heat after a small
/// change of the graph cannot move anyone further than 2 % of the layout's extent in all.
const CALM: f32 = 0.4;
/// How far nodes in one place move apart, in units.
const APART: f32 = 0.3;

/// What the refinement remembers from tick to tick.
#[derive(Debug, Default)]
pub(super) struct Refiner {
    scale: Option<Scale>,
    near: Near,
    pivots: Pivots,
    /// Place in units, and one over the sum of the weights of the edges.
    points: Vec<[f32; 4]>,
}

/// Lengths that stay the same while a layout is refined.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// A unit, in world units.
    unit: f32,
    /// What an edge would best measure, in units, for the pivots.
    hop: f32,
}

/// How far nodes may go in a tick, in world units.
pub(super) struct Reach {
    /// At heat 1.
    pub(super) furthest: f32,
    pub(super) gravity: Gravity,
}

impl Refiner {
    /// Forgets all but the memory: the next step begins anew.
    pub(super) fn rest(&mut self) {
        self.scale = None;
    }

    /// Writes the positions after the step to `moved` and the way each node went to the velocities of
    /// `nodes`. `movements` is memory.
    pub(super) fn step(
        &mut self,
        scene: &Scene<'_>,
        nodes: &mut Arrangement,
        reach: &Reach,
        moved: &mut [Point],
        movements: &mut Vec<Movement>,
    ) -> Movement {
        let unit = match self.scale {
            Some(scale) => scale.unit,
            None => unit(scene, &nodes.positions),
        };
        self.gather(nodes, unit);
        if self.scale.is_none() || scene.change == Change::Graph {
            self.pivots.choose(scene.adjacency, scene.ids, scene.seed);
        }
        self.pivots.grow(scene.adjacency);
        self.pivots.follow(|slot| self.points[nodes.place(slot)]);
        let scale = *self.scale.get_or_insert_with(|| {
            let slots = self.points.iter().enumerate().map(|(place, point)| (nodes.slot(place), *point));
            Scale { unit, hop: self.pivots.hop(slots).unwrap_or(1.0) }
        });
        self.near.sum(scene.dim, &self.points);

        let mut velocities = std::mem::take(&mut nodes.velocities);
        movements.resize(moved.len().div_ceil(CHUNK), Movement::default());
        let step = Step { scene, nodes, refiner: self, scale, reach, shape: shape(moved.len()) };
        moved
            .par_chunks_mut(CHUNK)
            .zip(velocities.par_chunks_mut(CHUNK))
            .zip(&mut *movements)
            .enumerate()
            .for_each(|(chunk, ((moved, velocities), movement))| {
                *movement = step.chunk(chunk * CHUNK, moved, velocities);
            });
        nodes.velocities = velocities;
        // In order of the chunks, so that the sum does not depend on who finished first.
        movements.iter().fold(Movement::default(), Movement::join)
    }

    /// Takes the nodes' places over, in units.
    fn gather(&mut self, nodes: &Arrangement, unit: f32) {
        self.points.resize(nodes.positions.len(), [0.0; 4]);
        let columns = (self.points.par_chunks_mut(CHUNK), nodes.positions.par_chunks(CHUNK));
        columns.into_par_iter().enumerate().for_each(|(chunk, (points, positions))| {
            for (at, (point, [x, y, z])) in points.iter_mut().zip(positions).enumerate() {
                let place = chunk * CHUNK + at;
                let weights = nodes.adjacency.weights();
                let sum: f32 = nodes.adjacency.range(place).map(|at| weights.at(at)).sum();
                *point = [x / unit, y / unit, z / unit, if sum > 0.0 { 1.0 / sum } else { 0.0 }];
            }
        });
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.near.memory() + self.pivots.memory() + self.points.capacity() * size_of::<[f32; 4]>()
    }
}

/// Strength of the pivots, for a graph of so many nodes.
fn shape(nodes: usize) -> f32 {
    (SHAPE + SMALL / nodes.max(1) as f32).min(1.0)
}

/// The length at which the half of the nodes that lies innermost has [`DENSITY`].
fn unit(scene: &Scene<'_>, positions: &[Point]) -> f32 {
    let points: Vec<[f32; 4]> = positions.iter().map(|[x, y, z]| [*x, *y, *z, 0.0]).collect();
    let center = middle(&points);
    let mut radii: Vec<f32> = positions
        .iter()
        .map(|point| point.iter().zip(center).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt())
        .collect();
    let half = radii.len() / 2;
    let radius = *radii.select_nth_unstable_by(half, f32::total_cmp).1;
    let each = DENSITY / half.max(1) as f32 * std::f32::consts::PI;
    let unit = match scene.dim {
        Dim::Two => radius * each.sqrt(),
        Dim::Three => radius * (each * 4.0 / 3.0).cbrt(),
    };
    // All in one place has no density.
    let rest_length = scene.params.rest_length();
    unit.clamp(1e-3 * rest_length, 1e3 * rest_length)
}

/// All that decides one step, read-only, by place.
struct Step<'a> {
    scene: &'a Scene<'a>,
    nodes: &'a Arrangement,
    refiner: &'a Refiner,
    scale: Scale,
    reach: &'a Reach,
    shape: f32,
}

impl Step<'_> {
    fn chunk(&self, first: usize, moved: &mut [Point], velocities: &mut [Point]) -> Movement {
        let mut movement = Movement::default();
        for (at, (to, velocity)) in moved.iter_mut().zip(velocities).enumerate() {
            let place = first + at;
            let from = self.nodes.positions[place];
            if self.nodes.fixed[place] {
                *to = from;
                *velocity = [0.0; 3];
                continue;
            }
            *velocity = self.velocity(place, *velocity);
            let mut square = 0.0_f32;
            for axis in 0..3 {
                to[axis] = (from[axis] + velocity[axis]).clamp(-WORLD_LIMIT, WORLD_LIMIT);
                velocity[axis] = to[axis] - from[axis];
                square += velocity[axis] * velocity[axis];
            }
            movement.add(square.sqrt());
        }
        movement
    }

    /// Where a free node goes, and how far, in world units: a step that cannot overshoot, and momentum.
    fn velocity(&self, place: usize, before: Point) -> Point {
        let point = self.refiner.points[place];
        let near = self.refiner.near.push(place);
        let mut force = near.push.map(|c| PUSH * c);
        let mut curvature = 2.0 * PUSH * near.stiffness;
        let (pull, stiffness) = self.edges(place, point);
        add(&mut force, pull, 1.0);
        curvature += 2.0 * stiffness;
        let slot = self.nodes.slot(place);
        if let Some(way) = self.refiner.pivots.pull(slot, point, self.scale.hop) {
            add(&mut force, way, self.shape);
            curvature += self.shape;
        }
        let here = self.nodes.positions[place];
        let radius = norm(here);
        let outside = radius > self.reach.gravity.outermost();
        if outside {
            // A hand has left it far outside: whatever pulls it there, it comes home.
            add(&mut force, here, -1.0 / self.scale.unit);
            curvature += 1.0;
        }
        // Nothing acts on a lone node: it stays.
        let rate = self.scale.unit * self.scene.params.step / curvature.max(f32::MIN_POSITIVE * 1e6);
        let momentum = (1.0 - self.scene.params.damping).min(MOMENTUM);
        let mut next: Point = std::array::from_fn(|axis| before[axis] * momentum + force[axis] * rate);
        if near.coincident {
            add(&mut next, self.aside(slot), APART * self.scale.unit);
        }
        let length = norm(next);
        if !length.is_finite() {
            return [0.0; 3];
        }
        let furthest = self.furthest(place, radius);
        if length > furthest {
            next = next.map(|c| c * (furthest / length));
        }
        next
    }

    /// The pull of the edges, and a bound on how fast it can change.
    fn edges(&self, place: usize, point: [f32; 4]) -> (Point, f32) {
        let (mut pull, mut stiffness) = ([0.0; 3], 0.0);
        let adjacency = &self.nodes.adjacency;
        for (at, neighbour) in adjacency.range(place).zip(adjacency.neighbours(place)) {
            let there = self.refiner.points[*neighbour as usize];
            let apart = [there[0] - point[0], there[1] - point[1], there[2] - point[2]];
            let square = apart.iter().map(|c| c * c).sum::<f32>();
            let weight = adjacency.weights().at(at);
            let strength = 0.5 * weight * (point[3] + there[3]) / (1.0 + square);
            add(&mut pull, apart, strength);
            stiffness += strength;
        }
        (pull, stiffness)
    }

    /// Which way a node goes that lies where another one lies, each its own.
    fn aside(&self, slot: usize) -> Point {
        random::in_ball(self.scene.dim, self.scene.seed, self.scene.ids[slot])
    }

    /// Furthest that a node at distance `radius` from the origin may move.
    fn furthest(&self, place: usize, radius: f32) -> f32 {
        let heat = self.scene.heat.max(self.nodes.warmth[place]);
        let homeward = self.scene.params.max_speed * (radius - self.reach.gravity.outermost()).max(0.0);
        (CALM * self.reach.furthest * heat).max(homeward)
    }
}

fn add(sum: &mut Point, way: Point, share: f32) {
    for (sum, c) in sum.iter_mut().zip(way) {
        *sum += c * share;
    }
}

fn norm(vector: Point) -> f32 {
    vector.iter().map(|c| c * c).sum::<f32>().sqrt()
}
