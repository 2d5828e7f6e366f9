//! How does a graph's row become its message, and the other way round?

use weft_proto::weft::graph::v1::Graph;
use weft_store::{GraphRow, Timestamp};

use crate::domain::change::BatchHeader;

/// The resource name of a graph.
pub(crate) fn graph_name(project: &str, id: &str) -> String {
    format!("projects/{project}/graphs/{id}")
}

/// The etag of a version of a graph's own fields.
pub(crate) fn etag(version: i64) -> String {
    format!("v{version}")
}

/// The version behind an etag; `None` if it is not one that this service gave.
pub(crate) fn version_of_etag(etag: &str) -> Option<i64> {
    etag.strip_prefix('v')?.parse().ok()
}

/// A graph as its readers see it.
pub(crate) fn graph_message(row: &GraphRow) -> Graph {
    Graph {
        name: graph_name(&row.project, &row.id),
        uid: row.uid.to_string(),
        display_name: row.display_name.clone(),
        description: row.description.clone(),
        kind: row.kind,
        labels: row.labels.clone().into_iter().collect(),
        revision: row.revision,
        node_count: row.node_count,
        edge_count: row.edge_count,
        create_time: Some(row.created.into()),
        update_time: Some(row.updated.into()),
        etag: etag(row.version),
    }
}

/// What the parts of a revision that is made now say.
pub(crate) fn new_batch_header(
    revision: i64,
    at: Timestamp,
    actor: &str,
    graph: Option<Graph>,
) -> BatchHeader {
    BatchHeader { revision, commit_time: Some(at.into()), actor: actor.to_owned(), graph }
}
