//! How far every node is from one: in edges, or in lengths.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rayon::prelude::*;

use super::network::{Along, Network, Rows};
use super::{AnalysisError, Observer, ask};

/// The depth of a node that cannot be reached.
pub const UNREACHED: u32 = u32::MAX;

/// Nodes of a front that one thread looks at, at least.
const PIECE: usize = 1_024;
/// The unreached nodes look for the front where its edges are more than this part of all that are left
/// (alpha of the source below).
const LEFT_TO_FRONT: usize = 14;
/// The front looks for nodes again where it is less than this part of all nodes (beta).
const NODES_TO_FRONT: usize = 24;

/// Edges between the node `from` (an external id) and every other, or [`UNREACHED`] (BFS of LDBC Graphalytics).
///
/// Large fronts are met from the other side: every node that is not reached yet looks for a neighbour that
/// is (Beamer, Asanović and Patterson: Direction-optimizing breadth-first search, 2012).
///
/// # Errors
/// `from` is not in the graph; cancelled.
pub fn breadth_first(
    network: &Network,
    from: u32,
    along: Along,
    observer: &dyn Observer,
) -> Result<Vec<u32>, AnalysisError> {
    let (rows, against) = (network.rows(along), network.against(along));
    let depths: Vec<AtomicU32> = (0..network.nodes()).map(|_| AtomicU32::new(UNREACHED)).collect();
    let start = network.slot(from)?;
    depths[start].store(0, Ordering::Relaxed);
    let mut front = vec![start as u32];
    let (mut depth, mut reached, mut left) = (0, 1, rows.len());
    while !front.is_empty() {
        ask(observer, reached as f64 / network.nodes() as f64)?;
        let edges: usize = front.iter().map(|slot| rows.degree(*slot as usize)).sum();
        left = left.saturating_sub(edges);
        let is_large = edges > left / LEFT_TO_FRONT && front.len() > network.nodes() / NODES_TO_FRONT;
        depth += 1;
        front = if is_large { meet(against, &depths, depth) } else { spread(rows, &depths, &front, depth) };
        reached += front.len();
    }
    Ok(depths.into_iter().map(AtomicU32::into_inner).collect())
}

/// The next front, from the last one.
fn spread(rows: &Rows, depths: &[AtomicU32], front: &[u32], depth: u32) -> Vec<u32> {
    let look = |piece: &[u32]| {
        let mut found = Vec::new();
        for target in piece.iter().flat_map(|slot| rows.targets(*slot as usize)) {
            let at = &depths[*target as usize];
            // Read before it is written: most neighbours were reached before.
            if at.load(Ordering::Relaxed) == UNREACHED
                && at.compare_exchange(UNREACHED, depth, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                found.push(*target);
            }
        }
        found
    };
    if front.len() <= PIECE {
        return look(front);
    }
    front.par_chunks(PIECE).map(look).collect::<Vec<_>>().concat()
}

/// The next front, from those that are not reached.
fn meet(against: &Rows, depths: &[AtomicU32], depth: u32) -> Vec<u32> {
    let is_next = |slot: &u32| {
        let at = &depths[*slot as usize];
        let in_front = |other: &u32| depths[*other as usize].load(Ordering::Relaxed) == depth - 1;
        let found =
            at.load(Ordering::Relaxed) == UNREACHED && against.targets(*slot as usize).iter().any(in_front);
        if found {
            at.store(depth, Ordering::Relaxed);
        }
        found
    };
    (0..depths.len() as u32).into_par_iter().with_min_len(PIECE).filter(is_next).collect()
}

/// The length of the shortest way from the node `from` (an external id) to every other, an edge's weight
/// being its length; infinite where there is none (SSSP of LDBC Graphalytics).
///
/// Nodes are taken by distance, one bucket at a time, all of a bucket at once (Meyer and Sanders:
/// Δ-stepping, 2003). Sums of lengths only grow, so that every order of work ends with the same bits.
///
/// # Errors
/// `from` is not in the graph; cancelled.
pub fn shortest_paths(
    network: &Network,
    from: u32,
    along: Along,
    observer: &dyn Observer,
) -> Result<Vec<f64>, AnalysisError> {
    let rows = network.rows(along);
    let start = network.slot(from)? as u32;
    let distances =
        Distances((0..network.nodes()).map(|_| AtomicU64::new(f64::INFINITY.to_bits())).collect());
    distances.shorten(start, 0.0);
    let width = bucket_width(rows);
    let mut buckets: Vec<Vec<u32>> = vec![vec![start]];
    let mut at = 0;
    while at < buckets.len() {
        ask(observer, at as f64 / buckets.len() as f64)?;
        // A bucket can put nodes into itself: until it stays empty.
        while !buckets[at].is_empty() {
            let mut front = std::mem::take(&mut buckets[at]);
            front.retain(|slot| bucket(distances.get(*slot), width) == at);
            for (slot, distance) in relax(rows, &distances, &front) {
                let to = bucket(distance, width).max(at);
                if to >= buckets.len() {
                    buckets.resize_with(to + 1, Vec::new);
                }
                buckets[to].push(slot);
            }
        }
        at += 1;
    }
    Ok(distances.0.into_iter().map(|bits| f64::from_bits(bits.into_inner())).collect())
}

/// Distances as bits: those of numbers that are not negative are in the order of the numbers.
struct Distances(Vec<AtomicU64>);

impl Distances {
    fn get(&self, slot: u32) -> f64 {
        f64::from_bits(self.0[slot as usize].load(Ordering::Relaxed))
    }

    /// Whether `distance` was shorter than what was known.
    fn shorten(&self, slot: u32, distance: f64) -> bool {
        let at = &self.0[slot as usize];
        distance.to_bits() < at.load(Ordering::Relaxed)
            && distance.to_bits() < at.fetch_min(distance.to_bits(), Ordering::Relaxed)
    }
}

/// What is shorter by way of the nodes of `front`.
fn relax(rows: &Rows, distances: &Distances, front: &[u32]) -> Vec<(u32, f64)> {
    let look = |piece: &[u32]| {
        let mut found = Vec::new();
        for slot in piece {
            let here = distances.get(*slot);
            for (target, length) in rows.entries(*slot as usize) {
                let distance = here + f64::from(length);
                if distances.shorten(target, distance) {
                    found.push((target, distance));
                }
            }
        }
        found
    };
    if front.len() <= PIECE {
        return look(front);
    }
    front.par_chunks(PIECE).map(look).collect::<Vec<_>>().concat()
}

/// Buckets there may be: a long thin graph of very different lengths must not fill the memory.
const MOST_BUCKETS: f64 = 65_536.0;

/// Lengths of one bucket: the longest edge over the mean degree, as the source proposes for lengths that are spread
/// evenly; never so little that the longest way has too many buckets.
fn bucket_width(rows: &Rows) -> f64 {
    let nodes = rows.nodes().max(1);
    let longest = (0..nodes.min(rows.nodes()))
        .into_par_iter()
        .with_min_len(PIECE)
        .map(|slot| rows.entries(slot).map(|entry| entry.1).fold(0.0, f32::max))
        .reduce(|| 0.0, f32::max);
    let degree = (rows.len() as f64 / nodes as f64).max(1.0);
    let longest_way = f64::from(longest) * nodes as f64;
    (f64::from(longest) / degree).max(longest_way / MOST_BUCKETS).max(f64::MIN_POSITIVE)
}

fn bucket(distance: f64, width: f64) -> usize {
    (distance / width) as usize
}
