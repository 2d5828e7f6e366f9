//! GetApiKey.

use weft_kit::Call;
use weft_proto::weft::identity::v1::{ApiKey, GetApiKeyRequest};

use super::message;
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<GetApiKeyRequest>) -> Result<ApiKey, Error> {
    let full = &call.message.name;
    let (project, id) = name::parse(full).ok_or_else(|| Error::KeyNotFound(full.clone()))?;
    let row = state.store.get_api_key(project, id).await.map_err(message::not_found(full))?;
    Ok(message::api_key(&row))
}
