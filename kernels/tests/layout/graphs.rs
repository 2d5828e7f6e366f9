//! Made graphs with a fixed seed, for tests and measurements.

use weft_kernels::Edge;

/// Nodes and edges, as `Simulation::sync` takes them.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<u32>,
    pub(crate) edges: Vec<Edge>,
}

/// An edge of weight 1.
pub(crate) fn link(source: u32, target: u32) -> Edge {
    Edge { source, target, weight: 1.0 }
}

/// A small repeatable generator of numbers (xorshift64*, Vigna, 2016).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((bits * u64::from(end)) >> 32) as u32
    }
}

/// Every new node links to `links` earlier ones, those with many links more likely (Barabási
/// and Albert, 1999): hubs, one component, no communities.
pub(crate) fn preferential(nodes: u32, links: u32, seed: u64) -> Graph {
    let mut random = Random::new(seed);
    let mut ends: Vec<u32> = vec![0];
    let mut edges = Vec::new();
    for node in 1..nodes {
        for _ in 0..links.min(node) {
            let other = ends[random.below(ends.len() as u32) as usize];
            if other != node {
                edges.push(link(node, other));
                ends.push(other);
            }
            ends.push(node);
        }
    }
    Graph { nodes: (0..nodes).collect(), edges }
}
