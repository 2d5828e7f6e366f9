//! The live layout: state between ticks, heat, and when to sleep.

/// What the solver is told of a simulation. A macro, because the solver is borrowed beside it.
macro_rules! scene {
    ($simulation:ident, $change:expr) => {
        Scene {
            dim: $simulation.dim,
            seed: $simulation.seed,
            params: &$simulation.params,
            ids: &$simulation.ids,
            adjacency: &$simulation.adjacency,
            masses: &$simulation.masses,
            total_mass: $simulation.total_mass,
            mean_mass: $simulation.total_mass / $simulation.ids.len().max(1) as f32,
            fixed: &$simulation.fixed,
            heat: $simulation.heat,
            warmth: &$simulation.warmth,
            warm: $simulation.warmest > 0.0,
            refining: $simulation.phase == Phase::Refining,
            change: $change,
        }
    };
}

mod constraints;
mod pins;
mod processors;
mod sketching;
mod sync;

pub use sync::SyncReport;

use crate::adjacency::Adjacency;
use crate::cpu::solver::{self, Solver};
use crate::scene::{Change, Scene};
use crate::sketch::Sketch;
use crate::{Bounds, Constraint, Dim, Error, Params, Point, Processor};

use processors::Processors;

/// Heat after a change that concerns everything.
const HOT: f32 = 1.0;
/// Heat after a hand on a node or a change of parameters.
const WARM: f32 = 0.3;
/// Heat after a small change of the graph: the nodes that were there hardly move.
const MILD: f32 = 0.005;
/// Heat after a sketch: all is about where it belongs.
const SKETCHED: f32 = 0.3;
/// The share of the heat that is left when a layout has its shape: after about 100 ticks of the default
/// cooling.
const SHAPED: f32 = 0.3;
/// While the layout is still, no node moves further than this many times the tolerated mean.
const STILL_MAX: f32 = 50.0;
/// A layout is settled after so many still ticks in a row.
const STILL_TICKS: u32 = 10;

/// A force-directed layout that is driven tick by tick.
///
/// See the [crate docs](crate) for an example. All columns ([`ids`](Self::ids),
/// [`positions`](Self::positions), [`velocities`](Self::velocities)) have one entry per node, in
/// ascending order of the external ids.
///
/// It holds no thread pool: a tick uses the rayon pool it is called in (`pool.install(|| …)`),
/// and its result has the same bits for every size of the pool.
#[derive(Debug)]
pub struct Simulation {
    dim: Dim,
    seed: u64,
    params: Params,
    ids: Vec<u32>,
    adjacency: Adjacency,
    masses: Vec<f32>,
    /// Sum of the masses, kept because gravity and seeding scale with it.
    total_mass: f32,
    /// Whether a node has so large a share of it that no device lays it out.
    is_heavy: bool,
    positions: Vec<Point>,
    /// The way each node went in the last tick; momentum for the next.
    velocities: Vec<Point>,
    pinned: Vec<bool>,
    held: Vec<bool>,
    /// Pinned or held: what a tick asks.
    fixed: Vec<bool>,
    /// Seeded and not moved since: a restore may still seed it better.
    fresh: Vec<bool>,
    tick: u64,
    heat: f32,
    /// Own heat of newcomers, so that they find their place while the others stay in theirs.
    warmth: Vec<f32>,
    /// The highest own heat.
    warmest: f32,
    still_ticks: u32,
    settled: bool,
    phase: Phase,
    /// Nobody has placed a node of this graph yet, nor has a tick.
    untouched: bool,
    sketch: Option<Box<Sketch>>,
    /// Heat at which the shaping ends.
    shaped_at: f32,
    /// What has happened to nodes and edges since the last tick.
    change: Change,
    constraints: Vec<Constraint>,
    solver: Solver,
    processors: Processors,
}

/// What the ticks of a layout are after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// A graph that nobody has placed yet is sketched by coarser ones, unless it is small; each tick shows what
    /// there is so far. Whatever changes anything ends it, and the forces go on from there.
    Sketching,
    /// The forces of the model give the layout its shape.
    #[default]
    Shaping,
    /// Neighbours gather; only with [`Params::refine`].
    Refining,
}

/// What one tick did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TickReport {
    /// Number of ticks done since the simulation was made.
    pub tick: u64,
    /// Mean distance that the free nodes moved, in world units.
    pub mean_displacement: f32,
    /// Longest distance that a node moved, in world units.
    pub max_displacement: f32,
    /// Longest side of the box round all nodes before the tick, in world units; at least one
    /// rest length, and without what lies far outside the place that gravity and containment
    /// leave to a layout. Divide by it to compare movements between graphs.
    pub extent: f32,
    /// 1 when just reheated, falling to 0: scales how far a node may move in a tick.
    pub heat: f32,
    /// What the tick was after.
    pub phase: Phase,
    /// The layout has come to rest: further ticks do nothing until something wakes it.
    pub settled: bool,
    /// What the tick ran on; for one that did nothing, what the last one ran on.
    pub processor: Processor,
}

impl Simulation {
    /// An empty simulation. `seed` decides where nodes without neighbours in place start: the
    /// same seed and the same calls give the same bits.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `params` are not [valid](Params::validate).
    pub fn new(dim: Dim, params: Params, seed: u64) -> Result<Self, Error> {
        params.validate()?;
        Ok(Self {
            dim,
            seed,
            params,
            ids: Vec::new(),
            adjacency: Adjacency::default(),
            masses: Vec::new(),
            total_mass: 0.0,
            is_heavy: false,
            positions: Vec::new(),
            velocities: Vec::new(),
            pinned: Vec::new(),
            held: Vec::new(),
            fixed: Vec::new(),
            fresh: Vec::new(),
            tick: 0,
            heat: 0.0,
            warmth: Vec::new(),
            warmest: 0.0,
            still_ticks: 0,
            settled: true,
            phase: Phase::default(),
            untouched: false,
            sketch: None,
            shaped_at: 0.0,
            change: Change::default(),
            constraints: Vec::new(),
            solver: Solver::default(),
            processors: Processors::default(),
        })
    }

    /// Moves the nodes one step. Does nothing, at no cost, while the layout is
    /// [settled](Self::is_settled).
    pub fn tick(&mut self) -> TickReport {
        if self.settled || self.ids.is_empty() {
            self.settled = true;
            return self.report(0.0, 0.0, self.bounds().side());
        }
        if let Some(report) = self.sketch() {
            return report;
        }
        if self.params.refine && self.heat <= self.shaped_at {
            self.phase = Phase::Refining;
        }
        self.processors.note(std::mem::take(&mut self.change));
        let scene = scene!(self, Change::Nothing);
        let may = self.suits_devices();
        let on_device = self.processors.advance(may, scene, &mut self.positions, &mut self.velocities);
        let outcome = on_device.unwrap_or_else(|| {
            let scene = scene!(self, self.processors.take_unseen());
            self.solver.advance(&scene, &mut self.positions, &mut self.velocities)
        });
        let mean = (outcome.movement.sum / outcome.movement.free.max(1) as f64) as f32;
        self.tick += 1;
        self.fresh.fill(false);
        let max = outcome.movement.max;
        self.cool(mean / outcome.extent, max / outcome.extent);
        self.report(mean, max, outcome.extent)
    }

    /// Loses heat, and falls asleep when cold or long enough still.
    fn cool(&mut self, mean_share: f32, max_share: f32) {
        let left = 1.0 - self.params.cooling;
        self.heat *= left;
        if self.warmest > 0.0 {
            self.warmest *= left;
            self.warmth.iter_mut().for_each(|warmth| *warmth *= left);
        }
        let tolerance = self.params.tolerance;
        let still = mean_share <= tolerance && max_share <= STILL_MAX * tolerance;
        self.still_ticks = if still { self.still_ticks + 1 } else { 0 };
        let cold = self.heat.max(self.warmest) * self.params.max_speed <= tolerance;
        if !cold && self.still_ticks >= STILL_TICKS && self.params.refine && self.phase == Phase::Shaping {
            // The shape is there before the heat has gone.
            self.phase = Phase::Refining;
            self.still_ticks = 0;
        } else if cold || self.still_ticks >= STILL_TICKS {
            self.settled = true;
            self.velocities.fill([0.0; 3]);
            self.warmth.fill(0.0);
            self.warmest = 0.0;
        }
    }

    fn report(&self, mean: f32, max: f32, extent: f32) -> TickReport {
        TickReport {
            tick: self.tick,
            mean_displacement: mean,
            max_displacement: max,
            extent,
            heat: self.heat,
            phase: self.phase,
            settled: self.settled,
            processor: self.processors.ran_on(),
        }
    }

    /// Wakes the layout and lets it move freely again, as if just begun.
    pub fn reheat(&mut self) {
        self.wake(HOT);
        self.shape();
    }

    /// Wakes the layout with at least this much heat.
    fn wake(&mut self, heat: f32) {
        self.end_sketch();
        self.change = self.change.max(Change::Nodes);
        self.heat = self.heat.max(heat);
        self.still_ticks = 0;
        self.settled = self.ids.is_empty();
    }

    /// Lets the forces give the layout a shape before it is refined.
    fn shape(&mut self) {
        self.phase = Phase::Shaping;
        self.shaped_at = SHAPED * self.heat;
    }

    /// Replaces the parameters. A change wakes the layout; the same values do not.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first field out of range; nothing has changed then.
    pub fn set_params(&mut self, params: Params) -> Result<(), Error> {
        params.validate()?;
        if params != self.params {
            let anew = params.model != self.params.model;
            self.params = params;
            if anew {
                self.weigh();
            }
            self.wake(WARM);
            self.shape();
        }
        Ok(())
    }

    /// The parameters in force.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Two or three dimensions.
    pub fn dim(&self) -> Dim {
        self.dim
    }

    /// Distinct neighbours of each node, itself not counted.
    pub fn degrees(&self) -> impl Iterator<Item = u32> {
        (0..self.ids.len()).map(|node| self.adjacency.degree(node) as u32)
    }

    /// External ids, strictly ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Positions `[x, y, z]` in world units, one per id; z is 0 in 2D. Always finite, within
    /// ±[`WORLD_LIMIT`](crate::WORLD_LIMIT).
    pub fn positions(&self) -> &[Point] {
        &self.positions
    }

    /// World units moved in the last tick, one per id: by the forces, as far as no constraint stood
    /// against it. Zero for fixed nodes, in a sketch, and when settled.
    pub fn velocities(&self) -> &[Point] {
        &self.velocities
    }

    /// The box round all nodes; all zero for an empty graph.
    pub fn bounds(&self) -> Bounds {
        if self.positions.is_empty() {
            return Bounds::default();
        }
        Bounds::of(&self.positions)
    }

    /// How far the repulsion is from exact where the nodes are now: the root mean square of its error
    /// on about `samples` nodes over that of the repulsion itself, against the sum over all pairs in
    /// double precision. A diagnosis: it takes as long as `samples` times the number of nodes.
    pub fn repulsion_error(&self, samples: usize) -> f64 {
        solver::repulsion_error(&scene!(self, Change::Nothing), &self.positions, samples)
    }

    /// The same of the repulsion that the last tick used, where the nodes were then: with what it took over
    /// of far nodes from ticks before. 0 when something has changed since, or before the first tick.
    pub fn tick_error(&self, samples: usize) -> f64 {
        self.solver.tick_error(&scene!(self, self.change), samples)
    }

    /// For each constraint, the longest way in world units that it would move a node if it were alone
    /// and had full strength: 0 where it is kept.
    pub fn constraint_errors(&mut self) -> Vec<f32> {
        let scene = scene!(self, Change::Nothing);
        self.solver.constraint_errors(&scene, &self.positions)
    }

    /// Number of distinct edges, without self loops and edges of weight 0.
    pub fn edge_count(&self) -> usize {
        self.adjacency.edge_count()
    }

    /// Whether the layout has come to rest, so that ticks do nothing.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Bytes held per edge: for its ends and its weight, a part of [`memory_per_node`](Self::memory_per_node).
    /// 0 for a graph without edges.
    pub fn memory_per_edge(&self) -> usize {
        let all = self.adjacency.edge_memory() + self.solver.edge_memory();
        all.checked_div(self.edge_count()).unwrap_or(0)
    }

    /// Bytes held per node, edges included: what the simulation has reserved, divided by the
    /// number of nodes. 0 for an empty graph.
    pub fn memory_per_node(&self) -> usize {
        let columns = self.ids.capacity() * size_of::<u32>()
            + (self.masses.capacity() + self.warmth.capacity()) * size_of::<f32>()
            + (self.positions.capacity() + self.velocities.capacity()) * size_of::<Point>()
            + (self.pinned.capacity() + self.held.capacity())
            + (self.fixed.capacity() + self.fresh.capacity());
        let all = columns + self.adjacency.memory() + self.solver.memory() + self.processors.memory();
        let all = all + self.sketch.as_ref().map_or(0, |sketch| sketch.memory());
        all.checked_div(self.ids.len()).unwrap_or(0)
    }
}
