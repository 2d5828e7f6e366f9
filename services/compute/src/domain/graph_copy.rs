//! What a layout knows of its graph: which nodes there are, and what pulls them together.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
};

use weft_kernels::Edge;
use weft_proto::weft::graph::v1::{
    Change, ChangeBatch, EdgeColumns, EdgeReference, EdgeUpsert, GraphKind, NodeColumns, SnapshotHeader,
    change::Change as Kind,
};

/// The parts of a graph that a layout needs: keys, ordinals, and weighted edges. Filled from a
/// snapshot, then kept true by the graph's changes.
///
/// Applying a change twice does no harm, so a revision that broke off in the middle may come again.
#[derive(Debug)]
pub(crate) struct GraphCopy {
    limits: Limits,
    kind: GraphKind,
    revision: i64,
    /// Whether only a part of the next revision has been applied yet.
    partial: bool,
    nodes: HashMap<Box<str>, u32>,
    edges: HashMap<EdgeId, Ends>,
    /// Types of edges by the index that the snapshot gives them, digested.
    edge_types: Vec<u64>,
    /// Digests the names of types. An edge without a key is identified by its type among others,
    /// and a keyed 64-bit digest of the name is enough to tell types apart: nobody outside knows
    /// the key, and a graph's types are few.
    digest: RandomState,
    /// Nodes came or went since the last [`GraphCopy::take`].
    membership_changed: bool,
    /// Anything that pulls changed since then.
    pull_changed: bool,
}

/// How large a graph may be laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) nodes: usize,
    pub(crate) edges: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum EdgeId {
    Keyed(Box<str>),
    Plain { source: u32, target: u32, kind: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ends {
    source: u32,
    target: u32,
    weight: f32,
}

/// What a simulation takes in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Topology {
    /// Ordinals, ascending; `None` where they are what they were.
    pub(crate) nodes: Option<Vec<u32>>,
    /// All edges, in no order; `None` where they and the nodes are what they were.
    pub(crate) edges: Option<Vec<Edge>>,
    pub(crate) revision: i64,
    pub(crate) kind: GraphKind,
}

/// Why a copy cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CopyError {
    /// The graph is larger than is laid out here.
    #[error("the graph has more than {limit} {what}, which is as many as are laid out")]
    TooLarge { limit: usize, what: &'static str },
    /// What came does not fit what was there: a new snapshot is needed.
    #[error("the graph's {0} do not fit together")]
    Inconsistent(&'static str),
}

impl GraphCopy {
    /// Begins a copy with a snapshot's header.
    pub(crate) fn begin(header: &SnapshotHeader, limits: Limits) -> Result<Self, CopyError> {
        let digest = RandomState::new();
        let graph = header.graph.as_ref().ok_or(CopyError::Inconsistent("header"))?;
        let copy = Self {
            limits,
            kind: graph.kind(),
            revision: graph.revision,
            partial: false,
            nodes: HashMap::new(),
            edges: HashMap::new(),
            edge_types: header.edge_types.iter().map(|name| digest.hash_one(name)).collect(),
            digest,
            membership_changed: true,
            pull_changed: true,
        };
        // Before the elements come, so that a graph that is much too large costs nothing.
        copy.check(graph.node_count.max(0) as usize, graph.edge_count.max(0) as usize)?;
        Ok(copy)
    }

    /// Adds some of a snapshot's nodes.
    pub(crate) fn add_nodes(&mut self, columns: NodeColumns) -> Result<(), CopyError> {
        if columns.keys.len() != columns.ordinals.len() {
            return Err(CopyError::Inconsistent("node columns"));
        }
        for (key, ordinal) in columns.keys.into_iter().zip(columns.ordinals) {
            self.nodes.insert(key.into(), ordinal);
        }
        self.check(self.nodes.len(), self.edges.len())
    }

    /// Adds some of a snapshot's edges.
    pub(crate) fn add_edges(&mut self, columns: EdgeColumns) -> Result<(), CopyError> {
        let count = columns.sources.len();
        let fits = |length: usize| length == 0 || length == count;
        if columns.targets.len() != count
            || columns.types.len() != count
            || !fits(columns.weights.len())
            || !fits(columns.keys.len())
        {
            return Err(CopyError::Inconsistent("edge columns"));
        }
        let mut keys = columns.keys.into_iter();
        for at in 0..count {
            let (source, target) = (columns.sources[at], columns.targets[at]);
            let id = match keys.next() {
                Some(key) if !key.is_empty() => EdgeId::Keyed(key.into()),
                _ => {
                    let kind = self.edge_types.get(columns.types[at] as usize);
                    let kind = *kind.ok_or(CopyError::Inconsistent("edge types"))?;
                    EdgeId::Plain { source, target, kind }
                }
            };
            let weight = columns.weights.get(at).copied().unwrap_or(1.0);
            self.edges.insert(id, Ends { source, target, weight: finite(f64::from(weight)) });
        }
        self.check(self.nodes.len(), self.edges.len())
    }

    /// Ends the snapshot; from here on changes are applied.
    pub(crate) fn end(&mut self, revision: i64) -> Result<(), CopyError> {
        self.revision = revision;
        let nodes: std::collections::HashSet<u32> = self.nodes.values().copied().collect();
        let whole = nodes.len() == self.nodes.len()
            && self.edges.values().all(|ends| nodes.contains(&ends.source) && nodes.contains(&ends.target));
        if whole { Ok(()) } else { Err(CopyError::Inconsistent("nodes and edges")) }
    }

    /// Applies a revision or a part of one.
    pub(crate) fn apply(&mut self, batch: ChangeBatch) -> Result<(), CopyError> {
        if batch.revision <= self.revision {
            return Ok(());
        }
        if batch.revision != self.revision + 1 {
            return Err(CopyError::Inconsistent("revisions"));
        }
        self.partial = true;
        let mut dropped_nodes = false;
        for Change { change } in batch.changes {
            match change {
                Some(Kind::UpsertNode(upsert)) => {
                    let node = upsert.node.ok_or(CopyError::Inconsistent("changes"))?;
                    let former = self.nodes.insert(node.key.into(), node.ordinal);
                    self.membership_changed |= former != Some(node.ordinal);
                    dropped_nodes |= former.is_some_and(|former| former != node.ordinal);
                }
                Some(Kind::DeleteNode(delete)) => {
                    let dropped = self.nodes.remove(delete.key.as_str()).is_some();
                    self.membership_changed |= dropped;
                    dropped_nodes |= dropped;
                }
                Some(Kind::UpsertEdge(upsert)) => self.upsert_edge(upsert)?,
                Some(Kind::DeleteEdge(reference)) => self.delete_edge(&reference),
                None => return Err(CopyError::Inconsistent("changes")),
            }
        }
        if dropped_nodes {
            // A node takes its edges with it. Ordinals are never given again, so that it is
            // enough to look once after all changes.
            let nodes: std::collections::HashSet<u32> = self.nodes.values().copied().collect();
            self.edges.retain(|_, ends| nodes.contains(&ends.source) && nodes.contains(&ends.target));
        }
        if batch.last_part {
            self.revision = batch.revision;
            self.partial = false;
        }
        self.check(self.nodes.len(), self.edges.len())
    }

    fn upsert_edge(&mut self, upsert: EdgeUpsert) -> Result<(), CopyError> {
        let edge = upsert.edge.ok_or(CopyError::Inconsistent("changes"))?;
        let ordinal =
            |key: &str| self.nodes.get(key).copied().ok_or(CopyError::Inconsistent("nodes and edges"));
        let (source, target) = (ordinal(&edge.source)?, ordinal(&edge.target)?);
        let id = if edge.key.is_empty() {
            EdgeId::Plain { source, target, kind: self.digest.hash_one(&edge.r#type) }
        } else {
            EdgeId::Keyed(edge.key.into())
        };
        let ends = Ends { source, target, weight: finite(edge.weight.unwrap_or(1.0)) };
        self.pull_changed |= self.edges.insert(id, ends) != Some(ends);
        Ok(())
    }

    fn delete_edge(&mut self, reference: &EdgeReference) {
        let id = if !reference.key.is_empty() {
            EdgeId::Keyed(reference.key.as_str().into())
        } else if let (Some(&source), Some(&target)) =
            (self.nodes.get(reference.source.as_str()), self.nodes.get(reference.target.as_str()))
        {
            EdgeId::Plain { source, target, kind: self.digest.hash_one(&reference.r#type) }
        } else {
            // It went with one of its nodes.
            return;
        };
        self.pull_changed |= self.edges.remove(&id).is_some();
    }

    fn check(&self, nodes: usize, edges: usize) -> Result<(), CopyError> {
        if nodes > self.limits.nodes {
            return Err(CopyError::TooLarge { limit: self.limits.nodes, what: "nodes" });
        }
        if edges > self.limits.edges {
            return Err(CopyError::TooLarge { limit: self.limits.edges, what: "edges" });
        }
        Ok(())
    }

    /// The last revision that was applied whole.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// Numbers of nodes and edges.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.nodes.len(), self.edges.len())
    }

    /// The ordinal of the node with a key.
    pub(crate) fn ordinal(&self, key: &str) -> Option<u32> {
        self.nodes.get(key).copied()
    }

    /// What has changed since it was taken last; `None` in the middle of a revision.
    pub(crate) fn take(&mut self) -> Option<Topology> {
        if self.partial {
            return None;
        }
        let membership_changed = std::mem::take(&mut self.membership_changed);
        let pull_changed = std::mem::take(&mut self.pull_changed) || membership_changed;
        Some(Topology {
            nodes: membership_changed.then(|| self.ordinals()),
            edges: pull_changed.then(|| self.pulls()),
            revision: self.revision,
            kind: self.kind,
        })
    }

    /// Everything, taken or not; also in the middle of a revision.
    pub(crate) fn whole(&self) -> Topology {
        Topology {
            nodes: Some(self.ordinals()),
            edges: Some(self.pulls()),
            revision: self.revision,
            kind: self.kind,
        }
    }

    fn ordinals(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = self.nodes.values().copied().collect();
        nodes.sort_unstable();
        nodes
    }

    fn pulls(&self) -> Vec<Edge> {
        let edge = |ends: &Ends| Edge { source: ends.source, target: ends.target, weight: ends.weight };
        self.edges.values().map(edge).collect()
    }
}

/// A weight as the kernels take it: the contract lets it be any finite number from 0, some of which
/// are too large for 32 bits.
pub(crate) fn finite(weight: f64) -> f32 {
    if weight.is_nan() { 1.0 } else { weight.clamp(0.0, f64::from(f32::MAX)) as f32 }
}

#[cfg(test)]
mod tests;
