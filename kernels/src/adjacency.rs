//! The edges, arranged so that each node finds its neighbours side by side.

use std::ops::Range;

use crate::Error;
use crate::membership::Lookup;
use crate::weights::Weights;

/// One edge as the caller knows it. Direction does not matter to a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// External id of one end.
    pub source: u32,
    /// External id of the other end.
    pub target: u32,
    /// How strongly the edge pulls: finite, from 0 (no pull). Above 1e6 it counts as 1e6.
    pub weight: f32,
}

/// Largest weight of a pair of nodes, parallel edges added up. More than this would only cost
/// single-precision digits elsewhere.
pub(crate) const MAX_WEIGHT: f32 = 1e6;

/// Symmetric compressed rows: both ends of an edge list each other, so that the springs of a
/// node can be summed by one thread, in one order, without atomics.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Adjacency {
    /// `rows[i]..rows[i + 1]` are the entries of node slot `i`; one longer than the node count.
    rows: Vec<u32>,
    /// Neighbours, ascending by slot within a row, no duplicates, no self loops.
    neighbours: Vec<u32>,
    /// Weight of each neighbour.
    weights: Weights,
}

/// Some rows: where each ends, and neighbours with weights.
pub(crate) type Piece = (Vec<u32>, Vec<(u32, f32)>);

/// Neighbours that are copied by one thread.
const PIECE: usize = 8_192;

impl Adjacency {
    /// Arranges `edges` over the nodes that `lookup` knows.
    ///
    /// Self loops and edges of weight 0 pull nothing and are left out; parallel and opposite
    /// edges become one with the weights added.
    pub(crate) fn new(lookup: &Lookup<'_>, edges: &[Edge]) -> Result<Self, Error> {
        let mut pairs = Vec::with_capacity(edges.len());
        for (index, edge) in edges.iter().enumerate() {
            let find = |id| lookup.slot(id).ok_or(Error::UnknownEndpoint { index, id });
            let (source, target) = (find(edge.source)?, find(edge.target)?);
            if !edge.weight.is_finite() || edge.weight < 0.0 {
                return Err(Error::Weight { index, weight: edge.weight });
            }
            if source != target && edge.weight > 0.0 {
                pairs.push((source, target, edge.weight.min(MAX_WEIGHT)));
            }
        }
        Ok(Self::from_pairs(lookup.len(), &pairs))
    }

    fn from_pairs(nodes: usize, pairs: &[(u32, u32, f32)]) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for &(source, target, _) in pairs {
            starts[source as usize + 1] += 1;
            starts[target as usize + 1] += 1;
        }
        for slot in 0..nodes {
            starts[slot + 1] += starts[slot];
        }
        let mut next = starts.clone();
        let mut spread = vec![(0, 0.0); pairs.len() * 2];
        let mut put = |from: u32, to: u32, weight| {
            let at = &mut next[from as usize];
            spread[*at] = (to, weight);
            *at += 1;
        };
        for &(source, target, weight) in pairs {
            put(source, target, weight);
            put(target, source, weight);
        }

        let mut rows = Vec::with_capacity(nodes + 1);
        let mut neighbours = Vec::with_capacity(spread.len());
        let mut weights: Vec<f32> = Vec::with_capacity(spread.len());
        rows.push(0);
        for slot in 0..nodes {
            let row = &mut spread[starts[slot]..starts[slot + 1]];
            // By weight too: the sum of parallel edges must not depend on the order given.
            row.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            for group in row.chunk_by(|a, b| a.0 == b.0) {
                let weight: f32 = group.iter().map(|entry| entry.1).sum();
                neighbours.push(group[0].0);
                weights.push(weight.min(MAX_WEIGHT));
            }
            rows.push(neighbours.len() as u32);
        }
        neighbours.shrink_to_fit();
        Self { rows, neighbours, weights: Weights::of(weights) }
    }

    /// The rows of all pieces. Every pair is in both rows. Neighbours stay in their order.
    pub(crate) fn of_pieces(pieces: &[Piece]) -> Self {
        let (nodes, length) = pieces
            .iter()
            .fold((1, 0), |(nodes, length), piece| (nodes + piece.0.len(), length + piece.1.len()));
        let mut rows = Vec::with_capacity(nodes);
        rows.push(0);
        let (mut neighbours, mut weights) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for (ends, entries) in pieces {
            let before = neighbours.len() as u32;
            rows.extend(ends.iter().map(|end| before + end));
            neighbours.extend(entries.iter().map(|entry| entry.0));
            weights.extend(entries.iter().map(|entry| entry.1));
        }
        Self { rows, neighbours, weights: Weights::of(weights) }
    }

    /// Becomes `other` with its nodes in another order: `slot` says the slot of every place, `places` the place
    /// of every slot. A row stays in its order.
    pub(crate) fn arrange(&mut self, other: &Self, slot: &(impl Fn(usize) -> usize + Sync), places: &[u32]) {
        self.rows.clear();
        self.rows.push(0);
        let mut end = 0;
        for place in 0..places.len() {
            end += other.degree(slot(place)) as u32;
            self.rows.push(end);
        }
        self.neighbours.resize(other.neighbours.len(), 0);
        let neighbour = |slot: &u32| places[*slot as usize];
        spread(&self.rows, 0, &mut self.neighbours, &|place, to| {
            let row = other.neighbours(slot(place));
            to.iter_mut().zip(row).for_each(|(to, slot)| *to = neighbour(slot));
        });
        match &other.weights {
            Weights::Ones => self.weights = Weights::Ones,
            Weights::Few { values, which } => {
                let to = self.weights.few(values, which.len());
                spread(&self.rows, 0, to, &|place, to| to.copy_from_slice(&which[other.range(slot(place))]));
            }
            Weights::Any(weights) => {
                let to = self.weights.any(weights.len());
                spread(&self.rows, 0, to, &|place, to| {
                    to.copy_from_slice(&weights[other.range(slot(place))]);
                });
            }
        }
    }

    /// Neighbours of node slot `slot`, ascending.
    pub(crate) fn neighbours(&self, slot: usize) -> &[u32] {
        &self.neighbours[self.range(slot)]
    }

    /// Neighbours of all node slots, one row after the other.
    pub(crate) fn all_neighbours(&self) -> &[u32] {
        &self.neighbours
    }

    /// Weight of every neighbour of every node.
    pub(crate) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Where the neighbours of node slot `slot` are among all.
    pub(crate) fn range(&self, slot: usize) -> Range<usize> {
        self.rows[slot] as usize..self.rows[slot + 1] as usize
    }

    /// The compressed rows: where the neighbours of each slot begin, one longer than the node count, and
    /// all neighbours.
    pub(crate) fn columns(&self) -> (&[u32], &[u32]) {
        (&self.rows, &self.neighbours)
    }

    /// Number of distinct neighbours of node slot `slot`.
    pub(crate) fn degree(&self, slot: usize) -> usize {
        self.range(slot).len()
    }

    /// Number of node slots.
    pub(crate) fn nodes(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }

    /// Number of undirected edges kept.
    pub(crate) fn edge_count(&self) -> usize {
        self.neighbours.len() / 2
    }

    /// Bytes held on the heap for edges alone.
    pub(crate) fn edge_memory(&self) -> usize {
        self.neighbours.capacity() * size_of::<u32>() + self.weights.memory()
    }

    /// Bytes held on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.rows.capacity() * size_of::<u32>() + self.edge_memory()
    }
}

/// Lets `fill` write the row of every place from `first` on to its part of `to`, on all threads. `rows`
/// are the rows' ends, preceded by the first one's begin.
fn spread<T: Send>(rows: &[u32], first: usize, to: &mut [T], fill: &(impl Fn(usize, &mut [T]) + Sync)) {
    let count = rows.len() - 1;
    if to.len() > PIECE && count > 1 {
        let middle = count / 2;
        let (left, right) = to.split_at_mut((rows[middle] - rows[0]) as usize);
        rayon::join(
            || spread(&rows[..=middle], first, left, fill),
            || spread(&rows[middle..], first + middle, right, fill),
        );
        return;
    }
    for (place, row) in (first..).zip(rows.windows(2)) {
        fill(place, &mut to[(row[0] - rows[0]) as usize..(row[1] - rows[0]) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: u32, target: u32, weight: f32) -> Edge {
        Edge { source, target, weight }
    }

    #[test]
    fn parallel_edges_add_up_and_loops_vanish() {
        let ids = [3, 7, 9];
        let edges = [edge(3, 7, 1.0), edge(7, 3, 2.0), edge(9, 9, 5.0), edge(7, 9, 0.0)];
        let adjacency = Adjacency::new(&Lookup::new(&ids), &edges).unwrap();
        assert_eq!((adjacency.neighbours(0), adjacency.neighbours(1)), (&[1][..], &[0][..]));
        assert_eq!(adjacency.weights().unpacked(), [3.0, 3.0]);
        assert_eq!(adjacency.degree(2), 0);
        assert_eq!(adjacency.edge_count(), 1);
    }

    #[test]
    fn the_order_of_the_edges_does_not_matter() {
        let ids = [0, 1, 2, 3];
        let mut edges = vec![edge(0, 1, 0.1), edge(1, 0, 0.7), edge(2, 3, 1.0), edge(0, 1, 0.3)];
        let forward = Adjacency::new(&Lookup::new(&ids), &edges).unwrap();
        edges.reverse();
        assert_eq!(forward, Adjacency::new(&Lookup::new(&ids), &edges).unwrap());
    }

    #[test]
    fn another_order_keeps_who_is_whose_neighbour() {
        let ids: Vec<u32> = (0..5).collect();
        let edges = [edge(0, 1, 1.0), edge(0, 4, 2.0), edge(2, 4, 3.0)];
        let adjacency = Adjacency::new(&Lookup::new(&ids), &edges).unwrap();
        // The places in turn are of these slots.
        let slots = [4, 2, 0, 3, 1];
        let mut arranged = Adjacency::default();
        arranged.arrange(&adjacency, &|place| slots[place], &[2, 4, 1, 3, 0]);
        assert_eq!(arranged.neighbours(0), &[2, 1]);
        assert_eq!(arranged.neighbours(2), &[4, 0]);
        assert_eq!(arranged.weights().unpacked(), [2.0, 3.0, 3.0, 1.0, 2.0, 1.0]);
        assert_eq!(arranged.degree(3), 0);
    }

    #[test]
    fn weights_that_are_all_one_are_not_kept() {
        let adjacency = Adjacency::new(&Lookup::new(&[0, 1]), &[edge(0, 1, 1.0)]).unwrap();
        assert_eq!(adjacency.weights(), &Weights::Ones);
    }

    #[test]
    fn bad_edges_are_named() {
        let ids = [0, 1];
        let lookup = Lookup::new(&ids);
        assert_eq!(
            Adjacency::new(&lookup, &[edge(0, 1, 1.0), edge(0, 8, 1.0)]),
            Err(Error::UnknownEndpoint { index: 1, id: 8 })
        );
        assert_eq!(
            Adjacency::new(&lookup, &[edge(0, 1, -1.0)]),
            Err(Error::Weight { index: 0, weight: -1.0 })
        );
        assert!(Adjacency::new(&lookup, &[edge(0, 1, f32::NAN)]).is_err());
    }
}
