//! The nodes sorted by near cell, by counting.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::frame::Frame;
use crate::Point;
use crate::cpu::CHUNK;

/// The nodes are counted in so many parts. A constant, so that the order never depends on the
/// number of threads.
const PARTS: usize = 4;

/// Columns are longer than the nodes by this much, so that the last of them can be read in blocks.
const PADDING: usize = 16;

/// Nodes by near cell, and where each cell begins.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// How many nodes of each part lie in each cell; then where the next one goes.
    counts: Vec<u32>,
    /// First node of every cell, and one past the last of all.
    pub(super) starts: Vec<u32>,
    /// Which node is where. Atomics because the parts write to it all over, each to its own
    /// places; nothing is ever read while it is written.
    order: Vec<AtomicU32>,
    /// Where each node is; while they are counted, its near cell.
    pub(super) rank: Vec<u32>,
    /// Near cell of every node, sorted.
    pub(super) cell_at: Vec<u32>,
    /// The sorted nodes' places, counted in near cells. One column for each axis, z unused in 2D.
    pub(super) place: [Vec<f32>; 3],
    /// The sorted nodes' masses.
    pub(super) mass: Vec<f32>,
}

impl Cells {
    /// Counts the nodes at `positions` into the cells of `frame`. Returns the sum of the squares
    /// of the cells' counts: what near pairs will cost.
    pub(super) fn count<const D: usize>(&mut self, frame: &Frame<D>, positions: &[Point]) -> u64 {
        let (nodes, cells) = (positions.len(), frame.cells());
        self.rank.resize(nodes, 0);
        self.counts.resize(PARTS * cells, 0);
        self.starts.resize(cells + 1, 0);
        let length = nodes.div_ceil(PARTS);
        let parts = (
            self.rank.par_chunks_mut(length),
            positions.par_chunks(length),
            self.counts.par_chunks_mut(cells),
        );
        parts.into_par_iter().for_each(|(cell_of, positions, counts)| {
            counts.fill(0);
            for (cell, position) in cell_of.iter_mut().zip(positions) {
                *cell = frame.cell(&frame.local(position));
                counts[*cell as usize] += 1;
            }
        });
        self.scan(cells)
    }

    /// Turns counts into places.
    fn scan(&mut self, cells: usize) -> u64 {
        let (first, rest) = self.counts.split_at_mut(cells);
        let (second, rest) = rest.split_at_mut(cells);
        let (third, fourth) = rest.split_at_mut(cells);
        let parts = first.iter_mut().zip(second).zip(third).zip(fourth);
        let (mut next, mut squares) = (0, 0);
        for ((((a, b), c), d), start) in parts.zip(&mut self.starts) {
            *start = next;
            for count in [a, b, c, d] {
                let here = *count;
                *count = next;
                next += here;
            }
            squares += u64::from(next - *start).pow(2);
        }
        self.starts[cells] = next;
        squares
    }

    /// Sorts the nodes that were counted last. Inside a cell they keep their order.
    pub(super) fn sort<const D: usize>(&mut self, frame: &Frame<D>, positions: &[Point], masses: &[f32]) {
        let nodes = positions.len();
        self.order.resize_with(nodes, AtomicU32::default);
        let length = nodes.div_ceil(PARTS);
        let parts = (self.counts.par_chunks_mut(frame.cells()), self.rank.par_chunks_mut(length));
        let order = &self.order;
        parts.into_par_iter().enumerate().for_each(|(part, (next, rank))| {
            for (node, rank) in (part * length..).zip(rank) {
                let next = &mut next[*rank as usize];
                order[*next as usize].store(node as u32, Relaxed);
                *rank = *next;
                *next += 1;
            }
        });

        self.cell_at.resize(nodes, 0);
        for column in self.place.iter_mut().chain([&mut self.mass]) {
            column.resize(nodes + PADDING, 0.0);
        }
        let [x, y, z] = &mut self.place;
        let columns = (
            self.order.par_chunks(CHUNK),
            self.cell_at.par_chunks_mut(CHUNK),
            self.mass.par_chunks_mut(CHUNK),
            x.par_chunks_mut(CHUNK),
            y.par_chunks_mut(CHUNK),
            z.par_chunks_mut(CHUNK),
        );
        columns.into_par_iter().for_each(|(order, cells, mass, x, y, z)| {
            for (at, node) in order.iter().enumerate() {
                let node = node.load(Relaxed) as usize;
                let local = frame.local(&positions[node]);
                (x[at], y[at]) = (local[0], local[1]);
                z[at] = if D == 3 { local[D - 1] } else { 0.0 };
                mass[at] = masses[node];
                cells[at] = frame.cell(&local);
            }
        });
    }

    /// The node at `at`.
    pub(super) fn node(&self, at: usize) -> usize {
        self.order[at].load(Relaxed) as usize
    }

    /// Place of the node at `at`, counted in near cells.
    #[expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]
    #[inline(always)]
    pub(super) fn local<const D: usize>(&self, at: usize) -> [f32; D] {
        std::array::from_fn(|axis| self.place[axis][at])
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        let nodes = self.order.capacity() + self.rank.capacity() + self.cell_at.capacity();
        let numbers = self.mass.capacity() + self.place.iter().map(Vec::capacity).sum::<usize>();
        (nodes + numbers + self.counts.capacity() + self.starts.capacity()) * size_of::<u32>()
    }
}
