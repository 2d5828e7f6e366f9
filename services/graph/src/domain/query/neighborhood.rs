//! What is within k steps of some nodes?

use std::collections::HashMap;

use prost::Message;
use weft_proto::weft::graph::v1::{Edge, Node};

use super::{Budget, Steps};

/// Most edges in an answer.
pub const MAX_EDGES: usize = 20_000;

/// The nodes around some nodes, and the edges between them.
#[derive(Debug, Default)]
pub struct Neighborhood {
    /// Nodes and how many steps away they are: nearest first, then by ordinal.
    pub nodes: Vec<(Node, u32)>,
    /// The edges between the nodes.
    pub edges: Vec<Edge>,
    /// More was there than is returned.
    pub truncated: bool,
}

/// Walks breadth first from `starts`, at most `depth` steps and `max_nodes` nodes far.
pub fn neighborhood(steps: &Steps<'_>, starts: &[u32], depth: u32, max_nodes: usize) -> Neighborhood {
    let memory = steps.memory();
    let table = memory.table();
    let mut answer = Neighborhood::default();
    let mut budget = Budget::default();
    let mut distances: HashMap<u32, u32> = HashMap::new();
    let mut level: Vec<u32> = starts.to_vec();
    level.sort_unstable();
    level.dedup();
    for distance in 0..=depth {
        let mut kept = Vec::with_capacity(level.len());
        for ordinal in level {
            let Some(node) = table.node(ordinal).map(crate::domain::memory::NodeRef::to_message) else {
                continue;
            };
            if answer.nodes.len() == max_nodes || !budget.take(node.encoded_len() + 2) {
                answer.truncated = true;
                break;
            }
            distances.insert(ordinal, distance);
            answer.nodes.push((node, distance));
            kept.push(ordinal);
        }
        if answer.truncated || distance == depth {
            break;
        }
        level = kept.iter().flat_map(|ordinal| steps.from(*ordinal)).map(|step| step.to).collect();
        level.retain(|ordinal| !distances.contains_key(ordinal));
        level.sort_unstable();
        level.dedup();
    }
    let mut included: Vec<u32> = distances.keys().copied().collect();
    included.sort_unstable();
    for ordinal in included {
        let mut slots: Vec<u32> = memory.outgoing(ordinal).to_vec();
        slots.retain(|slot| distances.contains_key(&memory.ends(*slot).1) && steps.follows(*slot));
        slots.sort_unstable_by(|a, b| memory.edge_order(*a).cmp(&memory.edge_order(*b)));
        for edge in slots.into_iter().filter_map(|slot| table.edge(slot)) {
            let edge = table.edge_message(edge);
            if answer.edges.len() == MAX_EDGES || !budget.take(edge.encoded_len()) {
                answer.truncated = true;
                return answer;
            }
            answer.edges.push(edge);
        }
    }
    answer
}
