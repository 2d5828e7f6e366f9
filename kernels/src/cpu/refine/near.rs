//! The push of near nodes while a layout is refined: short, so that neighbours can lie side by side.
//!
//! Nodes are sorted into square cells as wide as the push reaches; every node then meets what is in
//! its own cell and those around. Cells at the rim of the grid hold all that lies beyond it: two nodes
//! near each other are in the same cell or in two side by side there too, so nothing is missed. A cell
//! that holds too many stands for them with some of them, so work stays bounded however nodes lie.

use rayon::prelude::*;

use crate::cpu::CHUNK;
use crate::{Dim, Point};

/// How far the push reaches, in units of the refinement.
pub(super) const REACH: f32 = 2.0;
/// Nodes of a cell that are met, at most; when there are more, every second, third and so on.
const MOST: usize = 96;
/// Sums that run side by side.
const LANES: usize = 8;

/// The push on a node, in units of the refinement and of its strength.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NearPush {
    pub(super) push: Point,
    /// Bounds how fast the push can change.
    pub(super) stiffness: f32,
    /// Nodes that were met in exactly the same place.
    same: u32,
    /// Another node lies in exactly the same place.
    pub(super) coincident: bool,
}

/// Nodes in the order of their cells.
#[derive(Debug, Default)]
pub(super) struct Near {
    side: usize,
    deep: bool,
    cell_of: Vec<u32>,
    /// Where each cell begins in `order`; one longer than the cells.
    starts: Vec<u32>,
    next: Vec<u32>,
    /// Place of every entry.
    order: Vec<u32>,
    /// Entry of every place.
    rank: Vec<u32>,
    /// Points in the order of the cells.
    points: Vec<[f32; 4]>,
    pushes: Vec<NearPush>,
}

/// What acts on the nodes of one cell, as columns, padded with weight 0.
#[derive(Debug, Default)]
struct Around {
    cell: Option<u32>,
    /// Of the nodes of the cell itself, every so many is among them.
    every: usize,
    place: [Vec<f32>; 3],
    weight: Vec<f32>,
}

impl Near {
    /// Sums the push on every one of `points`, whose last entry does not matter here.
    pub(super) fn sum(&mut self, dim: Dim, points: &[[f32; 4]]) {
        self.sort(dim, points);
        self.pushes.resize(points.len(), NearPush::default());
        let mut pushes = std::mem::take(&mut self.pushes);
        pushes.par_chunks_mut(CHUNK).enumerate().for_each_init(Around::default, |around, (chunk, pushes)| {
            for (at, push) in (chunk * CHUNK..).zip(pushes) {
                let cell = self.cell_of[self.order[at] as usize];
                if around.cell != Some(cell) {
                    self.collect(cell, around);
                }
                *push = match dim {
                    Dim::Two => around.push::<2>(self.points[at]),
                    Dim::Three => around.push::<3>(self.points[at]),
                };
                // Each that is met meets itself.
                let first = self.starts[cell as usize] as usize;
                let itself = (at - first).is_multiple_of(around.every);
                push.coincident = push.same > u32::from(itself);
            }
        });
        self.pushes = pushes;
    }

    /// The push on the node at `place`.
    pub(super) fn push(&self, place: usize) -> NearPush {
        self.pushes[self.rank[place] as usize]
    }

    fn sort(&mut self, dim: Dim, points: &[[f32; 4]]) {
        let center = middle(points);
        let widest = points
            .par_iter()
            .map(|point| (0..3).map(|axis| (point[axis] - center[axis]).abs()).fold(0.0, f32::max))
            .reduce(|| 0.0, f32::max);
        self.deep = dim == Dim::Three;
        let nodes = points.len() as f32;
        let most = if self.deep { (4.0 * nodes).cbrt() } else { (4.0 * nodes).sqrt() };
        let side = (2.0 * widest / REACH).ceil().min(most) + 1.0;
        self.side = side as usize;
        let index = |point: &[f32; 4], axis: usize| {
            // What is beyond the grid is in its outermost cells; a conversion saturates.
            (((point[axis] - center[axis]) / REACH + 0.5 * side) as usize).min(self.side - 1)
        };
        self.cell_of.resize(points.len(), 0);
        self.cell_of.par_chunks_mut(CHUNK).zip(points.par_chunks(CHUNK)).for_each(|(cells, points)| {
            for (cell, point) in cells.iter_mut().zip(points) {
                let deep = if self.deep { index(point, 2) } else { 0 };
                *cell = ((deep * self.side + index(point, 1)) * self.side + index(point, 0)) as u32;
            }
        });
        let cells = self.side * self.side * if self.deep { self.side } else { 1 };
        self.starts.clear();
        self.starts.resize(cells + 1, 0);
        for cell in &self.cell_of {
            self.starts[*cell as usize + 1] += 1;
        }
        for cell in 0..cells {
            self.starts[cell + 1] += self.starts[cell];
        }
        self.next.clear();
        self.next.extend_from_slice(&self.starts);
        self.order.resize(points.len(), 0);
        self.rank.resize(points.len(), 0);
        self.points.resize(points.len(), [0.0; 4]);
        for (place, cell) in self.cell_of.iter().enumerate() {
            let at = &mut self.next[*cell as usize];
            self.order[*at as usize] = place as u32;
            self.rank[place] = *at;
            self.points[*at as usize] = points[place];
            *at += 1;
        }
    }

    /// Collects what acts on the nodes of `cell`.
    fn collect(&self, cell: u32, around: &mut Around) {
        around.clear(cell);
        let (side, at) = (self.side, cell as usize);
        let (x, y, z) = (at % side, at / side % side, at / (side * side));
        let beside = |at: usize| at.saturating_sub(1)..=(at + 1).min(side - 1);
        let layers = if self.deep { beside(z) } else { 0..=0 };
        for z in layers {
            for y in beside(y) {
                for x in beside(x) {
                    let cell = (z * side + y) * side + x;
                    let points = &self.points[self.starts[cell] as usize..self.starts[cell + 1] as usize];
                    let every = points.len().div_ceil(MOST).max(1);
                    if cell == at {
                        around.every = every;
                    }
                    for point in points.iter().step_by(every) {
                        around.add(*point, every as f32);
                    }
                }
            }
        }
        around.pad();
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        let numbers = [&self.cell_of, &self.starts, &self.next, &self.order, &self.rank];
        numbers.iter().map(|column| column.capacity() * size_of::<u32>()).sum::<usize>()
            + self.points.capacity() * size_of::<[f32; 4]>()
            + self.pushes.capacity() * size_of::<NearPush>()
    }
}

/// The median place along each axis, of about a thousand points: one that lies far out does not shift it.
pub(super) fn middle(points: &[[f32; 4]]) -> Point {
    let every = points.len().div_ceil(1_000).max(1);
    std::array::from_fn(|axis| {
        let mut column: Vec<f32> = points.iter().step_by(every).map(|point| point[axis]).collect();
        let half = column.len() / 2;
        if column.is_empty() { 0.0 } else { *column.select_nth_unstable_by(half, f32::total_cmp).1 }
    })
}

impl Around {
    fn clear(&mut self, cell: u32) {
        self.cell = Some(cell);
        self.place.iter_mut().chain([&mut self.weight]).for_each(Vec::clear);
    }

    fn add(&mut self, point: [f32; 4], weight: f32) {
        for (column, c) in self.place.iter_mut().zip(point) {
            column.push(c);
        }
        self.weight.push(weight);
    }

    fn pad(&mut self) {
        let length = self.weight.len().next_multiple_of(LANES);
        self.place.iter_mut().chain([&mut self.weight]).for_each(|column| column.resize(length, 0.0));
    }

    /// The sum of all that acts on `point`: for each other node at distance `d`, `d / (1 + d²)²` as in t-SNE,
    /// fading out towards [`REACH`].
    fn push<const D: usize>(&self, point: [f32; 4]) -> NearPush {
        const FADE: f32 = 1.0 / (REACH * REACH);
        let mut push = [[0.0_f32; LANES]; D];
        let (mut stiffness, mut same) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let place: [&[[f32; LANES]]; D] = std::array::from_fn(|axis| self.place[axis].as_chunks().0);
        for (block, weights) in self.weight.as_chunks::<LANES>().0.iter().enumerate() {
            for lane in 0..LANES {
                let apart: [f32; D] = std::array::from_fn(|axis| point[axis] - place[axis][block][lane]);
                let square = apart.iter().map(|c| c * c).sum::<f32>();
                let share = (1.0 - square * FADE).max(0.0) / (1.0 + square);
                let weight = weights[lane] * share * share;
                for (sum, apart) in push.iter_mut().zip(apart) {
                    sum[lane] += apart * weight;
                }
                stiffness[lane] += weight;
                same[lane] += if square > 0.0 { 0.0 } else { weights[lane].min(1.0) };
            }
        }
        let mut sums = [0.0; 3];
        for (sum, lanes) in sums.iter_mut().zip(push) {
            *sum = lanes.iter().sum();
        }
        let same = same.iter().sum::<f32>() as u32;
        NearPush { push: sums, stiffness: stiffness.iter().sum(), same, coincident: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    fn cloud(dim: Dim, nodes: u32, radius: f32) -> Vec<[f32; 4]> {
        let points = (0..nodes).map(|node| random::in_ball(dim, 3, node).map(|c| c * radius));
        points.map(|[x, y, z]| [x, y, z, 0.0]).collect()
    }

    /// Over all pairs, in double precision.
    fn exact(points: &[[f32; 4]], node: usize) -> [f64; 3] {
        let mut sum = [0.0; 3];
        for other in points {
            let apart: [f64; 3] =
                std::array::from_fn(|axis| f64::from(points[node][axis]) - f64::from(other[axis]));
            let square: f64 = apart.iter().map(|c| c * c).sum();
            let share = (1.0 - square / f64::from(REACH * REACH)).max(0.0) / (1.0 + square);
            for axis in 0..3 {
                sum[axis] += apart[axis] * share * share;
            }
        }
        sum
    }

    #[test]
    fn the_push_is_that_of_all_pairs() {
        for (dim, radius) in [(Dim::Two, 30.0), (Dim::Three, 12.0)] {
            let mut points = cloud(dim, 5_000, radius);
            // Far outside, two beside each other, and one nobody is near.
            points[10] = [4e5, 1.0, 0.0, 0.0];
            points[11] = [4e5, 2.0, 0.0, 0.0];
            points[12] = [-4e5, -4e5, 0.0, 0.0];
            let mut near = Near::default();
            near.sum(dim, &points);
            for node in (0..5_000).step_by(97).chain([10, 11, 12]) {
                let found = near.push(node);
                for (found, exact) in found.push.iter().zip(exact(&points, node)) {
                    assert!((f64::from(*found) - exact).abs() < 1e-4, "{dim:?} {node}: {found} {exact}");
                }
                assert!(!found.coincident);
            }
            assert!(near.push(10).push[1] < -0.05 && near.push(11).push[1] > 0.05);
        }
    }

    #[test]
    fn a_heap_is_told_of_and_stays_cheap() {
        let points = vec![[1.0, 2.0, 0.0, 0.0]; 3_000];
        let mut near = Near::default();
        near.sum(Dim::Two, &points);
        assert!((0..3_000).all(|node| near.push(node).coincident));
        let mut around = Around::default();
        near.collect(near.cell_of[0], &mut around);
        assert!(around.weight.len() <= 9 * MOST);
        // Those who are met stand for all.
        assert!((2_900.0..3_100.0).contains(&around.weight.iter().sum::<f32>()));
    }

    #[test]
    fn nobody_is_pushed_where_there_is_nobody() {
        let mut near = Near::default();
        near.sum(Dim::Three, &[]);
        near.sum(Dim::Three, &[[5.0, 0.0, 0.0, 0.0]]);
        let alone = near.push(0);
        assert!(alone.push.iter().all(|c| *c == 0.0) && !alone.coincident);
    }
}
