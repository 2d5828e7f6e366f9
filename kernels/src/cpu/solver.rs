//! One tick on the processor, from positions to positions.

use super::arrangement::Arrangement;
use super::bodies::Bodies;
use super::constraints::Constraints;
use super::gravity::Gravity;
use super::integrate::{Movement, Step};
use super::push::{self, Push};
use super::repulsion::Accuracy;
use crate::random;
use crate::scene::Scene;
use crate::{Bounds, Constraint, Dim, Params, Point, WORLD_LIMIT};

/// Softening of the repulsion, as a share of the rest length: far below every distance that a
/// settled layout contains, far above what single precision can no longer tell from 0.
const SOFTENING: f32 = 0.02;

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
    constraints: Constraints,
    moved: Vec<Point>,
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
        let softening = SOFTENING * rest_length;
        let bounds = Bounds::of(positions);
        let gravity = Gravity::new(params, scene.total_mass);
        // One node far outside must not make the others' movements look small.
        let extent = bounds.side().min(2.0 * gravity.outermost()).max(rest_length);

        let nodes = &mut self.arrangement;
        nodes.follow(scene, positions, velocities);
        let bodies = Bodies { dim: scene.dim, bounds, positions: &nodes.positions, masses: &nodes.masses };
        self.push.sum(&bodies, accuracy(params));

        let step = Step {
            params,
            adjacency: &nodes.adjacency,
            masses: &nodes.masses,
            fixed: &nodes.fixed,
            positions: &nodes.positions,
            fields: self.push.fields(),
            rank: self.push.rank(),
            gravity,
            heat: scene.heat,
            warmth: &nodes.warmth,
            reach: params.max_speed * extent,
        };
        self.moved.resize(positions.len(), [0.0; 3]);
        let mut movement = step.run(&mut self.moved, &mut nodes.velocities, &mut self.movements);
        self.part_coincident(scene, softening);
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

    /// Nodes in one and the same place do not push each other and would stay together for ever:
    /// moves all but the first apart, each its own way.
    fn part_coincident(&mut self, scene: &Scene<'_>, softening: f32) {
        let (nodes, moved) = (&self.arrangement, &mut self.moved);
        self.push.for_each_coincident(|place| {
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
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.arrangement.memory()
            + self.push.memory()
            + self.constraints.memory()
            + self.moved.capacity() * size_of::<Point>()
    }
}
