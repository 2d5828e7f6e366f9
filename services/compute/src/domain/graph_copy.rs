//! What a layout knows of its graph: which nodes there are, and what pulls them together.

mod properties;

use std::collections::HashMap;

use weft_kernels::Edge;
use weft_proto::weft::graph::v1::{
    Change, ChangeBatch, EdgeColumns, EdgeReference, EdgeUpsert, GraphKind, NodeColumns, SnapshotHeader,
    change::Change as Kind,
};

use self::properties::Properties;
pub(crate) use self::properties::Scalar;

/// The parts of a graph that a layout needs: keys, ordinals, weighted edges with their types, and
/// those properties that its constraints ask for. Filled from a snapshot, then kept true by the graph's changes.
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
    /// Types of edges, each once: a graph's types are few. Those of the snapshot come first.
    edge_types: Vec<Box<str>>,
    /// Number of types that the snapshot had.
    snapshot_types: u32,
    properties: Properties,
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
    Plain { source: u32, target: u32, kind: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ends {
    source: u32,
    target: u32,
    weight: f32,
    /// Which of the edge types.
    kind: u32,
}

/// What a simulation takes in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Topology {
    /// Ordinals, ascending; `None` where they are what they were.
    pub(crate) nodes: Option<Vec<u32>>,
    /// All edges, in no order; `None` where they and the nodes are what they were.
    pub(crate) edges: Option<Vec<Edge>>,
    /// Whether a constraint may concern other nodes than before.
    pub(crate) regrouped: bool,
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
    /// Begins a copy with a snapshot's header. `wanted` are the properties to keep.
    pub(crate) fn begin(
        header: &SnapshotHeader,
        limits: Limits,
        wanted: Vec<String>,
    ) -> Result<Self, CopyError> {
        let graph = header.graph.as_ref().ok_or(CopyError::Inconsistent("header"))?;
        let copy = Self {
            limits,
            kind: graph.kind(),
            revision: graph.revision,
            partial: false,
            nodes: HashMap::new(),
            edges: HashMap::new(),
            edge_types: header.edge_types.iter().map(|name| name.as_str().into()).collect(),
            snapshot_types: header.edge_types.len() as u32,
            properties: Properties::new(wanted),
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
        for (ordinal, properties) in columns.ordinals.iter().zip(&columns.properties) {
            self.properties.read(*ordinal, properties);
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
            let kind = columns.types[at];
            if kind >= self.snapshot_types {
                return Err(CopyError::Inconsistent("edge types"));
            }
            let id = match keys.next() {
                Some(key) if !key.is_empty() => EdgeId::Keyed(key.into()),
                _ => EdgeId::Plain { source, target, kind },
            };
            let weight = columns.weights.get(at).copied().unwrap_or(1.0);
            self.edges.insert(id, Ends { source, target, weight: finite(f64::from(weight)), kind });
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
                    self.properties.set(node.ordinal, node.properties.as_deref());
                    let former = self.nodes.insert(node.key.into(), node.ordinal);
                    self.membership_changed |= former != Some(node.ordinal);
                    if let Some(former) = former.filter(|former| *former != node.ordinal) {
                        self.properties.forget(former);
                        dropped_nodes = true;
                    }
                }
                Some(Kind::DeleteNode(delete)) => {
                    if let Some(ordinal) = self.nodes.remove(delete.key.as_str()) {
                        self.properties.forget(ordinal);
                        self.membership_changed = true;
                        dropped_nodes = true;
                    }
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
        let kind = self.edge_type(&edge.r#type).unwrap_or_else(|| {
            self.edge_types.push(edge.r#type.into());
            self.edge_types.len() as u32 - 1
        });
        let id = if edge.key.is_empty() {
            EdgeId::Plain { source, target, kind }
        } else {
            EdgeId::Keyed(edge.key.into())
        };
        let ends = Ends { source, target, weight: finite(edge.weight.unwrap_or(1.0)), kind };
        self.pull_changed |= self.edges.insert(id, ends) != Some(ends);
        Ok(())
    }

    fn delete_edge(&mut self, reference: &EdgeReference) {
        let id = if !reference.key.is_empty() {
            EdgeId::Keyed(reference.key.as_str().into())
        } else if let (Some(&source), Some(&target), Some(kind)) = (
            self.nodes.get(reference.source.as_str()),
            self.nodes.get(reference.target.as_str()),
            self.edge_type(&reference.r#type),
        ) {
            EdgeId::Plain { source, target, kind }
        } else {
            // It went with one of its nodes.
            return;
        };
        self.pull_changed |= self.edges.remove(&id).is_some();
    }

    /// Number of a type of edges.
    fn edge_type(&self, name: &str) -> Option<u32> {
        self.edge_types.iter().position(|known| **known == *name).map(|at| at as u32)
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

    /// The properties that it keeps.
    pub(crate) fn wanted(&self) -> &[String] {
        self.properties.wanted()
    }

    /// Nodes that have a property that is kept, in no order.
    pub(crate) fn with_property(&self, name: &str) -> impl Iterator<Item = (u32, &Scalar)> {
        self.properties.of(name)
    }

    /// Sources and targets of the edges of a type, or of all when it is empty, in no order.
    pub(crate) fn edges_of(&self, name: &str) -> Vec<(u32, u32)> {
        let kind = self.edge_type(name);
        let fits = |ends: &&Ends| name.is_empty() || Some(ends.kind) == kind;
        self.edges.values().filter(fits).map(|ends| (ends.source, ends.target)).collect()
    }

    /// What has changed since it was taken last; `None` in the middle of a revision.
    pub(crate) fn take(&mut self) -> Option<Topology> {
        if self.partial {
            return None;
        }
        let membership_changed = std::mem::take(&mut self.membership_changed);
        let pull_changed = std::mem::take(&mut self.pull_changed) || membership_changed;
        let regrouped = std::mem::take(&mut self.properties.changed) || pull_changed;
        Some(Topology {
            regrouped,
            nodes: membership_changed.then(|| self.ordinals()),
            edges: pull_changed.then(|| self.pulls()),
            revision: self.revision,
            kind: self.kind,
        })
    }

    /// Everything, taken or not; also in the middle of a revision.
    pub(crate) fn whole(&self) -> Topology {
        Topology {
            regrouped: true,
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
