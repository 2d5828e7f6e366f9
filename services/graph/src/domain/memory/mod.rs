//! How is a graph kept in memory? Small, ready for every question, and only ever changed by a
//! revision of the journal.
//!
//! - Nodes and edges are columns in chunks ([`Table`]); a snapshot shares the chunks.
//! - Keys are stored once: the indexes hold numbers and look the key up where it lies.
//! - Types and labels are numbers with the name stored once.
//! - [`Memory::apply`] is the only way to change it, for new revisions and for the journal alike.
//!
//! `docs/adr/0005-graph-memory.md` has the reasons and the figures.

mod apply;
mod arena;
mod checkpoint;
mod edges;
mod grow;
mod links;
mod names;
mod nodes;
mod table;

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

pub use apply::ApplyError;
pub use checkpoint::{CheckpointError, CheckpointReader, checkpoint_parts};
pub use edges::EdgeParts;
pub use names::{NO_NAME, Names};
pub use table::{NodeRef, Table};

use links::Links;

/// Types of edges that one graph can have at once: their numbers are kept in 16 bits.
pub const MAX_EDGE_TYPES: usize = 60_000;

/// Ordinals that one graph can give out.
pub const MAX_ORDINALS: u32 = u32::MAX - 1;

/// A graph in memory at its newest revision.
#[derive(Default)]
pub struct Memory {
    table: Table,
    links: Links,
    /// Ordinals by key.
    node_keys: HashTable<u32>,
    /// Slots of the edges that have a key, by it.
    edge_keys: HashTable<u32>,
    /// Slots of the edges without a key, by source, type and target.
    edge_triples: HashTable<u32>,
    free_slots: Vec<u32>,
    next_slot: u32,
    hasher: RandomState,
    scratch: Vec<u8>,
}

impl Memory {
    /// Nodes and edges. Clone it for a snapshot.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The ordinal of the node with a key.
    pub fn find_node(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.node_keys.find(hash, |ordinal| self.table.nodes.key(*ordinal) == key).copied()
    }

    /// The slot of the edge with a key.
    pub fn find_edge_by_key(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.edge_keys.find(hash, |slot| self.table.edges.key(*slot) == key).copied()
    }

    /// The slot of the edge without a key between two nodes.
    pub fn find_edge_by_ends(&self, source: u32, type_name: &str, target: u32) -> Option<u32> {
        let type_id = self.table.edge_types.find(type_name)?;
        let hash = self.hasher.hash_one((source, type_id, target));
        let edges = &self.table.edges;
        self.edge_triples
            .find(hash, |slot| edges.ends(*slot) == (source, target) && edges.type_id(*slot) == type_id)
            .copied()
    }

    /// Slots of the edges that come from a node.
    pub fn outgoing(&self, ordinal: u32) -> &[u32] {
        self.links.outgoing(ordinal)
    }

    /// Slots of the edges that go to a node.
    pub fn incoming(&self, ordinal: u32) -> &[u32] {
        self.links.incoming(ordinal)
    }

    /// Number of edges at a node, either way; a loop counts twice.
    pub fn degree(&self, ordinal: u32) -> usize {
        self.outgoing(ordinal).len() + self.incoming(ordinal).len()
    }

    /// The ends of the edge in a slot that [`outgoing`](Self::outgoing) or
    /// [`incoming`](Self::incoming) gave.
    pub fn ends(&self, slot: u32) -> (u32, u32) {
        self.table.edges.ends(slot)
    }

    /// The number of an edge's type; the slot as in [`ends`](Self::ends).
    pub fn edge_type_id(&self, slot: u32) -> u32 {
        self.table.edges.type_id(slot)
    }

    /// The number of the source that brought an edge in; the slot as in [`ends`](Self::ends).
    pub fn edge_origin_id(&self, slot: u32) -> u32 {
        self.table.edges.origin_id(slot)
    }

    /// An edge's weight; the slot as in [`ends`](Self::ends).
    pub fn weight(&self, slot: u32) -> f64 {
        self.table.edges.weight(slot)
    }

    /// What orders parallel edges and pages of edges: source, target, type, key. The same in every
    /// process, as slots are not.
    pub fn edge_order(&self, slot: u32) -> (u32, u32, &str, &str) {
        let (source, target) = self.ends(slot);
        (source, target, self.table.edge_types.name(self.edge_type_id(slot)), self.table.edges.key(slot))
    }

    /// Heap bytes that the graph takes. Walks all lists of edges.
    pub fn memory_bytes(&self) -> usize {
        self.table.nodes.memory_bytes()
            + self.table.edges.memory_bytes()
            + self.table.node_types.memory_bytes()
            + self.table.edge_types.memory_bytes()
            + self.table.labels.memory_bytes()
            + self.table.origins.memory_bytes()
            + self.links.memory_bytes()
            + self.node_keys.allocation_size()
            + self.edge_keys.allocation_size()
            + self.edge_triples.allocation_size()
            + self.free_slots.capacity() * size_of::<u32>()
            + self.scratch.capacity()
    }
}
