//! gRPC-web calls of one message each way, in one piece: their answer is one write, and says how long it is.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::Service;
use weft_kit::server::trailers;

use crate::{
    body,
    call::{PREFIX, ended, within},
    catalog::Entry,
    metadata,
    shared::Shared,
    upstream,
    watch::Envelopes,
    words,
};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc-web+proto");
/// Room for an answer and its trailers, in bytes; what is larger asks for more.
const ROOM: usize = 1024;
/// The flag of the frame that the trailers are in.
const TRAILERS: u8 = 0x80;

/// Whether a request is answered in one piece: not in base64, which the general way translates.
pub(super) fn is_whole(entry: &Entry, headers: &HeaderMap) -> bool {
    let is_text = |name| {
        let value = headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        value.windows(5).any(|part| part == b"-text")
    };
    !entry.client_streaming
        && !entry.server_streaming
        && !is_text(header::CONTENT_TYPE)
        && !is_text(header::ACCEPT)
}

pub(super) async fn answer(shared: &Shared, entry: &Entry, request: Request<Body>) -> Response<Body> {
    let limit = shared.options.max_message_bytes;
    call(entry, request, limit).await.unwrap_or_else(|status| {
        let mut response = status.into_http();
        response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
        response
    })
}

async fn call(entry: &Entry, request: Request<Body>, limit: usize) -> Result<Response<Body>, Status> {
    let timeout = metadata::grpc_timeout(request.headers())?;
    // A service that answers at once would be faster than a time that is over already.
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(words::time_is_over());
    }
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let (mut head, asked) = request.into_parts();
    let asking = async {
        let asked = body::read(&head.headers, asked, limit + PREFIX).await.map_err(|status| {
            // What is too long for a message and what stands before it, is too long for a message.
            if status.code() == Code::ResourceExhausted { words::too_large(limit) } else { status }
        })?;
        Envelopes::look_at_one(&asked, limit, entry.path.as_str())?;
        metadata::remove_hop_by_hop(&mut head.headers);
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        head.headers.insert(header::TE, HeaderValue::from_static("trailers"));
        head.extensions.remove::<hyper::upgrade::OnUpgrade>();
        let request = Request::from_parts(head, Body::new(Full::new(asked)));
        let response = entry.peer.clone().call(request).await;
        let response = response.map_err(|error| upstream::unreachable_service(&*error))?;
        let (mut head, body) = response.into_parts();
        metadata::remove_hop_by_hop(&mut head.headers);
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        // An answer of nothing but a status.
        let body = if head.headers.contains_key(Status::GRPC_STATUS) {
            Bytes::new()
        } else {
            whole(body, limit, head.status).await
        };
        head.status = StatusCode::OK;
        Ok(Response::from_parts(head, Body::new(Full::new(body))))
    };
    within(deadline, asking).await
}

/// An answer with its trailers. However it ends, it ends with a status.
async fn whole(mut body: Body, limit: usize, status: StatusCode) -> Bytes {
    let (mut all, mut envelopes) = (BytesMut::with_capacity(ROOM), Envelopes::new(limit));
    let mut trailing = HeaderMap::new();
    let ended = loop {
        let Some(frame) = body.frame().await else { break ended(&trailing, status) };
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => match envelopes.pass(&data) {
                Ok(()) => all.put(data),
                Err(status) => break Err(status),
            },
            Ok(Err(frame)) => trailing.extend(frame.into_trailers().unwrap_or_default()),
            Err(status) => break Err(status),
        }
    };
    if let Err(status) = ended
        && !trailing.contains_key(Status::GRPC_STATUS)
    {
        trailing = trailers(&status);
    }
    put_trailers(&mut all, &trailing);
    all.freeze()
}

fn put_trailers(all: &mut BytesMut, trailers: &HeaderMap) {
    all.put_u8(TRAILERS);
    let length = all.len();
    all.put_u32(0);
    for (name, value) in trailers {
        all.put_slice(name.as_str().as_bytes());
        all.put_u8(b':');
        all.put_slice(value.as_bytes());
        all.put_slice(b"\r\n");
    }
    let written = u32::try_from(all.len() - length - 4).expect("headers are bounded");
    all[length..length + 4].copy_from_slice(&written.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    async fn heard(frames: Vec<Frame<Bytes>>, broken: Option<Status>, status: u16) -> String {
        let frames = frames.into_iter().map(Ok).chain(broken.map(Err));
        let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
        let status = StatusCode::from_u16(status).expect("a status");
        String::from_utf8_lossy(&whole(body, 10, status).await).into_owned()
    }

    fn data(bytes: &'static [u8]) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(bytes))
    }

    fn trailing(pairs: &[(&'static str, &'static str)]) -> Frame<Bytes> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Frame::trailers(pairs.collect())
    }

    #[tokio::test]
    async fn trailers_are_the_last_frame() {
        let answer = vec![data(b"\0\0\0\0"), data(b"\x01a"), trailing(&[("grpc-status", "0"), ("x", "1")])];
        assert_eq!(heard(answer, None, 200).await, "\0\0\0\0\x01a\u{fffd}\0\0\0\x14grpc-status:0\r\nx:1\r\n");
    }

    #[tokio::test]
    async fn whatever_comes_ends_with_a_status() {
        for (frames, status, code) in [
            (vec![data(b"\0\0\0\0\x0b")], 200, Code::ResourceExhausted),
            (vec![data(b"\0\0\0\0\x01a")], 0, Code::Aborted),
            (vec![data(b"\0\0\0\0\x01a")], 200, Code::Unknown),
            (vec![data(b"not here")], 503, Code::ResourceExhausted),
            (vec![], 503, Code::Unavailable),
            (vec![trailing(&[("grpc-status", "7")])], 200, Code::PermissionDenied),
        ] {
            // No status of HTTP: where the body breaks.
            let broken = (status == 0).then(|| Status::aborted("broken"));
            let heard = heard(frames, broken, status.max(200)).await;
            assert!(heard.contains(&format!("grpc-status:{}\r\n", code as i32)), "{code:?}: {heard:?}");
        }
    }
}
