//! What does a graph hold at one revision? The part of the memory that a snapshot shares.

use std::sync::Arc;

use bytes::Bytes;
use prost_types::Struct;
use weft_proto::{
    Lazy,
    weft::graph::v1::{Edge, Node},
};

use super::{
    edges::{EdgeParts, Edges},
    names::Names,
    nodes::{NodeParts, Nodes, take_varint},
};

/// Nodes and edges at one revision, without the indexes. A clone is a snapshot: it shares the
/// chunks, costs some pointers, and stays as it is while the graph goes on.
#[derive(Clone, Default)]
pub struct Table {
    pub(super) nodes: Nodes,
    pub(super) edges: Edges,
    pub(super) node_types: Arc<Names>,
    pub(super) edge_types: Arc<Names>,
    pub(super) labels: Arc<Names>,
    pub(super) origins: Arc<Names>,
    pub(super) revision: i64,
    pub(super) node_count: u64,
    pub(super) edge_count: u64,
    pub(super) next_ordinal: u32,
}

/// One node of a table.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    table: &'a Table,
    ordinal: u32,
    parts: NodeParts<'a>,
}

impl Table {
    /// The newest revision that is in it.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Number of nodes.
    pub fn node_count(&self) -> u64 {
        self.node_count
    }

    /// Number of edges.
    pub fn edge_count(&self) -> u64 {
        self.edge_count
    }

    /// The ordinal of the next new node.
    pub fn next_ordinal(&self) -> u32 {
        self.next_ordinal
    }

    /// The types of nodes.
    pub fn node_types(&self) -> &Names {
        &self.node_types
    }

    /// The types of edges.
    pub fn edge_types(&self) -> &Names {
        &self.edge_types
    }

    /// The labels of nodes.
    pub fn labels(&self) -> &Names {
        &self.labels
    }

    /// The sources that nodes and edges came from.
    pub fn origins(&self) -> &Names {
        &self.origins
    }

    /// The node with an ordinal.
    pub fn node(&self, ordinal: u32) -> Option<NodeRef<'_>> {
        self.nodes.parts(ordinal).map(|parts| NodeRef { table: self, ordinal, parts })
    }

    /// The key of a node; empty if there is none with this ordinal.
    pub fn key(&self, ordinal: u32) -> &str {
        self.nodes.key(ordinal)
    }

    /// The ordinals of all nodes from `first` on, ascending.
    pub fn ordinals(&self, first: u32) -> impl Iterator<Item = u32> + '_ {
        let mut next = first;
        std::iter::from_fn(move || {
            while next < self.nodes.bound() {
                if self.nodes.chunk_is_empty(next) {
                    next =
                        (next / super::nodes::NODES_A_CHUNK as u32 + 1) * super::nodes::NODES_A_CHUNK as u32;
                    continue;
                }
                next += 1;
                if self.nodes.contains(next - 1) {
                    return Some(next - 1);
                }
            }
            None
        })
    }

    /// All nodes in the order of their ordinals.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> + '_ {
        self.ordinals(0).filter_map(|ordinal| self.node(ordinal))
    }

    /// The edge in a slot.
    pub fn edge(&self, slot: u32) -> Option<EdgeParts<'_>> {
        self.edges.parts(slot)
    }

    /// One more than the largest slot that an edge may be in.
    pub fn edge_slots(&self) -> u32 {
        self.edges.bound()
    }

    /// All edges, in no particular order.
    pub fn edges(&self) -> impl Iterator<Item = EdgeParts<'_>> + '_ {
        (0..self.edges.bound()).filter_map(|slot| self.edges.parts(slot))
    }

    /// An edge as a message.
    pub fn edge_message(&self, edge: EdgeParts<'_>) -> Edge {
        Edge {
            key: edge.key.to_owned(),
            source: self.key(edge.source).to_owned(),
            target: self.key(edge.target).to_owned(),
            r#type: self.edge_types.name(edge.type_id).to_owned(),
            weight: weight_message(edge.weight),
            properties: properties_message(edge.properties),
            revision: edge.revision,
            origin: self.origins.name(edge.origin_id).to_owned(),
        }
    }
}

impl<'a> NodeRef<'a> {
    /// Its ordinal.
    pub fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// Its key.
    pub fn key(self) -> &'a str {
        self.parts.key
    }

    /// Its name for people; often empty.
    pub fn display_name(self) -> &'a str {
        self.parts.display_name
    }

    /// The number of its type.
    pub fn type_id(self) -> u32 {
        self.parts.type_id
    }

    /// Its type.
    pub fn type_name(self) -> &'a str {
        self.table.node_types.name(self.parts.type_id)
    }

    /// The revision that last changed it.
    pub fn revision(self) -> i64 {
        self.parts.revision
    }

    /// The number of the source that brought it in.
    pub fn origin_id(self) -> u32 {
        self.parts.origin_id
    }

    /// The source that brought it in; empty where a client made it.
    pub fn origin(self) -> &'a str {
        self.table.origins.name(self.parts.origin_id)
    }

    /// Its properties, an encoded `google.protobuf.Struct`.
    pub fn properties(self) -> &'a [u8] {
        self.parts.properties
    }

    /// Its labels.
    pub fn labels(self) -> impl Iterator<Item = &'a str> {
        self.label_ids().map(move |id| self.table.labels.name(id))
    }

    /// The numbers of its labels.
    pub(super) fn label_ids(self) -> impl Iterator<Item = u32> + use<'a> {
        let mut rest = self.parts.labels;
        (0..self.parts.label_count).map(move |_| take_varint(&mut rest) as u32)
    }

    /// The node as a message.
    pub fn to_message(self) -> Node {
        Node {
            key: self.key().to_owned(),
            r#type: self.type_name().to_owned(),
            display_name: self.display_name().to_owned(),
            labels: self.labels().map(str::to_owned).collect(),
            properties: properties_message(self.properties()),
            ordinal: self.ordinal,
            revision: self.revision(),
            origin: self.origin().to_owned(),
        }
    }
}

/// A weight as the contract writes it: absent where it is 1.
#[expect(clippy::float_cmp, reason = "exactly 1 is what an absent weight means")]
pub(super) fn weight_message(weight: f64) -> Option<f64> {
    (weight != 1.0).then_some(weight)
}

/// Properties as the contract writes them: absent where there are none.
pub(super) fn properties_message(encoded: &[u8]) -> Option<Lazy<Struct>> {
    (!encoded.is_empty()).then(|| Lazy::from_encoded(Bytes::copy_from_slice(encoded)))
}
