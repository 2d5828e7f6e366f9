//! RevokeApiKey.

use weft_kit::Call;
use weft_proto::weft::identity::v1::{ApiKey, RevokeApiKeyRequest};

use super::message;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<RevokeApiKeyRequest>) -> Result<ApiKey, Error> {
    let full = &call.message.name;
    let (project, id) = name::parse(full).ok_or_else(|| Error::KeyNotFound(full.clone()))?;
    let now = state.clock.now().into();
    let row = state.store.revoke_api_key(project, id, now).await.map_err(message::not_found(full))?;
    tracing::info!(key = %full, by = %call.caller.name, "API key revoked");
    Ok(message::api_key(&row))
}
