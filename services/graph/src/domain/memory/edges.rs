//! How are edges kept? As columns in chunks by slot; what most edges lack (weight, key,
//! properties) costs nothing where a chunk has none.

use std::sync::Arc;

use prost::{Message, encoding::encode_varint};
use weft_proto::weft::graph::v1::Edge;

use super::{
    arena::Arena,
    grow::{push, reserve},
    names::NO_NAME,
    nodes::{put_sparse, take_str},
};

/// Edges in one chunk.
pub(super) const EDGES_A_CHUNK: usize = 2048;

/// In the source column: no edge in this slot. So this is no node's ordinal.
const NO_EDGE: u32 = u32::MAX;

/// Columns of up to [`EDGES_A_CHUNK`] edges.
#[derive(Clone, Default)]
pub(super) struct EdgeChunk {
    sources: Vec<u32>,
    targets: Vec<u32>,
    types: Vec<u16>,
    revisions: Vec<i64>,
    /// Numbers of the sources that brought the edges in; empty while none of the chunk has one.
    origins: Vec<u32>,
    /// Empty while every weight is 1.
    weights: Vec<f64>,
    /// Key and encoded properties; not there while no edge has either.
    texts: Option<Box<Arena>>,
    live: u32,
}

/// All edges by slot. Slots are this process's own affair and are used again.
#[derive(Clone, Default)]
pub(super) struct Edges {
    chunks: Vec<Option<Arc<EdgeChunk>>>,
}

/// The parts of one edge, borrowed.
#[derive(Clone, Copy)]
pub struct EdgeParts<'a> {
    /// Ordinal of the node it comes from.
    pub source: u32,
    /// Ordinal of the node it goes to.
    pub target: u32,
    /// Number of its type.
    pub type_id: u32,
    /// The revision that last changed it.
    pub revision: i64,
    /// Number of the source that brought it in.
    pub origin_id: u32,
    /// Its weight.
    pub weight: f64,
    /// Its key, often empty.
    pub key: &'a str,
    /// Its properties, an encoded `google.protobuf.Struct`.
    pub properties: &'a [u8],
}

impl Edges {
    /// One more than the largest slot that may be in use.
    pub(super) fn bound(&self) -> u32 {
        (self.chunks.len() * EDGES_A_CHUNK) as u32
    }

    /// The ends of the edge in a slot that is in use.
    pub(super) fn ends(&self, slot: u32) -> (u32, u32) {
        let (chunk, slot) = self.place(slot).expect("the slot is in use");
        (chunk.sources[slot], chunk.targets[slot])
    }

    /// The number of the type of the edge in a slot that is in use.
    pub(super) fn type_id(&self, slot: u32) -> u32 {
        let (chunk, slot) = self.place(slot).expect("the slot is in use");
        u32::from(chunk.types[slot])
    }

    /// The number of the source that brought in the edge in a slot that is in use.
    pub(super) fn origin_id(&self, slot: u32) -> u32 {
        let (chunk, slot) = self.place(slot).expect("the slot is in use");
        chunk.origins.get(slot).copied().unwrap_or(NO_NAME)
    }

    /// The weight of the edge in a slot that is in use.
    pub(super) fn weight(&self, slot: u32) -> f64 {
        let (chunk, slot) = self.place(slot).expect("the slot is in use");
        chunk.weights.get(slot).copied().unwrap_or(1.0)
    }

    /// The key of the edge in a slot that is in use.
    pub(super) fn key(&self, slot: u32) -> &str {
        let (chunk, slot) = self.place(slot).expect("the slot is in use");
        let mut text = chunk.texts.as_ref().map_or(&[][..], |texts| texts.get(slot));
        if text.is_empty() { "" } else { take_str(&mut text) }
    }

    /// The edge in a slot, if there is one.
    pub(super) fn parts(&self, slot: u32) -> Option<EdgeParts<'_>> {
        let (chunk, slot) = self.place(slot)?;
        if chunk.sources.get(slot).is_none_or(|source| *source == NO_EDGE) {
            return None;
        }
        let mut text = chunk.texts.as_ref().map_or(&[][..], |texts| texts.get(slot));
        let key = if text.is_empty() { "" } else { take_str(&mut text) };
        Some(EdgeParts {
            source: chunk.sources[slot],
            target: chunk.targets[slot],
            type_id: u32::from(chunk.types[slot]),
            revision: chunk.revisions[slot],
            origin_id: chunk.origins.get(slot).copied().unwrap_or(NO_NAME),
            weight: chunk.weights.get(slot).copied().unwrap_or(1.0),
            key,
            properties: text,
        })
    }

    /// Puts an edge into a slot. The last pair are the numbers of its type and its origin.
    pub(super) fn put(
        &mut self,
        slot: u32,
        edge: &Edge,
        ends: (u32, u32),
        (type_id, origin_id): (u16, u32),
        scratch: &mut Vec<u8>,
    ) {
        let (chunk, slot) = (slot as usize / EDGES_A_CHUNK, slot as usize % EDGES_A_CHUNK);
        if chunk >= self.chunks.len() {
            let missing = chunk + 1 - self.chunks.len();
            reserve(&mut self.chunks, missing);
            self.chunks.resize(chunk + 1, None);
        }
        let chunk = Arc::make_mut(self.chunks[chunk].get_or_insert_default());
        while chunk.sources.len() <= slot {
            push(&mut chunk.sources, NO_EDGE);
            push(&mut chunk.targets, 0);
            push(&mut chunk.types, 0);
            push(&mut chunk.revisions, 0);
        }
        if chunk.sources[slot] == NO_EDGE {
            chunk.live += 1;
        }
        (chunk.sources[slot], chunk.targets[slot]) = ends;
        chunk.types[slot] = type_id;
        chunk.revisions[slot] = edge.revision;
        put_sparse(&mut chunk.origins, slot, origin_id, NO_NAME);
        put_sparse(&mut chunk.weights, slot, edge.weight.unwrap_or(1.0), 1.0);
        chunk.set_text(slot, edge, scratch);
    }

    /// Takes the edge in a slot away.
    pub(super) fn remove(&mut self, slot: u32) {
        let (chunk, slot) = (slot as usize / EDGES_A_CHUNK, slot as usize % EDGES_A_CHUNK);
        let place = &mut self.chunks[chunk];
        let Some(shared) = place.as_mut() else { return };
        let chunk = Arc::make_mut(shared);
        chunk.sources[slot] = NO_EDGE;
        if let Some(texts) = &mut chunk.texts {
            texts.put(slot, &[]);
        }
        chunk.live -= 1;
        if chunk.live == 0 {
            *place = None;
        }
    }

    /// Heap bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.iter().flatten().map(|chunk| {
            size_of::<EdgeChunk>()
                + 2 * size_of::<usize>()
                + (chunk.sources.capacity() + chunk.targets.capacity()) * size_of::<u32>()
                + chunk.types.capacity() * size_of::<u16>()
                + chunk.revisions.capacity() * size_of::<i64>()
                + chunk.origins.capacity() * size_of::<u32>()
                + chunk.weights.capacity() * size_of::<f64>()
                + chunk.texts.as_ref().map_or(0, |texts| size_of::<Arena>() + texts.memory_bytes())
        });
        self.chunks.capacity() * size_of::<Option<Arc<EdgeChunk>>>() + chunks.sum::<usize>()
    }

    fn place(&self, slot: u32) -> Option<(&EdgeChunk, usize)> {
        let chunk = self.chunks.get(slot as usize / EDGES_A_CHUNK)?.as_deref()?;
        Some((chunk, slot as usize % EDGES_A_CHUNK))
    }
}

impl EdgeChunk {
    fn set_text(&mut self, slot: usize, edge: &Edge, scratch: &mut Vec<u8>) {
        scratch.clear();
        let properties = edge.properties.as_ref().filter(|properties| properties.encoded_len() > 0);
        if !edge.key.is_empty() || properties.is_some() {
            encode_varint(edge.key.len() as u64, scratch);
            scratch.extend_from_slice(edge.key.as_bytes());
            if let Some(properties) = properties {
                properties.encode(scratch).expect("a vector grows");
            }
        }
        match &mut self.texts {
            Some(texts) => texts.put(slot, scratch),
            None if scratch.is_empty() => {}
            none => none.insert(Box::default()).put(slot, scratch),
        }
    }
}
