//! PauseTrigger and ResumeTrigger.

use weft_kit::Caller;
use weft_proto::weft::trigger::v1::Trigger;

use super::update_trigger;
use crate::{Error, domain::kept::KeptTrigger, state::State};

pub(crate) async fn handle(
    state: &State,
    caller: &Caller,
    full: &str,
    paused: bool,
) -> Result<Trigger, Error> {
    update_trigger::change(state, caller, full, "", |_, known| {
        let trigger = known.trigger.clone().map(|trigger| Trigger { paused, ..trigger });
        // The rights stay as they are: whoever pauses something does not make it theirs.
        Ok(KeptTrigger { trigger, ..known.clone() })
    })
    .await
}
