//! One tick on the processor, from positions to positions.

use super::arrangement::Arrangement;
use super::bodies::{Bodies, Drift};
use super::constraints::Constraints;
use super::gravity::Gravity;
use super::integrate::{Movement, Step};
use super::push::{self, Push};
use super::refine::{Reach, Refiner};
use super::repulsion::Accuracy;
use super::springs::Law;
use crate::random;
use crate::scene::{Change, Scene};
use crate::{Bounds, Constraint, Dim, Params, Point, WORLD_LIMIT};

/// Softening of the repulsion, as a share of the rest length: far below every distance that a
/// settled layout contains, far above what single precision can no longer tell from 0.
pub(crate) const SOFTENING: f32 = 0.02;

/// What a tick did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) movement: Movement,
    /// What movements are measured against; see [`TickReport::extent`](crate::TickReport).
    pub(crate) extent: f32,
}

/// What one tick leaves for the next: memory, and the order of the nodes.
#[derive(Debug, Default)]
pub(crate) struct Solver {
    arrangement: Arrangement,
    push: Push,
    refiner: Refiner,
    constraints: Constraints,
    moved: Vec<Point>,
    /// How far the last tick moved the nodes; unknown when more than forces did.
    drift: Option<Drift>,
    movements: Vec<Movement>,
}

/// Relative error of the repulsion on about `samples` nodes; see
/// [`Simulation::repulsion_error`](crate::Simulation::repulsion_error).
pub(crate) fn repulsion_error(scene: &Scene<'_>, positions: &[Point], samples: usize) -> f64 {
    let bodies = Bodies { dim: scene.dim, bounds: Bounds::of(positions), positions, masses: scene.masses };
    push::error(&bodies, accuracy(scene.params), samples)
}

fn accuracy(params: &Params) -> Accuracy {
    Accuracy { theta: params.theta, softening: SOFTENING * params.rest_length() }
}

impl Solver {
    /// Takes the constraints of a graph with these nodes over.
    pub(crate) fn constrain(&mut self, constraints: &[Constraint], dim: Dim, ids: &[u32]) {
        self.constraints.arrange(constraints, dim, ids);
    }

    /// How far each constraint is from being kept; see
    /// [`Simulation::constraint_errors`](crate::Simulation::constraint_errors).
    pub(crate) fn constraint_errors(&mut self, scene: &Scene<'_>, positions: &[Point]) -> Vec<f32> {
        self.constraints.errors(scene, positions)
    }

    /// Moves the nodes one step. All columns are over the slots of `scene`.
    pub(crate) fn advance(
        &mut self,
        scene: &Scene<'_>,
        positions: &mut [Point],
        velocities: &mut [Point],
    ) -> Outcome {
        let params = scene.params;
        let rest_length = params.rest_length();
        let bounds = Bounds::of(positions);
        let gravity = Gravity::new(params, scene.total_mass);
        // One node far outside must not make the others' movements look small.
        let extent = bounds.side().min(2.0 * gravity.outermost()).max(rest_length);

        let nodes = &mut self.arrangement;
        nodes.follow(scene, positions, velocities);
        self.moved.resize(positions.len(), [0.0; 3]);
        let mut movement = if scene.refining {
            self.drift = None;
            let reach = Reach { furthest: params.max_speed * extent, gravity };
            self.refiner.step(scene, nodes, &reach, &mut self.moved, &mut self.movements)
        } else {
            self.refiner.rest();
            self.follow_forces(scene, bounds, gravity, params.max_speed * extent)
        };
        std::mem::swap(&mut self.arrangement.positions, &mut self.moved);
        if self.constraints.is_empty() {
            self.arrangement.give(positions, velocities);
        } else {
            self.constraints.begin(positions);
            self.arrangement.give(positions, velocities);
            movement = self.constraints.keep(scene, positions, velocities);
            self.arrangement.put(positions, velocities);
        }
        Outcome { movement, extent }
    }

    /// One step of the forces of the model.
    fn follow_forces(&mut self, scene: &Scene<'_>, bounds: Bounds, gravity: Gravity, reach: f32) -> Movement {
        let (params, nodes) = (scene.params, &mut self.arrangement);
        let bodies = Bodies { dim: scene.dim, bounds, positions: &nodes.positions, masses: &nodes.masses };
        // After a hand or a change of the graph the answer must not wait.
        let drift = self.drift.take().filter(|_| scene.change == Change::Nothing);
        self.push.sum(&bodies, accuracy(params), drift);

        let step = Step {
            params,
            law: Law::new(params, scene.mean_mass),
            adjacency: &nodes.adjacency,
            masses: &nodes.masses,
            fixed: &nodes.fixed,
            positions: &nodes.positions,
            fields: self.push.fields(),
            rank: self.push.rank(),
            gravity,
            heat: scene.heat,
            warmth: &nodes.warmth,
            reach,
        };
        let movement = step.run(&mut self.moved, &mut nodes.velocities, &mut self.movements);
        let parted = self.part_coincident(scene, SOFTENING * params.rest_length());
        if !parted && self.constraints.is_empty() {
            self.drift = Some(Drift {
                mean: (movement.sum / movement.free.max(1) as f64) as f32,
                longest: movement.max,
                moment: movement.moment,
                mass: scene.total_mass,
            });
        }
        movement
    }

    /// Nodes in one and the same place do not push each other and would stay together for ever:
    /// moves all but the first apart, each its own way. Returns whether there were any.
    fn part_coincident(&mut self, scene: &Scene<'_>, softening: f32) -> bool {
        let mut any = false;
        let (nodes, moved) = (&self.arrangement, &mut self.moved);
        self.push.for_each_coincident(|place| {
            any = true;
            if nodes.fixed[place] {
                return;
            }
            let offset = random::in_ball(scene.dim, scene.seed, scene.ids[nodes.slot(place)]);
            for (c, offset) in moved[place].iter_mut().zip(offset) {
                // Far out, a step must be long enough for single precision to notice.
                let length = softening.max(c.abs() * 1e-5);
                *c = (*c + offset * length).clamp(-WORLD_LIMIT, WORLD_LIMIT);
            }
        });
        any
    }

    /// Bytes held on the heap for edges alone.
    pub(crate) fn edge_memory(&self) -> usize {
        self.arrangement.adjacency.edge_memory()
    }

    /// How far the push that the last tick used was from exact; see
    /// [`Simulation::tick_error`](crate::Simulation::tick_error).
    pub(crate) fn tick_error(&self, scene: &Scene<'_>, samples: usize) -> f64 {
        let (positions, masses) = (self.moved.as_slice(), self.arrangement.masses.as_slice());
        if positions.is_empty() || positions.len() != scene.masses.len() || scene.change != Change::Nothing {
            return 0.0;
        }
        let bodies = Bodies { dim: scene.dim, bounds: Bounds::of(positions), positions, masses };
        self.push.error(&bodies, accuracy(scene.params), samples)
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.arrangement.memory()
            + self.push.memory()
            + self.refiner.memory()
            + self.constraints.memory()
            + self.moved.capacity() * size_of::<Point>()
    }
}
