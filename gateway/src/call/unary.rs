//! A call with one message each way, in one piece: without the streams that a client of streams makes of the two.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body, metadata::MetadataMap};
use tower::Service;
use weft_kit::Problem;

use super::{Head, fitting, within};
use crate::{catalog::Entry, upstream, words};

/// What stands before a message: whether it is compressed, and its length.
pub(crate) const PREFIX: usize = 5;

/// The answer of a method that is no stream.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) metadata: MetadataMap,
    pub(crate) message: Bytes,
    /// What came after the message.
    pub(crate) trailers: MetadataMap,
}

/// Calls a method that takes one message and gives one, each of at most `limit` bytes.
///
/// # Errors
/// The status with which the service, or the way to it, refused, however far it had come; RESOURCE_EXHAUSTED for a
/// message that is too large; INTERNAL for an answer that is none.
pub(crate) async fn unary(entry: &Entry, head: Head, message: Bytes, limit: usize) -> Result<Whole, Status> {
    let message = fitting(message, limit)?;
    // A service that answers at once would be faster than a time that is over already.
    if head.timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(words::time_is_over());
    }
    let deadline = head.timeout.map(|timeout| Instant::now() + timeout);
    let request = request(entry, head, &message);
    let answered = async {
        let response = entry.peer.clone().call(request).await;
        let response = response.map_err(|error| upstream::unreachable_service(&*error))?;
        let (head, body) = response.into_parts();
        // An answer of nothing but a status.
        match Status::from_header_map(&head.headers) {
            Some(status) if status.code() != Code::Ok => return Err(status),
            Some(_) => return Err(no_answer()),
            None => {}
        }
        let (message, trailers) = read(body, limit).await?;
        ended(&trailers, head.status)?;
        let message = message.ok_or_else(no_answer)?;
        let metadata = MetadataMap::from_headers(head.headers);
        Ok(Whole { metadata, message, trailers: MetadataMap::from_headers(trailers) })
    };
    within(deadline, answered).await
}

fn request(entry: &Entry, head: Head, message: &[u8]) -> Request<Body> {
    let mut described = tonic::Request::from_parts(head.metadata, head.extensions, ());
    if let Some(timeout) = head.timeout {
        described.set_timeout(timeout);
    }
    let (metadata, extensions, ()) = described.into_parts();
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("the limit of a message is less than 4 GiB"));
    framed.put_slice(message);
    let mut request = Request::new(Body::new(Full::new(framed.freeze())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(entry.path.clone());
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata.into_headers();
    *request.extensions_mut() = extensions;
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    request
}

/// The first message of an answer, and its trailers. A second message is not looked at.
async fn read(mut body: Body, limit: usize) -> Result<(Option<Bytes>, HeaderMap), Status> {
    let (mut one, mut more) = (Bytes::new(), BytesMut::new());
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) if data.is_empty() => {}
            // Mostly it is all there is: then it is not copied.
            Ok(data) if one.is_empty() => one = data,
            Ok(data) => {
                if more.is_empty() {
                    more.extend_from_slice(&one);
                }
                more.extend_from_slice(&data);
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        let heard = if more.is_empty() { &one[..] } else { &more[..] };
        if length(heard).is_some_and(|length| length > limit) {
            return Err(words::too_large(limit));
        }
    }
    let mut heard = if more.is_empty() { one } else { more.freeze() };
    if heard.is_empty() {
        return Ok((None, trailers));
    }
    let length = length(&heard).filter(|length| *length <= heard.len() - PREFIX);
    // Nobody was told that it might be compressed.
    let Some(length) = length.filter(|_| heard[0] == 0) else {
        // Where it broke off, the status says why.
        ended(&trailers, StatusCode::OK)?;
        let problem = "the service answered with something that is no message";
        return Err(Problem::internal("ANSWER_NOT_READABLE", problem).into());
    };
    Ok((Some(heard.split_off(PREFIX).split_to(length)), trailers))
}

/// The length of the first message, as soon as it was said.
fn length(heard: &[u8]) -> Option<usize> {
    let (_, [a, b, c, d]) = heard.first_chunk::<PREFIX>().map(|[flag, length @ ..]| (flag, *length))?;
    usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()
}

/// How the call ended, by its trailers; without a status in them by that of HTTP, as gRPC maps it.
///
/// # Errors
/// Its status where that is not OK.
pub(crate) fn ended(trailers: &HeaderMap, status: StatusCode) -> Result<(), Status> {
    // Without a look at the rest of them.
    if trailers.get(Status::GRPC_STATUS).is_some_and(|status| status == "0") {
        return Ok(());
    }
    if let Some(status) = Status::from_header_map(trailers) {
        return if status.code() == Code::Ok { Ok(()) } else { Err(status) };
    }
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    let problem = format!("the service's answer ended without a status of gRPC, with {status} of HTTP");
    Err(Problem::new(code, "NO_STATUS", problem).into())
}

fn no_answer() -> Status {
    Problem::internal("NO_ANSWER", "the service answered without a message").into()
}

#[cfg(test)]
mod tests {
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    const LIMIT: usize = 10;

    async fn heard(frames: Vec<Frame<Bytes>>) -> Result<(Option<Bytes>, HeaderMap), Status> {
        let frames = frames.into_iter().map(Ok::<_, Status>);
        read(Body::new(StreamBody::new(futures::stream::iter(frames))), LIMIT).await
    }

    fn data(bytes: &'static [u8]) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(bytes))
    }

    fn trailing(code: &'static str) -> Frame<Bytes> {
        Frame::trailers(
            [(header::HeaderName::from_static("grpc-status"), HeaderValue::from_static(code))]
                .into_iter()
                .collect(),
        )
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_is_cut() {
        for frames in [
            vec![data(b"\0\0\0\0\x03abc"), trailing("0")],
            vec![data(b""), data(b"\0\0"), data(b"\0\0\x03"), data(b"ab"), data(b"c"), trailing("0")],
            // A second message is nobody's.
            vec![data(b"\0\0\0\0\x03abc\0\0\0\0\x01d"), trailing("0")],
        ] {
            let (message, trailers) = heard(frames).await.expect("an answer");
            assert_eq!(message.as_deref(), Some(&b"abc"[..]));
            assert!(ended(&trailers, StatusCode::OK).is_ok());
        }
        let (message, _) = heard(vec![data(b"\0\0\0\0\0"), trailing("0")]).await.expect("an empty message");
        assert_eq!(message.as_deref(), Some(&b""[..]));
        assert!(heard(vec![trailing("0")]).await.expect("nothing").0.is_none());
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        for (frames, code) in [
            (vec![data(b"\0\0\0\0\x0b")], Code::ResourceExhausted),
            (vec![data(b"\0\xff\xff\xff\xff")], Code::ResourceExhausted),
            (vec![data(b"\x01\0\0\0\x03abc"), trailing("0")], Code::Internal),
            (vec![data(b"\0\0\0\0\x03ab"), trailing("0")], Code::Internal),
            (vec![data(b"\0\0\0"), trailing("14")], Code::Unavailable),
            (vec![data(b"\0\0\0")], Code::Unknown),
        ] {
            assert_eq!(heard(frames).await.expect_err("no message").code(), code);
        }
    }

    #[test]
    fn an_end_without_a_status_is_told_by_that_of_http() {
        for (status, code) in [(404, Code::Unimplemented), (503, Code::Unavailable), (200, Code::Unknown)] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(ended(&HeaderMap::new(), status).expect_err("no status").code(), code);
        }
    }
}
