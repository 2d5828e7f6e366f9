//! The Connect protocol: plain HTTP without trailers, for browsers, for curl and through every proxy.
//!
//! <https://connectrpc.com/docs/protocol> says how it is spoken. A request walks through this file
//! (which kind it is), [`unary`] or [`stream`] (with [`envelope`]s), in a [`codec`], maybe with
//! [`compression`]; what goes wrong is an [`error`].

mod codec;
mod compression;
mod envelope;
mod error;
mod stream;
mod unary;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tonic::{Status, body::Body};
use weft_kit::Problem;

use self::codec::Codec;
use crate::{catalog::Entry, refusal::Refusal, shared::Shared, words};

const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");

/// What one method of this protocol is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One message is the body.
    Unary(Codec),
    /// Messages follow one another in envelopes.
    Stream(Codec),
}

impl Kind {
    /// By a content type; its parameters do not matter.
    fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/proto" => Some(Self::Unary(Codec::Proto)),
            "application/json" => Some(Self::Unary(Codec::Json)),
            "application/connect+proto" => Some(Self::Stream(Codec::Proto)),
            "application/connect+json" => Some(Self::Stream(Codec::Json)),
            _ => None,
        }
    }
}

/// Answers a request for a method that is no gRPC.
pub(crate) async fn handle(shared: &Shared, entry: &Arc<Entry>, request: Request<Body>) -> Response<Body> {
    let is_stream = entry.client_streaming || entry.server_streaming;
    let may_get = !is_stream && !entry.has_side_effects;
    match *request.method() {
        Method::GET if may_get => return unary::get(shared, entry, request).await,
        Method::POST => {}
        _ => return wrong_method(shared, entry, request.method(), may_get),
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type.and_then(Kind::of) {
        Some(Kind::Unary(codec)) if !is_stream => unary::post(shared, entry, codec, request).await,
        Some(Kind::Stream(codec)) if is_stream => stream::handle(shared, entry, codec, request).await,
        _ => wrong_type(shared, entry, is_stream),
    }
}

/// The answer to a Connect request for a method that there is not; `None` if it is none.
pub(crate) fn unknown_method(shared: &Shared, request: &Request<Body>) -> Option<Response<Body>> {
    let headers = request.headers();
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = content_type.and_then(Kind::of);
    // JSON may be anybody's.
    let is_connect =
        kind.is_some_and(|kind| kind != Kind::Unary(Codec::Json)) || headers.contains_key(VERSION);
    if !is_connect || request.method() != Method::POST {
        return None;
    }
    let status = words::unknown_method(request.uri().path());
    Some(match kind {
        Some(Kind::Stream(codec)) => stream::refuse(codec, status, &shared.pool),
        _ => error::response(status, &shared.pool),
    })
}

/// A client of a later version of the protocol would not understand us.
fn check_version(headers: &HeaderMap) -> Result<(), Status> {
    match headers.get(VERSION) {
        Some(version) if version != "1" => Err(Problem::bad_field(VERSION.as_str(), "must be 1").into()),
        _ => Ok(()),
    }
}

fn wrong_method(shared: &Shared, entry: &Entry, method: &Method, may_get: bool) -> Response<Body> {
    let text =
        format!("{} does not take {method}: POST it, or call it over the WebSocket at /ws", entry.path);
    let problem = Problem::unimplemented("WRONG_HTTP_METHOD", text);
    let allow = HeaderValue::from_static(if may_get { "GET, POST" } else { "POST" });
    Refusal::http(StatusCode::METHOD_NOT_ALLOWED, problem)
        .with_header(header::ALLOW, allow)
        .into_response(&shared.pool)
}

fn wrong_type(shared: &Shared, entry: &Entry, is_stream: bool) -> Response<Body> {
    let types = if is_stream {
        "application/grpc, application/grpc-web, application/connect+proto, application/connect+json"
    } else {
        "application/grpc, application/grpc-web, application/proto, application/json"
    };
    let text = format!("{} is a method: call it with {types}, or over the WebSocket at /ws", entry.path);
    Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, Problem::invalid_argument("NOT_A_CALL", text))
        .with_header(HeaderName::from_static("accept-post"), HeaderValue::from_static(types))
        .into_response(&shared.pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_kinds_apart() {
        for (content_type, expected) in [
            ("application/proto", Some(Kind::Unary(Codec::Proto))),
            ("application/json", Some(Kind::Unary(Codec::Json))),
            ("Application/JSON; charset=utf-8", Some(Kind::Unary(Codec::Json))),
            ("application/connect+proto", Some(Kind::Stream(Codec::Proto))),
            ("application/connect+json ; x=y", Some(Kind::Stream(Codec::Json))),
            ("application/connect+xml", None),
            ("application/protobuf", None),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(content_type), expected, "{content_type}");
        }
    }
}
