//! What would the graph look like after the changes so far? The memory, and over it what the batch
//! has touched.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use hashbrown::HashTable;
use weft_proto::weft::graph::v1::{Change, Edge, EdgeUpsert, Node, NodeDelete, NodeUpsert, change};

use super::Counts;
use crate::domain::memory::Memory;

/// The state of the graph in the middle of a batch.
pub(super) struct Draft<'m> {
    pub(super) memory: &'m Memory,
    /// What the journal will say.
    pub(super) out: Vec<Change>,
    pub(super) counts: Counts,
    pub(super) next_ordinal: u32,
    /// The source that everything written comes from, in a refresh: what is there just so is not
    /// written again. Otherwise an element keeps the origin that it has.
    refresh_of: Option<String>,
    revision: i64,
    nodes: Vec<DraftNode>,
    node_index: HashTable<u32>,
    hasher: RandomState,
    /// Edges without a key, by source, type and target; the type by its number in `types`.
    triples: HashMap<(u32, u32, u32), DraftEdge>,
    types: HashMap<String, u32>,
    keyed: HashMap<String, DraftEdge>,
    /// Edges in memory that the batch deleted or replaced: what counts is above.
    taken: HashSet<u32>,
}

#[derive(Clone, Copy)]
struct DraftNode {
    /// Where in `out` the change is that says the key and the newest state.
    change: u32,
    ordinal: u32,
    alive: bool,
    /// Was there before the batch.
    old: bool,
}

#[derive(Clone, Copy)]
struct DraftEdge {
    change: u32,
    ends: (u32, u32),
    alive: bool,
}

/// Where the newest state of an element is.
pub(super) enum Found {
    /// In memory, under this ordinal or slot.
    Memory(u32),
    /// Written by the batch, by the change at this place of `out`.
    Batch(usize),
}

impl<'m> Draft<'m> {
    pub(super) fn new(memory: &'m Memory, expected_changes: usize) -> Self {
        Self {
            memory,
            out: Vec::with_capacity(expected_changes),
            counts: Counts::default(),
            next_ordinal: memory.table().next_ordinal(),
            refresh_of: None,
            revision: memory.table().revision() + 1,
            nodes: Vec::new(),
            node_index: HashTable::new(),
            hasher: RandomState::new(),
            triples: HashMap::new(),
            types: HashMap::new(),
            keyed: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    /// As [`new`](Self::new), for what a source brings.
    pub(super) fn of_source(memory: &'m Memory, source: String) -> Self {
        Self { refresh_of: Some(source), ..Self::new(memory, 0) }
    }

    /// The ordinal of the node with a key, if it is there now.
    pub(super) fn find_node(&self, key: &str) -> Option<u32> {
        match self.draft_node(key) {
            Some(index) => {
                let node = self.nodes[index];
                node.alive.then_some(node.ordinal)
            }
            None => self.memory.find_node(key),
        }
    }

    /// The newest state of a node that is there.
    pub(super) fn node_state(&self, key: &str) -> Option<Node> {
        match self.draft_node(key) {
            Some(index) => match &self.out[self.nodes[index].change as usize].change {
                Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), .. })) => Some(node.clone()),
                _ => None,
            },
            None => Some(self.memory.table().node(self.memory.find_node(key)?)?.to_message()),
        }
    }

    /// Writes a whole node. Returns its ordinal.
    pub(super) fn put_node(&mut self, mut node: Node) -> u32 {
        let draft = self.draft_node(&node.key);
        let existing = match draft {
            Some(index) => self.nodes[index].alive.then_some(self.nodes[index].ordinal),
            None => self.memory.find_node(&node.key),
        };
        let ordinal = existing.unwrap_or_else(|| {
            self.next_ordinal += 1;
            self.next_ordinal - 1
        });
        node.ordinal = ordinal;
        node.revision = self.revision;
        match &self.refresh_of {
            Some(source) => {
                node.origin.clone_from(source);
                if draft.is_none() && self.has_node(&node) {
                    return ordinal;
                }
            }
            None => {
                node.origin = existing.map_or_else(String::new, |ordinal| self.node_origin(ordinal, draft));
            }
        }
        let old = draft.map_or(existing.is_some(), |index| self.nodes[index].old);
        match (existing, draft) {
            (None, _) => self.counts.created_nodes += 1,
            (Some(_), None) => self.counts.updated_nodes += 1,
            (Some(_), Some(_)) => {}
        }
        let state = DraftNode { change: self.out.len() as u32, ordinal, alive: true, old };
        let key_hash = self.hasher.hash_one(node.key.as_str());
        self.out.push(Change {
            change: Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), update_mask: None })),
        });
        self.set_node(draft, state, key_hash);
        ordinal
    }

    /// Whether the memory has a node just so, apart from its revision.
    fn has_node(&self, node: &Node) -> bool {
        self.memory.table().node(node.ordinal).is_some_and(|known| {
            known.key() == node.key
                && known.to_message() == Node { revision: known.revision(), ..node.clone() }
        })
    }

    /// The origin of a node that is there.
    fn node_origin(&self, ordinal: u32, draft: Option<usize>) -> String {
        match draft.map(|index| &self.out[self.nodes[index].change as usize].change) {
            Some(Some(change::Change::UpsertNode(NodeUpsert { node: Some(node), .. }))) => {
                node.origin.clone()
            }
            Some(_) => String::new(),
            None => {
                self.memory.table().node(ordinal).map_or_else(String::new, |node| node.origin().to_owned())
            }
        }
    }

    /// Deletes a node and its edges. Returns whether it was there.
    pub(super) fn delete_node(&mut self, key: String) -> bool {
        let draft = self.draft_node(&key);
        let Some(ordinal) = self.find_node(&key) else { return false };
        let old = draft.is_none_or(|index| self.nodes[index].old);
        if old {
            self.counts.deleted_nodes += 1;
        } else {
            self.counts.created_nodes -= 1;
        }
        if draft.is_some() && old {
            self.counts.updated_nodes = self.counts.updated_nodes.saturating_sub(1);
        }
        let memory = self.memory;
        for slot in memory.outgoing(ordinal).iter().chain(memory.incoming(ordinal)) {
            if self.taken.insert(*slot) {
                self.counts.deleted_edges += 1;
            }
        }
        let batch_edges = self.triples.values_mut().chain(self.keyed.values_mut());
        for edge in
            batch_edges.filter(|edge| edge.alive && (edge.ends.0 == ordinal || edge.ends.1 == ordinal))
        {
            edge.alive = false;
            self.counts.deleted_edges += 1;
        }
        let state = DraftNode { change: self.out.len() as u32, ordinal, alive: false, old: false };
        let key_hash = self.hasher.hash_one(key.as_str());
        self.out.push(Change { change: Some(change::Change::DeleteNode(NodeDelete { key })) });
        self.set_node(draft, state, key_hash);
        true
    }

    /// Where the edge with this identity is, if it is there now. `ends` matter only without a key.
    pub(super) fn find_edge(&self, key: &str, type_name: &str, ends: (u32, u32)) -> Option<Found> {
        let (draft, slot) = if key.is_empty() {
            let draft =
                self.types.get(type_name).and_then(|number| self.triples.get(&(ends.0, *number, ends.1)));
            (draft, self.memory.find_edge_by_ends(ends.0, type_name, ends.1))
        } else {
            (self.keyed.get(key), self.memory.find_edge_by_key(key))
        };
        match draft {
            Some(edge) => edge.alive.then_some(Found::Batch(edge.change as usize)),
            None => slot.filter(|slot| !self.taken.contains(slot)).map(Found::Memory),
        }
    }

    /// The newest state of an edge that [`find_edge`](Self::find_edge) found.
    pub(super) fn edge_state(&self, found: &Found) -> Option<Edge> {
        match found {
            Found::Memory(slot) => {
                let table = self.memory.table();
                table.edge(*slot).map(|edge| table.edge_message(edge))
            }
            Found::Batch(change) => match &self.out[*change].change {
                Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), .. })) => Some(edge.clone()),
                _ => None,
            },
        }
    }

    /// Writes a whole edge between two nodes that are there.
    pub(super) fn put_edge(&mut self, mut edge: Edge, ends: (u32, u32)) {
        let found = self.find_edge(&edge.key, &edge.r#type, ends);
        edge.revision = self.revision;
        match &self.refresh_of {
            Some(source) => {
                edge.origin.clone_from(source);
                if let Some(Found::Memory(slot)) = found
                    && self.has_edge(slot, &edge)
                {
                    return;
                }
            }
            None => edge.origin = found.as_ref().map_or_else(String::new, |found| self.edge_origin(found)),
        }
        match found {
            None => self.counts.created_edges += 1,
            Some(Found::Memory(slot)) => {
                self.taken.insert(slot);
                self.counts.updated_edges += 1;
            }
            Some(Found::Batch(_)) => {}
        }
        let state = DraftEdge { change: self.out.len() as u32, ends, alive: true };
        if edge.key.is_empty() {
            let number = self.type_number(&edge.r#type);
            self.triples.insert((ends.0, number, ends.1), state);
        } else {
            self.keyed.insert(edge.key.clone(), state);
        }
        self.out.push(Change {
            change: Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), update_mask: None })),
        });
    }

    /// Whether the edge in a slot of the memory is just so, apart from its revision.
    fn has_edge(&self, slot: u32, edge: &Edge) -> bool {
        let table = self.memory.table();
        table.edge(slot).is_some_and(|known| {
            let known = table.edge_message(known);
            known == Edge { revision: known.revision, ..edge.clone() }
        })
    }

    fn edge_origin(&self, found: &Found) -> String {
        match found {
            Found::Memory(slot) => {
                self.memory.table().origins().name(self.memory.edge_origin_id(*slot)).to_owned()
            }
            Found::Batch(change) => match &self.out[*change].change {
                Some(change::Change::UpsertEdge(EdgeUpsert { edge: Some(edge), .. })) => edge.origin.clone(),
                _ => String::new(),
            },
        }
    }

    /// Deletes an edge that [`find_edge`](Self::find_edge) found; `change` says so to the journal.
    pub(super) fn delete_edge(
        &mut self,
        found: &Found,
        key: &str,
        type_name: &str,
        ends: (u32, u32),
        change: Change,
    ) {
        self.counts.deleted_edges += 1;
        if let Found::Memory(slot) = found {
            self.taken.insert(*slot);
        } else if key.is_empty() {
            let number = self.type_number(type_name);
            self.triples.entry((ends.0, number, ends.1)).and_modify(|edge| edge.alive = false);
        } else if let Some(edge) = self.keyed.get_mut(key) {
            edge.alive = false;
        }
        self.out.push(change);
    }

    /// Number of nodes now.
    pub(super) fn node_count(&self) -> u64 {
        self.memory.table().node_count() + self.counts.created_nodes - self.counts.deleted_nodes
    }

    /// Number of edges now.
    pub(super) fn edge_count(&self) -> u64 {
        self.memory.table().edge_count() + self.counts.created_edges - self.counts.deleted_edges
    }

    fn type_number(&mut self, type_name: &str) -> u32 {
        if let Some(number) = self.types.get(type_name) {
            return *number;
        }
        let number = self.types.len() as u32;
        self.types.insert(type_name.to_owned(), number);
        number
    }

    fn draft_node(&self, key: &str) -> Option<usize> {
        if self.nodes.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        self.node_index
            .find(hash, |index| key_of(&self.out[self.nodes[*index as usize].change as usize]) == key)
            .map(|index| *index as usize)
    }

    fn set_node(&mut self, draft: Option<usize>, state: DraftNode, key_hash: u64) {
        if let Some(index) = draft {
            self.nodes[index] = state;
            return;
        }
        let index = self.nodes.len() as u32;
        self.nodes.push(state);
        let (out, nodes, hasher) = (&self.out, &self.nodes, &self.hasher);
        self.node_index.insert_unique(key_hash, index, |index| {
            hasher.hash_one(key_of(&out[nodes[*index as usize].change as usize]))
        });
    }
}

/// The key in a change of a node.
fn key_of(change: &Change) -> &str {
    match &change.change {
        Some(change::Change::UpsertNode(upsert)) => upsert.node.as_ref().map_or("", |node| &node.key),
        Some(change::Change::DeleteNode(delete)) => &delete.key,
        _ => "",
    }
}
