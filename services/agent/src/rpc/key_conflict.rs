//! ClearKeyConflict, and how a conflict is noted.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{Agent, AgentSession, ClearKeyConflictRequest, KeyConflict};

use crate::{Error, fleet::Entry, state::State};

pub(crate) async fn clear(state: &State, call: Call<ClearKeyConflictRequest>) -> Result<Agent, Error> {
    let changed = state.change(&call.message.name, None, |record| {
        record.agent_mut().key_conflict = None;
        Ok(())
    });
    Ok(state.message(&*changed.await?))
}

/// Notes that another program came with the key of one that is connected.
pub(super) async fn note(state: &State, entry: &Entry, refused: &AgentSession) -> Result<(), Error> {
    let name = entry.name();
    tracing::warn!(agent = %name, address = %refused.address, hostname = %refused.hostname, "an agent's key is used twice");
    let now = state.now().into();
    let changed = state.change(&name, Some(entry.uid), |record| {
        let agent = record.agent_mut();
        let held = agent.session.clone();
        let conflict = agent
            .key_conflict
            .get_or_insert_with(|| KeyConflict { create_time: Some(now), ..KeyConflict::default() });
        conflict.count += 1;
        conflict.last_seen_time = Some(now);
        conflict.held = held;
        conflict.refused = Some(refused.clone());
        Ok(())
    });
    changed.await.map(drop)
}
