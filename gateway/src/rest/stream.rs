//! A server stream as an HTTP response: NDJSON, an event stream, a JSON array, or raw bytes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::json;
use tonic::{Status, body::Body};

use super::{
    Route,
    reply::{describe_raw, finish, read_raw},
};
use crate::{
    accept::{self, Offer},
    call::{Answer, Messages},
    json,
    refusal::{Refusal, status_json},
};

/// A stream of messages in the media type that was chosen.
pub(super) fn messages(
    route: &Arc<Route>,
    answer: Answer,
    offer: Offer,
    heartbeat: Duration,
) -> Response<Body> {
    let writer = Writer {
        messages: answer.messages,
        route: Arc::clone(route),
        format: Format::of(offer),
        heartbeat,
        is_first: true,
    };
    let mut response = streamed(stream::unfold(Some(writer), |writer| async {
        let mut writer = writer?;
        let (chunk, goes_on) = writer.next().await;
        Some((Ok(chunk), goes_on.then_some(writer)))
    }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(offer));
    // Proxies that gather answers would hold a stream back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    finish(route, answer.metadata, &mut response);
    response
}

/// A stream of `google.api.HttpBody` as one body of bytes. Its first message is awaited, because
/// it tells the type. An error after that breaks the transfer off: half a file must not look
/// like a whole one.
///
/// # Errors
/// The status with which the stream ended before its first message.
pub(super) async fn raw(route: &Route, mut answer: Answer) -> Result<Response<Body>, Refusal> {
    let first = match answer.messages.next().await? {
        Some(message) => read_raw(message)?,
        None => weft_proto::google::api::HttpBody::default(),
    };
    let begin = stream::iter([Ok(first.data.clone())]);
    let rest = stream::unfold(Some(answer.messages), |messages| async {
        let mut messages = messages?;
        match messages.next().await {
            Ok(Some(message)) => match read_raw(message) {
                Ok(raw) => Some((Ok(raw.data), Some(messages))),
                Err(status) => Some((Err(status), None)),
            },
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    });
    let mut response = streamed(begin.chain(rest));
    describe_raw(&first, &answer.metadata, &mut response);
    finish(route, answer.metadata, &mut response);
    Ok(response)
}

fn streamed(chunks: impl Stream<Item = Result<Bytes, Status>> + Send + 'static) -> Response<Body> {
    let frames = chunks.map(|chunk| chunk.map(Frame::data));
    Response::new(Body::new(StreamBody::new(frames)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Lines,
    Events,
    Array,
}

impl Format {
    fn of(offer: Offer) -> Self {
        match offer {
            accept::EVENTS => Self::Events,
            accept::JSON => Self::Array,
            _ => Self::Lines,
        }
    }
}

struct Writer {
    messages: Messages,
    route: Arc<Route>,
    format: Format,
    heartbeat: Duration,
    is_first: bool,
}

impl Writer {
    /// The next bytes, and whether there are more.
    async fn next(&mut self) -> (Bytes, bool) {
        let message = if self.format == Format::Events {
            match tokio::time::timeout(self.heartbeat, self.messages.next()).await {
                Ok(message) => message,
                // A comment, which event sources pass over.
                Err(_) => return (Bytes::from_static(b":\n\n"), true),
            }
        } else {
            self.messages.next().await
        };
        match message.and_then(|message| message.map(|message| self.encode(message)).transpose()) {
            Ok(Some((json, id))) => (self.write(&json, id.as_deref()), true),
            Ok(None) => (self.end(None), false),
            Err(status) => (self.end(Some(&status)), false),
        }
    }

    /// The message's JSON, and the id of the event that it becomes.
    fn encode(&self, message: Bytes) -> Result<(Vec<u8>, Option<String>), Status> {
        let output = &self.route.entry.output;
        let cursor = self.route.cursor.as_ref().filter(|_| self.format == Format::Events);
        match (&self.route.response_field, cursor) {
            (Some(field), None) => Ok((json::encode_field(field, message)?, None)),
            (None, None) => Ok((self.route.entry.output_json.encode(message)?, None)),
            (Some(field), Some(cursor)) => {
                let id = cursor.id(&json::decode_binary(output, message.clone())?);
                Ok((json::encode_field(field, message)?, id))
            }
            (None, Some(cursor)) => {
                let message = json::decode_binary(output, message)?;
                Ok((json::to_json(&message)?, cursor.id(&message)))
            }
        }
    }

    fn write(&mut self, json: &[u8], id: Option<&str>) -> Bytes {
        let is_first = std::mem::take(&mut self.is_first);
        let (before, after): (&[u8], &[u8]) = match self.format {
            Format::Lines => (b"", b"\n"),
            Format::Events => (b"data: ", b"\n\n"),
            Format::Array if is_first => (b"[", b""),
            Format::Array => (b",\n", b""),
        };
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        [id.as_bytes(), before, json, after].concat().into()
    }

    /// How a stream ends. No message has a field `@error`, so an error cannot be taken for one.
    /// An event source would connect again after the end, whatever it was: it is told both ends.
    fn end(&mut self, error: Option<&Status>) -> Bytes {
        let success = Status::ok("");
        let status = status_json(error.unwrap_or(&success), self.route.entry.pool(), true);
        let as_message =
            error.is_some().then(|| self.write(json!({ "@error": status }).to_string().as_bytes(), None));
        match self.format {
            Format::Events => format!("event: status\ndata: {status}\n\n").into(),
            Format::Lines => as_message.unwrap_or_default(),
            Format::Array => {
                let before = as_message.unwrap_or_default();
                let end: &[u8] = if self.is_first { b"[]" } else { b"]" };
                [&before[..], end].concat().into()
            }
        }
    }
}
