//! The short part of the push, pair by pair.
//!
//! A few nodes that follow each other share one search: what is out of reach of the box round them is
//! left out once for all of them, and the rest lies side by side for the loop over pairs. That loop is
//! written as independent running sums, which a compiler turns into vector code of whatever width the
//! processor has; the sums and their final order are fixed, so the width does not change a bit.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use std::ops::Range;

use wide::f32x4;

use super::cells::Cells;
use super::read::add_up;
#[cfg(target_arch = "x86_64")]
use super::vectors::WIDE;
use super::vectors::fused;

/// Running sums of a number, and nodes that are looked at together.
const LANES: usize = 16;
/// Nodes that share a search, at most.
pub(super) const TOGETHER: usize = 16;
/// Near nodes that are kept at a time. In a multiple of [`LANES`], and small enough for the first cache.
const ROOM: usize = 512;

/// One number for each lane.
type Lanes = [f32; LANES];

/// A place that nothing is near to, counted in near cells.
const NOWHERE: f32 = -1e9;

/// What is near some nodes, side by side.
#[derive(Debug)]
pub(super) struct Near<const D: usize> {
    place: [[f32; ROOM + LANES]; D],
    mass: [f32; ROOM + LANES],
    count: usize,
    sums: [Sums<D>; TOGETHER],
}

/// Running sums of the short part on one node; lengths are counted in reaches.
#[derive(Debug, Clone, Copy)]
struct Sums<const D: usize> {
    push: [Lanes; D],
    stiffness: Lanes,
}

impl<const D: usize> Sums<D> {
    const ZERO: Self = Self { push: [[0.0; LANES]; D], stiffness: [0.0; LANES] };
}

impl<const D: usize> Default for Near<D> {
    fn default() -> Self {
        Self {
            place: [[0.0; ROOM + LANES]; D],
            mass: [0.0; ROOM + LANES],
            count: 0,
            sums: [Sums::ZERO; TOGETHER],
        }
    }
}

/// The box round some nodes.
struct Around<const D: usize> {
    min: [f32; D],
    max: [f32; D],
}

impl<const D: usize> Near<D> {
    /// Sums the short part on the nodes of `nodes`, at most [`TOGETHER`] that are consecutive, over those
    /// of `rows`. A node in the very same place does not act.
    #[inline(always)]
    pub(super) fn sum<const KIND: u8>(
        &mut self,
        cells: &Cells,
        nodes: &Range<usize>,
        rows: &[Range<u32>],
        softening_squared: f32,
    ) {
        let columns: [&[f32]; D] = std::array::from_fn(|axis| &cells.place[axis][nodes.clone()]);
        let around = Around {
            min: columns.map(|column| column.iter().fold(f32::INFINITY, |min, c| min.min(*c))),
            max: columns.map(|column| column.iter().fold(f32::NEG_INFINITY, |max, c| max.max(*c))),
        };
        self.sums[..nodes.len()].fill(Sums::ZERO);
        self.count = 0;
        for row in rows {
            let end = row.end as usize;
            for first in (row.start as usize..end).step_by(LANES) {
                self.take::<KIND>(cells, first, (end - first).min(LANES), &around);
                if self.count > ROOM - LANES {
                    self.add::<KIND>(&columns, softening_squared);
                }
            }
        }
        self.add::<KIND>(&columns, softening_squared);
    }

    /// Keeps those of `count` nodes from `first` on that are within reach of `around`.
    #[inline(always)]
    fn take<const KIND: u8>(&mut self, cells: &Cells, first: usize, count: usize, around: &Around<D>) {
        let Some(mass) = lanes(&cells.mass, first) else { return };
        let place: [&Lanes; D] =
            std::array::from_fn(|axis| lanes(&cells.place[axis], first).unwrap_or(&[0.0; LANES]));
        #[cfg(target_arch = "x86_64")]
        if KIND == WIDE {
            #[expect(unsafe_code, reason = "twice as fast as what the compiler makes of the loop below")]
            // SAFETY: this kind is compiled for, and only called on, processors with AVX-512F; the array has
            // room for a block behind the last node that is kept, as `sum` sees to.
            unsafe {
                self.take_wide(place, mass, count, around);
            }
            return;
        }
        let mut squares = [0.0; LANES];
        for (lane, square) in squares.iter_mut().enumerate() {
            for ((column, min), max) in place.iter().zip(&around.min).zip(&around.max) {
                let off = (min - column[lane]).max(column[lane] - max).max(0.0);
                *square = fused::<KIND>(off, off, *square);
            }
        }
        let mut to = self.count;
        for (lane, square) in squares[..count].iter().enumerate() {
            for (column, place) in self.place.iter_mut().zip(place) {
                column[to] = place[lane];
            }
            self.mass[to] = mass[lane];
            to += usize::from(*square < 1.0);
        }
        self.count = to;
    }

    /// [`take`](Self::take) for processors with AVX-512: the same nodes in the same order.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx2,fma")]
    #[inline]
    fn take_wide(&mut self, place: [&Lanes; D], mass: &Lanes, count: usize, around: &Around<D>) {
        use std::arch::x86_64::{
            _CMP_LT_OQ, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_maskz_compress_ps,
            _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
        };
        let load = |lanes: &Lanes| {
            #[expect(unsafe_code, reason = "there is no safe way to load a vector")]
            // SAFETY: reads exactly the sixteen numbers of the array.
            unsafe {
                _mm512_loadu_ps(lanes.as_ptr())
            }
        };
        let columns = place.map(load);
        let zero = _mm512_setzero_ps();
        let mut squares = zero;
        for ((column, min), max) in columns.iter().zip(around.min).zip(around.max) {
            let below = _mm512_sub_ps(_mm512_set1_ps(min), *column);
            let above = _mm512_sub_ps(*column, _mm512_set1_ps(max));
            let off = _mm512_max_ps(_mm512_max_ps(below, above), zero);
            squares = _mm512_fmadd_ps(off, off, squares);
        }
        let asked = 0xFFFF_u16 >> (LANES - count);
        let kept = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(squares, _mm512_set1_ps(1.0)) & asked;
        let keep = |to: &mut [f32; ROOM + LANES], values| {
            if let Some(to) = to[self.count..].first_chunk_mut::<LANES>() {
                #[expect(unsafe_code, reason = "there is no safe way to store a vector")]
                // SAFETY: writes exactly the sixteen numbers of the array.
                unsafe {
                    _mm512_storeu_ps(to.as_mut_ptr(), _mm512_maskz_compress_ps(kept, values));
                }
            }
        };
        for (to, values) in self.place.iter_mut().zip(columns) {
            keep(to, values);
        }
        keep(&mut self.mass, load(mass));
        self.count += kept.count_ones() as usize;
    }

    /// Adds what is kept to the sums of the nodes at `columns`, and forgets it.
    #[inline(always)]
    fn add<const KIND: u8>(&mut self, columns: &[&[f32]; D], softening_squared: f32) {
        // The last block is filled up with what does not act.
        let padded = self.count.next_multiple_of(LANES);
        for column in &mut self.place {
            column[self.count..padded].fill(NOWHERE);
        }
        self.mass[self.count..padded].fill(0.0);
        let place: [&[Lanes]; D] = std::array::from_fn(|axis| self.place[axis][..padded].as_chunks().0);
        let mass: &[Lanes] = self.mass[..padded].as_chunks().0;
        for (at, sums) in self.sums[..columns[0].len()].iter_mut().enumerate() {
            let point: [f32; D] = std::array::from_fn(|axis| columns[axis][at]);
            let mut running = *sums;
            for block in 0..mass.len() {
                for lane in 0..LANES {
                    let apart: [f32; D] = std::array::from_fn(|axis| point[axis] - place[axis][block][lane]);
                    let mut square = apart[0] * apart[0];
                    for apart in &apart[1..] {
                        square = fused::<KIND>(*apart, *apart, square);
                    }
                    let mass = if square > 0.0 { mass[block][lane] } else { 0.0 };
                    let near = (1.0 - square).max(0.0);
                    let bend = mass * near / (square + softening_squared);
                    let weight = bend * (near * near * near);
                    for (sum, apart) in running.push.iter_mut().zip(apart) {
                        sum[lane] = fused::<KIND>(apart, weight, sum[lane]);
                    }
                    running.stiffness[lane] += bend;
                }
            }
            *sums = running;
        }
        self.count = 0;
    }

    /// The sums on the `at`-th node: push and stiffness.
    #[inline(always)]
    pub(super) fn fold(&self, at: usize) -> ([f32; D], f32) {
        let quarters = |lanes: &Lanes| {
            let [a, b, c, d] = [0, 4, 8, 12].map(|first| {
                f32x4::new([lanes[first], lanes[first + 1], lanes[first + 2], lanes[first + 3]])
            });
            (a + b) + (c + d)
        };
        let sums = &self.sums[at];
        let third = if D == 3 { quarters(&sums.push[D - 1]) } else { f32x4::ZERO };
        let sums =
            add_up([quarters(&sums.push[0]), quarters(&sums.push[1]), third, quarters(&sums.stiffness)]);
        // The derivative of the short part, (1 - u)³ (1 + 7u) / u, is at most so often (1 - u) / u.
        (std::array::from_fn(|axis| sums[axis]), 1.6 * sums[3])
    }
}

/// Sixteen numbers of a padded column from `first` on.
#[inline(always)]
fn lanes(column: &[f32], first: usize) -> Option<&Lanes> {
    column.get(first..)?.first_chunk()
}
