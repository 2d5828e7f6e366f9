//! Nodes that are round and do not overlap.

use rayon::prelude::*;

use super::{World, apart, norm};
use crate::cpu::CHUNK;
use crate::membership::Lookup;
use crate::{Dim, Point, random};

/// Nodes of one bucket that a node is compared with at most. Where more lie in one place, each meets
/// others, and the heap dissolves over some ticks instead of costing its square in one.
const MET: usize = 32;
/// What several overlaps at once add up to, in their mean: above 1 converges faster, 2 would swing
/// (Macklin, Müller, Chentanez and Kim, 2014).
const RELAXATION: f32 = 1.5;

/// Radii of all slots, and where they are near each other.
#[derive(Debug)]
pub(super) struct Collision {
    radii: Vec<f32>,
    /// Side of a cell: nodes that overlap are in the same one, or in neighbours.
    cell: f32,
    /// Where each bucket of cells begins in `entries`; one longer than their number.
    starts: Vec<u32>,
    /// Slots, bucket by bucket, ascending in each.
    entries: Vec<u32>,
}

impl Collision {
    pub(super) fn new(radii: &[(u32, f32)], others: f32, lookup: &Lookup<'_>) -> Self {
        let mut columns = vec![others; lookup.len()];
        for (id, radius) in radii {
            if let Some(slot) = lookup.slot(*id) {
                columns[slot as usize] = *radius;
            }
        }
        let widest = columns.iter().copied().fold(0.0, f32::max);
        let buckets = lookup.len().next_power_of_two().max(2);
        Self {
            radii: columns,
            cell: 2.0 * widest,
            starts: vec![0; buckets + 1],
            entries: vec![0; lookup.len()],
        }
    }

    pub(super) fn project(
        &mut self,
        world: &World<'_>,
        share: f32,
        positions: &mut [Point],
        scratch: &mut Vec<Point>,
    ) {
        if self.cell <= f32::MIN_POSITIVE {
            return;
        }
        self.sort(positions);
        scratch.resize(positions.len(), [0.0; 3]);
        let (grid, before) = (&*self, &*positions);
        scratch.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, moved)| {
            for (at, moved) in moved.iter_mut().enumerate() {
                let slot = chunk * CHUNK + at;
                *moved = before[slot];
                if !world.fixed[slot] && grid.radii[slot] > 0.0 {
                    let way = grid.way(world, before, slot);
                    moved.iter_mut().zip(way).for_each(|(c, way)| *c += way * share);
                }
            }
        });
        positions.copy_from_slice(scratch);
    }

    /// Puts the slots into the buckets of their cells.
    fn sort(&mut self, positions: &[Point]) {
        self.starts.fill(0);
        let buckets = self.starts.len() - 1;
        let bucket = |position: &Point| hash(cell(*position, self.cell), buckets);
        let counted =
            || positions.iter().zip(&self.radii).enumerate().filter(|(_, (_, radius))| **radius > 0.0);
        for (_, (position, _)) in counted() {
            self.starts[bucket(position)] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        // Now each bucket's end stands there; filled backwards, its start, and slots ascend.
        for (slot, (position, _)) in counted().rev() {
            let start = &mut self.starts[bucket(position)];
            *start -= 1;
            self.entries[*start as usize] = slot as u32;
        }
    }

    /// Where the nodes that a node overlaps push it: the sum of its halves, or wholes beside fixed
    /// ones, eased where they are many.
    fn way(&self, world: &World<'_>, positions: &[Point], slot: usize) -> Point {
        let (mut sum, mut count) = ([0.0_f32; 3], 0_u32);
        let buckets = self.starts.len() - 1;
        let [x, y, z] = cell(positions[slot], self.cell);
        let depth = if world.dim == Dim::Two { 0..=0 } else { -1..=1 };
        // Two neighbour cells may share a bucket, which must not count twice.
        let (mut seen, mut seen_count) = ([usize::MAX; 27], 0);
        for (dx, dy, dz) in (-1..=1).flat_map(|dx| {
            let depth = depth.clone();
            (-1..=1).flat_map(move |dy| depth.clone().map(move |dz| (dx, dy, dz)))
        }) {
            let bucket = hash([x.wrapping_add(dx), y.wrapping_add(dy), z.wrapping_add(dz)], buckets);
            if seen[..seen_count].contains(&bucket) {
                continue;
            }
            seen[seen_count] = bucket;
            seen_count += 1;
            let entries = &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
            let skipped = if entries.len() > MET { slot % entries.len() } else { 0 };
            let met = entries[skipped..].iter().chain(&entries[..skipped]).take(MET);
            for other in met.map(|other| *other as usize).filter(|other| *other != slot) {
                if let Some(push) = self.push(world, positions, slot, other) {
                    sum.iter_mut().zip(push).for_each(|(sum, push)| *sum += push);
                    count += 1;
                }
            }
        }
        let ease = (RELAXATION / count.max(1) as f32).min(1.0);
        sum.map(|sum| sum * ease)
    }

    /// How `slot` must move to do its part not to overlap `other`; `None` where they do not.
    fn push(&self, world: &World<'_>, positions: &[Point], slot: usize, other: usize) -> Option<Point> {
        let needed = self.radii[slot] + self.radii[other];
        let way = apart(positions[other], positions[slot]);
        let length = norm(way);
        if self.radii[other] <= 0.0 || length >= needed {
            return None;
        }
        let part = if world.fixed[other] { 1.0 } else { 0.5 };
        let direction = if length > f32::MIN_POSITIVE {
            way.map(|c| c / length)
        } else {
            // In one and the same place: each goes the other way.
            let direction = random::direction(world.dim, world.seed, world.ids[slot.min(other)]);
            if slot < other { direction } else { direction.map(|c| -c) }
        };
        Some(direction.map(|c| c * (needed - length) * part))
    }

    pub(super) fn memory(&self) -> usize {
        (self.starts.capacity() + self.entries.capacity()) * size_of::<u32>()
            + self.radii.capacity() * size_of::<f32>()
    }
}

/// The cell of a place. Saturates where cells are small and the place is far.
fn cell(position: Point, side: f32) -> [i32; 3] {
    position.map(|c| (c / side).floor() as i32)
}

/// The bucket of a cell; `buckets` is a power of two.
fn hash([x, y, z]: [i32; 3], buckets: usize) -> usize {
    let mixed = random::mix(
        u64::from(x.cast_unsigned()) << 32 | u64::from(y.cast_unsigned()),
        u64::from(z.cast_unsigned()),
    );
    mixed as usize & (buckets - 1)
}
