//! Triangles, and how far the neighbours of a node are neighbours of each other.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::network::{Along, Network};
use super::{AnalysisError, Observer};

/// Triangles of a graph. Directions, loops and parallel edges do not count.
#[derive(Debug, Clone, PartialEq)]
pub struct Triangles {
    /// For each node, those that it is a corner of.
    pub counts: Vec<u64>,
    /// All together, each once.
    pub total: u64,
    /// For each node, the part of the pairs of its neighbours that have an edge; 0 where there is no pair (Watts and
    /// Strogatz, 1998; LCC of LDBC Graphalytics for graphs without directions).
    pub clustering: Vec<f64>,
    /// The part of all ways over two edges that are closed: three times the triangles over the ways.
    pub transitivity: f64,
}

/// Nodes that one thread takes at a time: the first have the most to do.
const PIECE: usize = 256;

/// Counts triangles. Each is found once, from its corner of least degree, among neighbours of higher degree, of which
/// nobody has more than √(2 × edges) (Schank and Wagner, 2005; Latapy, 2008).
///
/// # Errors
/// Cancelled.
pub fn triangles(network: &Network, observer: &dyn Observer) -> Result<Triangles, AnalysisError> {
    let rows = network.rows(Along::Both);
    let nodes = network.nodes();
    let above = Above::new(network);
    let counts: Vec<AtomicU64> = (0..nodes).map(|_| AtomicU64::new(0)).collect();
    let one_more = |rank: u32, count: u64| {
        counts[above.order[rank as usize] as usize].fetch_add(count, Ordering::Relaxed);
    };
    let pieces = nodes.div_ceil(PIECE);
    (0..pieces).into_par_iter().try_for_each_init(
        || vec![false; nodes],
        |is_neighbour, piece| {
            if !observer.progress(piece as f64 / pieces as f64) {
                return Err(AnalysisError::Cancelled);
            }
            for rank in piece * PIECE..((piece + 1) * PIECE).min(nodes) {
                let neighbours = above.of(rank);
                for other in neighbours {
                    is_neighbour[*other as usize] = true;
                }
                let mut here = 0;
                for other in neighbours {
                    let mut there = 0;
                    for third in above.of(*other as usize) {
                        if is_neighbour[*third as usize] {
                            there += 1;
                            one_more(*third, 1);
                        }
                    }
                    if there > 0 {
                        one_more(*other, there);
                    }
                    here += there;
                }
                if here > 0 {
                    one_more(rank as u32, here);
                }
                for other in neighbours {
                    is_neighbour[*other as usize] = false;
                }
            }
            Ok(())
        },
    )?;
    let counts: Vec<u64> = counts.into_iter().map(AtomicU64::into_inner).collect();
    let pairs = |slot: usize| {
        let degree = rows.degree(slot) as u64;
        degree * degree.saturating_sub(1) / 2
    };
    let part = |slot: usize| match pairs(slot) {
        0 => 0.0,
        pairs => counts[slot] as f64 / pairs as f64,
    };
    let all_pairs: u64 = (0..nodes).map(pairs).sum();
    let corners: u64 = counts.iter().sum();
    Ok(Triangles {
        clustering: (0..nodes).map(part).collect(),
        total: corners / 3,
        transitivity: if all_pairs == 0 { 0.0 } else { corners as f64 / all_pairs as f64 },
        counts,
    })
}

/// For each rank, the neighbours of higher rank; ranks are by degree.
struct Above {
    /// The slot of each rank.
    order: Vec<u32>,
    starts: Vec<u32>,
    ranks: Vec<u32>,
}

impl Above {
    fn new(network: &Network) -> Self {
        let rows = network.rows(Along::Both);
        let nodes = network.nodes();
        let mut order: Vec<u32> = (0..nodes as u32).collect();
        order.par_sort_unstable_by_key(|slot| (rows.degree(*slot as usize), Reverse(*slot)));
        let mut rank_of = vec![0_u32; nodes];
        for (rank, slot) in order.iter().enumerate() {
            rank_of[*slot as usize] = rank as u32;
        }
        let mut starts = Vec::with_capacity(nodes + 1);
        starts.push(0);
        let mut ranks = Vec::with_capacity(rows.len() / 2);
        for (rank, slot) in order.iter().enumerate() {
            let neighbours = rows.targets(*slot as usize).iter().map(|other| rank_of[*other as usize]);
            ranks.extend(neighbours.filter(|other| *other as usize > rank));
            starts.push(ranks.len() as u32);
        }
        Self { order, starts, ranks }
    }

    fn of(&self, rank: usize) -> &[u32] {
        &self.ranks[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }
}
