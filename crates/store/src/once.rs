//! How a repeated request is made harmless.
//!
//! A client that does not get an answer sends its request again, with the same request id. The write and the
//! answer to it are stored in one transaction, so that the repeat finds either both or neither.

use async_trait::async_trait;
use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Result, StoreError, Timestamp};

/// Which request this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Within what the request id is unique: the caller's name and the method, so that nobody can see the
    /// answer to somebody else's request.
    pub scope: String,
    /// The id that the client gave it.
    pub request_id: Uuid,
    /// Digest of the request without its id. Tells a repeat from another request that uses the id again.
    pub fingerprint: [u8; 32],
}

/// A request, and the answer to remember once its write is stored.
#[derive(Clone, Debug)]
pub struct Remember {
    /// Which request.
    pub once: Once,
    /// The answer, as the service encodes it. At most [`crate::MAX_PART_BYTES`].
    pub response: Bytes,
}

/// What became of a write that may be a repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a replayed write must be answered with the remembered response"]
pub enum Written<T> {
    /// It was written now.
    Done(T),
    /// It was written before: this is the answer that was given then. Nothing was written now.
    Replayed(Bytes),
}

/// Requests that have been answered. Each store of a service has them, in the same database as its rows.
#[async_trait]
pub trait Requests: Send + Sync {
    /// The answer that was given to this request, if it is a repeat. Fails with
    /// [`crate::StoreError::Conflict`] if the id was used for another request.
    ///
    /// Asked before a request is planned: a repeat must not fail because the first one changed the world.
    async fn recall(&self, once: &Once) -> Result<Option<Bytes>>;

    /// Remembers an answer to a request that writes nothing else.
    async fn remember(&self, remember: Remember, at: Timestamp) -> Result<Written<()>>;

    /// Forgets requests that were answered before an instant, at most `limit` of them, and says how many.
    /// Called in the background with an instant at least 24 hours ago.
    async fn forget_requests(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Which request of a caller to a method this is; `None` without a request id. `request` is the message without its id.
pub fn request(caller: &str, method: &str, request_id: &str, request: &impl Message) -> Option<Once> {
    with_fingerprint(caller, method, request_id, || Sha256::digest(request.encode_to_vec()).into())
}

/// The same, for a request with secrets in it, which a plain digest would let be guessed.
pub fn with_fingerprint(
    caller: &str,
    method: &str,
    request_id: &str,
    fingerprint: impl FnOnce() -> [u8; 32],
) -> Option<Once> {
    let request_id = Uuid::parse_str(request_id).ok()?;
    Some(Once { scope: format!("{caller}/{method}"), request_id, fingerprint: fingerprint() })
}

/// The answer to remember with a write.
pub fn remember(once: Option<Once>, response: &impl Message) -> Option<Remember> {
    Some(Remember { once: once?, response: Bytes::from(response.encode_to_vec()) })
}

/// A remembered answer.
///
/// # Errors
/// It is of another kind: a fault of the program.
pub fn replay<T: Message + Default, E: From<StoreError>>(answer: &[u8]) -> std::result::Result<T, E> {
    T::decode(answer)
        .map_err(|error| StoreError::Bug(format!("a remembered answer cannot be read: {error}")).into())
}
