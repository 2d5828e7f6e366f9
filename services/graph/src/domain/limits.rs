//! How large may a graph and its parts become?

use serde::{Deserialize, Serialize};

/// Limits of one graph. Reaching one is RESOURCE_EXHAUSTED, or INVALID_ARGUMENT where a single
/// element is too large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphLimits {
    /// Nodes of one graph.
    pub max_nodes: u64,
    /// Edges of one graph.
    pub max_edges: u64,
    /// Memory of one graph, in bytes.
    pub max_graph_bytes: u64,
    /// Encoded properties of one node or edge, in bytes. At most 524,288.
    pub max_property_bytes: usize,
    /// Objects and lists inside each other in properties. At most 64.
    pub max_property_depth: usize,
    /// Changes in one call of ApplyChanges.
    pub max_changes_per_batch: usize,
}

impl Default for GraphLimits {
    fn default() -> Self {
        Self {
            max_nodes: 5_000_000,
            max_edges: 20_000_000,
            max_graph_bytes: 2 << 30,
            max_property_bytes: 64 << 10,
            max_property_depth: 32,
            max_changes_per_batch: 10_000,
        }
    }
}
