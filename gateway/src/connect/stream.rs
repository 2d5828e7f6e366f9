//! Calls with streams: envelopes both ways, and an end that tells how it went.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::Fuse, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tonic::{Status, body::Body, metadata::MetadataMap};

use super::{
    check_version,
    codec::Codec,
    compression::Encoding,
    envelope::{self, Reader},
    error,
};
use crate::{
    call::{self, Head, Messages},
    catalog::Entry,
    metadata,
    shared::Shared,
    words,
};

const CONTENT_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("connect-accept-encoding");

/// Answers a POST whose body is messages in envelopes. Whatever happens is told in the last one.
pub(super) async fn handle(
    shared: &Shared,
    entry: &Arc<Entry>,
    codec: Codec,
    request: Request<Body>,
) -> Response<Body> {
    begin(shared, entry, codec, request).await.unwrap_or_else(|status| refuse(codec, status, entry.pool()))
}

/// A stream that ends before its first message.
pub(super) fn refuse(codec: Codec, mut status: Status, pool: &DescriptorPool) -> Response<Body> {
    let trailers = std::mem::take(status.metadata_mut());
    let mut response = Response::new(Body::new(Full::new(end(Some(&status), trailers, pool))));
    finish(codec, Encoding::Identity, response.headers_mut());
    response
}

async fn begin(
    shared: &Shared,
    entry: &Arc<Entry>,
    codec: Codec,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let (parts, body) = request.into_parts();
    check_version(&parts.headers)?;
    let sent = Encoding::of(&parts.headers, &CONTENT_ENCODING)?;
    let encoding = Encoding::accepted(&parts.headers, &ACCEPT_ENCODING, sent);
    let head = Head {
        timeout: metadata::connect_timeout(&parts.headers)?,
        metadata: metadata::from_connect(&parts.headers),
        extensions: parts.extensions,
    };
    let (fault, faults) = oneshot::channel();
    let requests = Requests {
        reader: Reader::new(body, sent, shared.options.max_message_bytes),
        entry: Arc::clone(entry),
        codec,
        max_depth: shared.options.max_json_depth,
        count: 0,
        fault: Some(fault),
    };
    let mut faults = faults.fuse();
    let answer = tokio::select! {
        answer = call::call(entry, head, requests.into_stream(), shared.options.max_message_bytes) => answer?,
        Ok(status) = &mut faults => return Err(status),
    };
    let answers = Answers { messages: answer.messages, entry: Arc::clone(entry), codec, encoding, faults };
    let mut response = Response::new(Body::new(StreamBody::new(answers.into_stream())));
    response.headers_mut().extend(metadata::to_connect(answer.metadata));
    finish(codec, encoding, response.headers_mut());
    Ok(response)
}

/// Headers that every stream has.
fn finish(codec: Codec, encoding: Encoding, headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream_type()));
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Proxies that gather answers would hold a stream back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// The client's side.
struct Requests {
    reader: Reader,
    entry: Arc<Entry>,
    codec: Codec,
    max_depth: usize,
    count: u64,
    /// Where to say that the client made a mistake.
    fault: Option<oneshot::Sender<Status>>,
}

impl Requests {
    /// The messages, encoded. After a mistake there is neither one more nor an end, because the
    /// service must not take what it has for the whole; the call is given up then.
    fn into_stream(self) -> impl Stream<Item = Bytes> + Send {
        stream::unfold(self, |mut requests| async {
            match requests.next().await {
                Ok(Some(message)) => Some((message, requests)),
                Ok(None) => None,
                Err(status) => {
                    if let Some(fault) = requests.fault.take() {
                        // Where nobody listens the call has ended.
                        let _ = fault.send(status);
                    }
                    std::future::pending().await
                }
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let message = self.reader.next().await?;
        if !self.entry.client_streaming && message.is_some() != (self.count == 0) {
            return Err(words::one_message(self.entry.path.as_str()));
        }
        self.count += 1;
        let Some(message) = message else { return Ok(None) };
        let message = self.codec.read(&self.entry.input, message, self.max_depth)?;
        call::fitting(message, self.reader.limit()).map(Some)
    }
}

/// The service's side.
struct Answers {
    messages: Messages,
    entry: Arc<Entry>,
    codec: Codec,
    encoding: Encoding,
    faults: Fuse<oneshot::Receiver<Status>>,
}

impl Answers {
    /// The messages in their envelopes, and the end.
    fn into_stream(self) -> impl Stream<Item = Result<Frame<Bytes>, Status>> + Send {
        let envelopes = stream::unfold(Some(self), |answers| async {
            let mut answers = answers?;
            let (status, trailers) = match answers.next().await {
                Ok(Some(sealed)) => return Some((sealed, Some(answers))),
                Ok(None) => (None, answers.messages.trailers().await),
                Err(mut status) => {
                    let trailers = std::mem::take(status.metadata_mut());
                    (Some(status), trailers)
                }
            };
            Some((end(status.as_ref(), trailers, answers.entry.pool()), None))
        });
        envelopes.map(|sealed| Ok(Frame::data(sealed)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let message = tokio::select! {
            message = self.messages.next() => message?,
            Ok(status) = &mut self.faults => return Err(status),
        };
        let Some(message) = message else { return Ok(None) };
        let written = self.codec.write(&self.entry.output_json, message)?;
        Ok(Some(envelope::message(&written, self.encoding)))
    }
}

/// The last envelope: the error, if it is one, and the metadata that came with the status.
fn end(error: Option<&Status>, trailers: MetadataMap, pool: &DescriptorPool) -> Bytes {
    let mut end = Map::new();
    if let Some(status) = error {
        end.insert("error".to_owned(), error::to_json(status, pool));
    }
    let trailers = metadata::to_connect(trailers);
    if !trailers.is_empty() {
        let values = |name| {
            let values = trailers.get_all(name).iter();
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
        };
        let metadata: Map<String, Value> =
            trailers.keys().map(|name| (name.to_string(), json!(values(name)))).collect();
        end.insert("metadata".to_owned(), Value::Object(metadata));
    }
    envelope::end(Value::Object(end).to_string().as_bytes())
}
