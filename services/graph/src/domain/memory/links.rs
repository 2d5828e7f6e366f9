//! Which edges begin and end at a node?

use smallvec::SmallVec;

use super::{grow::reserve, nodes::NODES_A_CHUNK};

/// Edge slots; up to four need no heap block.
type List = SmallVec<[u32; 4]>;

#[derive(Clone, Default)]
struct Ends {
    outgoing: List,
    incoming: List,
}

/// For each node the slots of its edges, unordered, in chunks by ordinal.
#[derive(Clone, Default)]
pub(super) struct Links {
    chunks: Vec<Vec<Ends>>,
}

impl Links {
    /// Slots of the edges that come from a node.
    pub(super) fn outgoing(&self, ordinal: u32) -> &[u32] {
        self.ends(ordinal).map_or(&[], |ends| &ends.outgoing)
    }

    /// Slots of the edges that go to a node.
    pub(super) fn incoming(&self, ordinal: u32) -> &[u32] {
        self.ends(ordinal).map_or(&[], |ends| &ends.incoming)
    }

    /// Notes an edge at both its ends.
    pub(super) fn join(&mut self, slot: u32, (source, target): (u32, u32)) {
        push(&mut self.ends_mut(source).outgoing, slot);
        push(&mut self.ends_mut(target).incoming, slot);
    }

    /// Forgets an edge at both its ends.
    pub(super) fn part(&mut self, slot: u32, (source, target): (u32, u32)) {
        remove(&mut self.ends_mut(source).outgoing, slot);
        remove(&mut self.ends_mut(target).incoming, slot);
    }

    /// Takes all edges of a node away from it; their other ends still know them.
    pub(super) fn take(&mut self, ordinal: u32) -> (List, List) {
        let ends = std::mem::take(self.ends_mut(ordinal));
        (ends.outgoing, ends.incoming)
    }

    /// Forgets an edge at the end that it comes from.
    pub(super) fn part_source(&mut self, slot: u32, source: u32) {
        remove(&mut self.ends_mut(source).outgoing, slot);
    }

    /// Forgets an edge at the end that it goes to.
    pub(super) fn part_target(&mut self, slot: u32, target: u32) {
        remove(&mut self.ends_mut(target).incoming, slot);
    }

    /// Frees the chunk of a node none of whose fellows is there any more.
    pub(super) fn free_chunk(&mut self, ordinal: u32) {
        if let Some(chunk) = self.chunks.get_mut(ordinal as usize / NODES_A_CHUNK) {
            *chunk = Vec::new();
        }
    }

    /// Heap bytes. Walks all lists.
    pub(super) fn memory_bytes(&self) -> usize {
        let lists = self.chunks.iter().flatten().flat_map(|ends| [&ends.outgoing, &ends.incoming]);
        let heap: usize =
            lists.filter(|list| list.spilled()).map(|list| list.capacity() * size_of::<u32>()).sum();
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Ends>()).sum();
        self.chunks.capacity() * size_of::<Vec<Ends>>() + chunks + heap
    }

    fn ends(&self, ordinal: u32) -> Option<&Ends> {
        self.chunks.get(ordinal as usize / NODES_A_CHUNK)?.get(ordinal as usize % NODES_A_CHUNK)
    }

    fn ends_mut(&mut self, ordinal: u32) -> &mut Ends {
        let (chunk, place) = (ordinal as usize / NODES_A_CHUNK, ordinal as usize % NODES_A_CHUNK);
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, Vec::new);
        }
        let chunk = &mut self.chunks[chunk];
        if place >= chunk.len() {
            let missing = place + 1 - chunk.len();
            reserve(chunk, missing);
            chunk.resize_with(place + 1, Ends::default);
        }
        &mut chunk[place]
    }
}

fn push(list: &mut List, slot: u32) {
    if list.len() == list.capacity() && list.len() >= 8 {
        list.reserve_exact(list.len() / 4);
    }
    list.push(slot);
}

fn remove(list: &mut List, slot: u32) {
    if let Some(place) = list.iter().position(|other| *other == slot) {
        list.swap_remove(place);
    }
}
