//! Requests that carry a request id are answered once. What is remembered of an answer has no address in it: that is
//! made again for whoever repeats the request.

use bytes::Bytes;
use prost::Message;
use weft_kit::Caller;
use weft_proto::weft::trigger::v1::{Trigger, trigger::Source};
use weft_store::{Once, Remember, StoreError, TriggerRow, once};

use crate::{
    Error,
    domain::{kept::KeptTrigger, name, trigger},
    state::State,
};

/// Which request this is; `None` without a request id. `request` is the message without its id.
pub(super) fn once(
    state: &State,
    caller: &Caller,
    method: &str,
    request_id: &str,
    request: &impl Message,
) -> Option<Once> {
    // It may have secrets in it.
    let fingerprint = || state.seal.digest(&request.encode_to_vec());
    once::with_fingerprint(&caller.name, method, request_id, fingerprint)
}

/// The answer to remember with a write: the row as it will be.
pub(super) fn remember(
    state: &State,
    once: Option<Once>,
    row: &TriggerRow,
) -> Result<Option<Remember>, Error> {
    let Some(once) = once else { return Ok(None) };
    let shown = trigger::read(row, weft_kit::Role::Viewer, &state.seal)?;
    Ok(Some(Remember { once, response: Bytes::from(shown.encode_to_vec()) }))
}

/// A remembered answer, for whoever asked before.
pub(super) async fn replay(state: &State, caller: &Caller, bytes: &[u8]) -> Result<Trigger, Error> {
    let mut answer: Trigger = once::replay::<_, Error>(bytes)?;
    let (project, id) = name::trigger(&answer.name);
    let now = state.store.get_trigger(project, id).await;
    if let Ok(row) = now
        && row.uid.to_string() == answer.uid
    {
        let kept = KeptTrigger::read(&row)?;
        let newest = trigger::shown(&row, kept, caller.role_in(project), &state.seal);
        if let (Some(Source::Webhook(webhook)), Some(Source::Webhook(newest))) =
            (&mut answer.source, newest.source)
        {
            webhook.path = newest.path;
        }
    }
    Ok(answer)
}

/// That an id was used for another request, in the client's words.
pub(super) fn reused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { .. } => Error::RequestIdReused,
        error => error.into(),
    }
}
