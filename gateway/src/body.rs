//! Reading the whole body of a request, within bounds.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tonic::{Code, Status, body::Body};
use weft_kit::Problem;

use crate::{refusal::Refusal, words};

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

/// The body of a request that is refused in the words of HTTP: 413 for one of more than `most` bytes. Where `unpacked`
/// is given, one that is packed with gzip comes unpacked, if it has no more bytes than that then.
///
/// # Errors
/// Those of [`read`], 413, and 415 for another encoding.
pub(crate) async fn content(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    unpacked: Option<usize>,
) -> Result<Bytes, Refusal> {
    let refused = |status: Status| match status.code() {
        Code::ResourceExhausted => Refusal::http(StatusCode::PAYLOAD_TOO_LARGE, status),
        _ => status.into(),
    };
    let content = read(headers, body, most).await.map_err(refused)?;
    let Some(most) = unpacked else { return Ok(content) };
    match headers.get(header::CONTENT_ENCODING).map_or(&b""[..], HeaderValue::as_bytes) {
        b"" | b"identity" => Ok(content),
        b"gzip" => unpack(&content, most).map_err(refused),
        _ => {
            let problem = Problem::unimplemented("UNKNOWN_ENCODING", "content-encoding may be gzip");
            Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem))
        }
    }
}

/// Unpacks gzip, no further than what may be sent on.
fn unpack(packed: &[u8], most: usize) -> Result<Bytes, Status> {
    let mut content = Vec::new();
    let read = MultiGzDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut content);
    if read.is_err() {
        return Err(Problem::invalid_argument("BODY_NOT_READABLE", "the body is no gzip").into());
    }
    if content.len() > most {
        return Err(words::too_large(most));
    }
    Ok(content.into())
}
