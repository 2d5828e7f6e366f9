//! PreviewTestEvents: what a trigger can be tried with.

use weft_kit::Call;
use weft_proto::weft::trigger::v1::{PreviewTestEventsRequest, PreviewTestEventsResponse};

use super::get_trigger;
use crate::{
    Error,
    domain::{kept::KeptTrigger, sample},
    state::State,
};

pub(crate) async fn handle(
    state: &State,
    call: Call<PreviewTestEventsRequest>,
) -> Result<PreviewTestEventsResponse, Error> {
    let row = get_trigger::row(state, &call.message.name).await?;
    let trigger = KeptTrigger::read(&row)?.trigger.unwrap_or_default();
    Ok(PreviewTestEventsResponse { test_events: sample::of(&trigger) })
}
