//! Following a graph that changes, and starting from saved positions.

use super::{HOT, MILD, Simulation};
use crate::adjacency::{Adjacency, Edge};
use crate::cpu::gravity::Gravity;
use crate::cpu::mesh;
use crate::membership::{Lookup, check_order, former_slots};
use crate::scene::Change;
use crate::seeding::Ground;
use crate::{Error, Model, Point, check_position};

/// What a [`Simulation::sync`] changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncReport {
    /// Nodes that stayed, with their positions, velocities and pins.
    pub kept: usize,
    /// Nodes that came.
    pub added: usize,
    /// Nodes that went.
    pub removed: usize,
    /// Distinct edges now, self loops and edges of weight 0 left out.
    pub edges: usize,
}

impl Simulation {
    /// Replaces the graph: `nodes` are all external ids, strictly ascending, `edges` all edges
    /// in any order.
    ///
    /// Nodes that stay keep position, velocity and pin. A newcomer starts beside its placed
    /// neighbour with the fewest neighbours; with none, at the rim of the layout; and all over
    /// the disc when no node was there before; such a graph is [sketched](crate::Phase::Sketching) in its first
    /// ticks. Parallel and opposite edges become one, their
    /// weights added; self loops and edges of weight 0 pull nothing. The layout wakes with a
    /// heat that follows the share of nodes that came or went (newcomers move freely from the
    /// start), and does not wake when nothing has changed.
    ///
    /// # Errors
    /// [`Error::NodeOrder`], [`Error::UnknownEndpoint`] or [`Error::Weight`]; nothing has
    /// changed then.
    pub fn sync(&mut self, nodes: &[u32], edges: &[Edge]) -> Result<SyncReport, Error> {
        check_order(nodes)?;
        let adjacency = Adjacency::new(&Lookup::new(nodes), edges)?;
        let former = former_slots(&self.ids, nodes);
        let kept = former.iter().flatten().count();
        let report = SyncReport {
            kept,
            added: nodes.len() - kept,
            removed: self.ids.len() - kept,
            edges: adjacency.edge_count(),
        };
        let changed = report.added + report.removed;
        if changed == 0 && adjacency == self.adjacency {
            return Ok(report);
        }

        self.carry_over(nodes, &former);
        self.adopt(adjacency);
        let mut placed: Vec<bool> = former.iter().map(Option::is_some).collect();
        self.seed(&mut placed);
        self.fresh = former.iter().map(|slot| slot.is_none_or(|slot| self.fresh[slot])).collect();
        // What came in pieces before the first tick is as new as what came at once.
        self.untouched |= kept == 0;
        if !self.untouched {
            self.warm_newcomers(&former);
        }
        let share = changed as f32 / nodes.len().max(1) as f32;
        self.wake(if self.untouched { HOT } else { (0.5 * share).clamp(MILD, HOT) });
        if kept < report.added {
            self.shape();
        }
        Ok(report)
    }

    /// Starts from saved positions: `saved` are pairs of external id and position, in any order.
    /// Ids that are not in the graph are passed over, so an old snapshot fits a graph that has
    /// moved on; nodes that no tick has moved yet and that are not in `saved` are seeded anew,
    /// beside their restored neighbours. Velocities are reset and the layout wakes mildly.
    /// Returns how many nodes were restored.
    ///
    /// # Errors
    /// [`Error::Position`] for a coordinate that is not finite or lies outside the world;
    /// nothing has changed then.
    pub fn restore(&mut self, saved: &[(u32, Point)]) -> Result<usize, Error> {
        for (id, position) in saved {
            check_position(*id, *position)?;
        }
        let mut placed: Vec<bool> = self.fresh.iter().map(|fresh| !fresh).collect();
        let mut restored = 0;
        for (id, position) in saved {
            if let Ok(slot) = self.ids.binary_search(id) {
                self.positions[slot] = self.dim.flatten(*position);
                placed[slot] = true;
                self.fresh[slot] = false;
                restored += 1;
            }
        }
        if restored > 0 {
            self.untouched = false;
            for (placed, fixed) in placed.iter_mut().zip(&self.fixed) {
                *placed |= fixed;
            }
            self.seed(&mut placed);
            self.velocities.fill([0.0; 3]);
            self.heat = 0.0;
            self.wake(MILD);
        }
        Ok(restored)
    }

    /// Rearranges the columns to the slots of `nodes`; newcomers get zeros.
    fn carry_over(&mut self, nodes: &[u32], former: &[Option<usize>]) {
        fn follow<T: Copy + Default>(column: &mut Vec<T>, former: &[Option<usize>]) {
            *column = former.iter().map(|slot| slot.map_or_else(T::default, |slot| column[slot])).collect();
        }
        self.ids = nodes.to_vec();
        follow(&mut self.positions, former);
        follow(&mut self.velocities, former);
        follow(&mut self.warmth, former);
        follow(&mut self.pinned, former);
        follow(&mut self.held, former);
        follow(&mut self.fixed, former);
    }

    /// Lets nodes that had no former slot move freely among those that had one.
    fn warm_newcomers(&mut self, former: &[Option<usize>]) {
        for (warmth, slot) in self.warmth.iter_mut().zip(former) {
            if slot.is_none() {
                *warmth = HOT;
                self.warmest = HOT;
            }
        }
    }

    /// Takes the edges over, and the masses that follow from them.
    fn adopt(&mut self, adjacency: Adjacency) {
        self.adjacency = adjacency;
        self.weigh();
        self.solver.constrain(&self.constraints, self.dim, &self.ids);
    }

    /// Gives the nodes the masses of the model; all together have the same in any.
    pub(super) fn weigh(&mut self) {
        self.masses = (0..self.ids.len()).map(|slot| 1.0 + self.adjacency.degree(slot) as f32).collect();
        let total: f64 = self.masses.iter().map(|mass| f64::from(*mass)).sum();
        self.total_mass = total as f32;
        if self.params.model != Model::ForceAtlas2 {
            self.masses.fill(self.total_mass / self.ids.len().max(1) as f32);
        }
        let heavy = mesh::HEAVY * self.total_mass;
        self.is_heavy = self.masses.iter().any(|mass| *mass > heavy);
        self.change = Change::Graph;
    }

    /// Gives every slot that is not `placed` a position.
    fn seed(&mut self, placed: &mut [bool]) {
        let ground = Ground {
            dim: self.dim,
            seed: self.seed,
            ids: &self.ids,
            adjacency: &self.adjacency,
            rest_length: self.params.rest_length(),
            radius: Gravity::rest_radius(&self.params, self.total_mass),
        };
        ground.place(&mut self.positions, placed);
        // Beside a neighbour at the end of the world is still in the world.
        let limit = crate::WORLD_LIMIT;
        self.positions.iter_mut().for_each(|place| *place = place.map(|c| c.clamp(-limit, limit)));
    }
}
