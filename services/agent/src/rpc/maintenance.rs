//! StartMaintenance and EndMaintenance.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{Agent, EndMaintenanceRequest, Maintenance, StartMaintenanceRequest};

use crate::{Error, state::State};

pub(crate) async fn start(state: &State, call: Call<StartMaintenanceRequest>) -> Result<Agent, Error> {
    let request = call.message;
    let (now, creator) = (state.now().into(), call.caller.name.to_string());
    let changed = state.change(&request.name, None, |record| {
        let maintenance = record.agent_mut().maintenance.get_or_insert_with(|| Maintenance {
            creator: creator.clone(),
            start_time: Some(now),
            reason: String::new(),
        });
        maintenance.reason.clone_from(&request.reason);
        Ok(())
    });
    Ok(state.message(&*changed.await?))
}

pub(crate) async fn end(state: &State, call: Call<EndMaintenanceRequest>) -> Result<Agent, Error> {
    let changed = state.change(&call.message.name, None, |record| {
        record.agent_mut().maintenance = None;
        Ok(())
    });
    Ok(state.message(&*changed.await?))
}
