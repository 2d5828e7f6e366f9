//! CreateExecution: on disk before the answer; with a wait, the answer comes when the run has ended, if that is soon.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tokio::{sync::oneshot, time::Instant};
use weft_kit::{Call, Caller, CallerKind, json, span};
use weft_proto::weft::execution::v1::{CreateExecutionRequest, Execution};
use weft_store::{ExecutionRow, NewExecution, Timestamp};

use super::find;
use crate::{
    Error,
    domain::{
        message::{self, Head},
        name,
    },
    engine::Creation,
    kinds,
    state::State,
};

/// Largest input, in bytes.
const LARGEST_INPUT: usize = 1 << 20;
/// Longest wait for the end.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

pub(crate) async fn handle(state: &State, call: Call<CreateExecutionRequest>) -> Result<Execution, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let wait = request.wait_duration.take();
    let once = (!request_id.is_empty()).then(|| {
        let named = format!("{}\n{}\n{}", request.parent, caller.name, request_id.to_lowercase());
        (Bytes::from(named), <[u8; 32]>::from(Sha256::digest(request.encode_to_vec())))
    });
    let wait = match wait.as_ref().map(span::to_std) {
        None => None,
        Some(Some(wait)) if wait <= LONGEST_WAIT => Some(wait),
        Some(_) => return Err(Error::field("wait_duration", "must be from 0 to ten minutes")),
    };
    let until = wait.map(|wait| Instant::now() + wait);
    let shard = state.engines.shard_of(name::project(&request.parent));
    let (ended, end) = oneshot::channel();
    let (starter, depth) = starter(&caller, &mut request)?;
    let planned = plan(state, (&starter, depth), request, once.clone()).await;
    let row = match planned {
        Ok(creation) => {
            let creation = Creation { ended: wait.map(|_| ended), ..creation };
            state.engines.of_project(&creation.execution.project).create(creation).await?
        }
        // A repeat does not fail because the first one has changed the world.
        Err(error) => repeated(state, shard, once.as_ref()).await?.ok_or(error)?,
    };
    match until {
        None => {
            let mut execution = message::of_row(&row);
            find::waits(state, &mut [(row.execution.id, &mut execution)]).await;
            Ok(execution)
        }
        Some(until) => wait_for(state, &row, end, until).await,
    }
}

async fn repeated(
    state: &State,
    shard: i32,
    once: Option<&(Bytes, [u8; 32])>,
) -> Result<Option<ExecutionRow>, Error> {
    let Some((request, print)) = once else { return Ok(None) };
    let found = state.store.find_executions(shard, &[], std::slice::from_ref(request)).await?;
    match found.into_iter().next() {
        Some(row) if row.execution.request.as_ref().is_some_and(|(_, known)| known == print) => Ok(Some(row)),
        Some(_) => Err(Error::RequestIdReused),
        None => Ok(None),
    }
}

async fn wait_for(
    state: &State,
    row: &ExecutionRow,
    end: oneshot::Receiver<Execution>,
    until: Instant,
) -> Result<Execution, Error> {
    if let Ok(Ok(execution)) = tokio::time::timeout_at(until, end).await {
        return Ok(execution);
    }
    // It waits for something, or is a repeat: news of it wake this.
    let mut news = state.engines.of_execution(row.execution.id).watch(row.execution.id);
    loop {
        news.mark_unchanged();
        let mut seen = find::see(state, row, message::of_run).await?;
        find::waits(state, &mut [(row.execution.id, &mut seen)]).await;
        if seen.end_time.is_some() || Instant::now() >= until {
            return Ok(seen);
        }
        tokio::select! {
            _ = news.changed() => {}
            () = tokio::time::sleep_until(until) => {}
            () = state.engines.of_execution(row.execution.id).gone() => return Ok(seen),
            () = state.lifecycle.draining() => return Ok(seen),
        }
    }
}

/// Whose rights a run has: the caller's, or of whom a process of the mesh says; and how many runs led to it.
fn starter(caller: &Caller, request: &mut CreateExecutionRequest) -> Result<(Caller, i32), Error> {
    let Some(behalf) = request.on_behalf.take() else { return Ok((caller.clone(), 0)) };
    if caller.kind != CallerKind::Mesh {
        return Err(Error::field("on_behalf", "is for processes of the mesh"));
    }
    let project = name::project(&request.parent);
    Ok((kinds::caller(&behalf.creator, project, behalf.role(), &behalf.scopes), behalf.depth))
}

async fn plan(
    state: &State,
    (caller, depth): (&Caller, i32),
    request: CreateExecutionRequest,
    once: Option<(Bytes, [u8; 32])>,
) -> Result<Creation, Error> {
    let CreateExecutionRequest { parent, execution_id, execution, .. } = request;
    let project = name::project(&parent).to_owned();
    let execution = execution.unwrap_or_default();
    if name::looks_made_up(&execution_id) {
        return Err(Error::field("execution_id", "looks like one that the server makes up"));
    }
    let graph = match name::graph(&execution.graph) {
        Some((of, graph)) if of == project => graph.to_owned(),
        _ => return Err(Error::field("execution.graph", "must be of the same project")),
    };
    if execution.input.as_ref().is_some_and(|input| input.encoded_len() > LARGEST_INPUT) {
        return Err(Error::field("execution.input", format!("has more than {LARGEST_INPUT} bytes")));
    }
    let input =
        execution.input.as_ref().map_or_else(|| Json::Object(serde_json::Map::new()), json::of_struct);
    if json::is_too_deep(&input) {
        return Err(Error::field("execution.input", "is nested too deep"));
    }
    let timeout = match execution.timeout.as_ref().map(span::to_std) {
        None => None,
        Some(Some(timeout)) if !timeout.is_zero() => Some(timeout.as_micros() as i64),
        Some(_) => return Err(Error::field("execution.timeout", "must be more than nothing")),
    };
    let ready = state.definitions.newest(&execution.graph).await?;
    if execution.graph_revision > 0 && execution.graph_revision != ready.revision {
        return Err(Error::RevisionMismatch { graph: execution.graph, newest: ready.revision });
    }
    ready.check(&input)?;
    let head = Head {
        display_name: execution.display_name,
        creator: caller.name.to_string(),
        role: caller.role_in(&project).into(),
        scopes: caller.scopes.to_vec(),
        timeout,
        pause_on_failure: execution.pause_on_failure,
        definition: ready.number,
        depth,
        priority: execution.priority,
    };
    let execution = NewExecution {
        id: 0,
        project,
        name: Some(execution_id).filter(|id| !id.is_empty()),
        uid: state.ids.uuid(),
        graph,
        revision: ready.revision,
        definition: ready.number,
        head: head.encode_to_vec().into(),
        request: once,
        at: Timestamp::from(state.clock.now()),
    };
    Ok(Creation { execution, plan: Arc::clone(&ready.plan), input: Arc::new(input), ended: None })
}
