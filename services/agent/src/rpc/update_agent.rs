//! UpdateAgent: what people set.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{Agent, UpdateAgentRequest};

use crate::{Error, state::State};

pub(crate) async fn handle(state: &State, call: Call<UpdateAgentRequest>) -> Result<Agent, Error> {
    let request = call.message;
    let wanted = request.agent.unwrap_or_default();
    let mut fields = (false, false);
    for path in request.update_mask.map(|mask| mask.paths).unwrap_or_default() {
        match path.as_str() {
            "*" => fields = (true, true),
            "display_name" => fields.0 = true,
            "labels" => fields.1 = true,
            _ => return Err(Error::field("update_mask", format!("{path:?} cannot be changed"))),
        }
    }
    if fields == (false, false) {
        fields = (!wanted.display_name.is_empty(), !wanted.labels.is_empty());
    }
    let now = state.now().into();
    let changed = state.change(&wanted.name, None, |record| {
        if !wanted.etag.is_empty() && wanted.etag != record.version.to_string() {
            return Err(Error::EtagMismatch(wanted.name.clone()));
        }
        let before = record.clone();
        let agent = record.agent_mut();
        if fields.0 {
            agent.display_name.clone_from(&wanted.display_name);
        }
        if fields.1 {
            agent.labels.clone_from(&wanted.labels);
        }
        if *record != before {
            record.version += 1;
            record.agent_mut().update_time = Some(now);
        }
        Ok(())
    });
    Ok(state.message(&*changed.await?))
}
