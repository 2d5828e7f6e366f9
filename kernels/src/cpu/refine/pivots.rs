//! The pull towards the right distance from a few pivots: what keeps the shape of the whole while
//! neighbours gather.
//!
//! After Ortmann, Klimenta and Brandes, A Sparse Stress Model (2016): the stress of a layout, taken over
//! pairs of any node and one of a few pivots, is a good stand-in for that over all pairs. A node's step is
//! that of stress majorisation (Gansner, Koren and North, 2004): towards the mean of where each pivot
//! wants it, weighted with one over the squared distance.

use rayon::prelude::*;

use crate::adjacency::Adjacency;
use crate::cpu::CHUNK;
use crate::{Point, random};

/// Sums that run side by side, and pivots that are added in a tick.
const LANES: usize = 8;
/// Distances that are kept at most, all nodes together, beyond [`FEWEST`] for each node.
const DISTANCES: usize = 1 << 22;
/// Pivots at least, where there are so many nodes.
const FEWEST: usize = 16;
/// Pivots at most.
const MOST: usize = 128;
/// Distance of what cannot be reached.
const UNREACHED: u16 = u16::MAX;

/// Pivots, and how far every node is from them in the graph.
#[derive(Debug, Default)]
pub(super) struct Pivots {
    /// Slots, in the order in which they are added; of these, `ready` have distances.
    slots: Vec<u32>,
    ready: usize,
    /// Entries of a slot in `distances`.
    stride: usize,
    /// Distance of every slot from every pivot, in edges; 0 where there is none yet.
    distances: Vec<u16>,
    /// Where the pivots are, by axis.
    place: [Vec<f32>; 3],
    searches: Vec<Search>,
}

/// One breadth-first search.
#[derive(Debug, Default)]
struct Search {
    distances: Vec<u16>,
    queue: Vec<u32>,
}

impl Pivots {
    /// Begins anew with a graph: pivots are drawn by the nodes' ids.
    pub(super) fn choose(&mut self, adjacency: &Adjacency, ids: &[u32], seed: u64) {
        let count = (DISTANCES / ids.len().max(1)).clamp(FEWEST, MOST);
        let key = |slot: &u32| (random::mix(!seed, u64::from(ids[*slot as usize])), *slot);
        self.slots.clear();
        self.slots.extend((0..ids.len() as u32).filter(|slot| adjacency.degree(*slot as usize) > 0));
        if self.slots.len() > count {
            self.slots.select_nth_unstable_by_key(count, key);
            self.slots.truncate(count);
        }
        self.slots.sort_unstable_by_key(key);
        self.ready = 0;
        self.stride = self.slots.len().next_multiple_of(LANES);
        self.distances.clear();
        self.distances.resize(ids.len() * self.stride, 0);
        self.place.iter_mut().for_each(|column| {
            column.clear();
            column.resize(self.stride, 0.0);
        });
    }

    /// Gets some more pivots ready, until all are: a tick must not take long.
    pub(super) fn grow(&mut self, adjacency: &Adjacency) {
        let added = (self.slots.len() - self.ready).min(LANES);
        if added == 0 {
            self.searches = Vec::new();
            return;
        }
        self.searches.resize_with(LANES, Search::default);
        let sources = &self.slots[self.ready..self.ready + added];
        self.searches.par_iter_mut().zip(sources).for_each(|(search, source)| search.run(adjacency, *source));
        let (first, searches) = (self.ready, &self.searches[..added]);
        self.distances.par_chunks_mut(CHUNK * self.stride).enumerate().for_each(|(chunk, rows)| {
            for (row, slot) in rows.chunks_mut(self.stride).zip(chunk * CHUNK..) {
                for (distance, search) in row[first..].iter_mut().zip(searches) {
                    *distance = search.distances[slot];
                }
            }
        });
        self.ready += added;
    }

    /// Takes note of where the pivots are; `point` answers for a slot.
    pub(super) fn follow(&mut self, point: impl Fn(usize) -> [f32; 4]) {
        for (at, slot) in self.slots.iter().enumerate() {
            let point = point(*slot as usize);
            self.place.iter_mut().zip(point).for_each(|(column, c)| column[at] = c);
        }
    }

    /// Length of an edge at which the drawn distances fit those in the graph best; nothing where there are none.
    /// `slot_points` are slots and where they are.
    pub(super) fn hop(&self, slot_points: impl Iterator<Item = (usize, [f32; 4])>) -> Option<f32> {
        let (mut sum, mut squares) = (0.0_f64, 0.0_f64);
        for (slot, point) in slot_points {
            for (at, distance) in self.row(slot).iter().enumerate() {
                if *distance > 0 && *distance < UNREACHED {
                    let square: f32 =
                        point.iter().zip(&self.place).map(|(c, column)| (c - column[at]).powi(2)).sum();
                    let ratio = f64::from(square).sqrt() / f64::from(*distance);
                    sum += ratio;
                    squares += ratio * ratio;
                }
            }
        }
        let hop = (squares / sum) as f32;
        hop.is_finite().then_some(hop)
    }

    fn row(&self, slot: usize) -> &[u16] {
        &self.distances[slot * self.stride..(slot + 1) * self.stride]
    }

    /// The way from `point`, where the node of `slot` is, to where the pivots want it; nothing when no
    /// pivot can be reached from it.
    pub(super) fn pull(&self, slot: usize, point: [f32; 4], hop: f32) -> Option<Point> {
        let mut pull = [[0.0_f32; LANES]; 3];
        let mut total = [0.0_f32; LANES];
        let place: [&[[f32; LANES]]; 3] = std::array::from_fn(|axis| self.place[axis].as_chunks().0);
        for (block, distances) in self.row(slot).as_chunks::<LANES>().0.iter().enumerate() {
            for lane in 0..LANES {
                let distance = f32::from(distances[lane]);
                let apart: [f32; 3] = std::array::from_fn(|axis| point[axis] - place[axis][block][lane]);
                let square = apart.iter().map(|c| c * c).sum::<f32>();
                let acts = distances[lane] != 0 && distances[lane] != UNREACHED;
                let weight = if acts { 1.0 / (distance * distance) } else { 0.0 };
                // In one place with a pivot, there is no way that leads away from it.
                let length = square.max(1e-12).sqrt();
                let strength = weight * (hop * distance / length - 1.0);
                for (sum, apart) in pull.iter_mut().zip(apart) {
                    sum[lane] += strength * apart;
                }
                total[lane] += weight;
            }
        }
        let total: f32 = total.iter().sum();
        (total > 0.0).then(|| pull.map(|lanes| lanes.iter().sum::<f32>() / total))
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        let searches = self.searches.iter().map(|search| {
            search.distances.capacity() * size_of::<u16>() + search.queue.capacity() * size_of::<u32>()
        });
        self.slots.capacity() * size_of::<u32>()
            + self.distances.capacity() * size_of::<u16>()
            + searches.sum::<usize>()
    }
}

impl Search {
    fn run(&mut self, adjacency: &Adjacency, source: u32) {
        // The vector has one entry for each slot; those of the last search are written over.
        self.distances.clear();
        self.distances.resize(adjacency.nodes(), UNREACHED);
        self.queue.clear();
        self.queue.push(source);
        self.distances[source as usize] = 0;
        let mut head = 0;
        while let Some(slot) = self.queue.get(head).copied() {
            head += 1;
            let next = (self.distances[slot as usize] + 1).min(UNREACHED - 1);
            for neighbour in adjacency.neighbours(slot as usize) {
                let distance = &mut self.distances[*neighbour as usize];
                if *distance == UNREACHED {
                    *distance = next;
                    self.queue.push(*neighbour);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;
    use crate::membership::Lookup;

    fn chain(nodes: u32, edges: u32) -> (Adjacency, Vec<u32>) {
        let ids: Vec<u32> = (0..nodes).collect();
        let edges: Vec<_> = (0..edges).map(|at| Edge { source: at, target: at + 1, weight: 1.0 }).collect();
        (Adjacency::new(&Lookup::new(&ids), &edges).unwrap(), ids)
    }

    fn all_ready(adjacency: &Adjacency, ids: &[u32]) -> Pivots {
        let mut pivots = Pivots::default();
        pivots.choose(adjacency, ids, 1);
        while pivots.ready < pivots.slots.len() {
            pivots.grow(adjacency);
        }
        pivots
    }

    #[test]
    fn distances_are_those_in_the_graph() {
        // A chain of twenty, and two nodes that hang together with nothing.
        let (adjacency, ids) = chain(22, 19);
        let pivots = all_ready(&adjacency, &ids);
        assert_eq!(pivots.slots.len(), 20);
        for (at, pivot) in pivots.slots.iter().enumerate() {
            assert!((0..20).all(|slot| pivots.row(slot)[at] == (slot as u32).abs_diff(*pivot) as u16));
            assert_eq!((pivots.row(20)[at], pivots.row(21)[at]), (UNREACHED, UNREACHED));
        }
    }

    #[test]
    fn where_all_distances_are_right_nobody_is_pulled() {
        let (adjacency, ids) = chain(21, 19);
        let mut pivots = all_ready(&adjacency, &ids);
        let point = |slot: usize| [3.0 * slot as f32, 1.0, 0.0, 0.0];
        pivots.follow(point);
        let hop = pivots.hop((0..20).map(|slot| (slot, point(slot)))).unwrap();
        assert!((hop - 3.0).abs() < 1e-4, "{hop}");
        for slot in 0..20 {
            assert!(pivots.pull(slot, point(slot), hop).unwrap().iter().all(|c| c.abs() < 1e-4));
        }
        // One that was moved along the line is pulled back; one that no pivot reaches is left alone.
        assert!(pivots.pull(0, [-6.0, 1.0, 0.0, 0.0], hop).unwrap()[0] > 3.0);
        assert_eq!(pivots.pull(20, [0.0; 4], hop), None);
    }

    #[test]
    fn there_are_fewer_pivots_the_more_nodes_there_are() {
        let count = |nodes: u32| {
            let (adjacency, ids) = chain(nodes, nodes - 1);
            let mut pivots = Pivots::default();
            pivots.choose(&adjacency, &ids, 1);
            pivots.slots.len()
        };
        assert_eq!((count(30), count(1_000), count(1 << 16), count(1 << 20)), (30, 128, 64, 16));
    }
}
