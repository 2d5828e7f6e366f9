//! RestartCollector: noted, and told by whoever holds the collector's session.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{Agent, AgentKind, RestartCollectorRequest};

use crate::{Error, opamp::wire::ACCEPTS_RESTART, state::State};

pub(crate) async fn handle(state: &State, call: Call<RestartCollectorRequest>) -> Result<Agent, Error> {
    let RestartCollectorRequest { name, request_id } = call.message;
    let request_id = if request_id.is_empty() { state.ids.uuid().to_string() } else { request_id };
    let now = state.now().into();
    let changed = state.change(&name, None, |record| {
        let agent = record.agent();
        if agent.kind() != AgentKind::Collector {
            return Err(Error::NotACollector(name.clone()));
        }
        if record.newest_restart == request_id {
            return Ok(());
        }
        if !agent.capabilities.iter().any(|there| there == ACCEPTS_RESTART) {
            return Err(Error::CollectorCannot(name.clone(), "restarts"));
        }
        if agent.session.is_none() {
            return Err(Error::AgentOffline(name.clone()));
        }
        record.restart.clone_from(&request_id);
        record.newest_restart.clone_from(&request_id);
        record.agent_mut().collector.get_or_insert_default().restart_request_time = Some(now);
        Ok(())
    });
    let entry = changed.await?;
    tracing::info!(agent = %name, by = %call.caller.name, "a collector is to restart");
    Ok(state.message(&entry))
}
