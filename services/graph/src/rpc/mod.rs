//! One file for each RPC: read the request, ask or write, answer.

use std::pin::Pin;

use futures::Stream;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;
use uuid::Uuid;
use weft_kit::{Caller, paging::List};
use weft_store::{Once, StoreError};

use crate::{Error, domain::page::Cursor};

pub(crate) mod apply_changes;
pub(crate) mod create_graph;
pub(crate) mod delete_graph;
pub(crate) mod export_graph;
pub(crate) mod find_shortest_path;
pub(crate) mod get_graph;
pub(crate) mod get_neighborhood;
pub(crate) mod get_node;
pub(crate) mod get_statistics;
pub(crate) mod import_graph;
pub(crate) mod list_edges;
pub(crate) mod list_graphs;
pub(crate) mod list_nodes;
pub(crate) mod list_related_nodes;
pub(crate) mod search_nodes;
pub(crate) mod source;
pub(crate) mod stream_snapshot;
pub(crate) mod update_graph;
pub(crate) mod watch_graph;

/// A server stream.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Which request this is, of those that carry a request id.
fn once(caller: &Caller, method: &str, request_id: &str, fingerprint: [u8; 32]) -> Option<Once> {
    let request_id = Uuid::parse_str(request_id).ok()?;
    Some(Once { scope: format!("{}/{method}", caller.name), request_id, fingerprint })
}

/// Digest of a request in which no map has more than one entry: maps have no order.
fn fingerprint(request: &impl Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

/// Where the list goes on after its last element, as a page token; empty on the last page.
fn next_page_token(list: List, next: Option<&Cursor>) -> String {
    next.map_or_else(String::new, |cursor| list.token(cursor.as_str()))
}

/// The cursor in a page token.
fn cursor(list: List, token: &str) -> Result<String, Error> {
    list.cursor(token).map_err(|problem| Status::from(problem).into())
}

/// A page token whose cursor is none.
fn bad_page_token(error: crate::domain::page::CursorError) -> Error {
    Error::field("page_token", error)
}

/// A store's error about a request that may be a repeat.
fn reused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { .. } => Error::RequestIdReused,
        error => error.into(),
    }
}

/// A key that names no node.
fn node_not_found(field: impl Into<String>, key: &str) -> Error {
    Error::NodeNotFound { field: field.into(), key: key.to_owned() }
}
