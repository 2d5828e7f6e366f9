//! A workflow made ready to be run: settings compiled, edges resolved, bodies as scopes of their own.

use std::{collections::HashMap, sync::Arc};

use super::{
    cache::Cache,
    limit::Limit,
    retry::Retry,
    workflow::{ERROR, FINALLY},
};
use crate::kinds::{Behaviour, Kind, Shape};

/// A workflow that can be run.
pub(crate) struct Plan {
    /// The first is the run itself.
    pub(crate) scopes: Vec<Scope>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plan").field("scopes", &self.scopes.len()).finish_non_exhaustive()
    }
}

/// The nodes that are run together: a workflow's own, or those of a body.
#[derive(Default)]
pub(crate) struct Scope {
    pub(crate) nodes: Vec<Planned>,
    /// Places of nodes by key.
    pub(crate) places: HashMap<Arc<str>, u32>,
    /// Its `output` nodes.
    pub(crate) outputs: Vec<u32>,
}

/// A node that can be run.
pub(crate) struct Planned {
    pub(crate) key: Arc<str>,
    pub(crate) kind: &'static dyn Kind,
    pub(crate) behaviour: Box<dyn Behaviour>,
    pub(crate) shape: Shape,
    pub(crate) retry: Retry,
    /// How long an attempt may take.
    pub(crate) timeout: Option<std::time::Duration>,
    /// How many of its steps may act at once.
    pub(crate) limit: Option<Limit>,
    /// Whether its steps may have what others gave.
    pub(crate) cache: Option<Cache>,
    /// Edges that lead to it.
    pub(crate) incoming: u32,
    /// Where its values go: port, and place of the node.
    pub(crate) outgoing: Vec<(Arc<str>, u32)>,
    /// The scope of its body.
    pub(crate) body: Option<usize>,
}

impl Planned {
    /// Whether an edge leaves by that port.
    pub(crate) fn has_way(&self, port: &str) -> bool {
        self.outgoing.iter().any(|(name, _)| &**name == port)
    }

    /// Whether its failure goes somewhere.
    pub(crate) fn catches(&self) -> bool {
        self.has_way(ERROR)
    }

    /// Whether an edge that leaves by a port carries the value that was given at another.
    pub(crate) fn carries(&self, way: &str, given: &str) -> bool {
        way == given || (way == FINALLY && self.shape == Shape::Try)
    }
}

impl Plan {
    /// The places of the nodes of a scope that come after one of them, itself included.
    pub(crate) fn after(&self, scope: usize, node: u32) -> Vec<u32> {
        let nodes = &self.scopes[scope].nodes;
        let mut seen = vec![false; nodes.len()];
        let mut found = vec![node];
        seen[node as usize] = true;
        let mut at = 0;
        while let Some(node) = found.get(at) {
            at += 1;
            for (_, target) in &nodes[*node as usize].outgoing {
                if !std::mem::replace(&mut seen[*target as usize], true) {
                    found.push(*target);
                }
            }
        }
        found
    }
}
