//! Commands and targets as clients see them.

use bytes::Bytes;
use prost::Message;
use prost_types::Struct;
use weft_jobs::{BatchView, JobView, Progress, State};
use weft_proto::weft::command::v1::{Command, CommandApprovalState, CommandState, Target};
use weft_store::{StoreError, Timestamp};

use super::{name, payload};

/// The word of the contract for a state.
pub(crate) fn state(state: State) -> CommandState {
    match state {
        State::Pending => CommandState::Pending,
        State::Executing => CommandState::Executing,
        State::Completed => CommandState::Completed,
        State::Failed => CommandState::Failed,
        State::Cancelled => CommandState::Cancelled,
    }
}

/// A command; `progress` of one that has not ended, where it is known.
pub(crate) fn command(view: &BatchView, progress: Option<&Progress>) -> Result<Command, StoreError> {
    let mut command = payload::read_note(view.id, view.note.clone())?;
    command.name = name::of_command(&view.project, &view.name);
    command.uid = view.uid.to_string();
    command.create_time = Some(view.created.into());
    command.end_time = view.ended.map(Into::into);
    let known =
        Progress { executing: 0, completed: view.completed, failed: view.failed, cancelled: view.cancelled };
    let progress = progress.filter(|_| view.ended.is_none()).copied().unwrap_or(known);
    let ended = progress.completed + progress.failed + progress.cancelled;
    let stands = match view.state {
        State::Pending if progress.executing + ended > 0 => State::Executing,
        ended => ended,
    };
    command.set_state(state(stands));
    if view.ended.is_some()
        && let Some(approval) =
            command.approval.as_mut().filter(|approval| approval.state() == CommandApprovalState::Waiting)
    {
        // Nobody has decided, and nobody will.
        approval.set_state(CommandApprovalState::Unspecified);
    }
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    command.target_count = count(view.total);
    command.pending_count = count(view.total.saturating_sub(ended + progress.executing));
    command.executing_count = count(progress.executing);
    command.completed_count = count(progress.completed);
    command.failed_count = count(progress.failed);
    command.cancelled_count = count(progress.cancelled);
    Ok(command)
}

/// A target of a command.
pub(crate) fn target(command: &BatchView, view: &JobView) -> Target {
    let agent = name::of_queue(&view.queue).to_owned();
    let id = name::agent(&agent).map_or("", |(_, id)| id);
    let mut target = Target {
        name: format!("{}/targets/{id}", name::of_command(&command.project, &command.name)),
        uid: format!("{}-{}", command.uid, view.key.number),
        failure_count: i32::try_from(view.failures).unwrap_or(i32::MAX),
        delivery_count: i32::try_from(view.fence).unwrap_or(i32::MAX),
        stopping: view.stop.is_some() && view.state == State::Executing,
        create_time: Some(command.created.into()),
        end_time: view.ended.map(Into::into),
        agent,
        ..Target::default()
    };
    target.set_state(state(view.state));
    match view.state {
        State::Pending => target.due_time = Some(view.at.into()),
        _ if view.fence > 0 => target.start_time = Some(view.at.into()),
        _ => {}
    }
    if let Some(end) = &view.end {
        target.reason.clone_from(&end.reason);
        target.message.clone_from(&end.message);
        target.result = result(&end.result);
    }
    if command.terms.held && view.state == State::Pending {
        target.reason = "AWAITING_APPROVAL".into();
        target.message = "a second person must approve the command".into();
    }
    target
}

/// What came out, as it is kept; nothing where nothing did.
fn result(bytes: &Bytes) -> Option<Struct> {
    if bytes.is_empty() { None } else { Struct::decode(bytes.clone()).ok() }
}

/// A place in changes or output: two numbers.
pub(crate) fn cursor(first: i64, second: i64) -> String {
    format!("{first}.{second}")
}

/// The place that a client has come to; from the beginning where it says nothing.
pub(crate) fn read_cursor(text: &str) -> Option<(i64, i64)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let (first, second) = text.split_once('.')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

/// An instant for a filter.
pub(crate) fn micros(time: Option<&prost_types::Timestamp>) -> Option<i64> {
    time.map(Timestamp::from).map(Timestamp::as_micros)
}
