//! How many of what does a graph have?

use std::{cmp::Reverse, collections::BinaryHeap};

use weft_proto::weft::graph::v1::{GraphStatistics, NamedCount};

use crate::domain::memory::{Names, Table};

/// Names that are counted in an answer at most.
const MAX_NAMES: usize = 100;
const MAX_HUBS: usize = 20;

/// Counts a whole graph. Takes time in proportion to its nodes and edges, on a snapshot: nobody waits.
pub fn statistics(table: &Table, memory_bytes: u64) -> GraphStatistics {
    let mut degree_of = vec![0_u32; table.next_ordinal() as usize];
    let mut components = Components::new(table.next_ordinal());
    for edge in table.edges() {
        components.join(edge.source, edge.target);
        degree_of[edge.source as usize] += 1;
        degree_of[edge.target as usize] += 1;
    }
    let mut sizes = vec![0_u32; components.parents.len()];
    let mut isolated = 0;
    let mut histogram: Vec<i64> = Vec::new();
    let mut hubs: BinaryHeap<Reverse<(u32, Reverse<u32>)>> = BinaryHeap::new();
    let mut degrees = 0_u64;
    for ordinal in table.ordinals(0) {
        sizes[components.root(ordinal) as usize] += 1;
        let degree = degree_of[ordinal as usize];
        degrees += u64::from(degree);
        isolated += i64::from(degree == 0);
        // 0, 1, 2–3, 4–7: the number of binary digits.
        let bin = (u32::BITS - degree.leading_zeros()) as usize;
        if histogram.len() <= bin {
            histogram.resize(bin + 1, 0);
        }
        histogram[bin] += 1;
        if degree > 0 {
            hubs.push(Reverse((degree, Reverse(ordinal))));
            if hubs.len() > MAX_HUBS {
                hubs.pop();
            }
        }
    }
    let hubs = hubs.into_sorted_vec().into_iter().map(|Reverse((degree, Reverse(ordinal)))| NamedCount {
        name: table.key(ordinal).to_owned(),
        count: i64::from(degree),
    });
    GraphStatistics {
        revision: table.revision(),
        node_count: table.node_count() as i64,
        edge_count: table.edge_count() as i64,
        node_types: most_frequent(table.node_types()),
        edge_types: most_frequent(table.edge_types()),
        labels: most_frequent(table.labels()),
        component_count: sizes.iter().filter(|size| **size > 0).count() as i64,
        largest_component_node_count: i64::from(sizes.iter().copied().max().unwrap_or(0)),
        isolated_node_count: isolated,
        mean_degree: degrees as f64 / table.node_count().max(1) as f64,
        hubs: hubs.collect(),
        degree_histogram: histogram,
        memory_bytes: memory_bytes as i64,
    }
}

fn most_frequent(names: &Names) -> Vec<NamedCount> {
    let mut counts: Vec<(&str, u64)> = names.counts().collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts.truncate(MAX_NAMES);
    counts
        .into_iter()
        .map(|(name, count)| NamedCount { name: name.to_owned(), count: count as i64 })
        .collect()
}

/// Disjoint sets with path halving and union by index (Tarjan and van Leeuwen, 1984).
struct Components {
    parents: Vec<u32>,
}

impl Components {
    fn new(size: u32) -> Self {
        Self { parents: (0..size).collect() }
    }

    fn root(&mut self, mut of: u32) -> u32 {
        while self.parents[of as usize] != of {
            let grandparent = self.parents[self.parents[of as usize] as usize];
            self.parents[of as usize] = grandparent;
            of = grandparent;
        }
        of
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        // The smaller ordinal is the root: chains stay short, as path halving sees to it.
        let (low, high) = (a.min(b), a.max(b));
        self.parents[high as usize] = low;
    }
}
