//! IntrospectApiKey: whom a key stands for, for the other processes of the mesh.

use weft_kit::{Call, auth};
use weft_proto::weft::identity::v1::{IntrospectApiKeyRequest, Principal};
use weft_store::{ApiKeyRow, KeyUse, StoreError};

use super::message;
use crate::{Error, state::State};

pub(crate) async fn handle(state: &State, call: Call<IntrospectApiKeyRequest>) -> Result<Principal, Error> {
    match good_key(state, &call.message.api_key).await? {
        Some(row) => Ok(message::principal_of_key(&row)),
        None => Err(Error::KeyNotFound("with this secret".into())),
    }
}

/// The key with this secret if it is good now; its use is noted.
pub(crate) async fn good_key(state: &State, secret: &str) -> Result<Option<ApiKeyRow>, Error> {
    let row = match state.store.api_key_by_digest(&auth::digest(secret)).await {
        Ok(row) => row,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let now = state.clock.now();
    if !message::is_good(&row, now) {
        return Ok(None);
    }
    state.uses.lock().expect("nobody panics with it").push(KeyUse { uid: row.uid, at: now.into() });
    Ok(Some(row))
}
