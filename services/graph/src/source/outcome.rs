//! What a refresh does to the graph, and how it ended.

use prost::Message;
use tonic::Status;
use weft_proto::{
    google::rpc,
    weft::graph::v1::{ImportResult, Refresh},
};
use weft_store::RefreshState;

use super::{Names, Sources};
use crate::{
    Error,
    domain::change::{Plan, plan_import},
    intake::Found,
    live::{Content, Expectation, Write},
};

/// Writes what was found as one revision, or none if nothing has changed.
pub(super) async fn write(
    sources: &Sources,
    names: &Names,
    actor: &str,
    found: Found,
) -> Result<ImportResult, Error> {
    let graphs = &sources.graph.graphs;
    let live = graphs.get(&names.graph).await?;
    let Found { limits, import, warnings } = found;
    let size = import.size();
    let mut import = Some(import);
    let write = Write {
        expected: Expectation::Newest,
        once: None,
        actor: actor.to_owned(),
        size,
        plan: move |content: &Content| {
            let import = import.take().ok_or(Error::RevisionMismatch { current: content.revision() })?;
            Ok(plan_import(&content.memory, import, &limits, content.graph_bytes())?)
        },
        answer: move |plan: &Plan| warnings.result(plan),
        skip_empty: true,
        validate_only: false,
    };
    graphs.write(&live, write).await
}

/// How a refresh ended, and what is kept of that.
pub(super) fn outcome(result: Result<ImportResult, Error>) -> (RefreshState, Refresh) {
    let error = match result {
        Ok(result) => {
            let report = Refresh { result: Some(result), ..Refresh::default() };
            return (RefreshState::Succeeded, report);
        }
        Err(error) => error,
    };
    match error {
        Error::Cancelled => return (RefreshState::Cancelled, Refresh::default()),
        Error::Draining => return (RefreshState::Interrupted, Refresh::default()),
        _ => {}
    }
    let status = Status::from(error);
    let error = rpc::Status::decode(status.details()).unwrap_or_else(|_| rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    });
    (RefreshState::Failed, Refresh { error: Some(error), ..Refresh::default() })
}
