//! What can be asked about a graph's structure? Each file answers one question. All answers are the
//! same in every process that has the graph at the same revision: where several are right, the one
//! with the smallest ordinals is given.

mod list;
mod neighborhood;
mod path;
mod related;
mod statistics;
mod walk;

pub use list::{EdgePage, NodePage, list_edges, list_nodes, parse_node_order};
pub use neighborhood::{MAX_EDGES, Neighborhood, neighborhood};
pub use path::{Path, shortest_path};
pub use related::{MAX_RELATED, Related, related};
pub use statistics::statistics;
pub use walk::{Budget, Steps};
