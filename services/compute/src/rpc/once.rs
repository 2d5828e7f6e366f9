//! Requests that may come twice.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_kit::Caller;
use weft_store::{Once, Remember};

use crate::Error;

/// Which request this is; `None` where the client gave it no id. `request` is the message without
/// its id.
pub(super) fn once(
    caller: &Caller,
    method: &str,
    request_id: &str,
    request: &impl Message,
) -> Result<Option<Once>, Error> {
    if request_id.is_empty() {
        return Ok(None);
    }
    let request_id =
        Uuid::parse_str(request_id).map_err(|_| Error::bad_field("request_id", "must be a UUID"))?;
    Ok(Some(Once {
        scope: format!("{} {method}", caller.name),
        request_id,
        fingerprint: Sha256::digest(request.encode_to_vec()).into(),
    }))
}

/// The answer to remember for a request.
pub(super) fn remember(once: Option<Once>, answer: &impl Message) -> Option<Remember> {
    once.map(|once| Remember { once, response: answer.encode_to_vec().into() })
}

/// The answer that was remembered.
pub(super) fn replayed<T: Message + Default>(name: &str, bytes: Bytes) -> Result<T, Error> {
    T::decode(bytes).map_err(|_| Error::Unreadable { layout: name.to_owned(), what: "remembered answer" })
}
