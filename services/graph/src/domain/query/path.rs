//! What is a shortest path between two nodes?

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap, hash_map::Entry},
};

use super::{Steps, walk::Step};

/// A path: one more node than edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Ordinals from source to target.
    pub nodes: Vec<u32>,
    /// Slots of the edges between them.
    pub edges: Vec<u32>,
    /// Sum of the lengths of the edges.
    pub length: f64,
}

/// A shortest path from `source` to `target`; every edge has length 1, or its weight.
pub fn shortest_path(steps: &Steps<'_>, source: u32, target: u32, weighted: bool) -> Option<Path> {
    if source == target {
        return Some(Path { nodes: vec![source], edges: Vec::new(), length: 0.0 });
    }
    if weighted { dijkstra(steps, source, target) } else { from_both_ends(steps, source, target) }
}

/// How a node was reached: from which one, by which edge.
type Reached = HashMap<u32, (u32, u32)>;

/// One end of the search: what it has reached, and the newest of it.
struct Front {
    reached: Reached,
    newest: Vec<u32>,
}

impl Front {
    fn new(start: u32) -> Self {
        Self { reached: HashMap::from([(start, (start, u32::MAX))]), newest: vec![start] }
    }

    /// What it costs to go one level further.
    fn cost(&self, steps: &Steps<'_>) -> usize {
        self.newest.iter().map(|ordinal| steps.memory().degree(*ordinal)).sum()
    }

    /// Goes one level further. Of several ways to a node the one from the smallest ordinal stays, as
    /// the level is sorted; of parallel edges the first in their order.
    fn advance(&mut self, steps: &Steps<'_>) {
        let mut next = Vec::new();
        for from in std::mem::take(&mut self.newest) {
            for Step { to, slot } in steps.from(from) {
                match self.reached.entry(to) {
                    Entry::Vacant(place) => {
                        place.insert((from, slot));
                        next.push(to);
                    }
                    Entry::Occupied(mut place) => {
                        let memory = steps.memory();
                        let (parent, edge) = *place.get();
                        if parent == from
                            && edge != u32::MAX
                            && memory.edge_order(slot) < memory.edge_order(edge)
                        {
                            place.insert((from, slot));
                        }
                    }
                }
            }
        }
        next.sort_unstable();
        self.newest = next;
    }
}

/// Breadth first from both ends, the cheaper one first, level by level.
fn from_both_ends(steps: &Steps<'_>, source: u32, target: u32) -> Option<Path> {
    let backwards = steps.reversed();
    let (mut ahead, mut behind) = (Front::new(source), Front::new(target));
    while !ahead.newest.is_empty() && !behind.newest.is_empty() {
        let (moved, other) = if ahead.cost(steps) <= behind.cost(&backwards) {
            ahead.advance(steps);
            (&ahead, &behind)
        } else {
            behind.advance(&backwards);
            (&behind, &ahead)
        };
        // Both sides go whole levels: the first meeting is at the shortest distance, and every
        // meeting of this level is equally long.
        if let Some(meeting) =
            moved.newest.iter().copied().find(|ordinal| other.reached.contains_key(ordinal))
        {
            return Some(join(&ahead.reached, &behind.reached, meeting));
        }
    }
    None
}

fn join(ahead: &Reached, behind: &Reached, meeting: u32) -> Path {
    let (mut nodes, mut edges) = trace(ahead, meeting);
    nodes.reverse();
    edges.reverse();
    let (rest, rest_edges) = trace(behind, meeting);
    nodes.extend(&rest[1..]);
    edges.extend(rest_edges);
    let length = edges.len() as f64;
    Path { nodes, edges, length }
}

/// From a node back to where the search began.
fn trace(reached: &Reached, from: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut nodes, mut edges) = (vec![from], Vec::new());
    let mut at = from;
    while let Some((parent, slot)) = reached.get(&at).filter(|(_, slot)| *slot != u32::MAX) {
        nodes.push(*parent);
        edges.push(*slot);
        at = *parent;
    }
    (nodes, edges)
}

/// A distance from the start, and the node that is that far; the nearest first, then by ordinal.
#[derive(PartialEq)]
struct Tentative(f64, u32);

impl Eq for Tentative {}

impl PartialOrd for Tentative {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tentative {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// Dijkstra, "A note on two problems in connexion with graphs", 1959. Weights are never negative.
fn dijkstra(steps: &Steps<'_>, source: u32, target: u32) -> Option<Path> {
    let memory = steps.memory();
    let mut reached: Reached = HashMap::from([(source, (source, u32::MAX))]);
    let mut distances: HashMap<u32, f64> = HashMap::from([(source, 0.0)]);
    let mut queue = BinaryHeap::from([Reverse(Tentative(0.0, source))]);
    while let Some(Reverse(Tentative(distance, from))) = queue.pop() {
        if from == target {
            let (mut nodes, mut edges) = trace(&reached, target);
            nodes.reverse();
            edges.reverse();
            return Some(Path { nodes, edges, length: distance });
        }
        if distance > distances[&from] {
            continue;
        }
        for Step { to, slot } in steps.from(from) {
            let new = distance + memory.weight(slot);
            let better = match distances.get(&to) {
                None => true,
                Some(old) if new < *old => true,
                // Of equally long parallel edges the first in their order, in every process.
                Some(old) => {
                    let (parent, edge) = reached[&to];
                    parent == from
                        && edge != u32::MAX
                        && new.total_cmp(old).is_eq()
                        && memory.edge_order(slot) < memory.edge_order(edge)
                }
            };
            if better {
                distances.insert(to, new);
                reached.insert(to, (from, slot));
                queue.push(Reverse(Tentative(new, to)));
            }
        }
    }
    None
}
