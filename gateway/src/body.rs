//! Reading the whole body of a request, within bounds.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::{Code, Status, body::Body};
use weft_kit::Problem;

use crate::words;

/// The body. One that announces more than `limit` bytes is refused before it is read.
///
/// # Errors
/// RESOURCE_EXHAUSTED for more than `limit` bytes, DEADLINE_EXCEEDED when it comes too slowly,
/// INVALID_ARGUMENT when it breaks off.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Status> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(words::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(words::too_large(limit)),
        Err(error) => match error.downcast_ref::<Status>() {
            // The port's own word for a body that comes too slowly.
            Some(status) if status.code() == Code::DeadlineExceeded => Err(status.clone()),
            _ => {
                let message = format!("the body could not be read: {error}");
                Err(Problem::invalid_argument("BODY_NOT_READABLE", message).into())
            }
        },
    }
}
