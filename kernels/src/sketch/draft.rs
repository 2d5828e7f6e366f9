//! Laying out one coarser graph, step by step.

use super::Ground;
use super::level::Level;
use crate::Point;
use crate::cpu::solver::Solver;
use crate::scene::{Change, Scene};

/// The layout of one level.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) positions: Vec<Point>,
    velocities: Vec<Point>,
    fixed: Vec<bool>,
    warmth: Vec<f32>,
    solver: Solver,
    heat: f32,
    cooling: f32,
    begun: bool,
    left: u32,
}

impl Draft {
    /// From these places, with this heat, for so many steps.
    pub(super) fn new(positions: Vec<Point>, heat: f32, cooling: f32, steps: u32) -> Self {
        let nodes = positions.len();
        Self {
            positions,
            velocities: vec![[0.0; 3]; nodes],
            fixed: vec![false; nodes],
            warmth: vec![0.0; nodes],
            solver: Solver::default(),
            heat,
            cooling,
            begun: false,
            left: steps,
        }
    }

    /// One step of the forces of the model.
    pub(super) fn step(&mut self, level: &Level, ground: &Ground<'_>) {
        let scene = Scene {
            params: &ground.params,
            ids: &level.names,
            adjacency: &level.adjacency,
            masses: &level.masses,
            fixed: &self.fixed,
            heat: self.heat,
            warmth: &self.warmth,
            warm: false,
            refining: false,
            change: if self.begun { Change::Nothing } else { Change::Graph },
            ..*ground.scene
        };
        self.solver.advance(&scene, &mut self.positions, &mut self.velocities);
        self.begun = true;
        self.heat *= 1.0 - self.cooling;
        self.left -= 1;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        (self.positions.capacity() + self.velocities.capacity()) * size_of::<Point>()
            + self.fixed.capacity()
            + self.warmth.capacity() * size_of::<f32>()
            + self.solver.memory()
    }
}

/// Scale-normalised stress of a drawing of a small graph, over all pairs that hang together: as
/// [`Quality::stress`](crate::quality::Quality).
pub(super) fn stress(level: &Level, positions: &[Point]) -> f64 {
    let nodes = positions.len();
    let (mut sum, mut squares, mut pairs) = (0.0, 0.0, 0.0);
    let (mut steps, mut queue) = (Vec::new(), Vec::new());
    for source in 0..nodes {
        steps.clear();
        steps.resize(nodes, 0_u32);
        queue.clear();
        queue.push(source as u32);
        let mut head = 0;
        while let Some(node) = queue.get(head).copied() {
            head += 1;
            for other in level.adjacency.neighbours(node as usize) {
                if steps[*other as usize] == 0 && *other as usize != source {
                    steps[*other as usize] = steps[node as usize] + 1;
                    queue.push(*other);
                }
            }
        }
        for target in (0..nodes).filter(|target| steps[*target] > 0) {
            let apart =
                (0..3).map(|axis| f64::from(positions[source][axis]) - f64::from(positions[target][axis]));
            let ratio = apart.map(|c| c * c).sum::<f64>().sqrt() / f64::from(steps[target]);
            sum += ratio;
            squares += ratio * ratio;
            pairs += 1.0;
        }
    }
    if squares > 0.0 { 1.0 - sum * sum / (squares * pairs) } else { 0.0 }
}
