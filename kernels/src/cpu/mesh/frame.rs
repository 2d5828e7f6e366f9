//! Where the mesh lies in a tick, and how fine it is.

use crate::{Bounds, Point};

/// Points of a mesh along an axis, to choose from. A transform is twice as long: products of 2 and
/// 3, which transforms are fastest at.
const SIDES: [usize; 25] = [
    4, 6, 8, 12, 16, 24, 32, 36, 48, 54, 64, 72, 96, 108, 128, 144, 192, 216, 256, 288, 384, 432, 512, 576,
    768,
];
/// Near cells, or a part of one, that stay free round the nodes: they may move so far before the frame
/// must follow them.
const MARGIN: f32 = 0.05;
/// Near cells along an axis that one piece of parallel work spreads.
pub(super) const SLAB: usize = 4;

/// Number of the sides that can be chosen.
pub(super) const SIDE_COUNT: usize = SIDES.len();

/// The `index`-th side.
pub(super) fn side(index: usize) -> usize {
    SIDES[index]
}

/// Index of the smallest side that is at least `least`, or of the largest of all.
pub(super) fn side_from(least: usize) -> usize {
    SIDES.partition_point(|side| *side < least).min(SIDES.len() - 1)
}

/// Mesh points per near cell, along an axis. More make the mesh's part exacter and the near pairs
/// more. Four of these are a whole number, so that slabs of near cells are slabs of the mesh.
pub(super) const fn ratio<const D: usize>() -> f32 {
    if D == 2 { 2.0 } else { 1.0 }
}

/// Mesh rows (2D) or layers (3D) per [`SLAB`].
pub(super) const fn slab_rows<const D: usize>() -> usize {
    (SLAB as f32 * ratio::<D>()) as usize
}

/// The cube that holds all nodes, cut into near cells. Lengths inside it are counted in near
/// cells, whose side is the reach of a near pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<const D: usize> {
    /// Near cells along an axis, with one empty at either end.
    pub(super) count: usize,
    /// Side of a near cell, in world units.
    pub(super) reach: f32,
    /// Whether the near cells are as small as may be.
    finest: bool,
    origin: [f32; D],
    scale: f32,
}

impl<const D: usize> Frame<D> {
    /// The frame round `bounds` for a mesh of `side` points, its near cells at least `least` wide.
    pub(super) fn new(bounds: &Bounds, side: usize, least: f32) -> Self {
        // The splines of a node reach one point down and two up; three more keep them from those
        // at the other end, where the transform closes into a ring.
        let inner = ((side - 3) as f32 / ratio::<D>()) as usize;
        let reach = (bounds.side() / (inner as f32 - 2.0 * MARGIN)).max(least);
        let middle: [f32; D] = std::array::from_fn(|axis| 0.5 * bounds.min[axis] + 0.5 * bounds.max[axis]);
        let half = 0.5 * (inner + 2) as f32 * reach;
        let finest = reach <= least;
        Self { count: inner + 2, reach, finest, origin: middle.map(|c| c - half), scale: 1.0 / reach }
    }

    /// Whether all of `bounds` lies inside.
    pub(super) fn holds(&self, bounds: &Bounds) -> bool {
        (0..D).all(|axis| {
            let [min, max] = [bounds.min, bounds.max].map(|c| (c[axis] - self.origin[axis]) * self.scale);
            min >= 1.0 && max <= (self.count - 1) as f32 * (1.0 - 2.0 * f32::EPSILON)
        })
    }

    /// Whether a finer mesh would not divide the nodes any more.
    pub(super) fn is_finest(&self) -> bool {
        self.finest
    }

    /// Number of near cells in all.
    pub(super) fn cells(&self) -> usize {
        self.count.pow(D as u32)
    }

    /// `point` counted in near cells. Rounding never carries it into an empty outermost cell.
    #[expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]
    #[inline(always)]
    pub(super) fn local(&self, point: &Point) -> [f32; D] {
        let end = (self.count - 1) as f32 * (1.0 - 2.0 * f32::EPSILON);
        std::array::from_fn(|axis| ((point[axis] - self.origin[axis]) * self.scale).clamp(1.0, end))
    }

    /// Number of the near cell round a point that [`local`](Self::local) gave: x changes fastest.
    #[expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]
    #[inline(always)]
    pub(super) fn cell(&self, local: &[f32; D]) -> u32 {
        let mut cell = 0;
        for c in local.iter().rev() {
            cell = cell * self.count as u32 + *c as u32;
        }
        cell
    }
}
