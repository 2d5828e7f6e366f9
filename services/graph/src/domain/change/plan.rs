//! What does a batch of changes do to a graph?

use prost::Message;
use weft_proto::weft::graph::v1::{
    Change, Edge, EdgeReference, EdgeUpsert, Node, NodeDelete, NodeUpsert, change,
};

use super::{
    Fault, PlanError,
    draft::Draft,
    mask::{is_whole, merge_edge, merge_node},
    text::{check_edge, check_node},
};
use crate::domain::{
    limits::GraphLimits,
    memory::{MAX_EDGE_TYPES, MAX_ORDINALS, Memory},
};

/// How a batch is to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// Deleting what is not there is no error.
    pub allow_missing: bool,
    /// Make the nodes that edges name and that are not there.
    pub create_missing_nodes: bool,
}

/// How many elements a revision creates, replaces and deletes. An element that is touched several
/// times counts by what became of it in the end, as far as that can be told without looking back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Nodes that are new.
    pub created_nodes: u64,
    /// Nodes that were there and are replaced.
    pub updated_nodes: u64,
    /// Nodes that are deleted.
    pub deleted_nodes: u64,
    /// Edges that are new.
    pub created_edges: u64,
    /// Edges that were there and are replaced.
    pub updated_edges: u64,
    /// Edges that are deleted, alone or with their nodes.
    pub deleted_edges: u64,
}

/// A revision that can be written.
#[derive(Debug)]
pub struct Plan {
    /// Its number.
    pub revision: i64,
    /// What it changes: every element whole.
    pub changes: Vec<Change>,
    /// How much it changes.
    pub counts: Counts,
    /// Number of nodes after it.
    pub node_count: u64,
    /// Number of edges after it.
    pub edge_count: u64,
    /// The ordinal of the next new node after it.
    pub next_ordinal: u32,
}

/// Plans a batch of changes on a graph that takes `graph_bytes` of memory.
///
/// # Errors
/// The first change that cannot be applied, or a limit that the batch would pass.
pub fn plan(
    memory: &Memory,
    changes: Vec<Change>,
    options: PlanOptions,
    limits: &GraphLimits,
    graph_bytes: u64,
) -> Result<Plan, PlanError> {
    if changes.len() > limits.max_changes_per_batch {
        let reason =
            format!("there are {}; at most {} are taken", changes.len(), limits.max_changes_per_batch);
        return Err(PlanError::invalid("changes", reason));
    }
    let mut planner = Planner { draft: Draft::new(memory, changes.len()), options, limits };
    for (index, change) in changes.into_iter().enumerate() {
        match change.change {
            Some(change::Change::UpsertNode(upsert)) => planner.upsert_node(index, upsert)?,
            Some(change::Change::DeleteNode(delete)) => planner.delete_node(index, delete)?,
            Some(change::Change::UpsertEdge(upsert)) => planner.upsert_edge(index, upsert)?,
            Some(change::Change::DeleteEdge(reference)) => planner.delete_edge(index, &reference)?,
            None => return Err(PlanError::invalid(format!("changes[{index}]"), "must say what is changed")),
        }
    }
    finish(planner.draft, limits, graph_bytes)
}

/// Checks the limits of the whole graph.
pub(super) fn finish(draft: Draft<'_>, limits: &GraphLimits, graph_bytes: u64) -> Result<Plan, PlanError> {
    let check = |what, limit: u64, would_be: u64, grows: bool| {
        if would_be > limit && grows {
            return Err(PlanError::new("graph", Fault::Limit { what, limit, would_be }));
        }
        Ok(())
    };
    let table = draft.memory.table();
    let (node_count, edge_count) = (draft.node_count(), draft.edge_count());
    check("nodes", limits.max_nodes, node_count, node_count > table.node_count())?;
    check("edges", limits.max_edges, edge_count, edge_count > table.edge_count())?;
    check("ordinals", u64::from(MAX_ORDINALS), u64::from(draft.next_ordinal), true)?;
    let added: u64 = draft.out.iter().filter_map(written_bytes).sum();
    check("graph_bytes", limits.max_graph_bytes, graph_bytes + added, added > 0)?;
    let new_types = edge_types_after(&draft);
    check("edge_types", MAX_EDGE_TYPES as u64, new_types, true)?;
    Ok(Plan {
        revision: table.revision() + 1,
        counts: draft.counts,
        node_count,
        edge_count,
        next_ordinal: draft.next_ordinal,
        changes: draft.out,
    })
}

/// What an upsert can add to the memory at most, roughly.
fn written_bytes(change: &Change) -> Option<u64> {
    match &change.change {
        Some(change::Change::UpsertNode(_) | change::Change::UpsertEdge(_)) => {
            Some(change.encoded_len() as u64)
        }
        _ => None,
    }
}

/// An upper bound of the numbers that types of edges will need. Names that fall out of use during
/// the batch still count.
fn edge_types_after(draft: &Draft<'_>) -> u64 {
    let known = draft.memory.table().edge_types();
    let mut new = std::collections::HashSet::new();
    let mut last = "";
    for change in &draft.out {
        if let Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), .. })) = &change.change
            && edge.r#type != last
        {
            last = &edge.r#type;
            if known.find(last).is_none() {
                new.insert(last);
            }
        }
    }
    (known.bound() + new.len()) as u64
}

struct Planner<'m, 'l> {
    draft: Draft<'m>,
    options: PlanOptions,
    limits: &'l GraphLimits,
}

impl Planner<'_, '_> {
    fn upsert_node(&mut self, index: usize, upsert: NodeUpsert) -> Result<(), PlanError> {
        let path = |field: &str| format!("changes[{index}].upsert_node.{field}");
        let Some(mut node) = upsert.node else {
            return Err(PlanError::invalid(path("node"), "must be given"));
        };
        let mask = upsert.update_mask;
        if !is_whole(mask.as_ref()) {
            let mask = mask.unwrap_or_default();
            let old = self
                .draft
                .node_state(&node.key)
                .unwrap_or_else(|| Node { key: node.key.clone(), ..Node::default() });
            node = merge_node(old, &node, &mask).map_err(|place| {
                PlanError::invalid(path(&format!("update_mask.paths[{place}]")), NODE_PATHS)
            })?;
        }
        check_node(&node, self.limits, &|field| path(&format!("node.{field}")))?;
        node.properties = node.properties.filter(|properties| !properties.fields.is_empty());
        self.draft.put_node(node);
        Ok(())
    }

    fn delete_node(&mut self, index: usize, delete: NodeDelete) -> Result<(), PlanError> {
        if self.draft.find_node(&delete.key).is_none() && !self.options.allow_missing {
            let field = format!("changes[{index}].delete_node.key");
            return Err(PlanError::new(field, Fault::NodeNotFound(delete.key)));
        }
        self.draft.delete_node(delete.key);
        Ok(())
    }

    fn upsert_edge(&mut self, index: usize, upsert: EdgeUpsert) -> Result<(), PlanError> {
        let path = |field: &str| format!("changes[{index}].upsert_edge.{field}");
        let Some(mut edge) = upsert.edge else {
            return Err(PlanError::invalid(path("edge"), "must be given"));
        };
        let mask = upsert.update_mask;
        if !is_whole(mask.as_ref()) {
            let mask = mask.unwrap_or_default();
            let old = self.edge_before(&edge).unwrap_or_else(|| Edge {
                key: edge.key.clone(),
                source: edge.source.clone(),
                target: edge.target.clone(),
                r#type: edge.r#type.clone(),
                ..Edge::default()
            });
            edge = merge_edge(old, &edge, &mask).map_err(|place| {
                PlanError::invalid(path(&format!("update_mask.paths[{place}]")), EDGE_PATHS)
            })?;
        }
        check_edge(&edge, self.limits, &|field| path(&format!("edge.{field}")))?;
        edge.properties = edge.properties.filter(|properties| !properties.fields.is_empty());
        edge.weight = edge.weight.filter(|weight| weight.to_bits() != 1.0_f64.to_bits());
        let ends = (
            self.end(&edge.source, || path("edge.source"))?,
            self.end(&edge.target, || path("edge.target"))?,
        );
        self.draft.put_edge(edge, ends);
        Ok(())
    }

    fn delete_edge(&mut self, index: usize, reference: &EdgeReference) -> Result<(), PlanError> {
        let field = || format!("changes[{index}].delete_edge");
        let by_ends =
            !(reference.source.is_empty() && reference.target.is_empty() && reference.r#type.is_empty());
        if by_ends != reference.key.is_empty() {
            return Err(PlanError::invalid(field(), "must have either a key, or source, target and type"));
        }
        let ends = if by_ends {
            self.draft.find_node(&reference.source).zip(self.draft.find_node(&reference.target))
        } else {
            Some((0, 0))
        };
        let found = ends.and_then(|ends| {
            self.draft.find_edge(&reference.key, &reference.r#type, ends).map(|found| (ends, found))
        });
        match found {
            Some((ends, found)) => {
                let change = Change { change: Some(change::Change::DeleteEdge(reference.clone())) };
                self.draft.delete_edge(&found, &reference.key, &reference.r#type, ends, change);
                Ok(())
            }
            None if self.options.allow_missing => Ok(()),
            None => Err(PlanError::new(field(), Fault::EdgeNotFound)),
        }
    }

    fn edge_before(&self, edge: &Edge) -> Option<Edge> {
        let ends = if edge.key.is_empty() {
            self.draft.find_node(&edge.source).zip(self.draft.find_node(&edge.target))?
        } else {
            (0, 0)
        };
        let found = self.draft.find_edge(&edge.key, &edge.r#type, ends)?;
        self.draft.edge_state(&found)
    }

    fn end(&mut self, key: &str, field: impl Fn() -> String) -> Result<u32, PlanError> {
        if let Some(ordinal) = self.draft.find_node(key) {
            return Ok(ordinal);
        }
        if !self.options.create_missing_nodes {
            return Err(PlanError::new(field(), Fault::EndNotFound(key.to_owned())));
        }
        let node = Node { key: key.to_owned(), ..Node::default() };
        check_node(&node, self.limits, &|_| field())?;
        Ok(self.draft.put_node(node))
    }
}

const NODE_PATHS: &str = "must be type, display_name, labels, properties or properties.PATH";
const EDGE_PATHS: &str = "must be source, target, type, weight, properties or properties.PATH";
