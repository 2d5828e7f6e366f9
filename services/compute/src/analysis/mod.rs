//! Analyses: jobs that compute on a whole graph at one revision, and leave values for its nodes.
//!
//! ```text
//! analyses.rs   what they share: the store, the threads, who runs here
//! claim.rs      takes what waits, as long as there is room; forgets what is old
//! job.rs        one analysis from its claim to its end
//! control.rs    how far a job is, and whether it is to end
//! reading.rs    the graph, as columns, at one revision
//! words.rs      what nodes say, as words
//! compute.rs    from the contract's algorithm to a kernel and back
//! computed.rs   what kernels find
//! similarity.rs the same for pairs of nodes that are alike
//! memory.rs     what that will need, before it is begun
//! summary.rs    what is told of the values at a glance: top, groups, histogram
//! table.rs      the values: kept as objects, read in pages
//! writing.rs    the values as changes of the graph
//! changes.rs    what these are: properties of nodes, edges
//! message.rs    rows as clients see them
//! filter.rs     what a list can be filtered by
//! ```

pub(crate) mod analyses;
mod changes;
mod claim;
mod compute;
mod computed;
mod control;
pub(crate) mod filter;
mod job;
pub(crate) mod memory;
pub(crate) mod message;
mod reading;
mod similarity;
mod summary;
pub(crate) mod table;
mod words;
mod writing;

pub(crate) use analyses::Analyses;
pub(crate) use claim::start;
pub(crate) use compute::{check as check_algorithm, edge_type};
use weft_store::AnalysisRow;

/// Ends an analysis here whose end was asked for, if this process runs it; another one finds it in its row.
pub(crate) fn stop_cancelled(analyses: &Analyses, row: &AnalysisRow) {
    if row.cancel_asked {
        analyses.stop(row.uid, control::Stop::Cancelled);
    }
    analyses.changed.send_replace(());
}
