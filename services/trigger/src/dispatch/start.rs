//! One attempt to start the run of a delivery.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::{
    execution::v1::{
        CancelExecutionRequest, CreateExecutionRequest, Execution, GetExecutionRequest, OnBehalf,
    },
    trigger::v1::{Delivery, DeliveryCause, DeliveryState, OverlapPolicy, trigger::Source},
};
use weft_store::Timestamp;

use crate::{
    Error,
    domain::{delivery, event, kept, name},
    pending::Pending,
    ready::Ready,
    state::{State, may_start},
};

/// How often it is asked whether a run that is waited for has ended.
const ASKED: Duration = Duration::from_millis(500);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What has come of an attempt.
pub(super) enum Outcome {
    /// It is known what became of it.
    Ended(Box<Delivery>),
    /// Another attempt is made then.
    Again(Box<Delivery>, Timestamp),
    /// It waits for the end of a run, and looks again then.
    Held(Timestamp),
}

impl Outcome {
    /// It was right that it started nothing.
    pub(super) fn skipped(head: &Delivery, reason: &str, message: &str) -> Self {
        Self::without(head, DeliveryState::Skipped, reason, message)
    }

    fn failed(head: &Delivery, reason: &str, message: &str) -> Self {
        Self::without(head, DeliveryState::Failed, reason, message)
    }

    fn without(head: &Delivery, state: DeliveryState, reason: &str, message: &str) -> Self {
        let mut head = Delivery { state: state.into(), reason: reason.to_owned(), ..head.clone() };
        head.message = message.chars().take(500).collect();
        Self::Ended(Box::new(head))
    }
}

/// Starts the run of a delivery, or says why there is none.
pub(super) async fn start(state: &State, pending: &Pending) -> Outcome {
    match attempt(state, pending).await {
        Ok(outcome) => outcome,
        Err(Error::Status(status)) => refused(state, pending, &status),
        Err(Error::Store(error)) => refused(state, pending, &Status::unavailable(error.to_string())),
        Err(error) => Outcome::failed(&pending.head, "TRIGGER_INVALID", &error.to_string()),
    }
}

async fn attempt(state: &State, pending: &Pending) -> Result<Outcome, Error> {
    let Pending { row, head, .. } = pending;
    let ready = match &pending.ready {
        Some(ready) => Some(Arc::clone(ready)),
        None => state.readies.by_uid(&*state.store, &state.seal, row.trigger).await?,
    };
    let Some(ready) = ready else {
        return Ok(Outcome::skipped(head, "TRIGGER_DELETED", "the trigger was deleted"));
    };
    let came = kept::event(row)?;
    let event = event::of(&name::of_delivery(&ready.name, row.id), head, &came);
    let input = match event::input(ready.input.as_ref(), ready.condition.as_ref(), event) {
        Ok(Some(input)) => input,
        Ok(None) => return Ok(Outcome::skipped(head, "CONDITION", "the condition does not hold")),
        Err(failure) => return Ok(Outcome::failed(head, failure.reason, &failure.message)),
    };
    let rights = came.rights.as_ref().unwrap_or(&ready.rights);
    if let Err(status) = may_start(&rights.caller(&ready.project), &ready.project) {
        return Ok(Outcome::failed(head, "NOT_ALLOWED", status.message()));
    }
    if matches!(head.cause(), DeliveryCause::Schedule | DeliveryCause::Backfill)
        && let Some(outcome) = overlap(state, &ready, head).await?
    {
        return Ok(outcome);
    }
    let behalf = OnBehalf {
        creator: rights.creator.clone(),
        role: rights.role,
        scopes: rights.scopes.clone(),
        depth: came.depth,
    };
    let request = request(&ready, behalf, input, delivery::request_id(row).to_string());
    let started = tokio::time::timeout(PATIENCE, state.executions.clone().create_execution(request)).await;
    let execution = started.map_err(|_| Status::unavailable("it took too long"))??.into_inner();
    Ok(Outcome::Ended(Box::new(Delivery {
        state: DeliveryState::Started.into(),
        execution: execution.name,
        start_time: Some(state.now().into()),
        reason: String::new(),
        message: String::new(),
        ..head.clone()
    })))
}

fn request(
    ready: &Ready,
    behalf: OnBehalf,
    input: prost_types::Struct,
    request_id: String,
) -> CreateExecutionRequest {
    let named = &ready.trigger.display_name;
    let execution = Execution {
        graph: ready.trigger.graph.clone(),
        input: Some(input),
        display_name: if named.is_empty() { ready.name.clone() } else { named.clone() },
        ..Execution::default()
    };
    CreateExecutionRequest {
        parent: format!("projects/{}", ready.project),
        execution: Some(execution),
        request_id,
        on_behalf: Some(behalf),
        ..CreateExecutionRequest::default()
    }
}

/// What becomes of a tick because of the run before it; nothing where that is no matter.
async fn overlap(state: &State, ready: &Ready, head: &Delivery) -> Result<Option<Outcome>, Error> {
    let Some(Source::Schedule(schedule)) = &ready.trigger.source else { return Ok(None) };
    let policy = schedule.overlap_policy();
    if policy == OverlapPolicy::Allow {
        return Ok(None);
    }
    let Some(last) = state.store.last_started_delivery(ready.uid).await? else { return Ok(None) };
    let before = kept::head(&last)?.execution;
    let mut executions = state.executions.clone();
    let found = executions.get_execution(GetExecutionRequest { name: before.clone() }).await;
    let is_over = match found {
        Ok(execution) => execution.into_inner().end_time.is_some(),
        Err(status) if status.code() == Code::NotFound => true,
        Err(status) => return Err(status.into()),
    };
    if is_over {
        return Ok(None);
    }
    Ok(match policy {
        OverlapPolicy::Queue => Some(Outcome::Held(state.now().after(ASKED))),
        OverlapPolicy::Replace => {
            executions.cancel_execution(CancelExecutionRequest { name: before }).await?;
            None
        }
        _ => Some(Outcome::skipped(head, "OVERLAP", &format!("{before} is still going on"))),
    })
}

/// What becomes of a delivery whose run was refused.
fn refused(state: &State, pending: &Pending, status: &Status) -> Outcome {
    let head = &pending.head;
    let reason = status
        .get_details_error_info()
        .map_or_else(|| format!("{:?}", status.code()).to_uppercase(), |info| info.reason);
    if reason == "REQUEST_ID_REUSED" {
        // It was asked for before the trigger was changed, and what came of it was not heard: there is a run.
        let message = "its run was started before the trigger was changed".to_owned();
        let start_time = Some(state.now().into());
        let state = DeliveryState::Started.into();
        return Outcome::Ended(Box::new(Delivery { state, reason, message, start_time, ..head.clone() }));
    }
    let may_pass = matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::Internal
            | Code::Unknown
            | Code::Unauthenticated
    );
    let now = state.now();
    let age = now.as_micros() - head.create_time.as_ref().map_or(0, |time| Timestamp::from(time).as_micros());
    let patience = i64::try_from(state.options.give_up_after.as_micros()).unwrap_or(i64::MAX);
    if !may_pass || age > patience {
        return Outcome::failed(head, &reason, status.message());
    }
    let failures = head.failure_count.saturating_add(1);
    let doubled = state.options.retry_pause.saturating_mul(1 << failures.clamp(1, 12).unsigned_abs() >> 1);
    let pause = doubled.min(LONGEST_PAUSE).mul_f64(0.5 + 0.5 * state.ids.fraction());
    tracing::debug!(delivery = %pending.row.id, reason, "a run could not be started yet");
    let message = status.message().chars().take(500).collect();
    let head = Delivery { failure_count: failures, reason, message, ..head.clone() };
    Outcome::Again(Box::new(head), now.after(pause))
}
