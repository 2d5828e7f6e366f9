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
//! | `field.rs` | both for all nodes |
//!
//! The stiffness (how fast the push can change, which bounds a step) is the sum over the near pairs,
//! and for the long part how strongly its potential bends. That is less than the sum over all pairs
//! that the tree takes, because far pairs cancel, and enough.

mod cells;
mod convolve;
mod field;
mod frame;
mod kernel;
mod near;
mod read;
mod spline;
mod spread;
mod transform;

use cells::Cells;
use convolve::Convolver;
use frame::Frame;
use transform::Transform;

use super::bodies::Bodies;
use super::pairs::Field;

/// With fewer nodes than this a tree is as fast, and needs no mesh.
pub(crate) const FEWEST: usize = 4_096;
/// Reach of a near pair, at least, in softening lengths: the long part is not softened, and so
/// far out that changes the push by less than 0.2 %.
const LEAST_REACH: f32 = 25.0;

/// A mesh and its memory. One tick leaves to the next how fine the mesh should be.
#[derive(Debug, Default)]
pub(crate) struct Mesh<const D: usize> {
    cells: Cells,
    points: Vec<f32>,
    /// Index of the side that the last tick would take for the next.
    index: usize,
    /// By index of the side; made on first use.
    transforms: [Option<Transform>; frame::SIDE_COUNT],
    convolver: Convolver<D>,
}

impl<const D: usize> Mesh<D> {
    /// Fills `fields` with the field on every node, in the order of [`rank`](Self::rank), or
    /// returns `false` and does nothing where the nodes lie so unevenly that a tree is faster.
    pub(crate) fn fill(&mut self, bodies: &Bodies<'_>, softening: f32, fields: &mut Vec<Field>) -> bool {
        let nodes = bodies.positions.len();
        let natural = frame::side_from(natural_side::<D>(nodes));
        let finest = (natural + FINER).min(frame::SIDE_COUNT - 1);
        let mut index = self.index.clamp(natural.saturating_sub(COARSER), finest);
        let (side, frame) = loop {
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
                return false;
            }
            if near < COARSER_BELOW * mesh {
                self.index = index.saturating_sub(1);
            }
            break (side, frame);
        };
        self.cells.sort(&frame, bodies.positions, bodies.masses);

        self.points.resize(side.pow(D as u32), 0.0);
        spread::spread(&frame, &self.cells, side, &mut self.points);
        let transform = self.transforms[index].get_or_insert_with(|| {
            // Where the potential vanishes: about where the mean distance is.
            let zero = 0.5 * side as f64;
            Transform::new::<D>(side, true, |square| kernel::long_potential::<D>(square, zero))
        });
        self.convolver.run(side, transform, &mut self.points);
        fields.resize(nodes, Field::default());
        let source = field::Source { frame, cells: &self.cells, side, potential: &self.points, softening };
        source.fill(fields);
        true
    }

    /// Where each node lies in the order of the fields.
    pub(crate) fn rank(&self) -> &[u32] {
        &self.cells.rank
    }

    /// Nodes that lie exactly where another node lies that is before them in the order of the
    /// fields.
    pub(crate) fn coincident(&self) -> impl Iterator<Item = usize> {
        let cells = &self.cells;
        let same = |a: usize, b: usize| {
            (0..3).all(|axis| cells.place[axis][a].to_bits() == cells.place[axis][b].to_bits())
        };
        (0..cells.cell_at.len())
            .filter(move |at| {
                let first = cells.starts[cells.cell_at[*at] as usize] as usize;
                (first..*at).any(|before| same(before, *at))
            })
            .map(|at| cells.node(at))
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        let transforms = self.transforms.iter().flatten();
        self.cells.memory()
            + self.points.capacity() * size_of::<f32>()
            + transforms.map(Transform::memory).sum::<usize>()
            + self.convolver.memory()
    }
}

/// What work costs, in nanoseconds of one thread; only the ratios matter. Measured on a processor
/// with AVX2. Constants, so that the choice never depends on the machine.
const PER_PAIR: f64 = 0.6;
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
/// How many steps finer and coarser than [`natural_side`] a mesh can become.
const FINER: usize = 5;
const COARSER: usize = 2;

/// The side at which mesh and near pairs cost about the same, for nodes spread evenly.
fn natural_side<const D: usize>(nodes: usize) -> usize {
    if D == 2 { (0.8 * nodes as f64).sqrt() as usize } else { (0.95 * nodes as f64).cbrt() as usize }
}
