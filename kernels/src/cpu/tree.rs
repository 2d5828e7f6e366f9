//! A quadtree or octree over nodes sorted along the Z-order curve.
//!
//! There are no child pointers: cells lie in depth-first order and each knows where its subtree
//! ends, so a walk is one loop over one array. Single-child chains are never stored, which
//! bounds the cell count by twice the leaf count however uneven the nodes lie. A cell's extent
//! is that of its nodes, not of its square: sparse cells are accepted from nearer by.

use std::ops::Range;

use rayon::prelude::*;

use super::CHUNK;
use super::morton::Curve;
use crate::{Bounds, Dim, Point};

/// A range of nodes up to this long is not split further.
const LEAF: usize = 8;
/// Nodes that walk the tree together: more share one walk, but each then sees more pairs.
const GROUP: usize = 64;
/// The tree is cut into about this many subtrees, built in parallel.
const SUBTREES: usize = 64;

/// A set of near nodes, seen from afar as one heavy point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// Centre of mass.
    pub(super) center: Point,
    /// Sum of the masses.
    pub(super) mass: f32,
    /// Second moments of the mass round the centre: xx, yy, zz.
    pub(super) along: Point,
    /// Second moments of the mass round the centre: xy, xz, yz.
    pub(super) across: Point,
    /// Square of the longest side of the box round the nodes.
    pub(super) side_squared: f32,
    /// Index of the first cell after this one's subtree. A leaf's is the next cell.
    pub(super) skip: u32,
    /// First node, in curve order.
    pub(super) begin: u32,
    /// One past the last node.
    pub(super) end: u32,
}

/// Near nodes that share one walk of the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(super) bounds: Bounds,
    pub(super) begin: u32,
    pub(super) end: u32,
}

/// Nodes as columns in curve order.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    pub(super) x: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) z: Vec<f32>,
    pub(super) mass: Vec<f32>,
}

/// The tree of one tick. Kept between ticks only to reuse its memory.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Key and slot of every node, sorted: unique pairs, so the order is the same however sorted.
    order: Vec<(u64, u32)>,
    /// For every slot its place in curve order.
    rank: Vec<u32>,
    pub(super) bodies: Bodies,
    pub(super) cells: Vec<Cell>,
    pub(super) groups: Vec<Group>,
    /// The upper part of the tree, and the parts that hang below it.
    plan: Vec<Planned>,
    subtrees: Vec<Subtree>,
}

impl Tree {
    /// Rebuilds the tree over the nodes at `positions` (all within `bounds`) with `masses`.
    pub(crate) fn build(&mut self, dim: Dim, bounds: &Bounds, positions: &[Point], masses: &[f32]) {
        self.sort(dim, bounds, positions);
        self.bodies.gather(&self.order, positions, masses);
        self.rank.resize(positions.len(), 0);
        for (rank, (_, slot)) in self.order.iter().enumerate() {
            self.rank[*slot as usize] = rank as u32;
        }

        self.cells.clear();
        self.groups.clear();
        if self.order.is_empty() {
            return;
        }
        let builder = Builder {
            order: &self.order,
            bodies: &self.bodies,
            axes: match dim {
                Dim::Two => 2,
                Dim::Three => 3,
            },
        };
        let cut = (positions.len() / SUBTREES).max(CHUNK);
        self.plan.clear();
        let count = builder.plan(0..positions.len(), cut, 0, &mut self.plan);
        if self.subtrees.len() < count {
            self.subtrees.resize_with(count, Subtree::default);
        }
        for planned in &self.plan {
            if let Part::Subtree(at) = planned.part {
                self.subtrees[at].range = planned.range.clone();
            }
        }
        self.subtrees[..count].par_iter_mut().for_each(|subtree| builder.subtree(subtree));
        join(&mut self.plan.iter(), &self.subtrees, &mut self.cells);
        for subtree in &self.subtrees[..count] {
            self.groups.extend_from_slice(&subtree.groups);
        }
    }

    /// Where each slot lies in curve order.
    pub(crate) fn rank(&self) -> &[u32] {
        &self.rank
    }

    /// Slots of nodes that lie exactly where the node before them on the curve lies.
    #[expect(clippy::float_cmp, reason = "the very same place is meant")]
    pub(crate) fn coincident(&self) -> impl Iterator<Item = usize> {
        (1..self.order.len())
            .filter(|at| {
                self.order[at - 1].0 == self.order[*at].0
                    && self.bodies.point(at - 1) == self.bodies.point(*at)
            })
            .map(|at| self.order[at].1 as usize)
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.order.capacity() * size_of::<(u64, u32)>()
            + self.rank.capacity() * size_of::<u32>()
            + self.bodies.x.capacity() * 4 * size_of::<f32>()
            + self.cells.capacity() * size_of::<Cell>()
            + self.groups.capacity() * size_of::<Group>()
            + self.plan.capacity() * size_of::<Planned>()
            + self.subtrees.iter().map(Subtree::memory).sum::<usize>()
    }

    fn sort(&mut self, dim: Dim, bounds: &Bounds, positions: &[Point]) {
        let curve = Curve::new(dim, bounds);
        self.order.resize(positions.len(), (0, 0));
        self.order.par_chunks_mut(CHUNK).zip(positions.par_chunks(CHUNK)).enumerate().for_each(
            |(chunk, (order, positions))| {
                for (at, (entry, position)) in order.iter_mut().zip(positions).enumerate() {
                    *entry = (curve.key(*position), (chunk * CHUNK + at) as u32);
                }
            },
        );
        self.order.par_sort_unstable();
    }
}

impl Bodies {
    fn gather(&mut self, order: &[(u64, u32)], positions: &[Point], masses: &[f32]) {
        let columns = [&mut self.x, &mut self.y, &mut self.z, &mut self.mass];
        let [x, y, z, mass] = columns.map(|column| {
            column.resize(order.len(), 0.0);
            column.par_chunks_mut(CHUNK)
        });
        (x, y, z, mass, order.par_chunks(CHUNK)).into_par_iter().for_each(|(x, y, z, mass, order)| {
            for (at, (_, slot)) in order.iter().enumerate() {
                let slot = *slot as usize;
                [x[at], y[at], z[at]] = positions[slot];
                mass[at] = masses[slot];
            }
        });
    }

    /// Position of one node.
    pub(super) fn point(&self, at: usize) -> Point {
        [self.x[at], self.y[at], self.z[at]]
    }
}

/// One entry of the upper part of the tree, down to the subtrees that are built in parallel. They lie in
/// depth-first order.
#[derive(Debug, Clone)]
struct Planned {
    range: Range<usize>,
    part: Part,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    /// This one of the subtrees.
    Subtree(usize),
    /// The next entries, of which so many are its children.
    Branch(usize),
}

/// A part that is built by one thread; `skip` counts from its own first cell.
#[derive(Debug, Default)]
struct Subtree {
    range: Range<usize>,
    cells: Vec<Cell>,
    groups: Vec<Group>,
    sum: Sum,
}

impl Subtree {
    /// Bytes held on the heap, and its own.
    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.cells.capacity() * size_of::<Cell>()
            + self.groups.capacity() * size_of::<Group>()
    }
}

/// What a cell needs to know about its nodes.
#[derive(Debug, Clone, Copy)]
struct Sum {
    bounds: Bounds,
    mass: f64,
    /// Mass times position, summed.
    moment: [f64; 3],
    /// Mass times the products of the coordinates, summed: xx, yy, zz.
    along: [f64; 3],
    /// The same for xy, xz, yz.
    across: [f64; 3],
}

impl Default for Sum {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Sum {
    const ZERO: Self =
        Self { bounds: Bounds::EMPTY, mass: 0.0, moment: [0.0; 3], along: [0.0; 3], across: [0.0; 3] };

    fn add(&mut self, other: &Self) {
        self.bounds = self.bounds.union(&other.bounds);
        self.mass += other.mass;
        for axis in 0..3 {
            self.moment[axis] += other.moment[axis];
            self.along[axis] += other.along[axis];
            self.across[axis] += other.across[axis];
        }
    }
}

struct Builder<'a> {
    order: &'a [(u64, u32)],
    bodies: &'a Bodies,
    /// Bits of the key per tree level.
    axes: u32,
}

impl Builder<'_> {
    /// Splits `range` until pieces are no longer than `cut`, and numbers them from `next` on. Returns the
    /// number after the last.
    fn plan(&self, range: Range<usize>, cut: usize, mut next: usize, plan: &mut Vec<Planned>) -> usize {
        if range.len() <= cut {
            plan.push(Planned { range, part: Part::Subtree(next) });
            return next + 1;
        }
        let (first, mut children) = (plan.len(), 0);
        plan.push(Planned { range: range.clone(), part: Part::Branch(0) });
        for child in self.children(range) {
            next = self.plan(child, cut, next, plan);
            children += 1;
        }
        plan[first].part = Part::Branch(children);
        next
    }

    fn subtree(&self, subtree: &mut Subtree) {
        subtree.cells.clear();
        subtree.groups.clear();
        subtree.sum = self.grow(subtree.range.clone(), false, subtree);
    }

    /// Appends the cell over `range` and all below it. `grouped`: an ancestor is a group.
    fn grow(&self, range: Range<usize>, grouped: bool, out: &mut Subtree) -> Sum {
        let first = out.cells.len();
        let makes_group = !grouped && range.len() <= GROUP;
        out.cells.push(open(&range));
        let mut sum = Sum::ZERO;
        if range.len() <= LEAF {
            for at in range.clone() {
                sum.add(&self.node(at));
            }
        } else {
            for child in self.children(range.clone()) {
                sum.add(&self.grow(child, grouped || makes_group, out));
            }
        }
        close(&mut out.cells, first, &sum);
        if makes_group {
            out.groups.push(Group { bounds: sum.bounds, begin: range.start as u32, end: range.end as u32 });
        }
        sum
    }

    /// The parts of `range` (at least two nodes) that lie in different children of the smallest
    /// cell round it. Nodes with one and the same key are halved by rank.
    fn children(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let nodes = &self.order[range.clone()];
        let differing = nodes[0].0 ^ nodes[nodes.len() - 1].0;
        let shift = differing.checked_ilog2().map(|bit| bit / self.axes * self.axes);
        let mut begin = range.start;
        std::iter::from_fn(move || {
            if begin == range.end {
                return None;
            }
            let rest = &self.order[begin..range.end];
            let length = match shift {
                Some(shift) => rest.partition_point(|(key, _)| key >> shift == rest[0].0 >> shift),
                None if begin == range.start => rest.len() / 2,
                None => rest.len(),
            };
            begin += length;
            Some(begin - length..begin)
        })
    }

    fn node(&self, at: usize) -> Sum {
        let point = self.bodies.point(at);
        let mass = f64::from(self.bodies.mass[at]);
        let [x, y, z] = point.map(f64::from);
        Sum {
            bounds: Bounds { min: point, max: point },
            mass,
            moment: point.map(|c| f64::from(c) * mass),
            along: [x * x * mass, y * y * mass, z * z * mass],
            across: [x * y * mass, x * z * mass, y * z * mass],
        }
    }
}

/// Lays the subtrees of the next entry of `plan` one after another under its branches.
fn join<'a>(
    plan: &mut impl Iterator<Item = &'a Planned>,
    subtrees: &[Subtree],
    cells: &mut Vec<Cell>,
) -> Sum {
    let first = cells.len();
    let Some(planned) = plan.next() else { return Sum::ZERO };
    match planned.part {
        Part::Subtree(index) => {
            let subtree = &subtrees[index];
            cells.extend(subtree.cells.iter().map(|cell| Cell { skip: cell.skip + first as u32, ..*cell }));
            subtree.sum
        }
        Part::Branch(children) => {
            cells.push(open(&planned.range));
            let mut sum = Sum::ZERO;
            for _ in 0..children {
                sum.add(&join(plan, subtrees, cells));
            }
            close(cells, first, &sum);
            sum
        }
    }
}

/// A cell over `range`, still without contents.
fn open(range: &Range<usize>) -> Cell {
    Cell {
        center: [0.0; 3],
        mass: 0.0,
        along: [0.0; 3],
        across: [0.0; 3],
        side_squared: 0.0,
        skip: 0,
        begin: range.start as u32,
        end: range.end as u32,
    }
}

/// Completes the cell at `first`, all cells after which are its subtree.
fn close(cells: &mut [Cell], first: usize, sum: &Sum) {
    let skip = cells.len() as u32;
    let cell = &mut cells[first];
    let side = sum.bounds.side();
    cell.side_squared = side * side;
    cell.mass = sum.mass as f32;
    cell.skip = skip;
    if side == 0.0 {
        // Exactly the nodes' own place: a node recognises itself by distance 0.
        cell.center = sum.bounds.min;
        return;
    }
    let [x, y, z] = sum.moment.map(|m| m / sum.mass);
    cell.center = [x, y, z].map(|c| c as f32);
    let round = |moments: [f64; 3], products: [f64; 3]| {
        std::array::from_fn(|at| (moments[at] - sum.mass * products[at]) as f32)
    };
    cell.along = round(sum.along, [x * x, y * y, z * z]);
    cell.across = round(sum.across, [x * y, x * z, y * z]);
}
