//! How are nodes kept? As columns in chunks by ordinal; a chunk that a snapshot holds is copied
//! before it changes.

use std::sync::Arc;

use prost::{
    Message,
    encoding::{decode_varint, encode_varint},
};
use weft_proto::weft::graph::v1::Node;

use super::{
    arena::Arena,
    grow::{push, reserve},
    names::{NO_NAME, Names},
};

/// Nodes in one chunk: small, so that a copy for a snapshot is cheap.
pub(super) const NODES_A_CHUNK: usize = 512;

/// Type, revision and text of up to [`NODES_A_CHUNK`] nodes.
#[derive(Clone, Default)]
pub(super) struct NodeChunk {
    types: Vec<u32>,
    revisions: Vec<i64>,
    /// Numbers of the sources that brought the nodes in; empty while none of the chunk has one.
    origins: Vec<u32>,
    /// Key, display name, label numbers and encoded properties of each node; empty: no node.
    texts: Arena,
    live: u32,
}

/// All nodes by ordinal. A chunk without nodes is not there.
#[derive(Clone, Default)]
pub(super) struct Nodes {
    chunks: Vec<Option<Arc<NodeChunk>>>,
}

/// The parts of one node, borrowed.
#[derive(Clone, Copy)]
pub(super) struct NodeParts<'a> {
    pub(super) type_id: u32,
    pub(super) revision: i64,
    pub(super) origin_id: u32,
    pub(super) key: &'a str,
    pub(super) display_name: &'a str,
    pub(super) label_count: usize,
    /// Label numbers as varints.
    pub(super) labels: &'a [u8],
    pub(super) properties: &'a [u8],
}

impl Nodes {
    /// One more than the largest ordinal that may be there.
    pub(super) fn bound(&self) -> u32 {
        (self.chunks.len() * NODES_A_CHUNK) as u32
    }

    /// Whether there is a node with this ordinal.
    pub(super) fn contains(&self, ordinal: u32) -> bool {
        !self.text(ordinal).is_empty()
    }

    /// Whether the chunk of this ordinal has any node; if not, skip to the next one.
    pub(super) fn chunk_is_empty(&self, ordinal: u32) -> bool {
        self.chunks.get(ordinal as usize / NODES_A_CHUNK).is_none_or(Option::is_none)
    }

    /// The key of a node; empty if there is none.
    pub(super) fn key(&self, ordinal: u32) -> &str {
        let mut text = self.text(ordinal);
        if text.is_empty() { "" } else { take_str(&mut text) }
    }

    /// The number of a node's type. Cheaper than all [`parts`](Self::parts).
    pub(super) fn parts(&self, ordinal: u32) -> Option<NodeParts<'_>> {
        let (chunk, slot) = self.place(ordinal)?;
        let mut text = chunk.texts.get(slot);
        if text.is_empty() {
            return None;
        }
        let key = take_str(&mut text);
        let display_name = take_str(&mut text);
        let label_count = take_varint(&mut text) as usize;
        let rest = text;
        for _ in 0..label_count {
            take_varint(&mut text);
        }
        let labels = &rest[..rest.len() - text.len()];
        Some(NodeParts {
            type_id: chunk.types[slot],
            revision: chunk.revisions[slot],
            origin_id: chunk.origins.get(slot).copied().unwrap_or(NO_NAME),
            key,
            display_name,
            label_count,
            labels,
            properties: text,
        })
    }

    /// Puts a node where its ordinal says. The pair are the numbers of its type and its origin.
    pub(super) fn put(
        &mut self,
        node: &Node,
        (type_id, origin_id): (u32, u32),
        labels: &mut Names,
        scratch: &mut Vec<u8>,
    ) {
        scratch.clear();
        encode_varint(node.key.len() as u64, scratch);
        scratch.extend_from_slice(node.key.as_bytes());
        encode_varint(node.display_name.len() as u64, scratch);
        scratch.extend_from_slice(node.display_name.as_bytes());
        encode_varint(node.labels.len() as u64, scratch);
        for label in &node.labels {
            encode_varint(u64::from(labels.acquire(label)), scratch);
        }
        if let Some(properties) = &node.properties {
            properties.encode(scratch).expect("a vector grows");
        }
        let (chunk, slot) = (node.ordinal as usize / NODES_A_CHUNK, node.ordinal as usize % NODES_A_CHUNK);
        if chunk >= self.chunks.len() {
            let missing = chunk + 1 - self.chunks.len();
            reserve(&mut self.chunks, missing);
            self.chunks.resize(chunk + 1, None);
        }
        let chunk = Arc::make_mut(self.chunks[chunk].get_or_insert_default());
        while chunk.types.len() <= slot {
            push(&mut chunk.types, 0);
            push(&mut chunk.revisions, 0);
        }
        if chunk.texts.get(slot).is_empty() {
            chunk.live += 1;
        }
        chunk.types[slot] = type_id;
        chunk.revisions[slot] = node.revision;
        put_sparse(&mut chunk.origins, slot, origin_id, NO_NAME);
        chunk.texts.put(slot, scratch);
    }

    /// Takes a node away. Returns whether its chunk is empty now.
    pub(super) fn remove(&mut self, ordinal: u32) -> bool {
        let (chunk, slot) = (ordinal as usize / NODES_A_CHUNK, ordinal as usize % NODES_A_CHUNK);
        let Some(place) = self.chunks.get_mut(chunk) else { return true };
        let Some(shared) = place.as_mut() else { return true };
        let chunk = Arc::make_mut(shared);
        if !chunk.texts.get(slot).is_empty() {
            chunk.texts.put(slot, &[]);
            chunk.live -= 1;
        }
        if chunk.live == 0 {
            *place = None;
        }
        place.is_none()
    }

    /// Heap bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter().flatten().map(|chunk| {
            size_of::<NodeChunk>()
                + 2 * size_of::<usize>()
                + chunk.types.capacity() * size_of::<u32>()
                + chunk.revisions.capacity() * size_of::<i64>()
                + chunk.origins.capacity() * size_of::<u32>()
                + chunk.texts.memory_bytes()
        });
        self.chunks.capacity() * size_of::<Option<Arc<NodeChunk>>>() + chunks.sum::<usize>()
    }

    fn place(&self, ordinal: u32) -> Option<(&NodeChunk, usize)> {
        let chunk = self.chunks.get(ordinal as usize / NODES_A_CHUNK)?.as_deref()?;
        Some((chunk, ordinal as usize % NODES_A_CHUNK))
    }

    fn text(&self, ordinal: u32) -> &[u8] {
        self.place(ordinal).map_or(&[], |(chunk, slot)| chunk.texts.get(slot))
    }
}

/// Puts a value into a column that is only as long as its last value that was not the usual one.
pub(super) fn put_sparse<T: Copy + PartialEq>(column: &mut Vec<T>, slot: usize, value: T, usual: T) {
    if value == usual && slot >= column.len() {
        return;
    }
    while column.len() <= slot {
        push(column, usual);
    }
    column[slot] = value;
}

/// Reads a number that [`Nodes::put`] wrote.
pub(super) fn take_varint(text: &mut &[u8]) -> u64 {
    decode_varint(text).expect("written by this module")
}

/// Reads a text that [`Nodes::put`] wrote, with its length before it.
pub(super) fn take_str<'a>(text: &mut &'a [u8]) -> &'a str {
    let length = take_varint(text) as usize;
    let (head, tail) = text.split_at(length);
    *text = tail;
    std::str::from_utf8(head).expect("written from a string")
}
