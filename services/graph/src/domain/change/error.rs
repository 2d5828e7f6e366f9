//! Why can a batch of changes not be applied?

/// A batch that is refused as a whole, and where it is wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field}: {fault}")]
pub struct PlanError {
    /// Path of the field in the request, for example `changes[3].upsert_edge.edge.target`.
    pub field: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    /// The value is not one that it can have.
    #[error("{0}")]
    Invalid(String),
    /// A node that is to be deleted is not there.
    #[error("there is no node {0:?}")]
    NodeNotFound(String),
    /// An edge that is to be deleted is not there.
    #[error("there is no such edge")]
    EdgeNotFound,
    /// An edge comes from or goes to a node that is not there.
    #[error("there is no node {0:?}; set create_missing_nodes to make it")]
    EndNotFound(String),
    /// A limit would be passed.
    #[error("{what} would become {would_be}, the limit is {limit}")]
    Limit {
        /// What is limited, as a name: `nodes`, `edges`, `graph_bytes`.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// What it would have become.
        would_be: u64,
    },
}

impl PlanError {
    pub(super) fn new(field: impl Into<String>, fault: Fault) -> Self {
        Self { field: field.into(), fault }
    }

    pub(super) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(field, Fault::Invalid(reason.into()))
    }
}
