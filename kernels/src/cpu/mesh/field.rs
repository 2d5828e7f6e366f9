//! Both parts of the push on every node, on all threads.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::cells::Cells;
use super::frame::{Frame, ratio};
use super::heavy::Heavy;
use super::near::{Near, TOGETHER};
use super::read::slope;
use super::vectors::LEAST;
#[cfg(target_arch = "x86_64")]
use super::vectors::{FUSED, WIDE};
use crate::cpu::pairs::Field;
use crate::cpu::scratch::PerThread;

/// Nodes that are one piece of parallel work.
const PIECE: usize = 512;
/// Rows of near cells round a node in 3D, the most that there are.
const MOST_ROWS: usize = 9;
/// Nodes that share a search lie in so many cells of a row, at most. Fewer than lie between the last
/// node of a row and the first of the next.
const SPAN: u32 = 2;

/// All that acts on nodes.
pub(super) struct Source<'a, const D: usize> {
    pub(super) frame: Frame<D>,
    pub(super) cells: &'a Cells,
    pub(super) side: usize,
    /// Potential of the long part.
    pub(super) potential: &'a [f32],
    pub(super) softening: f32,
    pub(super) near: &'a PerThread<Near<D>>,
    pub(super) heavy: &'a Heavy<D>,
    /// Where nodes are put that lie exactly where one before them lies.
    pub(super) coincident: &'a Mutex<Vec<u32>>,
}

impl<const D: usize> Source<'_, D> {
    /// Fills `fields`, in the order of the cells.
    pub(super) fn fill(&self, fields: &mut [Field]) {
        fields.par_chunks_mut(PIECE).enumerate().for_each(|(piece, fields)| {
            self.near.with(|near| self.piece(near, piece * PIECE, fields));
        });
    }

    /// The fields from node `first` on, with the widest vectors that this processor and this crate
    /// know.
    fn piece(&self, near: &mut Near<D>, first: usize, fields: &mut [Field]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "four times as fast; safe code cannot choose at run time")]
            // SAFETY: each function's only condition is that the processor has what it is compiled for,
            // which is checked above and here.
            unsafe {
                if std::arch::is_x86_feature_detected!("avx512f") {
                    return self.piece_avx512(near, first, fields);
                }
                return self.piece_avx2(near, first, fields);
            }
        }
        self.piece_inline::<LEAST>(near, first, fields);
    }

    /// [`piece_inline`](Self::piece_inline), compiled for processors with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn piece_avx2(&self, near: &mut Near<D>, first: usize, fields: &mut [Field]) {
        self.piece_inline::<FUSED>(near, first, fields);
    }

    /// [`piece_inline`](Self::piece_inline), compiled for processors with AVX-512.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    fn piece_avx512(&self, near: &mut Near<D>, first: usize, fields: &mut [Field]) {
        self.piece_inline::<WIDE>(near, first, fields);
    }

    #[inline(always)]
    fn piece_inline<const KIND: u8>(&self, near: &mut Near<D>, first: usize, fields: &mut [Field]) {
        let softening_squared = (self.softening / self.frame.reach).powi(2);
        let per_reach = 1.0 / self.frame.reach;
        let mut at = 0;
        while at < fields.len() {
            let cells = &self.cells.cell_at[first + at..];
            let most = TOGETHER.min(fields.len() - at);
            let count = cells[..most].iter().take_while(|cell| **cell - cells[0] < SPAN).count();
            let nodes = first + at..first + at + count;
            let rows = self.rows(cells[0] as usize, cells[count - 1] as usize);
            near.sum::<KIND>(self.cells, &nodes, &rows[..3_usize.pow(D as u32 - 1)], softening_squared);
            for (member, node) in nodes.enumerate() {
                let (mut near, mut stiffness) = near.fold(member);
                let point: [f32; D] = self.cells.local(node);
                self.heavy.add(&point, &mut near, &mut stiffness);
                let (far, bend) = slope::<D, KIND>(self.potential, self.side, &point);
                let field = &mut fields[at + member];
                for axis in 0..D {
                    field.push[axis] = (near[axis] + far[axis] * ratio::<D>()) * per_reach;
                }
                field.stiffness = (stiffness + bend * ratio::<D>().powi(2)) * per_reach * per_reach;
                if self.repeats(node) {
                    self.coincident.lock().unwrap_or_else(PoisonError::into_inner).push(node as u32);
                }
            }
            at += count;
        }
    }

    /// The nodes in the cells round those from `cell` to `last`, which follow each other in a row: rows of
    /// neighbouring cells hold them together.
    #[inline(always)]
    fn rows(&self, cell: usize, last: usize) -> [Range<u32>; MOST_ROWS] {
        let count = self.frame.count;
        std::array::from_fn(|at| {
            let across = if D == 2 { 0 } else { at / 3 * count * count };
            let up = if D == 2 { 0 } else { count * count };
            let begin = cell + across + at % 3 * count - up - count;
            self.cells.starts[begin - 1]..self.cells.starts[begin + (last - cell) + 2]
        })
    }

    /// Whether a node lies exactly where another one lies that comes before it.
    #[inline(always)]
    fn repeats(&self, node: usize) -> bool {
        let first = self.cells.starts[self.cells.cell_at[node] as usize] as usize;
        let [x, y, z] = [0, 1, 2].map(|axis| {
            let column = &self.cells.place[axis];
            (column[node].to_bits(), &column[first..node])
        });
        let same = |column: (u32, &[f32]), at: usize| u32::from(column.1[at].to_bits() == column.0);
        // Without a way out, so that many are compared at a time.
        let beside = (0..x.1.len()).fold(0, |any, at| any | same(x, at) & same(y, at));
        beside != 0 && (0..x.1.len()).any(|at| same(x, at) & same(y, at) & same(z, at) != 0)
    }
}
