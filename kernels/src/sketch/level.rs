//! A coarser graph: a node for every cluster of a finer one.

use rayon::prelude::*;

use super::clusters::{LOOSE, clusters};
use super::fine::Fine;
use crate::adjacency::{Adjacency, Piece};
use crate::analytics::Tally;

/// Clusters whose edges are summed up by one thread.
const AT_ONCE: usize = 512;

/// One coarser graph. Forces between its nodes are those between clusters each of which lies in one place: masses and
/// weights are sums.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) adjacency: Adjacency,
    pub(super) masses: Vec<f32>,
    pub(super) names: Vec<u32>,
    /// For every node of the finer graph the one that stands for it here, or [`LOOSE`].
    pub(super) parents: Vec<u32>,
}

impl Level {
    /// The graph of the clusters of `fine`.
    pub(super) fn over(fine: &Fine<'_>) -> Self {
        let (parents, count) = clusters(fine);
        let members = Members::new(&parents, count);
        let mut masses = vec![0.0; count];
        let mut names = vec![u32::MAX; count];
        for (node, parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != LOOSE) {
            masses[*parent as usize] += fine.masses[node];
            let name = &mut names[*parent as usize];
            *name = (*name).min(fine.names[node]);
        }
        let starts: Vec<usize> = (0..count).step_by(AT_ONCE).collect();
        let pieces: Vec<Piece> = starts
            .into_par_iter()
            .map_init(Tally::default, |near, first| {
                let (mut ends, mut entries) = (Vec::with_capacity(AT_ONCE), Vec::new());
                for cluster in first..(first + AT_ONCE).min(count) {
                    let nodes = members.of(cluster);
                    let most: usize = nodes.iter().map(|node| fine.adjacency.degree(*node as usize)).sum();
                    near.begin(most.min(count));
                    for node in nodes {
                        fine.each_edge(*node as usize, |other, weight| {
                            let to = parents[other as usize];
                            if to as usize != cluster {
                                near.add(to, weight);
                            }
                        });
                    }
                    entries.extend_from_slice(near.met());
                    ends.push(entries.len() as u32);
                }
                (ends, entries)
            })
            .collect();
        Self { adjacency: Adjacency::of_pieces(&pieces), masses, names, parents }
    }

    pub(super) fn as_fine(&self) -> Fine<'_> {
        Fine { adjacency: &self.adjacency, masses: &self.masses, names: &self.names, by_degree: None }
    }

    /// Bytes held on the heap.
    pub(super) fn memory(&self) -> usize {
        self.adjacency.memory()
            + (self.masses.capacity() + self.names.capacity() + self.parents.capacity()) * size_of::<u32>()
    }
}

/// The nodes of every cluster, ascending.
struct Members {
    starts: Vec<u32>,
    nodes: Vec<u32>,
}

impl Members {
    fn new(parents: &[u32], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for parent in parents.iter().filter(|parent| **parent != LOOSE) {
            starts[*parent as usize + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut nodes = vec![0; starts[count] as usize];
        for (node, parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != LOOSE) {
            let at = &mut next[*parent as usize];
            nodes[*at as usize] = node as u32;
            *at += 1;
        }
        Self { starts, nodes }
    }

    fn of(&self, cluster: usize) -> &[u32] {
        &self.nodes[self.starts[cluster] as usize..self.starts[cluster + 1] as usize]
    }
}
