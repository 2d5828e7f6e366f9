//! RotateTriggerToken: the address before is good no more.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::{RotateTriggerTokenRequest, Trigger};
use weft_store::{StoreError, TriggerRow, Written};

use super::{get_trigger, once, update_trigger};
use crate::{
    Error,
    domain::{kept::KeptTrigger, trigger},
    state::State,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn handle(state: &State, call: Call<RotateTriggerTokenRequest>) -> Result<Trigger, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::once(state, &caller, "RotateTriggerToken", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.store.recall(once).await.map_err(once::reused)?
    {
        return once::replay(state, &caller, &answer).await;
    }
    let mut tries = 0;
    loop {
        let row = get_trigger::row(state, &request.name).await?;
        if row.token.is_none() {
            return Err(Error::WrongKind("only a webhook has an address"));
        }
        let known = KeptTrigger::read(&row)?;
        let kept = KeptTrigger { generation: known.generation + 1, ..known.clone() };
        let update = update_trigger::update(state, &row, (&known, &kept), None)?;
        let becomes = TriggerRow {
            token: update.token,
            settings: update.settings.clone(),
            version: row.version + 1,
            updated: update.at,
            ..row.clone()
        };
        let remember = once::remember(state, once.clone(), &becomes)?;
        match state.store.update_trigger(update, remember).await {
            Err(StoreError::Stale { .. }) if tries < TRIES => tries += 1,
            Ok(Written::Done(new)) => {
                state.changed(&row).await;
                return Ok(trigger::shown(&new, kept, caller.role_in(&new.project), &state.seal));
            }
            Ok(Written::Replayed(answer)) => return once::replay(state, &caller, &answer).await,
            Err(error) => return Err(Error::of_trigger(&request.name)(error)),
        }
    }
}
