//! DeleteAgent: out of the fleet, and off the line.

use weft_kit::Call;
use weft_proto::weft::agent::v1::DeleteAgentRequest;
use weft_store::StoreError;

use crate::{Error, state::State, task};

/// How often it is tried again because the agent changed meanwhile.
const TRIES: usize = 16;

pub(crate) async fn handle(state: &State, call: Call<DeleteAgentRequest>) -> Result<(), Error> {
    let DeleteAgentRequest { name, etag } = call.message;
    for _ in 0..TRIES {
        let entry = state.fleet.get(&name).await?;
        if !etag.is_empty() && etag != entry.record.version.to_string() {
            return Err(Error::EtagMismatch(name));
        }
        match state.store.delete_agent(entry.uid, entry.revision, state.now()).await {
            Ok(row) => {
                tracing::info!(agent = %name, by = %call.caller.name, "agent removed");
                state.written(&row).await?;
                task::apply_elsewhere(state);
                return Ok(());
            }
            Err(StoreError::Stale { .. } | StoreError::NotFound { .. }) => {
                state.fleet.catch_up(i64::MAX).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::EtagMismatch(name))
}
