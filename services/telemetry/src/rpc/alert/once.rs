//! Requests that carry a request id are answered once.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_kit::Caller;
use weft_store::{Once, Remember, StoreError};

use crate::Error;

/// Which request this is; `None` without a request id. `request` is the message without its id.
pub(super) fn once(caller: &Caller, method: &str, request_id: &str, request: &impl Message) -> Option<Once> {
    let request_id = Uuid::parse_str(request_id).ok()?;
    Some(Once {
        scope: format!("{}/{method}", caller.name),
        request_id,
        fingerprint: Sha256::digest(request.encode_to_vec()).into(),
    })
}

/// The answer to remember with a write.
pub(super) fn remember(once: Option<Once>, response: &impl Message) -> Option<Remember> {
    Some(Remember { once: once?, response: Bytes::from(response.encode_to_vec()) })
}

/// A remembered answer.
pub(super) fn replay<T: Message + Default>(bytes: &[u8]) -> Result<T, Error> {
    T::decode(bytes)
        .map_err(|error| StoreError::Bug(format!("a remembered answer cannot be read: {error}")).into())
}

/// That an id was used for another request, in the client's words.
pub(super) fn reused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { .. } => Error::RequestIdReused,
        error => error.into(),
    }
}
