//! What kernels find, and the words that they share with the contract.

use weft_kernels::analytics::{Along, AnalysisError};
use weft_proto::weft::compute::v1::EdgeDirection;

use crate::Error;

/// What a kernel has found.
#[derive(Debug, Default)]
pub(super) struct Computed {
    /// Slots that have values, ascending; all where absent. Where rows are pairs, the first slot of each.
    pub(super) slots: Option<Vec<usize>>,
    /// Names and values, one for each of these slots. Finite.
    pub(super) columns: Vec<(&'static str, Vec<f64>)>,
    /// Whether the first column is the name of a group.
    pub(super) grouped: bool,
    /// About the whole graph.
    pub(super) numbers: Vec<(&'static str, f64)>,
    /// The slot of the second node of each row, where rows are pairs.
    pub(super) others: Option<Vec<usize>>,
}

/// A direction as kernels call it.
pub(super) fn along(direction: EdgeDirection, default: Along) -> Along {
    match direction {
        EdgeDirection::Unspecified => default,
        EdgeDirection::Out => Along::Out,
        EdgeDirection::In => Along::Into,
        EdgeDirection::Both => Along::Both,
    }
}

/// What a kernel refuses although the contract let it in.
pub(super) fn failed(error: AnalysisError) -> Error {
    match error {
        AnalysisError::Cancelled => Error::Cancelled,
        error => Error::bad_field("analysis.algorithm", error.to_string()),
    }
}
