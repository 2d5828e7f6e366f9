//! Both parts of the push on every node, on all threads.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use std::ops::Range;

use rayon::prelude::*;

use super::cells::Cells;
use super::frame::{Frame, ratio};
use super::near::Sums;
use super::read::slope;
use crate::cpu::pairs::Field;

/// Nodes that are one piece of parallel work.
const PIECE: usize = 512;
/// Rows of near cells round a node in 3D, the most that there are.
const MOST_ROWS: usize = 9;

/// All that acts on nodes.
pub(super) struct Source<'a, const D: usize> {
    pub(super) frame: Frame<D>,
    pub(super) cells: &'a Cells,
    pub(super) side: usize,
    /// Potential of the long part.
    pub(super) potential: &'a [f32],
    pub(super) softening: f32,
}

impl<const D: usize> Source<'_, D> {
    /// Fills `fields`, in the order of the cells.
    pub(super) fn fill(&self, fields: &mut [Field]) {
        fields
            .par_chunks_mut(PIECE)
            .enumerate()
            .for_each(|(piece, fields)| self.piece(piece * PIECE, fields));
    }

    /// The fields from node `first` on, with the widest vectors that this processor and this crate
    /// know.
    fn piece(&self, first: usize, fields: &mut [Field]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "nearly three times as fast; safe code cannot choose at run time")]
            // SAFETY: the function's only condition is that the processor has AVX2 and FMA, checked
            // above.
            unsafe {
                return self.piece_avx2(first, fields);
            }
        }
        self.piece_inline::<{ cfg!(target_arch = "aarch64") }>(first, fields);
    }

    /// [`piece_inline`](Self::piece_inline), compiled for processors with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn piece_avx2(&self, first: usize, fields: &mut [Field]) {
        self.piece_inline::<true>(first, fields);
    }

    #[inline(always)]
    fn piece_inline<const FUSED: bool>(&self, first: usize, fields: &mut [Field]) {
        let softening_squared = (self.softening / self.frame.reach).powi(2);
        let per_reach = 1.0 / self.frame.reach;
        let mut at = 0;
        while at < fields.len() {
            let cell = self.cells.cell_at[first + at] as usize;
            let end = fields.len().min(self.cells.starts[cell + 1] as usize - first);
            let rows = self.rows(cell);
            for (at, field) in (first + at..).zip(&mut fields[at..end]) {
                let point: [f32; D] = self.cells.local(at);
                let mut sums = Sums::<D>::ZERO;
                for row in &rows[..3_usize.pow(D as u32 - 1)] {
                    sums.add::<FUSED>(&point, self.cells, row, softening_squared);
                }
                let (near, stiffness) = sums.fold();
                let (far, bend) = slope(self.potential, self.side, &point);
                for axis in 0..D {
                    field.push[axis] = (near[axis] + far[axis] * ratio::<D>()) * per_reach;
                }
                field.stiffness = (stiffness + bend * ratio::<D>().powi(2)) * per_reach * per_reach;
            }
            at = end;
        }
    }

    /// The nodes in the cells round `cell`, which rows of three neighbouring cells hold together.
    #[inline(always)]
    fn rows(&self, cell: usize) -> [Range<u32>; MOST_ROWS] {
        let count = self.frame.count;
        std::array::from_fn(|at| {
            let across = if D == 2 { 0 } else { at / 3 * count * count };
            let up = if D == 2 { 0 } else { count * count };
            let middle = cell + across + at % 3 * count;
            let begin = middle - up - count;
            self.cells.starts[begin - 1]..self.cells.starts[begin + 2]
        })
    }
}
