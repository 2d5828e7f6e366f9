//! CreateTrigger.

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::trigger::v1::{CreateTriggerRequest, Trigger, trigger::Source};
use weft_store::{NewTrigger, StoreError, Timestamp, TriggerRow, Written};

use super::once;
use crate::{
    Error,
    domain::{
        kept::{KeptTrigger, Rights},
        name, trigger,
    },
    seal::digest_of_token,
    state::{State, may_start},
    watch::begin,
};

pub(crate) async fn handle(state: &State, call: Call<CreateTriggerRequest>) -> Result<Trigger, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::once(state, &caller, "CreateTrigger", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.store.recall(once).await.map_err(once::reused)?
    {
        return once::replay(state, &caller, &answer).await;
    }
    let project = name::project(&request.parent).to_owned();
    may_start(&caller, &project)?;
    let now = state.now();
    let wanted = request.trigger.take().unwrap_or_default();
    if wanted.graph.is_empty() {
        return Err(Error::field("trigger.graph", "say what is run"));
    }
    let wanted = Trigger { paused: false, ..wanted };
    let rights = Rights::of(&caller, &project);
    let kept = state.keeper(&project, now).checked(wanted, &KeptTrigger::default(), rights)?;
    let place = begin::place(state, &caller, &kept).await?;
    let uid = state.ids.uuid();
    let new = NewTrigger {
        id: if request.trigger_id.is_empty() { state.ids.short() } else { request.trigger_id },
        uid,
        token: token(state, uid, &kept),
        settings: kept.encode_to_vec().into(),
        next: next(&kept, now, now)?,
        place,
        at: now,
        project,
    };
    let full = name::of_trigger(&new.project, &new.id);
    let row = as_row(&new);
    let remember = once::remember(state, once, &row)?;
    match state.store.create_trigger(new, remember).await {
        Ok(Written::Done(row)) => {
            state.changed(&row).await;
            Ok(trigger::shown(&row, kept, caller.role_in(&row.project), &state.seal))
        }
        Ok(Written::Replayed(answer)) => once::replay(state, &caller, &answer).await,
        Err(StoreError::AlreadyExists { .. }) => Err(Error::Exists(full)),
        Err(error) => Err(once::reused(error)),
    }
}

/// What a webhook is found by.
pub(super) fn token(state: &State, uid: uuid::Uuid, kept: &KeptTrigger) -> Option<[u8; 32]> {
    let source = kept.trigger.as_ref().and_then(|trigger| trigger.source.as_ref());
    matches!(source, Some(Source::Webhook(_)))
        .then(|| digest_of_token(&state.seal.token(uid, kept.generation)))
}

/// When the next tick is, if it ticks.
pub(super) fn next(
    kept: &KeptTrigger,
    created: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let Some(trigger) = kept.trigger.as_ref().filter(|trigger| !trigger.paused) else { return Ok(None) };
    let schedule = trigger::schedule_of(trigger, created.as_micros())?;
    let next = schedule.and_then(|schedule| schedule.next_after(now.as_micros()));
    Ok(next.map(Timestamp::from_micros))
}

/// The row that it becomes.
fn as_row(new: &NewTrigger) -> TriggerRow {
    TriggerRow {
        project: new.project.clone(),
        id: new.id.clone(),
        uid: new.uid,
        token: new.token,
        settings: new.settings.clone(),
        next: new.next,
        place: new.place.clone(),
        version: 1,
        created: new.at,
        updated: new.at,
    }
}
