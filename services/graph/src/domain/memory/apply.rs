//! How does a revision change the memory? Each change as it stands: the plan resolved it before.

use std::{hash::BuildHasher, sync::Arc};

use weft_proto::weft::graph::v1::{Change, Edge, EdgeReference, Node, change};

use super::{MAX_EDGE_TYPES, MAX_ORDINALS, Memory};

/// A change that does not fit the graph: the journal or the checkpoint is damaged.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ApplyError {
    /// A change without content.
    #[error("a change of revision {revision} is empty")]
    Empty {
        /// The revision.
        revision: i64,
    },
    /// Something that the change names is not there.
    #[error("revision {revision} names {what} {key:?}, which is not there")]
    Missing {
        /// The revision.
        revision: i64,
        /// What kind of thing.
        what: &'static str,
        /// Its key.
        key: String,
    },
    /// The graph has more types of edges or ordinals than can be numbered.
    #[error("revision {revision} brings more {what} than can be numbered")]
    Overflow {
        /// The revision.
        revision: i64,
        /// What is too many.
        what: &'static str,
    },
}

impl Memory {
    /// Applies the changes of one revision, or of a part of it.
    ///
    /// # Errors
    /// If a change does not fit. The memory is then of no further use: load it anew.
    pub fn apply<'c>(
        &mut self,
        revision: i64,
        changes: impl IntoIterator<Item = &'c Change>,
    ) -> Result<(), ApplyError> {
        for change in changes {
            self.apply_one(revision, change)?;
        }
        self.table.revision = revision;
        Ok(())
    }

    /// Notes a revision that changed no content.
    pub fn advance(&mut self, revision: i64) {
        self.table.revision = revision;
    }

    /// Applies one change of a revision whose others follow.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_one(&mut self, revision: i64, change: &Change) -> Result<(), ApplyError> {
        match &change.change {
            Some(change::Change::UpsertNode(upsert)) => {
                self.put_node(revision, upsert.node.as_ref().ok_or(ApplyError::Empty { revision })?)
            }
            Some(change::Change::DeleteNode(delete)) => self.remove_node(revision, &delete.key),
            Some(change::Change::UpsertEdge(upsert)) => {
                self.put_edge(revision, upsert.edge.as_ref().ok_or(ApplyError::Empty { revision })?)
            }
            Some(change::Change::DeleteEdge(reference)) => self.remove_edge(revision, reference),
            None => Err(ApplyError::Empty { revision }),
        }
    }

    pub(super) fn put_node(&mut self, revision: i64, node: &Node) -> Result<(), ApplyError> {
        if node.ordinal >= MAX_ORDINALS {
            return Err(ApplyError::Overflow { revision, what: "nodes" });
        }
        let type_id = Arc::make_mut(&mut self.table.node_types).acquire(&node.r#type);
        let origin_id = Arc::make_mut(&mut self.table.origins).acquire(&node.origin);
        if let Some(ordinal) = self.find_node(&node.key) {
            self.release_names(ordinal);
            if ordinal != node.ordinal {
                return Err(ApplyError::Missing { revision, what: "node by ordinal", key: node.key.clone() });
            }
        } else {
            if self.table.nodes.contains(node.ordinal) {
                return Err(ApplyError::Missing {
                    revision,
                    what: "free ordinal for",
                    key: node.key.clone(),
                });
            }
            let (nodes, hasher) = (&self.table.nodes, &self.hasher);
            let hash = hasher.hash_one(node.key.as_str());
            self.node_keys.insert_unique(hash, node.ordinal, |ordinal| hasher.hash_one(nodes.key(*ordinal)));
            self.table.node_count += 1;
            self.table.next_ordinal = self.table.next_ordinal.max(node.ordinal + 1);
        }
        let labels = Arc::make_mut(&mut self.table.labels);
        self.table.nodes.put(node, (type_id, origin_id), labels, &mut self.scratch);
        Ok(())
    }

    fn remove_node(&mut self, revision: i64, key: &str) -> Result<(), ApplyError> {
        let Some(ordinal) = self.find_node(key) else {
            return Err(ApplyError::Missing { revision, what: "node", key: key.to_owned() });
        };
        let (outgoing, incoming) = self.links.take(ordinal);
        for slot in outgoing {
            self.links.part_target(slot, self.ends(slot).1);
            self.forget_edge(slot);
        }
        for slot in incoming {
            // A loop went with the edges that come from the node.
            if let Some(edge) = self.table.edges.parts(slot) {
                self.links.part_source(slot, edge.source);
                self.forget_edge(slot);
            }
        }
        self.release_names(ordinal);
        let hash = self.hasher.hash_one(key);
        if let Ok(found) = self.node_keys.find_entry(hash, |other| *other == ordinal) {
            found.remove();
        }
        if self.table.nodes.remove(ordinal) {
            self.links.free_chunk(ordinal);
        }
        self.table.node_count -= 1;
        Ok(())
    }

    fn put_edge(&mut self, revision: i64, edge: &Edge) -> Result<(), ApplyError> {
        let end = |key: &String| {
            self.find_node(key).ok_or_else(|| ApplyError::Missing {
                revision,
                what: "node",
                key: key.clone(),
            })
        };
        let ends = (end(&edge.source)?, end(&edge.target)?);
        self.put_edge_between(revision, edge, ends)
    }

    /// As `put_edge`, where the ordinals of the ends are known: its keys of the ends are not read.
    pub(super) fn put_edge_between(
        &mut self,
        revision: i64,
        edge: &Edge,
        ends: (u32, u32),
    ) -> Result<(), ApplyError> {
        let existing = if edge.key.is_empty() {
            self.find_edge_by_ends(ends.0, &edge.r#type, ends.1)
        } else {
            self.find_edge_by_key(&edge.key)
        };
        let type_id = Arc::make_mut(&mut self.table.edge_types).acquire(&edge.r#type);
        if type_id as usize > MAX_EDGE_TYPES {
            return Err(ApplyError::Overflow { revision, what: "types of edges" });
        }
        let origin_id = Arc::make_mut(&mut self.table.origins).acquire(&edge.origin);
        let names = (type_id as u16, origin_id);
        if let Some(slot) = existing {
            let old = self.ends(slot);
            self.release_edge_names(slot);
            self.table.edges.put(slot, edge, ends, names, &mut self.scratch);
            if old != ends {
                self.links.part(slot, old);
                self.links.join(slot, ends);
            }
            return Ok(());
        }
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.next_slot += 1;
            self.next_slot - 1
        });
        self.table.edges.put(slot, edge, ends, names, &mut self.scratch);
        self.links.join(slot, ends);
        let (edges, hasher) = (&self.table.edges, &self.hasher);
        if edge.key.is_empty() {
            let triple = |slot: &u32| {
                let (source, target) = edges.ends(*slot);
                hasher.hash_one((source, edges.type_id(*slot), target))
            };
            self.edge_triples.insert_unique(triple(&slot), slot, triple);
        } else {
            let hash = hasher.hash_one(edge.key.as_str());
            self.edge_keys.insert_unique(hash, slot, |slot| hasher.hash_one(edges.key(*slot)));
        }
        self.table.edge_count += 1;
        Ok(())
    }

    fn remove_edge(&mut self, revision: i64, reference: &EdgeReference) -> Result<(), ApplyError> {
        let slot = if reference.key.is_empty() {
            self.find_node(&reference.source)
                .zip(self.find_node(&reference.target))
                .and_then(|(source, target)| self.find_edge_by_ends(source, &reference.r#type, target))
        } else {
            self.find_edge_by_key(&reference.key)
        };
        let Some(slot) = slot else {
            let key = if reference.key.is_empty() { &reference.source } else { &reference.key };
            return Err(ApplyError::Missing { revision, what: "edge", key: key.clone() });
        };
        self.links.part(slot, self.ends(slot));
        self.forget_edge(slot);
        Ok(())
    }

    /// Takes an edge out of everything but the lists at its ends.
    fn forget_edge(&mut self, slot: u32) {
        let edges = &self.table.edges;
        let key = edges.key(slot);
        let type_id = edges.type_id(slot);
        let found = if key.is_empty() {
            let (source, target) = edges.ends(slot);
            let hash = self.hasher.hash_one((source, type_id, target));
            self.edge_triples.find_entry(hash, |other| *other == slot)
        } else {
            self.edge_keys.find_entry(self.hasher.hash_one(key), |other| *other == slot)
        };
        if let Ok(found) = found {
            found.remove();
        }
        self.release_edge_names(slot);
        self.table.edges.remove(slot);
        self.free_slots.push(slot);
        self.table.edge_count -= 1;
    }

    fn release_edge_names(&mut self, slot: u32) {
        let (type_id, origin_id) = (self.edge_type_id(slot), self.edge_origin_id(slot));
        Arc::make_mut(&mut self.table.edge_types).release(type_id);
        Arc::make_mut(&mut self.table.origins).release(origin_id);
    }

    fn release_names(&mut self, ordinal: u32) {
        let Some(node) = self.table.node(ordinal) else { return };
        let (type_id, origin_id) = (node.type_id(), node.origin_id());
        let labels: Vec<u32> = node.label_ids().collect();
        Arc::make_mut(&mut self.table.node_types).release(type_id);
        Arc::make_mut(&mut self.table.origins).release(origin_id);
        let names = Arc::make_mut(&mut self.table.labels);
        for label in labels {
            names.release(label);
        }
    }
}
