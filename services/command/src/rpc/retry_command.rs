//! RetryCommand: the targets that failed or were cancelled, once more, as a command of its own.

use prost::Message;
use weft_jobs::{BatchView, Submission};
use weft_kit::Call;
use weft_proto::weft::command::v1::{Command, RetryCommandRequest};
use weft_store::StoreError;

use super::{
    accept::{self, Request, accept},
    create_command::{AGENTS_SHOWN, arguments_of},
    find,
};
use crate::{
    Error,
    domain::{
        approval, name,
        payload::{self, Payload},
        terms,
    },
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<RetryCommandRequest>) -> Result<Command, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let project = name::command(&request.name).map_or("", |(project, _)| project);
    let digested = [b"RetryCommand\n", &request.encode_to_vec()[..]].concat();
    let once = accept::request(state, project, &caller.name, &request_id, &digested);
    let planned = plan(state, &caller.name, request, once.clone()).await;
    accept(state, once.as_ref(), planned).await
}

async fn plan(
    state: &State,
    caller: &str,
    request: RetryCommandRequest,
    once: Option<Request>,
) -> Result<Submission, Error> {
    let RetryCommandRequest { name: full, command_id, .. } = request;
    let new_name = accept::chosen(command_id)?;
    let batch = find::batch(state, &full).await?;
    if batch.ended.is_none() {
        return Err(Error::CommandNotEnded(full));
    }
    let Command { command_type, priority, ttl, max_parallel, stop_after_failures, display_name, .. } =
        payload::read_note(batch.id, batch.note.clone())?;
    let kind = state.types.get(&command_type).await?;
    let kept = state.jobs.payload(batch.id).await?.ok_or(StoreError::NotFound { what: "command" })?;
    let arguments = Payload::read(batch.id, kept)?.arguments(batch.id, &state.seal)?;
    let (payload, shown) = arguments_of(state, &kind, arguments)?;

    let failed = failed(state, &batch).await?;
    let there = state.agents.there(&format!("projects/{}", batch.project), &failed).await?;
    if there.is_empty() {
        return Err(Error::NothingToRetry(full));
    }
    let mut settings = kind.settings.clone();
    settings.name.clone_from(&command_type);
    let command = Command {
        command_type,
        arguments: Some(shown),
        agents: there.iter().take(AGENTS_SHOWN).map(|(agent, _)| agent.clone()).collect(),
        priority,
        ttl,
        max_parallel,
        stop_after_failures,
        display_name,
        creator: caller.to_owned(),
        approval: approval::asked(&settings),
        target_count: i32::try_from(there.len()).unwrap_or(i32::MAX),
        retry_of: full,
        ..Command::default()
    };
    Ok(Submission {
        project: batch.project,
        name: new_name,
        uid: state.ids.uuid(),
        kind: kind.id.clone(),
        terms: terms::of(&command, &settings, state.options.ttl, state.now())?,
        queues: there.into_iter().map(|(_, queue)| queue).collect(),
        payload,
        note: payload::note(&command),
        request: once,
    })
}

/// The agents whose targets did not end well, in the order in which they were accepted.
async fn failed(state: &State, batch: &BatchView) -> Result<Vec<String>, Error> {
    let mut failed = Vec::new();
    let mut from = 0;
    loop {
        let page = state.jobs.jobs(batch.id, from, find::PAGE).await?;
        let Some(last) = page.last() else { return Ok(failed) };
        from = last.key.number + 1;
        let bad = page.iter().filter(|job| job.state != weft_jobs::State::Completed);
        failed.extend(bad.map(|job| name::of_queue(&job.queue).to_owned()));
    }
}
