//! Moves nodes to where the constraints want them, after the step of the forces.
//!
//! Position-based dynamics (Müller, Heidelberger, Hennix and Ratcliff, 2007): a constraint does not
//! pull, it puts nodes where it is kept, and what other constraints undo of that is put right in the
//! next of a few passes. So a constraint needs no stiffness that would have to be tuned against the
//! forces, and cannot make a layout explode: a tick ends in bounded moves, and no move adds momentum.
//!
//! | file | what it keeps to | how |
//! |---|---|---|
//! | `distance.rs` | pairs that are so far apart | one after the other (Gauss–Seidel) |
//! | `hierarchy.rs` | edges that point along a direction | two sweeps through the levels, exact |
//! | `alignment.rs` | nodes on a line or in a plane | each node alone |
//! | `cluster.rs` | groups within balls of their own | each node alone |
//! | `collision.rs` | nodes that do not overlap | all at once, averaged (Jacobi) |
//! | `boundary.rs` | nodes that stay inside | each node alone |
//!
//! They come in this order in each pass, so that of two that contradict each other the later one is
//! kept best, and what nobody leaves is not left. Columns are by slot here, in an order that never
//! depends on threads.

mod alignment;
mod boundary;
mod cluster;
mod collision;
mod distance;
mod hierarchy;

use rayon::prelude::*;

use self::alignment::Alignment;
use self::boundary::Boundary;
use self::cluster::Cluster;
use self::collision::Collision;
use self::distance::Distance;
use self::hierarchy::Hierarchy;
use super::CHUNK;
use super::gravity::Gravity;
use super::integrate::Movement;
use crate::membership::Lookup;
use crate::scene::Scene;
use crate::{Constraint, Dim, Point, Rule, WORLD_LIMIT};

/// Rounds through all constraints in a tick. What they have not reconciled then, later ticks do.
const PASSES: usize = 4;

/// What constraints are kept among.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) dim: Dim,
    pub(super) seed: u64,
    pub(super) ids: &'a [u32],
    /// Nodes that nothing moves.
    pub(super) fixed: &'a [bool],
    /// Expected radius of the whole layout.
    pub(super) radius: f32,
}

/// The constraints of one graph, and memory to keep them.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    /// In the order in which they are kept.
    kept: Vec<Kept>,
    before: Vec<Point>,
    scratch: Vec<Point>,
    movements: Vec<Movement>,
}

#[derive(Debug)]
struct Kept {
    strength: f32,
    form: Form,
    /// Which of the constraints given it is.
    index: usize,
}

/// A rule over slots.
#[derive(Debug)]
enum Form {
    Distance(Distance),
    Hierarchy(Hierarchy),
    Alignment(Alignment),
    Cluster(Cluster),
    Collision(Collision),
    Boundary(Boundary),
}

impl Constraints {
    /// Finds the nodes of `constraints` in a graph.
    pub(super) fn arrange(&mut self, constraints: &[Constraint], dim: Dim, ids: &[u32]) {
        let lookup = Lookup::new(ids);
        self.kept.clear();
        for (index, Constraint { strength, rule }) in constraints.iter().enumerate() {
            let form = match rule {
                Rule::Distance { pairs, length } => Form::Distance(Distance::new(pairs, *length, &lookup)),
                Rule::Hierarchy { edges, direction, gap } => {
                    Form::Hierarchy(Hierarchy::new(edges, unit(dim, *direction), *gap, &lookup))
                }
                Rule::Alignment { nodes, direction, shape, through } => {
                    let through = through.map(|point| dim.flatten(point));
                    let nodes = slots(nodes, &lookup);
                    Form::Alignment(Alignment { nodes, along: unit(dim, *direction), shape: *shape, through })
                }
                Rule::Cluster { groups, center, radius, exclusive } => {
                    let center = center.map(|point| dim.flatten(point));
                    Form::Cluster(Cluster::new(groups, center, *radius, *exclusive, &lookup))
                }
                Rule::Collision { radii, others } => Form::Collision(Collision::new(radii, *others, &lookup)),
                Rule::Boundary { nodes, region } => Form::Boundary(Boundary {
                    nodes: nodes.as_ref().map(|nodes| slots(nodes, &lookup)),
                    region: *region,
                }),
            };
            self.kept.push(Kept { strength: *strength, form, index });
        }
        self.kept.sort_by_key(|kept| (kept.form.rank(), kept.index));
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Remembers where the nodes are before a step.
    pub(super) fn begin(&mut self, positions: &[Point]) {
        self.before.clear();
        self.before.extend_from_slice(positions);
    }

    /// Moves the nodes after the step: `positions` to where the constraints want them; of
    /// `velocities`, the way of the step, what ran against that is taken away. Says how far the nodes
    /// have moved in all.
    pub(super) fn keep(
        &mut self,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Movement {
        let world = world(scene);
        for pass in 0..PASSES {
            for kept in &mut self.kept {
                let rounds = if kept.form.is_costly() { PASSES / 2 } else { PASSES };
                if rounds == PASSES || pass % 2 == 1 {
                    // Over all rounds the strength adds up to what was asked for.
                    let share = 1.0 - (1.0 - kept.strength).powf(1.0 / rounds as f32);
                    kept.form.project(&world, share, positions, &mut self.scratch);
                }
                if pass + 1 == PASSES {
                    kept.form.separate(&world, kept.strength, positions);
                }
            }
        }
        self.conclude(scene, positions, velocities)
    }

    fn conclude(&mut self, scene: &Scene<'_>, positions: &mut [Point], velocities: &mut [Point]) -> Movement {
        self.movements.resize(positions.len().div_ceil(CHUNK), Movement::default());
        let columns = (
            positions.par_chunks_mut(CHUNK),
            velocities.par_chunks_mut(CHUNK),
            self.before.par_chunks(CHUNK),
            scene.fixed.par_chunks(CHUNK),
            &mut self.movements,
        );
        columns.into_par_iter().for_each(|(positions, velocities, before, fixed, movement)| {
            *movement = Movement::default();
            for (at, position) in positions.iter_mut().enumerate() {
                if fixed[at] {
                    continue;
                }
                *position = position.map(|c| c.clamp(-WORLD_LIMIT, WORLD_LIMIT));
                if !position.iter().all(|c| c.is_finite()) {
                    *position = before[at];
                }
                stop_against(&mut velocities[at], before[at], *position);
                movement.add(norm(apart(before[at], *position)));
            }
        });
        // In order of the chunks, so that the sum does not depend on who finished first.
        self.movements.iter().fold(Movement::default(), Movement::join)
    }

    /// For each of the constraints given, the longest way that it alone would still move a node.
    pub(super) fn errors(&mut self, scene: &Scene<'_>, positions: &[Point]) -> Vec<f32> {
        let world = world(scene);
        let mut errors = vec![0.0; self.kept.len()];
        for kept in &mut self.kept {
            let mut moved = positions.to_vec();
            kept.form.project(&world, 1.0, &mut moved, &mut self.scratch);
            kept.form.separate(&world, 1.0, &mut moved);
            let ways = positions.iter().zip(&moved).map(|(from, to)| norm(apart(*from, *to)));
            errors[kept.index] = ways.fold(0.0, f32::max);
        }
        errors
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        (self.before.capacity() + self.scratch.capacity()) * size_of::<Point>()
            + self.kept.iter().map(|kept| kept.form.memory()).sum::<usize>()
    }
}

impl Form {
    /// When it comes in a pass.
    fn rank(&self) -> u8 {
        match self {
            Self::Distance(_) => 0,
            Self::Hierarchy(_) => 1,
            Self::Alignment(_) => 2,
            Self::Cluster(_) => 3,
            Self::Collision(_) => 4,
            Self::Boundary(_) => 5,
        }
    }

    /// Whether it looks for nodes that are near each other: done in every other pass.
    fn is_costly(&self) -> bool {
        matches!(self, Self::Collision(_))
    }

    fn project(&mut self, world: &World<'_>, share: f32, positions: &mut [Point], scratch: &mut Vec<Point>) {
        match self {
            Self::Distance(distance) => distance.project(world, share, positions),
            Self::Hierarchy(hierarchy) => hierarchy.project(world, share, positions),
            Self::Alignment(alignment) => alignment.project(world, share, positions),
            Self::Cluster(cluster) => cluster.project(world, share, positions),
            Self::Collision(collision) => collision.project(world, share, positions, scratch),
            Self::Boundary(boundary) => boundary.project(world, share, positions),
        }
    }

    /// What is done once in a tick, in the last pass.
    fn separate(&mut self, world: &World<'_>, strength: f32, positions: &mut [Point]) {
        if let Self::Cluster(cluster) = self {
            cluster.separate(world, strength, positions);
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Distance(distance) => distance.memory(),
            Self::Hierarchy(hierarchy) => hierarchy.memory(),
            Self::Alignment(alignment) => alignment.nodes.capacity() * size_of::<u32>(),
            Self::Cluster(cluster) => cluster.memory(),
            Self::Collision(collision) => collision.memory(),
            Self::Boundary(boundary) => {
                boundary.nodes.as_ref().map_or(0, |nodes| nodes.capacity() * size_of::<u32>())
            }
        }
    }
}

fn world<'a>(scene: &Scene<'a>) -> World<'a> {
    World {
        dim: scene.dim,
        seed: scene.seed,
        ids: scene.ids,
        fixed: scene.fixed,
        radius: Gravity::rest_radius(scene.params, scene.total_mass),
    }
}

/// Takes from a velocity what ran against where a node was put. Nothing is added: a node that was put
/// far away does not go on from there.
fn stop_against(velocity: &mut Point, before: Point, after: Point) {
    let stepped = [0, 1, 2].map(|axis| before[axis] + velocity[axis]);
    let way = apart(stepped, after);
    let (square, along) = (dot(way, way), dot(way, *velocity));
    if along < 0.0 && square > f32::MIN_POSITIVE {
        for (velocity, way) in velocity.iter_mut().zip(way) {
            *velocity -= way * (along / square);
        }
    }
    if !velocity.iter().all(|c| c.is_finite()) {
        *velocity = [0.0; 3];
    }
}

/// Slots of the nodes that are in the graph, each once, in the order of the slots.
fn slots(nodes: &[u32], lookup: &Lookup<'_>) -> Vec<u32> {
    let mut slots: Vec<u32> = nodes.iter().filter_map(|id| lookup.slot(*id)).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// Moves a point a share of the way to another.
fn approach(point: &mut Point, target: Point, share: f32) {
    for (c, target) in point.iter_mut().zip(target) {
        *c += (target - *c) * share;
    }
}

/// The direction at length 1.
fn unit(dim: Dim, direction: Point) -> Point {
    let direction = dim.flatten(direction);
    let length = norm(direction).max(f32::MIN_POSITIVE);
    direction.map(|c| c / length)
}

/// The way from `from` to `to`.
fn apart(from: Point, to: Point) -> Point {
    [to[0] - from[0], to[1] - from[1], to[2] - from[2]]
}

fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn norm(vector: Point) -> f32 {
    dot(vector, vector).sqrt()
}

/// Where nodes are on average: those that are fixed, or all where none is. `None` of no nodes.
fn middle(world: &World<'_>, nodes: &[u32], positions: &[Point]) -> Option<Point> {
    let mean = |only_fixed: bool| {
        let (mut sum, mut count) = ([0.0_f64; 3], 0_u32);
        for slot in nodes.iter().filter(|slot| !only_fixed || world.fixed[**slot as usize]) {
            for (sum, c) in sum.iter_mut().zip(positions[*slot as usize]) {
                *sum += f64::from(c);
            }
            count += 1;
        }
        (count > 0).then(|| sum.map(|sum| (sum / f64::from(count)) as f32))
    };
    mean(true).or_else(|| mean(false))
}
