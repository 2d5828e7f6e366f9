//! What can be computed of a whole graph, once: who is connected, who is central, who belongs together.
//!
//! # Promise
//! - **Exact or stated**: every function says which definition it computes, from which source, and what an
//!   approximation costs. Where LDBC Graphalytics defines an algorithm, its definition is kept.
//! - **Repeatable**: the same graph gives the same bits, whatever the number of threads and the order in
//!   which its edges were given.
//! - **Ends when asked**: whatever takes longer than a moment asks an [`Observer`] whether to go on.
//!
//! # Layout
//! ```text
//! network.rs       the graph, as rows in either direction
//! components.rs    weakly and strongly connected components
//! paths.rs         breadth-first search, shortest paths
//! pagerank.rs      PageRank, personalised too
//! centrality.rs    betweenness, closeness
//! cores.rs         core numbers
//! triangles.rs     triangles, clustering coefficients
//! labels.rs        label propagation
//! tally.rs         how much of each label there is around a node
//! communities/     Leiden and Louvain, of a graph as it is and of one that changes
//! precedence.rs    topological order, critical path
//! levels.rs        depth in a hierarchy that may have cycles
//! places.rs        nodes as points
//! k_means.rs       groups of points around centres
//! dbscan.rs        groups of points that lie densely
//! anomalies.rs     nodes with unusual surroundings
//! similarity/      pairs of nodes that are alike
//! ```

mod anomalies;
mod centrality;
mod communities;
mod components;
mod cores;
mod dbscan;
mod k_means;
mod labels;
mod levels;
mod network;
mod pagerank;
mod paths;
mod places;
mod precedence;
mod similarity;
mod tally;
mod triangles;

pub use anomalies::{Anomalies, anomalies};
pub use centrality::{Closeness, Sources, betweenness, closeness};
pub use communities::{
    Communities, CommunityParams, LiveCommunities, Method, changed_nodes, communities, modularity,
};
pub use components::{Components, strong_components, weak_components};
pub use cores::core_numbers;
pub use dbscan::{Dbscan, DbscanParams, dbscan};
pub use k_means::{KMeans, KMeansParams, k_means};
pub use labels::propagate_labels;
pub use levels::levels;
pub use network::{Along, Network};
pub use pagerank::{PageRank, PageRankParams, pagerank};
pub use paths::{UNREACHED, breadth_first, shortest_paths};
pub use places::Place;
pub use precedence::{Precedence, precedence};
pub use similarity::{Features, Pair, SimilarityParams, similar_neighbors, similar_texts};
pub(crate) use tally::Tally;
pub use triangles::{Triangles, triangles};

/// Who looks on while something is computed.
pub trait Observer: Sync {
    /// Told now and then how much is `done`, from 0 to 1, never less than before on one thread. Whatever
    /// it answers, the computation goes on when that is `true` and ends soon when it is `false`.
    fn progress(&self, done: f64) -> bool;
}

impl<F: Fn(f64) -> bool + Sync> Observer for F {
    fn progress(&self, done: f64) -> bool {
        self(done)
    }
}

/// An observer who lets everything run to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&self, _done: f64) -> bool {
        true
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// The [`Observer`] wanted no more.
    #[error("the analysis was cancelled")]
    Cancelled,
    /// A node that was named is not in the graph.
    #[error("node {id} is not in the graph")]
    UnknownNode {
        /// The id that was not found.
        id: u32,
    },
    /// A column does not have one value for each node.
    #[error("{given} values were given for {nodes} nodes")]
    Length {
        /// Values given.
        given: usize,
        /// Nodes of the graph.
        nodes: usize,
    },
    /// A parameter lies outside its documented range (or is not a number).
    #[error("parameter {field} is {value}, allowed is {min} to {max}")]
    Parameter {
        /// Name of the field.
        field: &'static str,
        /// What was given.
        value: f64,
        /// Smallest accepted value.
        min: f64,
        /// Largest accepted value.
        max: f64,
    },
    /// What needs a graph without cycles was asked of one that has some.
    #[error("the graph has a cycle of {} nodes", .cycle.len())]
    Cycle {
        /// External ids of the nodes of one cycle, in its order; each has an edge to the next, the last
        /// to the first.
        cycle: Vec<u32>,
    },
}

/// Refuses what is not a number from `min` to `max`.
fn check(field: &'static str, value: f64, min: f64, max: f64) -> Result<(), AnalysisError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(AnalysisError::Parameter { field, value, min, max })
    }
}

/// Goes on, or not.
fn ask(observer: &dyn Observer, done: f64) -> Result<(), AnalysisError> {
    if observer.progress(done.clamp(0.0, 1.0)) { Ok(()) } else { Err(AnalysisError::Cancelled) }
}
