//! GetTrigger.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::{GetTriggerRequest, Trigger};
use weft_store::TriggerRow;

use crate::{
    Error,
    domain::{name, trigger},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetTriggerRequest>) -> Result<Trigger, Error> {
    let row = row(state, &call.message.name).await?;
    Ok(trigger::read(&row, call.caller.role_in(&row.project), &state.seal)?)
}

/// The trigger of that name.
pub(super) async fn row(state: &State, full: &str) -> Result<TriggerRow, Error> {
    let (project, id) = name::trigger(full);
    state.store.get_trigger(project, id).await.map_err(Error::of_trigger(full))
}
