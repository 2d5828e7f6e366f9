//! Repulsion by a mesh and near pairs: the push of all nodes on all nodes in a time that hardly
//! depends on how far it reaches (particle–particle–particle–mesh; Hockney and Eastwood, 1981).
//!
//! | file | what it does |
//! |---|---|
//! | `frame.rs` | where the mesh lies and how fine it is |
//! | `cells.rs` | sorts the nodes by near cell |
//! | `kernel.rs` | splits the push into a long and a short part |
//! | `spline.rs` | how a node spreads over mesh points |
//! | `spread.rs` | masses onto the mesh |
//! | `transform.rs`, `convolve.rs` | masses to potential, by fast Fourier transform |
//! | `read.rs` | potential to long part of the push |
//! | `near.rs` | the short part, pair by pair |
//! | `heavy.rs` | the long part of the few nodes that are too heavy for the mesh |
//! | `field.rs` | both for all nodes |
//! | `vectors.rs` | which vectors a processor has |
//!
//! The stiffness (how fast the push can change, which bounds a step) is the sum over the near pairs,
//! and for the long part how strongly its potential bends. That is less than the sum over all pairs
//! that the tree takes, because far pairs cancel, and enough.

mod cells;
mod convolve;
mod field;
mod frame;
mod heavy;
mod kernel;
mod near;
mod read;
mod spline;
mod spread;
mod transform;
mod vectors;

use std::sync::{Mutex, PoisonError};

use cells::Cells;
use convolve::Convolver;
use frame::Frame;
use heavy::Heavy;
pub(crate) use heavy::SHARE as HEAVY;
use near::Near;
use transform::Transform;

use super::bodies::{Bodies, Drift};
use super::pairs::Field;
use super::scratch::PerThread;

/// With fewer nodes than this a tree is as fast, and needs no mesh.
pub(crate) const FEWEST: usize = 4_096;
/// Reach of a near pair, at least, in softening lengths: the long part is not softened, and so
/// far out that changes the push by less than 0.2 %.
pub(crate) const LEAST_REACH: f32 = 25.0;

/// Ticks that a potential serves after that it was computed for, at most. Near pairs are exact in each, and
/// each reads the slope where its nodes are.
const REUSES: u32 = 3;
/// How far the nodes may have moved meanwhile on average, in reaches.
const MOST_DRIFT: f32 = 0.05;
/// How far any one node may have moved meanwhile, in reaches. One that has gone further pushes from where it is no
/// longer, and the mean of many that rest would hide it.
const FURTHEST_DRIFT: f32 = 0.5;
/// How strongly a mass may be pushed by its own image that it has left behind, as a share of how strongly all
/// masses together push at the rim.
const MOST_IMAGE: f32 = 0.03;

/// A mesh and its memory. One tick leaves to the next how fine the mesh should be.
#[derive(Debug, Default)]
pub(crate) struct Mesh<const D: usize> {
    cells: Cells,
    points: Vec<f32>,
    /// Index of the side that the last tick would take for the next, and the side that it had.
    index: usize,
    side: usize,
    /// By index of the side; made on first use.
    transforms: [Option<Transform>; frame::SIDE_COUNT],
    convolver: Convolver<D>,
    /// Where the mesh lay when the potential on it was computed, how long ago that was, and how far the nodes
    /// have moved since.
    frame: Option<Frame<D>>,
    age: u32,
    drift: Drift,
    near: PerThread<Near<D>>,
    heavy: Heavy<D>,
    /// Nodes that lie exactly where another one lies that is before them, in the order of the cells.
    coincident: Mutex<Vec<u32>>,
}

impl<const D: usize> Mesh<D> {
    /// Fills `fields` with the field on every node, in the order of [`rank`](Self::rank), or
    /// returns `false` and does nothing where the nodes lie so unevenly that a tree is faster.
    ///
    /// With a `drift` the potential of the last call may serve once more; see [`REUSES`].
    pub(crate) fn fill(
        &mut self,
        bodies: &Bodies<'_>,
        softening: f32,
        drift: Option<Drift>,
        fields: &mut Vec<Field>,
    ) -> bool {
        let (frame, anew) = match self.reusable(bodies, drift) {
            Some(frame) => {
                self.cells.count(&frame, bodies.positions);
                (frame, false)
            }
            None => match self.choose(bodies, softening) {
                Some(frame) => (frame, true),
                None => return false,
            },
        };
        self.cells.sort(&frame, bodies.positions, bodies.masses);
        self.heavy.find(&frame, bodies.positions, bodies.masses);
        if anew {
            self.compute(&frame);
        }
        fields.resize(bodies.positions.len(), Field::default());
        self.near.fit();
        self.coincident.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        let source = field::Source {
            frame,
            cells: &self.cells,
            side: self.side,
            potential: &self.points,
            softening,
            near: &self.near,
            heavy: &self.heavy,
            coincident: &self.coincident,
        };
        source.fill(fields);
        true
    }

    /// Where the mesh of the last call lies, if what is on it still says well enough where the masses are.
    fn reusable(&mut self, bodies: &Bodies<'_>, drift: Option<Drift>) -> Option<Frame<D>> {
        let (frame, drift) = (self.frame?, drift?);
        self.age += 1;
        self.drift.mean += drift.mean;
        self.drift.longest += drift.longest;
        self.drift.moment += drift.moment;
        // A mass that has moved leaves its image behind, which pushes it, and what is near it, with at most
        // four times mass and distance over the square of the reach.
        let image = 4.0 * self.drift.moment / (frame.reach * frame.reach);
        let usual = drift.mass / bodies.bounds.side().max(f32::MIN_POSITIVE);
        let well = self.age <= REUSES
            && self.drift.mean <= MOST_DRIFT * frame.reach
            && self.drift.longest <= FURTHEST_DRIFT * frame.reach
            && image <= MOST_IMAGE * usual
            && frame.holds(&bodies.bounds);
        well.then_some(frame)
    }

    /// How fine the mesh should be, and where it then lies: the nodes are counted into its cells. `None` where
    /// they lie so unevenly that a tree is faster.
    fn choose(&mut self, bodies: &Bodies<'_>, softening: f32) -> Option<Frame<D>> {
        let nodes = bodies.positions.len();
        let natural = frame::side_from(natural_side::<D>(nodes));
        let finest = (natural + FINER).min(frame::SIDE_COUNT - 1);
        let mut index = self.index.clamp(natural.saturating_sub(COARSER), finest);
        self.frame = None;
        (self.age, self.drift) = (0, Drift::default());
        loop {
            let side = frame::side(index);
            let frame = Frame::<D>::new(&bodies.bounds, side, LEAST_REACH * softening);
            let squares = self.cells.count(&frame, bodies.positions);
            let near = PER_PAIR * squares as f64 * 3.0_f64.powi(D as i32);
            let mesh = per_point::<D>() * (side as f64).powi(D as i32);
            self.index = index;
            if near > FINER_ABOVE * mesh && index < finest && !frame.is_finest() {
                index += 1;
                continue;
            }
            if near + mesh > PER_TREE_NODE * D as f64 * nodes as f64 {
                return None;
            }
            if near < COARSER_BELOW * mesh {
                self.index = index.saturating_sub(1);
            }
            self.side = side;
            self.frame = Some(frame);
            return self.frame;
        }
    }

    /// Computes the potential of the nodes that were sorted last.
    fn compute(&mut self, frame: &Frame<D>) {
        let side = self.side;
        self.points.resize(side.pow(D as u32), 0.0);
        spread::spread(frame, &self.cells, self.heavy.limit, side, &mut self.points);

        let index = frame::side_from(side);
        for (other, transform) in self.transforms.iter_mut().enumerate() {
            if other.abs_diff(index) > KEPT {
                *transform = None;
            }
        }
        let transform = self.transforms[index].get_or_insert_with(|| {
            // Where the potential vanishes: about where the mean distance is.
            let zero = 0.5 * side as f64;
            Transform::new::<D>(side, true, |square| kernel::long_potential::<D>(square, zero))
        });

        self.convolver.run(side, transform, &mut self.points);
    }

    /// Whether the potential was computed for an earlier call than the last.
    #[cfg(test)]
    pub(crate) fn reused(&self) -> bool {
        self.age > 0
    }

    /// Where each node lies in the order of the fields.
    pub(crate) fn rank(&self) -> &[u32] {
        &self.cells.rank
    }

    /// Calls `visit` with every node that lies exactly where another one lies, but for one of them, in no
    /// order.
    pub(crate) fn for_each_coincident(&self, visit: impl FnMut(usize)) {
        let nodes = self.coincident.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.iter().map(|at| self.cells.node(*at as usize)).for_each(visit);
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        let transforms = self.transforms.iter().flatten();
        self.cells.memory()
            + self.points.capacity() * size_of::<f32>()
            + transforms.map(Transform::memory).sum::<usize>()
            + self.convolver.memory()
            + self.near.memory(|_| size_of::<Near<D>>())
            + self.coincident.lock().unwrap_or_else(PoisonError::into_inner).capacity() * size_of::<u32>()
    }
}

/// One octant of the transform that turns masses on a mesh of `side` points along each axis into the
/// potential of the long part: what another device multiplies its spectra with.
pub(crate) fn long_part<const D: usize>(side: usize) -> Vec<f32> {
    let zero = 0.5 * side as f64;
    Transform::new::<D>(side, true, |square| kernel::long_potential::<D>(square, zero)).into_values()
}

/// What work costs, in nanoseconds of one thread; only the ratios matter. Measured on a processor
/// with AVX-512; a pair counts whether or not it is within reach. Constants, so that the choice never depends on the machine.
const PER_PAIR: f64 = 0.2;
/// What a node costs in a tree, for each dimension.
const PER_TREE_NODE: f64 = 250.0;

/// What a mesh point costs.
const fn per_point<const D: usize>() -> f64 {
    if D == 2 { 25.0 } else { 45.0 }
}

/// A finer mesh is tried when near pairs cost more than so many times what the mesh does, a coarser
/// one in the next tick when less. Far enough apart that the choice does not swing.
const FINER_ABOVE: f64 = 2.2;
const COARSER_BELOW: f64 = 0.4;
/// Transforms are kept of sides so many steps finer and coarser than the last.
const KEPT: usize = 2;
/// How many steps finer and coarser than [`natural_side`] a mesh can become.
const FINER: usize = 5;
const COARSER: usize = 2;

/// The side at which mesh and near pairs cost about the same, for nodes spread evenly.
fn natural_side<const D: usize>(nodes: usize) -> usize {
    if D == 2 { (0.8 * nodes as f64).sqrt() as usize } else { (0.95 * nodes as f64).cbrt() as usize }
}
