//! GetRunLimit: one limit, with how many run and wait.

use std::sync::Arc;

use weft_kit::Call;
use weft_proto::weft::execution::v1::{GetRunLimitRequest, RunLimit};

use crate::{
    Error,
    domain::{name, run_limit},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetRunLimitRequest>) -> Result<RunLimit, Error> {
    let full = call.message.name;
    let (project, id) = name::run_limit(&full);
    let (project, id) = (project.to_owned(), id.to_owned());
    let found = state.engines.of_project(&project).look_at_limits(move |limits, gate| {
        let limit = limits.get(&project, &id)?;
        Some(limit.shown(gate.counts(limit.row.uid)))
    });
    found.await?.ok_or(Error::RunLimitNotFound(full))
}

/// A limit as clients see it. What was written just now is told in any case: where another process counts by now, without
/// counts.
pub(super) async fn shown(state: &State, limit: Arc<run_limit::RunLimit>) -> Result<RunLimit, Error> {
    let engine = state.engines.of_project(&limit.row.project);
    let counted = Arc::clone(&limit);
    let seen = engine.look_at_limits(move |_, gate| counted.shown(gate.counts(counted.row.uid))).await;
    Ok(seen.unwrap_or_else(|_| limit.shown(Default::default())))
}
