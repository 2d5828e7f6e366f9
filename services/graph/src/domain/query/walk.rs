//! Which edges may a walk follow, and how much may an answer hold?

use weft_proto::weft::graph::v1::Direction;

use crate::domain::memory::Memory;

/// The steps from node to node that a question allows.
pub struct Steps<'a> {
    memory: &'a Memory,
    outgoing: bool,
    incoming: bool,
    /// Numbers of the edge types to follow; all when `None`.
    types: Option<Vec<u32>>,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The node it leads to.
    pub to: u32,
    /// The edge.
    pub slot: u32,
}

impl<'a> Steps<'a> {
    /// Steps along edges of some types (all when empty), one way or either.
    pub fn new(memory: &'a Memory, direction: Direction, edge_types: &[String]) -> Self {
        let types = (!edge_types.is_empty())
            .then(|| edge_types.iter().filter_map(|name| memory.table().edge_types().find(name)).collect());
        Self { memory, outgoing: direction != Direction::In, incoming: direction != Direction::Out, types }
    }

    /// The same steps, walked backwards.
    pub fn reversed(&self) -> Self {
        Self {
            memory: self.memory,
            outgoing: self.incoming,
            incoming: self.outgoing,
            types: self.types.clone(),
        }
    }

    /// The graph.
    pub fn memory(&self) -> &'a Memory {
        self.memory
    }

    /// The steps from a node, in no particular order; a loop once.
    pub fn from(&self, ordinal: u32) -> impl Iterator<Item = Step> + '_ {
        let memory = self.memory;
        let outgoing = if self.outgoing { memory.outgoing(ordinal) } else { &[] };
        let incoming = if self.incoming { memory.incoming(ordinal) } else { &[] };
        let out = outgoing.iter().map(|slot| Step { to: memory.ends(*slot).1, slot: *slot });
        let inc = incoming.iter().map(|slot| Step { to: memory.ends(*slot).0, slot: *slot });
        let both = self.outgoing;
        let inc = inc.filter(move |step| !(both && step.to == ordinal));
        out.chain(inc).filter(|step| self.follows(step.slot))
    }

    /// Whether an edge is of a type to follow.
    pub fn follows(&self, slot: u32) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&self.memory.edge_type_id(slot)))
    }
}

/// How many bytes an answer may still grow: no message of the mesh is larger than 4 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(3 << 20)
    }
}

impl Budget {
    /// Takes the bytes of one more element; `false` if they are not left. The first element of an
    /// answer fits always, as its size is limited when it is written.
    pub fn take(&mut self, bytes: usize) -> bool {
        // What the encoding adds to an element in a list.
        let Some(left) = self.0.checked_sub(bytes + 8) else { return false };
        self.0 = left;
        true
    }
}
