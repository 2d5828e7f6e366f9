//! What has been planned is accepted: once, however often it is asked for, and on disk before the answer.

use bytes::Bytes;
use weft_jobs::{JobsError, Submission};
use weft_proto::weft::command::v1::Command;

use super::find;
use crate::{
    Error,
    domain::{message, name},
    state::State,
};

/// Which request it is, and its digest.
pub(super) type Request = (Bytes, [u8; 32]);

/// The request of a caller for a project, if it has an id. `message` is all else of it, encoded.
pub(super) fn request(
    state: &State,
    project: &str,
    caller: &str,
    request_id: &str,
    message: &[u8],
) -> Option<Request> {
    let named = format!("projects/{project}\n{caller}\n{}", request_id.to_lowercase());
    (!request_id.is_empty()).then(|| (Bytes::from(named), state.requests.of(&[message])))
}

/// The command that was `planned`, or that an earlier request of the same id has made: a repeat does not fail
/// because the first one has changed the world.
pub(super) async fn accept(
    state: &State,
    once: Option<&Request>,
    planned: Result<Submission, Error>,
) -> Result<Command, Error> {
    match planned {
        Ok(new) => submit(state, new).await,
        Err(error) => match repeated(state, once).await? {
            Some(command) => Ok(command),
            None => Err(error),
        },
    }
}

async fn repeated(state: &State, once: Option<&Request>) -> Result<Option<Command>, Error> {
    let Some((request, digest)) = once else { return Ok(None) };
    match state.jobs.of_request(request, digest).await? {
        Some(batch) => Ok(Some(find::command(state, &batch).await?)),
        None => Ok(None),
    }
}

async fn submit(state: &State, new: Submission) -> Result<Command, Error> {
    let full = new.name.as_deref().map(|id| name::of_command(&new.project, id));
    let batch = match state.jobs.submit(new).await {
        Err(JobsError::NameTaken) => return Err(Error::CommandExists(full.unwrap_or_default())),
        accepted => accepted?,
    };
    Ok(message::command(&batch, None)?)
}

/// The id that a client has chosen. The engine's names, `x` and a hexadecimal number, are nobody else's.
pub(super) fn chosen(command_id: String) -> Result<Option<String>, Error> {
    let rest = command_id.strip_prefix('x').unwrap_or_default();
    if !rest.is_empty() && rest.bytes().all(|letter| letter.is_ascii_hexdigit()) {
        return Err(Error::field("command_id", "looks like one that the server makes up"));
    }
    Ok(Some(command_id).filter(|id| !id.is_empty()))
}
