//! How fine the mesh is, and how work is cut into blocks.

use super::machine::THREADS;
use crate::Dim;

/// With fewer nodes than this the processor takes a tree; see `cpu/mesh`.
pub(crate) const FEWEST: usize = crate::cpu::mesh::FEWEST;

/// Points of a mesh along an axis, to choose from, as on the processor: transforms are twice as long and
/// have radices 4, 2 and 3.
const SIDES: [u32; 23] =
    [8, 12, 16, 24, 32, 36, 48, 54, 64, 72, 96, 108, 128, 144, 192, 216, 256, 288, 384, 432, 512, 576, 768];

/// Numbers of lines that one block transforms together, at most; and complex numbers that fit twice into
/// the memory that a block has without asking for more (48 KiB).
const MOST_LINES: u32 = 8;
const POOL: u32 = 3_072;

/// What near pairs and mesh points cost, in the processor's nanoseconds; only the ratio matters. The numbers
/// of `cpu/mesh/mod.rs`, so that both choose the same mesh, which the ticks of both are compared with.
const PER_PAIR: f64 = 0.2;
const PER_POINT: [f64; 2] = [25.0, 45.0];
/// A finer mesh is tried when near pairs cost more than so many times what the mesh does, a coarser one in
/// the next tick when less.
const FINER_ABOVE: f64 = 2.2;
const COARSER_BELOW: f64 = 0.4;
/// How many steps finer and coarser than the natural one a mesh can become.
const FINER: usize = 5;
const COARSER: usize = 2;
/// What a node may cost before the processor's tree is the better place for such a layout, per axis.
const PER_TREE_NODE: f64 = 250.0;

/// The sizes that follow from the side of a mesh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) axes: u32,
    pub(super) side: u32,
    /// Near cells along an axis, with one empty at either end.
    pub(super) count: u32,
}

/// What is to be done after the nodes were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Count again, with the mesh of this index.
    Finer(usize),
    /// Go on; the next tick should begin with the mesh of this index.
    Take(usize),
    /// No mesh divides these nodes.
    Decline,
}

impl Shape {
    /// Number of the meshes that can be chosen.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) const COUNT: usize = SIDES.len();

    /// The shape of the mesh of index `index`.
    pub(super) fn new(dim: Dim, index: usize) -> Self {
        let (side, axes) = (SIDES[index], if dim == Dim::Two { 2 } else { 3 });
        // The splines of a node reach one point down and two up; three more keep them from those at the
        // other end, where the transform closes into a ring. In 2D a near cell is two mesh points wide.
        let inner = if axes == 2 { (side - 3) / 2 } else { side - 3 };
        Self { axes, side, count: inner + 2 }
    }

    /// Near cells in all.
    pub(super) fn cells(&self) -> u32 {
        self.count.pow(self.axes)
    }

    /// Mesh points in all.
    pub(super) fn points(&self) -> u32 {
        self.side.pow(self.axes)
    }

    /// Length of a transform.
    pub(super) fn length(&self) -> u32 {
        2 * self.side
    }

    /// Wave numbers along x.
    pub(super) fn waves(&self) -> u32 {
        self.side + 1
    }

    /// Complex numbers of the spectra.
    pub(super) fn spectra(&self) -> usize {
        let rows = if self.axes == 2 { 1 } else { self.length() as usize };
        self.side as usize * rows * self.waves() as usize
    }

    /// Pairs of rows along x.
    pub(super) fn pairs(&self) -> u32 {
        self.side.pow(self.axes - 1) / 2
    }

    /// Lines along the last axis.
    pub(super) fn last_lines(&self) -> u32 {
        if self.axes == 2 { self.waves() } else { self.waves() * self.length() }
    }

    /// Lines that a block transforms together.
    pub(super) fn lines(&self) -> u32 {
        (POOL / self.length()).clamp(1, MOST_LINES)
    }

    /// Bytes that a block shares for that.
    pub(super) fn shared(&self) -> u32 {
        2 * self.lines() * self.length() * size_of::<[f32; 2]>() as u32
    }
}

/// Blocks that have a thread for each of `number`.
pub(super) fn blocks(number: u32) -> u32 {
    number.div_ceil(THREADS).max(1)
}

/// Indices of the meshes from coarsest to finest that `nodes` nodes may have.
fn range(dim: Dim, nodes: usize) -> (usize, usize) {
    let natural = if dim == Dim::Two {
        (0.8 * nodes as f64).sqrt() as u32
    } else {
        (0.95 * nodes as f64).cbrt() as u32
    };
    let index = SIDES.partition_point(|side| *side < natural).min(SIDES.len() - 1);
    (index.saturating_sub(COARSER), (index + FINER).min(SIDES.len() - 1))
}

/// The mesh to begin with, where the last tick would have liked `wish`.
pub(super) fn begin(dim: Dim, nodes: usize, wish: usize) -> usize {
    let (coarsest, finest) = range(dim, nodes);
    wish.clamp(coarsest, finest)
}

/// What to do where the counts of the near cells of mesh `index` have this sum of squares.
pub(super) fn choose(dim: Dim, nodes: usize, index: usize, squares: u64, cells_are_finest: bool) -> Choice {
    let shape = Shape::new(dim, index);
    let axes = f64::from(shape.axes);
    let near = PER_PAIR * squares as f64 * 3.0_f64.powf(axes);
    let mesh = PER_POINT[shape.axes as usize - 2] * f64::from(shape.points());
    if near > FINER_ABOVE * mesh && index < range(dim, nodes).1 && !cells_are_finest {
        return Choice::Finer(index + 1);
    }
    if near + mesh > PER_TREE_NODE * axes * nodes as f64 {
        return Choice::Decline;
    }
    Choice::Take(if near < COARSER_BELOW * mesh { index.saturating_sub(1) } else { index })
}
