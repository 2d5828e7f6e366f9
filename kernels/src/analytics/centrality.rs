//! Who lies on the ways of others, and who is near to all.

use std::ops::Range;

use rayon::prelude::*;

use super::network::{Along, Network, Rows};
use super::paths::UNREACHED;
use super::{AnalysisError, Observer, ask};

/// From which nodes ways are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sources {
    /// From every node: exact, and takes time in proportion to nodes times edges.
    All,
    /// From so many nodes, chosen evenly by `seed`, the same for the same seed; betweenness is scaled up from them
    /// (Brandes and Pich, 2007). Its error falls with the square root of the number.
    Sampled {
        /// Nodes, at most all.
        count: usize,
        /// Which ones.
        seed: u64,
    },
    /// From these nodes (external ids, in any order, each once at most), not scaled.
    Nodes(Vec<u32>),
}

impl Sources {
    /// The slots, ascending, and what their sums are to be multiplied by.
    fn slots(&self, network: &Network) -> Result<(Vec<u32>, f64), AnalysisError> {
        let nodes = network.nodes();
        match self {
            Self::Sampled { count, seed } if *count < nodes => {
                let mut slots: Vec<u32> = (0..nodes as u32).collect();
                // Everybody draws a number; the smallest are taken. Ties are told apart by the slot.
                slots.sort_by_cached_key(|slot| (crate::random::mix(*seed, u64::from(*slot)), *slot));
                slots.truncate(*count);
                slots.sort_unstable();
                Ok((slots, nodes as f64 / (*count).max(1) as f64))
            }
            Self::All | Self::Sampled { .. } => Ok(((0..nodes as u32).collect(), 1.0)),
            Self::Nodes(ids) => {
                let mut slots: Vec<u32> = ids
                    .iter()
                    .map(|id| network.slot(*id).map(|slot| slot as u32))
                    .collect::<Result<_, _>>()?;
                slots.sort_unstable();
                slots.dedup();
                Ok((slots, 1.0))
            }
        }
    }
}

/// Sources that one thread works through with the same memory.
const GROUP: usize = 4;
/// Groups whose sums are held at once: what bounds the memory, and does not depend on the number of threads,
/// which nobody must see in the result.
const GROUPS: usize = 16;

/// Of the shortest ways between all pairs of other nodes, how many lead over each node, where a pair with several
/// ways gives each its part (Freeman, 1977). Not divided by the number of pairs. With [`Along::Both`] every pair counts
/// once.
///
/// One search from each source, then its tree backwards (Brandes, 2001).
///
/// # Errors
/// A source that is not in the graph; cancelled.
pub fn betweenness(
    network: &Network,
    along: Along,
    sources: &Sources,
    observer: &dyn Observer,
) -> Result<Vec<f64>, AnalysisError> {
    let rows = network.rows(along);
    let nodes = network.nodes();
    let (slots, mut scale) = sources.slots(network)?;
    if along == Along::Both {
        scale /= 2.0;
    }
    let mut sums = vec![0.0; nodes];
    let mut done = 0;
    for batch in slots.chunks(GROUP * GROUPS) {
        ask(observer, done as f64 / slots.len() as f64)?;
        let parts: Vec<Option<Vec<f64>>> = batch
            .par_chunks(GROUP)
            .map(|group| {
                let mut search = Search::new(nodes);
                let mut part = vec![0.0; nodes];
                for source in group {
                    if !observer.progress(done as f64 / slots.len() as f64) {
                        return None;
                    }
                    search.from(rows, *source);
                    search.collect(rows, &mut part);
                }
                Some(part)
            })
            .collect();
        for part in parts {
            let part = part.ok_or(AnalysisError::Cancelled)?;
            sums.par_iter_mut().with_min_len(16_384).zip(&part).for_each(|(sum, part)| *sum += part);
        }
        done += batch.len();
    }
    for sum in &mut sums {
        *sum *= scale;
    }
    Ok(sums)
}

/// A search from one source, with what is counted on the way.
struct Search {
    depths: Vec<u32>,
    /// Shortest ways from the source. Counted in floating point: there can be more than any integer holds.
    ways: Vec<f64>,
    /// What each node hands back to those before it: (1 + dependency) / ways.
    handed: Vec<f64>,
    /// Nodes in the order they were met.
    order: Vec<u32>,
    /// Where each depth is in `order`.
    levels: Vec<Range<usize>>,
}

impl Search {
    fn new(nodes: usize) -> Self {
        Self {
            depths: vec![UNREACHED; nodes],
            ways: vec![0.0; nodes],
            handed: vec![0.0; nodes],
            order: Vec::with_capacity(nodes),
            levels: Vec::new(),
        }
    }

    fn from(&mut self, rows: &Rows, source: u32) {
        // Only what the last search touched needs cleaning.
        for slot in self.order.drain(..) {
            self.depths[slot as usize] = UNREACHED;
        }
        self.levels.clear();
        self.depths[source as usize] = 0;
        self.ways[source as usize] = 1.0;
        self.order.push(source);
        let mut level = 0..1;
        while !level.is_empty() {
            let depth = self.levels.len() as u32 + 1;
            for at in level.clone() {
                let slot = self.order[at] as usize;
                let ways = self.ways[slot];
                for target in rows.distinct(slot) {
                    let target = target as usize;
                    let known = self.depths[target];
                    if known == UNREACHED {
                        self.depths[target] = depth;
                        self.ways[target] = ways;
                        self.order.push(target as u32);
                    } else if known == depth {
                        self.ways[target] += ways;
                    }
                }
            }
            let end = level.end;
            self.levels.push(level);
            level = end..self.order.len();
        }
    }

    /// Adds to `sums` how much of the ways from the source leads over each node.
    fn collect(&mut self, rows: &Rows, sums: &mut [f64]) {
        // The deepest level hands back without looking further, and the source keeps nothing for itself.
        for (depth, level) in self.levels.iter().enumerate().skip(1).rev() {
            for at in level.clone() {
                let slot = self.order[at] as usize;
                let below = |target: &u32| self.depths[*target as usize] == depth as u32 + 1;
                let after = rows.distinct(slot).filter(below);
                let handed: f64 = after.map(|target| self.handed[target as usize]).sum();
                let dependency = self.ways[slot] * handed;
                self.handed[slot] = (1.0 + dependency) / self.ways[slot];
                sums[slot] += dependency;
            }
        }
    }
}

/// How near a node is to the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Closeness {
    /// The nodes looked from: external ids, ascending.
    pub nodes: Vec<u32>,
    /// For each of them: (reached / (nodes − 1)) × (reached / sum of distances), reached being the other nodes
    /// that it reaches; 0 where it reaches none (Wasserman and Faust, 1994).
    pub closeness: Vec<f64>,
    /// For each of them: the mean over all other nodes of 1 / distance, 0 for those it does not reach (Marchiori
    /// and Latora, 2000).
    pub harmonic: Vec<f64>,
}

/// How near nodes are to the others, in edges.
///
/// # Errors
/// A source that is not in the graph; cancelled.
pub fn closeness(
    network: &Network,
    along: Along,
    sources: &Sources,
    observer: &dyn Observer,
) -> Result<Closeness, AnalysisError> {
    let rows = network.rows(along);
    let (slots, _) = sources.slots(network)?;
    let others = network.nodes().saturating_sub(1).max(1) as f64;
    let (mut near, mut harmonic) = (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
    for batch in slots.chunks(GROUP * GROUPS) {
        let done = near.len() as f64 / slots.len() as f64;
        ask(observer, done)?;
        let found: Vec<(f64, f64)> = batch
            .par_chunks(GROUP)
            .flat_map_iter(|group| {
                let mut search = Search::new(network.nodes());
                group
                    .iter()
                    .map(|source| {
                        search.from(rows, *source);
                        let per_level =
                            || search.levels.iter().map(ExactSizeIterator::len).enumerate().skip(1);
                        let reached = (search.order.len() - 1) as f64;
                        let far: f64 = per_level().map(|(depth, count)| depth as f64 * count as f64).sum();
                        let harmonic: f64 =
                            per_level().map(|(depth, count)| count as f64 / depth as f64).sum();
                        let near = if far > 0.0 { reached / others * (reached / far) } else { 0.0 };
                        (near, harmonic / others)
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        for (one, other) in found {
            near.push(one);
            harmonic.push(other);
        }
    }
    let nodes = slots.iter().map(|slot| network.ids()[*slot as usize]).collect();
    Ok(Closeness { nodes, closeness: near, harmonic })
}
