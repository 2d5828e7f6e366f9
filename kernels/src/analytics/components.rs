//! Connected components: parts between which there is no way.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::network::{Along, Network, Rows};

/// Which nodes are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// For each node, the smallest slot of its component: its name.
    pub labels: Vec<u32>,
    /// Number of components.
    pub count: usize,
    /// Nodes in the largest one.
    pub largest: usize,
}

impl Components {
    fn of(labels: Vec<u32>) -> Self {
        let (count, largest) = count(&labels);
        Self { labels, count, largest }
    }
}

/// Labels that are looked at to guess which component is the largest.
const GUESSED_FROM: usize = 64;

/// How many components there are, and the size of the largest one.
fn count(labels: &[u32]) -> (usize, usize) {
    let pieces = || labels.par_chunks(PIECE).enumerate();
    let is_name = |(index, piece): (usize, &[u32])| {
        let first = (index * PIECE) as u32;
        piece.iter().zip(first..).filter(|(label, slot)| *label == slot).count()
    };
    let count = pieces().map(is_name).sum();
    // Who has more than half of the nodes is the largest, and is met soon.
    let mut sample: Vec<u32> = labels.iter().step_by(labels.len() / GUESSED_FROM + 1).copied().collect();
    sample.sort_unstable();
    let guess = sample.get(sample.len() / 2).copied().unwrap_or(0);
    let size: usize = pieces().map(|(_, piece)| piece.iter().filter(|label| **label == guess).count()).sum();
    if size * 2 >= labels.len() {
        return (count, size);
    }
    let mut sizes = vec![0_u32; labels.len()];
    for label in labels {
        sizes[*label as usize] += 1;
    }
    (count, sizes.into_iter().max().unwrap_or(0) as usize)
}

/// Slots that one thread takes at a time, at least.
const PIECE: usize = 2_048;

/// Parts between which there is no edge, whatever its direction (WCC of LDBC Graphalytics).
///
/// A forest in which a node's parent is never above itself, so that a root is its tree's smallest slot,
/// grown from all threads; first from one edge of each node, which already connects most of them
/// (Sutton, Ben-Nun and Barak: Optimizing parallel graph connectivity computation via subgraph sampling, 2018).
pub fn weak_components(network: &Network) -> Components {
    let rows = network.rows(Along::Out);
    let slots = || (0..network.nodes()).into_par_iter().with_min_len(PIECE);
    // Rows are ascending: the first target is the smallest, and where that is a smaller one, hanging below it closes no
    // ring and needs no look at anything else.
    let follows = |slot: usize| rows.targets(slot).first().copied().filter(|first| *first < slot as u32);
    let parents: Vec<AtomicU32> =
        slots().map(|slot| AtomicU32::new(follows(slot).unwrap_or(slot as u32))).collect();
    slots().for_each(|slot| flatten(&parents, slot as u32));
    slots().for_each(|slot| {
        let parent = |slot: u32| parents[slot as usize].load(Ordering::Relaxed);
        let mut own = parent(slot as u32);
        for target in &rows.targets(slot)[usize::from(follows(slot).is_some())..] {
            // After the flattening most edges are seen at a glance to join nothing.
            if own != parent(*target) {
                join(&parents, slot as u32, *target);
                own = parent(slot as u32);
            }
        }
    });
    Components::of(slots().map(|slot| root(&parents, slot as u32)).collect())
}

/// Joins the trees of two nodes: the larger root hangs below the smaller one.
fn join(parents: &[AtomicU32], a: u32, b: u32) {
    let (mut a, mut b) = (root(parents, a), root(parents, b));
    while a != b {
        let (low, high) = (a.min(b), a.max(b));
        let parent = &parents[high as usize];
        if parent.compare_exchange(high, low, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return;
        }
        // Somebody hung it elsewhere meanwhile.
        (a, b) = (root(parents, high), root(parents, low));
    }
}

/// The root of a node's tree; halves the way for those who come after.
fn root(parents: &[AtomicU32], mut slot: u32) -> u32 {
    loop {
        let parent = parents[slot as usize].load(Ordering::Relaxed);
        if parent == slot {
            return slot;
        }
        let above = parents[parent as usize].load(Ordering::Relaxed);
        if above != parent {
            // Loses nothing where it fails: the other thread has put something higher there.
            let _ = parents[slot as usize].compare_exchange_weak(
                parent,
                above,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
        slot = parent;
    }
}

/// Hangs a node directly below its root.
fn flatten(parents: &[AtomicU32], slot: u32) {
    let root = root(parents, slot);
    let parent = &parents[slot as usize];
    // Most are there already; what is only read stays with all threads.
    if parent.load(Ordering::Relaxed) != root {
        parent.store(root, Ordering::Relaxed);
    }
}

/// Parts in which every node can reach every other along the edges (Tarjan, 1972).
pub fn strong_components(network: &Network) -> Components {
    let order = StrongOrder::new(network.rows(Along::Out));
    let mut labels = vec![0; network.nodes()];
    for part in order.parts() {
        let name = part.iter().copied().min().unwrap_or(0);
        for slot in part {
            labels[*slot as usize] = name;
        }
    }
    Components::of(labels)
}

/// The strongly connected components in an order in which each comes before all that have edges to it.
pub(super) struct StrongOrder {
    /// Slots, component by component.
    slots: Vec<u32>,
    /// Where each component ends in `slots`.
    ends: Vec<u32>,
}

/// Not met yet.
const NEW: u32 = u32::MAX;

impl StrongOrder {
    pub(super) fn new(rows: &Rows) -> Self {
        let nodes = rows.nodes();
        let mut walk = Walk {
            // The number of a node while it is being looked at, and above all numbers once it has its part.
            low: vec![NEW; nodes],
            open: Vec::new(),
            order: Self { slots: Vec::with_capacity(nodes), ends: Vec::new() },
            met: 0,
        };
        for slot in 0..nodes as u32 {
            if walk.low[slot as usize] == NEW {
                walk.from(rows, slot);
            }
        }
        walk.order
    }

    /// The components, those that are reached before those that reach them.
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = &[u32]> + ExactSizeIterator {
        (0..self.ends.len()).map(|part| {
            let start = if part == 0 { 0 } else { self.ends[part - 1] };
            &self.slots[start as usize..self.ends[part] as usize]
        })
    }
}

/// Tarjan's walk, with a stack of its own: graphs are deeper than threads' stacks. Pearce's form (2016), which needs
/// one number a node.
struct Walk {
    low: Vec<u32>,
    open: Vec<u32>,
    order: StrongOrder,
    met: u32,
}

/// A node of a finished component: above any number of a node that is being looked at, below `NEW`.
const DONE: u32 = u32::MAX - 1;

impl Walk {
    fn from(&mut self, rows: &Rows, first: u32) {
        // A node, its next entry, and whether it is still the first met of its component.
        let mut way: Vec<(u32, usize, bool)> = Vec::new();
        self.enter(rows, first, &mut way);
        while let Some((slot, at, is_first)) = way.last_mut() {
            let here = *slot as usize;
            let end = rows.range(here).end;
            let mut deeper = None;
            while *at < end {
                let target = rows.target(*at);
                let low = self.low[target as usize];
                if low == NEW {
                    deeper = Some(target);
                    break;
                }
                *at += 1;
                if low < self.low[here] {
                    self.low[here] = low;
                    *is_first = false;
                }
            }
            if let Some(target) = deeper {
                self.enter(rows, target, &mut way);
                continue;
            }
            // The entry that led here is looked at again by the node before, which takes the number over then.
            let (slot, _, is_first) = way.pop().expect("it was looked at just now");
            if is_first {
                self.finish(slot);
            } else {
                self.open.push(slot);
            }
        }
    }

    fn enter(&mut self, rows: &Rows, slot: u32, way: &mut Vec<(u32, usize, bool)>) {
        self.low[slot as usize] = self.met;
        self.met += 1;
        way.push((slot, rows.range(slot as usize).start, true));
    }

    /// The component of `slot`: itself and the open nodes that were met after it.
    fn finish(&mut self, slot: u32) {
        let number = self.low[slot as usize];
        while let Some(last) = self.open.pop_if(|last| self.low[*last as usize] >= number) {
            self.low[last as usize] = DONE;
            self.order.slots.push(last);
        }
        self.low[slot as usize] = DONE;
        self.order.slots.push(slot);
        self.order.ends.push(self.order.slots.len() as u32);
    }
}
