//! Calls of one message each way: POST, and GET for what changes nothing.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use tonic::{Status, body::Body};
use weft_kit::Problem;

use super::{check_version, codec::Codec, compression::Encoding, error};
use crate::{
    call::{self, Head, Whole},
    catalog::Entry,
    json, metadata,
    percent::{self, Part},
    refusal::Refusal,
    shared::Shared,
};

/// Answers a POST whose body is a message in `codec`.
pub(super) async fn post(
    shared: &Shared,
    entry: &Entry,
    codec: Codec,
    request: Request<Body>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let extensions = std::mem::take(&mut parts.extensions);
    let answered = async {
        check_version(&parts.headers)?;
        let encoding = Encoding::of(&parts.headers, &header::CONTENT_ENCODING)?;
        let body = crate::body::read(&parts.headers, body, shared.options.max_body_bytes).await?;
        let message = Message { codec, encoding, bytes: body };
        call(shared, entry, message, &parts.headers, extensions).await
    };
    answered.await.unwrap_or_else(|status| error::response(status, entry.pool()))
}

/// Answers a GET whose query has the message.
pub(super) async fn get(shared: &Shared, entry: &Entry, request: Request<Body>) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let message = match Message::from_query(parts.uri.query().unwrap_or_default()) {
        Ok(Some(message)) => message,
        Ok(None) => return unknown_encoding(shared),
        Err(status) => return error::response(status, entry.pool()),
    };
    call(shared, entry, message, &parts.headers, parts.extensions)
        .await
        .unwrap_or_else(|status| error::response(status, entry.pool()))
}

fn unknown_encoding(shared: &Shared) -> Response<Body> {
    let problem = Problem::bad_field("encoding", "must be proto or json");
    Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem).into_response(&shared.pool)
}

/// What a client sent.
struct Message {
    codec: Codec,
    encoding: Encoding,
    bytes: Bytes,
}

impl Message {
    /// Reads `message`, `encoding`, `base64`, `compression` and `connect`; `None` if there is no
    /// such encoding. What else is in the query is not ours.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the parameter.
    fn from_query(query: &str) -> Result<Option<Self>, Status> {
        let find = |wanted: &'static str| -> Result<Option<Cow<'_, str>>, Status> {
            let value = query.split('&').find_map(|pair| {
                let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
                (name == wanted).then_some(text)
            });
            let decoded = value.map(|text| percent::decode(text, Part::Query)).transpose();
            decoded.map_err(|problem| Problem::bad_field(wanted, problem).into())
        };
        let missing = |name: &str| Status::from(Problem::bad_field(name, "must be in the query"));
        if find("connect")?.is_some_and(|version| version != "v1") {
            return Err(Problem::bad_field("connect", "must be v1").into());
        }
        let encoding = find("encoding")?.ok_or_else(|| missing("encoding"))?;
        let Some(codec) = Codec::by_name(&encoding) else { return Ok(None) };
        let text = find("message")?.ok_or_else(|| missing("message"))?;
        let bytes = if find("base64")?.is_some_and(|base64| base64 == "1") {
            json::base64(&text)
                .ok_or_else(|| Problem::bad_field("message", "must be URL-safe base64 where base64 is 1"))?
        } else {
            text.into_owned().into_bytes()
        };
        let encoding = Encoding::by_name(&find("compression")?.unwrap_or_default())?;
        Ok(Some(Self { codec, encoding, bytes: bytes.into() }))
    }
}

async fn call(
    shared: &Shared,
    entry: &Entry,
    message: Message,
    headers: &HeaderMap,
    extensions: http::Extensions,
) -> Result<Response<Body>, Status> {
    let options = &shared.options;
    let head = Head {
        metadata: metadata::from_connect(headers),
        timeout: metadata::connect_timeout(headers)?,
        extensions,
    };
    let plain = message.encoding.decompress(message.bytes, options.max_body_bytes)?;
    let plain = message.codec.read(&entry.input, plain, options.max_json_depth)?;
    let Whole { metadata, message: bytes, trailers } =
        call::unary(entry, head, plain, options.max_message_bytes).await?;
    let bytes = message.codec.write(&entry.output_json, bytes)?;

    let accepted = Encoding::accepted(headers, &header::ACCEPT_ENCODING, message.encoding);
    let compressed = accepted.compress(&bytes);
    let is_compressed = compressed.is_some();
    let mut response = Response::new(Body::new(Full::new(compressed.unwrap_or(bytes))));
    let headers = response.headers_mut();
    headers.extend(metadata::to_connect(metadata));
    headers.extend(as_trailers(&metadata::to_connect(trailers)));
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(message.codec.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !entry.public {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Metadata that comes after the message in gRPC is told in headers, by a prefix.
fn as_trailers(trailers: &HeaderMap) -> HeaderMap {
    let prefixed = trailers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(format!("trailer-{name}")).ok()?, value.clone()))
    });
    prefixed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Option<(Codec, Encoding, Bytes)>, Status> {
        let read = Message::from_query(query)?;
        Ok(read.map(|message| (message.codec, message.encoding, message.bytes)))
    }

    #[test]
    fn reads_the_query_of_a_get() {
        let json =
            |text: &'static str| Some((Codec::Json, Encoding::Identity, Bytes::from_static(text.as_bytes())));
        for (query, expected) in [
            ("encoding=json&message=%7B%7D", json("{}")),
            ("message=%7B%22a%22%3A+1%7D&connect=v1&encoding=json&other=1", json("{\"a\": 1}")),
            ("encoding=json&message=e30&base64=1", json("{}")),
            ("encoding=json&message=e30%3D&base64=1", json("{}")),
            ("encoding=json&message=e30&base64=2", json("e30")),
            ("encoding=proto&message=", Some((Codec::Proto, Encoding::Identity, Bytes::new()))),
            (
                "encoding=proto&message=_-8&base64=1&compression=gzip",
                Some((Codec::Proto, Encoding::Gzip, Bytes::from_static(b"\xff\xef"))),
            ),
            ("encoding=xml&message=", None),
        ] {
            assert_eq!(read(query).expect(query), expected, "{query}");
        }
    }

    #[test]
    fn names_what_is_wrong_with_the_query() {
        for (query, expected) in [
            ("", "encoding: must be in the query"),
            ("encoding=json", "message: must be in the query"),
            ("encoding=json&message=%zz", "message: has a % without two hexadecimal digits"),
            ("encoding=json&message=%FF", "message: is not UTF-8"),
            ("encoding=json&message=*&base64=1", "message: must be URL-safe base64 where base64 is 1"),
            ("encoding=json&message=&connect=v2", "connect: must be v1"),
        ] {
            assert_eq!(read(query).expect_err(query).message(), expected, "{query}");
        }
        let status = read("encoding=json&message=&compression=br").expect_err("no brotli");
        assert_eq!(status.code(), tonic::Code::Unimplemented);
    }
}
