//! The graph, as rows: for each node the others that it has edges to, from, or with.

use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::AnalysisError;
use crate::Error;
use crate::adjacency::{Edge, MAX_WEIGHT};
use crate::membership::{Lookup, check_order};

/// Which way edges are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// From source to target.
    Out,
    /// From target to source.
    Into,
    /// Both ways, as if the graph had no directions. Parallel and opposite edges are one then, with their
    /// weights added, and loops do not count.
    Both,
}

/// A graph that is only read. Nodes are *slots*: places in the list of ids that it was made of; every
/// column of a result has one value for each slot.
#[derive(Debug)]
pub struct Network {
    ids: Vec<u32>,
    out: Rows,
    into: OnceLock<Rows>,
    both: OnceLock<Rows>,
}

impl Network {
    /// Arranges `edges` between the nodes `ids` (strictly ascending). Loops and parallel edges are kept.
    ///
    /// # Errors
    /// Ids out of order, an edge between unknown nodes, a weight that is negative or no number.
    pub fn new(ids: &[u32], edges: &[Edge]) -> Result<Self, Error> {
        check_order(ids)?;
        let lookup = Lookup::new(ids);
        let pairs = edges
            .par_iter()
            .enumerate()
            .map(|(index, edge)| {
                let find = |id| lookup.slot(id).ok_or(Error::UnknownEndpoint { index, id });
                if !edge.weight.is_finite() || edge.weight < 0.0 {
                    return Err(Error::Weight { index, weight: edge.weight });
                }
                Ok((find(edge.source)?, find(edge.target)?, edge.weight.min(MAX_WEIGHT)))
            })
            .collect::<Result<Vec<_>, _>>();
        // Of several bad edges the first is named, whichever thread met its own first.
        let Ok(pairs) = pairs else { return Err(first_fault(&lookup, edges)) };
        let out = Rows::new(ids.len(), &pairs);
        Ok(Self { ids: ids.to_vec(), out, into: OnceLock::new(), both: OnceLock::new() })
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.ids.len()
    }

    /// Number of edges, loops and parallel ones too.
    pub fn edges(&self) -> usize {
        self.out.targets.len()
    }

    /// External ids of the slots, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Slot of an external id.
    ///
    /// # Errors
    /// The id is not in the graph.
    pub fn slot(&self, id: u32) -> Result<usize, AnalysisError> {
        self.ids.binary_search(&id).map_err(|_| AnalysisError::UnknownNode { id })
    }

    /// Bytes on the heap once every direction has been asked for: an estimate for admission, before
    /// anything is computed.
    pub fn memory(nodes: usize, edges: usize) -> usize {
        // Ids, three lists of starts; out and into with a target and a weight, both with two of each.
        nodes * size_of::<u32>() * 4 + edges * size_of::<u32>() * 2 * 4
    }

    /// The rows of one direction; made when they are first asked for.
    pub(crate) fn rows(&self, along: Along) -> &Rows {
        match along {
            Along::Out => &self.out,
            Along::Into => self.into.get_or_init(|| self.out.reversed()),
            Along::Both => self.both.get_or_init(|| self.out.undirected(self.rows(Along::Into))),
        }
    }

    /// The rows of the other direction.
    pub(super) fn against(&self, along: Along) -> &Rows {
        match along {
            Along::Out => self.rows(Along::Into),
            Along::Into => self.rows(Along::Out),
            Along::Both => self.rows(Along::Both),
        }
    }
}

/// The first edge that is no good.
fn first_fault(lookup: &Lookup<'_>, edges: &[Edge]) -> Error {
    for (index, edge) in edges.iter().enumerate() {
        if !edge.weight.is_finite() || edge.weight < 0.0 {
            return Error::Weight { index, weight: edge.weight };
        }
        if let Some(id) = [edge.source, edge.target].into_iter().find(|id| lookup.slot(*id).is_none()) {
            return Error::UnknownEndpoint { index, id };
        }
    }
    unreachable!("only called when there is one")
}

/// Compressed rows: the entries of slot `i` lie at `starts[i]..starts[i + 1]`, ascending by target, then
/// by weight.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rows {
    starts: Vec<u32>,
    targets: Vec<u32>,
    /// Empty where all are 1, as in most graphs.
    weights: Vec<f32>,
}

/// Lengths of some rows, and their entries, each row ascending by target.
pub(super) type Piece = (Vec<u32>, Vec<(u32, f32)>);

/// Rows that one thread sorts or merges at a time.
const PIECE: usize = 4_096;

impl Rows {
    fn new(nodes: usize, pairs: &[(u32, u32, f32)]) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for (source, ..) in pairs {
            starts[*source as usize + 1] += 1;
        }
        add_up(&mut starts);
        let mut next = starts.clone();
        let mut entries = vec![(0_u32, 0.0_f32); pairs.len()];
        for &(source, target, weight) in pairs {
            let at = &mut next[source as usize];
            entries[*at as usize] = (target, weight);
            *at += 1;
        }
        each_row(&starts, &mut entries, &|row| {
            // By weight too: sums over parallel edges must not depend on the order given.
            row.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        });
        let targets = entries.iter().map(|entry| entry.0).collect();
        Self { starts, targets, weights: weights(entries.iter().map(|entry| entry.1)) }
    }

    fn reversed(&self) -> Self {
        let nodes = self.nodes();
        let mut starts = vec![0_u32; nodes + 1];
        for target in &self.targets {
            starts[*target as usize + 1] += 1;
        }
        add_up(&mut starts);
        let mut next = starts.clone();
        let mut targets = vec![0_u32; self.targets.len()];
        let mut reversed = vec![0.0_f32; self.weights.len()];
        // Sources are met in ascending order, so rows come out sorted.
        for slot in 0..nodes {
            for at in self.range(slot) {
                let to = &mut next[self.targets[at] as usize];
                targets[*to as usize] = slot as u32;
                if let Some(weight) = self.weights.get(at) {
                    reversed[*to as usize] = *weight;
                }
                *to += 1;
            }
        }
        Self { starts, targets, weights: reversed }
    }

    /// Out and into merged: without loops, every pair once, with the weights added.
    fn undirected(&self, into: &Self) -> Self {
        let merge = |slot: usize, row: &mut Vec<(u32, f32)>| {
            row.clear();
            let mut out = self.entries(slot).peekable();
            let mut back = into.entries(slot).peekable();
            loop {
                let next = match (out.peek(), back.peek()) {
                    // By weight too: both ends of a pair must add its weights up in one order.
                    (Some(a), Some(b)) if b < a => back.next(),
                    (Some(_), _) => out.next(),
                    (None, _) => back.next(),
                };
                let Some((target, weight)) = next else { break };
                match row.last_mut() {
                    _ if target as usize == slot => {}
                    Some(last) if last.0 == target => last.1 += weight,
                    _ => row.push((target, weight)),
                }
            }
        };
        let slots: Vec<usize> = (0..self.nodes()).collect();
        let pieces: Vec<Piece> = slots
            .par_chunks(PIECE)
            .map(|piece| {
                let (mut lengths, mut entries, mut row) =
                    (Vec::with_capacity(piece.len()), Vec::new(), Vec::new());
                for slot in piece {
                    merge(*slot, &mut row);
                    lengths.push(row.len() as u32);
                    entries.extend_from_slice(&row);
                }
                (lengths, entries)
            })
            .collect();
        Self::of_pieces(self.nodes(), &pieces)
    }

    /// Rows that were made in pieces, one after the other.
    pub(super) fn of_pieces(nodes: usize, pieces: &[Piece]) -> Self {
        let mut starts = Vec::with_capacity(nodes + 1);
        starts.push(0);
        starts.extend(pieces.iter().flat_map(|piece| &piece.0));
        add_up(&mut starts);
        let entries = pieces.iter().map(|piece| piece.1.len()).sum();
        let mut targets = Vec::with_capacity(entries);
        for (_, entries) in pieces {
            targets.extend(entries.iter().map(|entry| entry.0));
        }
        let is_one = |(_, weight): &(u32, f32)| weight.to_bits() == 1.0_f32.to_bits();
        let mut weights = Vec::new();
        if !pieces.iter().all(|(_, entries)| entries.iter().all(is_one)) {
            weights.reserve_exact(entries);
            for (_, entries) in pieces {
                weights.extend(entries.iter().map(|entry| entry.1));
            }
        }
        Self { starts, targets, weights }
    }

    pub(super) fn nodes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of entries of all rows.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn range(&self, slot: usize) -> Range<usize> {
        self.starts[slot] as usize..self.starts[slot + 1] as usize
    }

    pub(crate) fn degree(&self, slot: usize) -> usize {
        self.range(slot).len()
    }

    /// Target of the entry `at` of [`range`](Self::range).
    pub(super) fn target(&self, at: usize) -> u32 {
        self.targets[at]
    }

    pub(crate) fn targets(&self, slot: usize) -> &[u32] {
        &self.targets[self.range(slot)]
    }

    /// Targets of a row, each once.
    pub(super) fn distinct(&self, slot: usize) -> impl Iterator<Item = u32> + '_ {
        let targets = self.targets(slot);
        let is_first = move |at: usize| at == 0 || targets[at - 1] != targets[at];
        targets.iter().enumerate().filter(move |(at, _)| is_first(*at)).map(|(_, target)| *target)
    }

    /// Targets and weights of a row.
    pub(super) fn entries(&self, slot: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = self.range(slot);
        let weights = self.weights.get(range.clone()).unwrap_or(&[]);
        let weight = |at: usize| weights.get(at).copied().unwrap_or(1.0);
        self.targets[range].iter().enumerate().map(move |(at, target)| (*target, weight(at)))
    }

    /// Whether every weight is 1.
    pub(super) fn is_unweighted(&self) -> bool {
        self.weights.is_empty()
    }

    /// The weights of a row added up.
    pub(super) fn strength(&self, slot: usize) -> f64 {
        if self.is_unweighted() {
            return self.degree(slot) as f64;
        }
        self.weights[self.range(slot)].iter().map(|weight| f64::from(*weight)).sum()
    }
}

/// Lengths become starts.
fn add_up(starts: &mut [u32]) {
    let mut sum = 0;
    for start in starts {
        sum += *start;
        *start = sum;
    }
}

/// The weights, unless all are 1.
fn weights(given: impl Iterator<Item = f32> + Clone) -> Vec<f32> {
    if given.clone().all(|weight| weight.to_bits() == 1.0_f32.to_bits()) {
        Vec::new()
    } else {
        given.collect()
    }
}

/// Lets `change` work on every row, on all threads.
fn each_row<T: Send>(starts: &[u32], entries: &mut [T], change: &(impl Fn(&mut [T]) + Sync)) {
    let rows = starts.len() - 1;
    if rows > PIECE {
        let middle = rows / 2;
        let (left, right) = entries.split_at_mut((starts[middle] - starts[0]) as usize);
        rayon::join(
            || each_row(&starts[..=middle], left, change),
            || each_row(&starts[middle..], right, change),
        );
        return;
    }
    let mut rest = entries;
    for row in starts.windows(2) {
        let (first, after) = rest.split_at_mut((row[1] - row[0]) as usize);
        change(first);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(source: u32, target: u32, weight: f32) -> Edge {
        Edge { source, target, weight }
    }

    fn row(network: &Network, along: Along, slot: usize) -> Vec<(u32, f32)> {
        network.rows(along).entries(slot).collect()
    }

    #[test]
    fn every_direction_has_its_rows() {
        let edges = [edge(5, 7, 2.0), edge(7, 5, 3.0), edge(5, 5, 9.0), edge(5, 9, 1.0), edge(5, 7, 1.0)];
        let network = Network::new(&[5, 7, 9], &edges).unwrap();
        assert_eq!(row(&network, Along::Out, 0), [(0, 9.0), (1, 1.0), (1, 2.0), (2, 1.0)]);
        assert_eq!(row(&network, Along::Into, 1), [(0, 1.0), (0, 2.0)]);
        assert_eq!(row(&network, Along::Both, 0), [(1, 6.0), (2, 1.0)]);
        assert_eq!(row(&network, Along::Both, 1), [(0, 6.0)]);
        assert_eq!((network.nodes(), network.edges()), (3, 5));
    }

    #[test]
    fn an_empty_graph_and_a_single_node_have_rows_too() {
        let empty = Network::new(&[], &[]).unwrap();
        assert_eq!((empty.nodes(), empty.rows(Along::Both).len()), (0, 0));
        let single = Network::new(&[3], &[edge(3, 3, 1.0)]).unwrap();
        assert_eq!(single.rows(Along::Out).degree(0), 1);
        assert_eq!(single.rows(Along::Both).degree(0), 0);
    }

    #[test]
    fn the_first_bad_edge_is_named() {
        let mut edges = vec![edge(1, 2, 1.0); 10_000];
        edges[77].target = 3;
        edges[9_000].weight = f32::NAN;
        let refused = Network::new(&[1, 2], &edges).unwrap_err();
        assert_eq!(refused, Error::UnknownEndpoint { index: 77, id: 3 });
    }
}
