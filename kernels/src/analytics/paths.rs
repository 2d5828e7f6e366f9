//! How far every node is from one: in edges, or in lengths.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

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
    if rows.is_unweighted() {
        let depths = breadth_first(network, from, along, observer)?;
        let length = |depth| if depth == UNREACHED { f64::INFINITY } else { f64::from(depth) };
        return Ok(depths.into_iter().map(length).collect());
    }
    let start = network.slot(from)? as u32;
    let distances = Distances(
        (0..network.nodes()).into_par_iter().map(|_| AtomicU64::new(f64::INFINITY.to_bits())).collect(),
    );
    distances.shorten(start, 0.0);
    let width = bucket_width(rows);
    // Each has buckets of its own: which one finds a way changes nothing about its length.
    let mut finders: Vec<Finder> = (0..rayon::current_num_threads()).map(|_| Finder::default()).collect();
    finders[0].put(0, (start, 0.0));
    let (mut at, mut end) = (0, 1);
    while at < end {
        // A bucket can put nodes into itself: until it stays empty.
        loop {
            ask(observer, at as f64 / end as f64)?;
            let found: Vec<Vec<(u32, f64)>> = finders.iter_mut().map(|finder| finder.take(at)).collect();
            let pieces: Vec<&[(u32, f64)]> = found.iter().flat_map(|found| found.chunks(PIECE)).collect();
            match pieces[..] {
                [] => break,
                [piece] => finders[0].relax(rows, &distances, piece, at, width),
                _ => {
                    let next = AtomicUsize::new(0);
                    finders.par_iter_mut().with_max_len(1).for_each(|finder| {
                        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                            finder.relax(rows, &distances, piece, at, width);
                        }
                    });
                }
            }
        }
        end = finders.iter().map(|finder| finder.buckets.len()).max().unwrap_or(0);
        at += 1;
    }
    Ok(distances.0.into_par_iter().map(|bits| f64::from_bits(bits.into_inner())).collect())
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

/// What one thread has found: nodes and the lengths of the ways to them, by bucket.
#[derive(Default)]
struct Finder {
    buckets: Vec<Vec<(u32, f64)>>,
}

impl Finder {
    fn put(&mut self, bucket: usize, found: (u32, f64)) {
        if bucket >= self.buckets.len() {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(found);
    }

    fn take(&mut self, bucket: usize) -> Vec<(u32, f64)> {
        self.buckets.get_mut(bucket).map(std::mem::take).unwrap_or_default()
    }

    /// Finds what is shorter by way of the nodes of `front`, which are in the bucket `at`.
    fn relax(&mut self, rows: &Rows, distances: &Distances, front: &[(u32, f64)], at: usize, width: f64) {
        for (slot, here) in front {
            // A shorter way was found since: that one is in this bucket too, or was in one before.
            if distances.get(*slot).to_bits() != here.to_bits() {
                continue;
            }
            for (target, length) in rows.entries(*slot as usize) {
                let distance = here + f64::from(length);
                if distances.shorten(target, distance) {
                    self.put(bucket(distance, width).max(at), (target, distance));
                }
            }
        }
    }
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
