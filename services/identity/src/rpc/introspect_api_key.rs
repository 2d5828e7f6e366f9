//! IntrospectApiKey: whom a key stands for, for the other processes of the mesh.

use weft_kit::{Call, auth};
use weft_proto::weft::identity::v1::{IntrospectApiKeyRequest, Principal};
use weft_store::{ApiKeyRow, KeyUse, StoreError};

use super::message;
use crate::{Error, service::Inner};

pub(crate) async fn handle(inner: &Inner, call: Call<IntrospectApiKeyRequest>) -> Result<Principal, Error> {
    match good_key(inner, &call.message.api_key).await? {
        Some(row) => Ok(message::principal_of_key(&row)),
        None => Err(Error::KeyNotFound("with this secret".into())),
    }
}

/// The key with this secret if it is good now; its use is noted.
pub(crate) async fn good_key(inner: &Inner, secret: &str) -> Result<Option<ApiKeyRow>, Error> {
    let row = match inner.store.api_key_by_digest(&auth::digest(secret)).await {
        Ok(row) => row,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let now = inner.clock.now();
    if !message::is_good(&row, now) {
        return Ok(None);
    }
    inner.uses.lock().expect("nobody panics with it").push(KeyUse { uid: row.uid, at: now.into() });
    Ok(Some(row))
}
