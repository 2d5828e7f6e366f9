//! The graphs that are analysed and laid out, as everybody who is measured gets them: numbered nodes and weighted edges.

use std::{collections::HashMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use weft_kernels::Edge;

use crate::files;

// The graphs of the kernels' own tests.
#[path = "../../../kernels/tests/layout/graphs.rs"]
mod graphs;

/// A graph.
pub(crate) struct Input {
    pub(crate) nodes: usize,
    /// Ends below `nodes`; weights from 1 to 10, for ways.
    pub(crate) edges: Vec<Edge>,
    /// Where ways begin: the node with the most edges.
    pub(crate) source: u32,
    /// Where betweenness looks from.
    pub(crate) sources: Vec<u32>,
}

/// Where betweenness looks from.
const SOURCES: u64 = 64;

impl Input {
    /// A graph out of files; the packages of Debian where there are none.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self> {
        let contents = paths
            .iter()
            .map(|path| {
                let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
                Ok((name, fs::read(path).with_context(|| path.display().to_string())?))
            })
            .collect::<Result<Vec<_>>>()?;
        let files: Vec<(&str, &[u8])> = if contents.is_empty() {
            files::DEBIAN.to_vec()
        } else {
            contents.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect()
        };
        let found = files::read(None, &files)?;
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut number = |key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        };
        for node in &found.nodes {
            number(&node.key);
        }
        let pairs: Vec<_> =
            found.edges.iter().map(|edge| (number(&edge.source), number(&edge.target))).collect();
        Ok(Self::of(numbers.len(), &pairs))
    }

    /// Edges between nodes that are drawn evenly, the same ones each time.
    pub(crate) fn made(nodes: usize, edges: usize) -> Self {
        let end = |at: usize, side: u64| (mixed(2 * at as u64 + side) % nodes as u64) as u32;
        let pairs: Vec<_> = (0..edges).map(|at| (end(at, 0), end(at, 1))).collect();
        Self::of(nodes, &pairs)
    }

    /// A graph with hubs and without communities: every new node links to `links` earlier ones, those with many links
    /// more likely. The same one each time.
    pub(crate) fn preferential(nodes: u32, links: u32) -> Self {
        let graph = graphs::preferential(nodes, links, 1);
        let pairs: Vec<_> = graph.edges.iter().map(|edge| (edge.source, edge.target)).collect();
        Self::of(graph.nodes.len(), &pairs)
    }

    fn of(nodes: usize, pairs: &[(u32, u32)]) -> Self {
        let mut degrees = vec![0_u32; nodes];
        for (source, target) in pairs {
            degrees[*source as usize] += 1;
            degrees[*target as usize] += 1;
        }
        let source = (0..nodes).max_by_key(|node| degrees[*node]).unwrap_or(0) as u32;
        let weight = |at: usize| (1 + mixed(at as u64) % 10) as f32;
        let edge = |(at, (source, target)): (usize, &(u32, u32))| Edge {
            source: *source,
            target: *target,
            weight: weight(at),
        };
        let sources = (0..SOURCES).map(|at| (mixed(at) % nodes.max(1) as u64) as u32).collect();
        Self { nodes, edges: pairs.iter().enumerate().map(edge).collect(), source, sources }
    }

    /// The same without weights.
    pub(crate) fn unweighted(&self) -> Vec<Edge> {
        self.edges.iter().map(|edge| Edge { weight: 1.0, ..*edge }).collect()
    }
}

/// Numbers without a pattern (splitmix64, Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
